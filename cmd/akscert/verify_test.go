package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// rotating is an API server whose credentials can be replaced while it runs: it
// answers as kube-apiserver does to who asks for a namespace.
type rotating struct {
	config atomic.Pointer[tls.Config] // whose ClientCAs are taken above TLS
	token  atomic.Pointer[string]
	pairs  map[string]rotatingPair
}

type rotatingPair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// rotation starts such a server, at $SERVER, and writes before.yaml and
// after.yaml, kubeconfigs from before and after its rotation; or rotates it:
// rotation half for the serving certificate alone, rotation whole for all. One
// script at a time can use it.
func (r *rotating) rotation(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		r.start(ts)
		return
	}
	r.serve("new")
	if args[0] == "whole" {
		config := r.config.Load().Clone()
		config.ClientCAs = r.pool("new-ca")
		r.config.Store(config)
		token := "the-new-secret"
		r.token.Store(&token)
	}
}

func (r *rotating) pool(names ...string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, name := range names {
		pool.AddCert(r.pairs[name].cert)
	}
	return pool
}

// serve presents the serving certificate of that age, and takes all clients.
func (r *rotating) serve(age string) {
	p := r.pairs[age+"-serving"]
	r.config.Store(&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}},
		ClientAuth: tls.RequestClientCert, ClientCAs: r.pool("old-ca", "new-ca"), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
}

func (r *rotating) start(ts *testscript.TestScript) {
	r.pairs = map[string]rotatingPair{}
	files := map[string]string{}
	for _, age := range []string{"old", "new"} {
		r.issue(ts, files, age+"-ca", "", x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true})
		r.issue(ts, files, age+"-serving", age+"-ca", x509.Certificate{Subject: pkix.Name{CommonName: "apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		r.issue(ts, files, age+"-client", age+"-ca", x509.Certificate{Subject: pkix.Name{CommonName: "masterclient"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	r.serve("old")
	token := "the-old-secret"
	r.token.Store(&token)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &http.Server{Handler: http.HandlerFunc(r.answer), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.config.Load(), nil }}}
	ts.Defer(func() { _ = s.Close() })
	serving := r.pairs["old-serving"]
	s.TLSConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{serving.cert.Raw}, PrivateKey: serving.key}}
	go func() { _ = s.ServeTLS(l, "", "") }()
	ts.Setenv("SERVER", l.Addr().String())
	for file, age := range map[string]string{"before.yaml": "old", "after.yaml": "new"} {
		kubeconfig := fmt.Sprintf(`kind: Config
current-context: aks
contexts: [{name: aks, context: {cluster: aks, user: admin}}]
clusters: [{name: aks, cluster: {server: "https://%s", certificate-authority-data: %s}}]
users: [{name: admin, user: {client-certificate-data: %s, client-key-data: %s, token: the-%s-secret}}]
`, l.Addr(), files[age+"-ca"], files[age+"-client"], files[age+"-client.key"], age)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(kubeconfig), 0o600))
	}
}

func (r *rotating) issue(ts *testscript.TestScript, files map[string]string, name, by string, template x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template.SerialNumber = big.NewInt(int64(len(r.pairs) + 1))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*365*2*time.Hour)
	parent, signer := &template, key
	if by != "" {
		parent, signer = r.pairs[by].cert, r.pairs[by].key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	r.pairs[name] = rotatingPair{cert, key}
	inline := func(kind string, data []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	files[name], files[name+".key"] = inline("CERTIFICATE", der), inline("PRIVATE KEY", secret)
}

func (r *rotating) answer(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	known := q.Header.Get("Authorization") == "Bearer "+*r.token.Load()
	for _, c := range q.TLS.PeerCertificates {
		_, err := c.Verify(x509.VerifyOptions{Roots: r.config.Load().ClientCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		known = err == nil
	}
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
		return
	}
	_, _ = io.WriteString(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system"}}`)
}

// hostPort shows no password that an address holds.
func TestHostPort(t *testing.T) {
	for server, want := range map[string]string{
		"https://a.hcp.azmk8s.io:443":       "a.hcp.azmk8s.io:443",
		"https://A.hcp.azmk8s.io.":          "a.hcp.azmk8s.io:443",
		"a.hcp.azmk8s.io":                   "a.hcp.azmk8s.io:443",
		"127.0.0.1:6443":                    "127.0.0.1:6443",
		"https://[::1]:6443/prefix":         "[::1]:6443",
		"https://user:hunter2@example:6443": "example:6443",
		"https://user:hunter2@exa mple":     "an address that cannot be read",
	} {
		if got := hostPort(server); got != want {
			t.Errorf("hostPort(%q) = %q, want %q", server, got, want)
		}
	}
}
