package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
)

// secret is the old token: nothing that is written may hold it.
const secret = "0ld-s3cret-t0ken"

// pair is a certificate and its key.
type pair struct {
	cert        *x509.Certificate
	key         *ecdsa.PrivateKey
	pem, keyPEM []byte
}

func issue(t *testing.T, name string, by *pair, change ...func(*x509.Certificate)) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-365 * 24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	parent, signer := template, key
	if by == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
	} else {
		parent, signer = by.cert, by.key
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	for _, c := range change {
		c(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}
}

func serves(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-24 * time.Hour) }

func masters(c *x509.Certificate) { c.Subject.Organization = []string{"system:masters"} }

// kubeAPI answers as kube-apiserver does.
type kubeAPI struct {
	clientCAs []pair                                                      // whose certificates it takes
	tokens    map[string]string                                           // to users
	anonymous bool                                                        // anonymous requests are let through, to authorization
	anybody   bool                                                        // dates of certificates do not matter
	demands   bool                                                        // a client certificate that verifies, in TLS
	asksNot   bool                                                        // for one, as what ends TLS in front of an API server
	instead   http.HandlerFunc                                            // of all that
	shakes    func(n int, hello *tls.ClientHelloInfo, config *tls.Config) // changes how it shakes hands the nth time

	mu      sync.Mutex
	shaken  int
	certs   int // shown
	bearers []string
}

// start serves with a certificate of ca.
func (k *kubeAPI) start(t *testing.T, ca pair, change ...func(*x509.Certificate)) string {
	t.Helper()
	serving := issue(t, "apiserver", &ca, append([]func(*x509.Certificate){serves}, change...)...)
	s := httptest.NewUnstartedServer(http.HandlerFunc(k.serve))
	pool := x509.NewCertPool()
	for _, ca := range k.clientCAs {
		pool.AddCert(ca.cert)
	}
	// As kube-apiserver: a certificate is asked for, with the names of the CAs
	// that are taken, and verified above TLS.
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{serving.cert.Raw}, PrivateKey: serving.key}}, ClientAuth: tls.RequestClientCert, ClientCAs: pool}
	if k.demands {
		s.TLS.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if k.asksNot {
		s.TLS.ClientAuth = tls.NoClientCert
	}
	if k.shakes != nil {
		config := s.TLS.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
		s.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			config := config.Clone()
			k.mu.Lock()
			defer k.mu.Unlock()
			k.shaken++
			k.shakes(k.shaken, hello, config)
			return config, nil
		}
	}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String()
}

func (k *kubeAPI) serve(w http.ResponseWriter, r *http.Request) {
	bearer := r.Header.Get("Authorization")
	k.mu.Lock()
	k.certs += len(r.TLS.PeerCertificates)
	if bearer != "" {
		k.bearers = append(k.bearers, bearer)
	}
	k.mu.Unlock()
	if k.instead != nil {
		k.instead(w, r)
		return
	}
	user, master := "system:anonymous", false
	switch {
	case r.Method != http.MethodGet:
		http.Error(w, "an audit only reads", http.StatusMethodNotAllowed)
		return
	case len(r.TLS.PeerCertificates) > 0:
		leaf := r.TLS.PeerCertificates[0]
		options := x509.VerifyOptions{Roots: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for _, ca := range k.clientCAs {
			options.Roots.AddCert(ca.cert)
		}
		if k.anybody {
			options.CurrentTime = leaf.NotBefore.Add(time.Second)
		}
		if _, err := leaf.Verify(options); err != nil {
			status(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		user, master = leaf.Subject.CommonName, len(leaf.Subject.Organization) > 0
	case bearer != "":
		var ok bool
		if user, ok = k.tokens[bearer[len("Bearer "):]]; !ok {
			status(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		master = user == "admin"
	case !k.anonymous:
		status(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	if !master {
		status(w, http.StatusForbidden, fmt.Sprintf(`namespaces "kube-system" is forbidden: User %q cannot get resource "namespaces" in API group "" in the namespace "kube-system"`, user))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system"}}`)
}

func status(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
}

// entry is a kubeconfig's context for the server at address.
func entry(address string, ca []byte, user *target.User) target.Target {
	return target.Target{ID: "aks", Name: "aks", Context: "aks", User: user,
		Cluster: &target.Cluster{Name: "aks", File: "config", Server: "https://" + address, CA: target.Material{Data: ca}}}
}

func fingerprint(t *testing.T, der []byte) string {
	t.Helper()
	c, err := certs.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return c.Fingerprint
}
