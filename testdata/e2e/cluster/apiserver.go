package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/akscert/akscert/testdata/e2e/build"
)

// Names is what a serving certificate has to cover to be reached as the
// cluster's clients reach it.
func Names() []string { return []string{"127.0.0.1", "::1", "localhost"} }

// APIServer is one running kube-apiserver.
type APIServer struct {
	Addr    string // host:port
	serving Pair
	ca      Pair
	process *process
}

// StartAPIServer starts another kube-apiserver on the same etcd, which listens
// on loopback, presents the serving certificate and then chain, and waits until
// it is ready.
func (c *Cluster) StartAPIServer(ctx context.Context, serving Pair, chain ...Pair) (*APIServer, error) {
	return c.StartAPIServerAt(ctx, net.IPv4(127, 0, 0, 1), serving, chain...)
}

// StartAPIServerAt is StartAPIServer with another address to listen on.
func (c *Cluster) StartAPIServerAt(ctx context.Context, ip net.IP, serving Pair, chain ...Pair) (*APIServer, error) {
	for attempt := 1; ; attempt++ {
		s, err := c.tryAPIServer(ctx, ip, serving, chain)
		if err == nil {
			return s, nil
		}
		// A port that was free a moment ago may not be free now.
		if attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return nil, err
		}
	}
}

func (c *Cluster) tryAPIServer(ctx context.Context, ip net.IP, serving Pair, chain []Pair) (*APIServer, error) {
	binary, err := build.Binary(ctx, c.root, build.APIServer, c.log)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr(ip)
	if err != nil {
		return nil, err
	}
	c.apiservers++
	name := fmt.Sprintf("kube-apiserver-%d", c.apiservers)
	cert, key, err := serving.write(c.Dir, name, chain...)
	if err != nil {
		return nil, fmt.Errorf("starting %q: %w", name, err)
	}
	p, err := start(c.Dir, name, binary, c.apiserverFlags(addr, cert, key)...)
	if err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	s := &APIServer{Addr: addr, serving: serving, ca: c.CA, process: p}
	err = c.wait(ctx, p, func() error {
		status, body, err := s.Do(ctx, Login{Client: &c.Admin}, http.MethodGet, "/readyz", nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("readyz answered %d: %s", status, body)
		}
		return err
	})
	if err != nil {
		p.kill()
		return nil, err
	}
	return s, nil
}

func (c *Cluster) apiserverFlags(addr, cert, key string) []string {
	host, port, _ := net.SplitHostPort(addr) // freeAddr made it
	return []string{
		"--etcd-servers=" + c.etcdURL,
		"--bind-address=" + host,
		"--secure-port=" + port,
		// Never used, as nothing publishes it, but a machine whose only
		// interface is loopback has no default for it.
		"--advertise-address=192.0.2.1",
		"--endpoint-reconciler-type=none",
		"--cert-dir=" + c.Dir,
		"--tls-cert-file=" + cert,
		"--tls-private-key-file=" + key,
		"--client-ca-file=" + c.files.ca,
		"--authorization-mode=Node,RBAC",
		"--enable-bootstrap-token-auth",
		// How it goes to kubelets: as itself, by address because nobody resolves
		// the names of nodes here, and without verifying them.
		"--kubelet-client-certificate=" + c.files.kubeletClientCert,
		"--kubelet-client-key=" + c.files.kubeletClientKey,
		"--kubelet-preferred-address-types=InternalIP",
		"--service-cluster-ip-range=10.0.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.files.serviceAccountKey,
		"--service-account-signing-key-file=" + c.files.serviceAccountKey,
		"--requestheader-client-ca-file=" + c.files.requestHeaderCA,
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.files.proxyCert,
		"--proxy-client-key-file=" + c.files.proxyKey,
	}
}

// URL is the server's address as a kubeconfig has it.
func (s *APIServer) URL() string { return "https://" + s.Addr }

// Kill ends the server without a goodbye.
func (s *APIServer) Kill() { s.process.kill() }

// Login is how to authenticate; the zero value is anonymous.
type Login struct {
	Client *Pair
	Token  string
}

// Do sends one request and returns the answer's status and body.
func (s *APIServer) Do(ctx context.Context, login Login, method, path string, body []byte) (int, []byte, error) {
	resp, answer, err := s.send(ctx, login, method, path, "application/json", body)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, answer, nil
}

// send sends one request, and reads the answer's body. The server is verified,
// but as of the start of its certificate's life: whether that has ended is for
// akscert to say.
func (s *APIServer) send(ctx context.Context, login Login, method, path, contentType string, body []byte) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL()+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if login.Token != "" {
		req.Header.Set("Authorization", "Bearer "+login.Token)
	}
	config := &tls.Config{
		RootCAs: x509.NewCertPool(),
		Time:    func() time.Time { return s.serving.Cert.NotBefore.Add(time.Second) },
	}
	config.RootCAs.AddCert(s.ca.Cert)
	if login.Client != nil {
		config.Certificates = []tls.Certificate{login.Client.tls()}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}

// freeAddr is ip with a port nobody listens on at the moment.
func freeAddr(ip net.IP) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), "0"))
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
