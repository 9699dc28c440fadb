package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// fleet is kubelets as far as the API server can tell: each listens on a port of
// its own and has a page of metrics.
type fleet struct {
	ip       net.IP
	kubelets map[int]kubelet // by port
}

// kubelet is what one of them says.
type kubelet struct {
	name        string
	notAfter    time.Time
	renewErrors int
}

// ownAddress is an address of this host that the API server goes to for a
// kubelet. It refuses loopback ones ("address not allowed").
func ownAddress(t *testing.T) net.IP {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP
		}
	}
	t.Skip("the tests with kubelets of their own are skipped: this machine has no address but loopback")
	return nil
}

// startFleet has n kubelets listen. To nobody but the API server do they answer.
func (r *rig) startFleet(t *testing.T, n int, say func(i int) kubelet) *fleet {
	t.Helper()
	f := &fleet{ip: ownAddress(t), kubelets: map[int]kubelet{}}
	from := time.Now().Add(-cluster.Day)
	serving := r.issue(t, cluster.Spec{CommonName: "kubelet", Names: []string{f.ip.String()}, NotBefore: from, NotAfter: from.Add(long)})
	cert, err := tls.X509KeyPair(serving.CertPEM, serving.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	ca := x509.NewCertPool()
	ca.AddCert(r.cluster.CA.Cert)
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca, ClientAuth: tls.RequireAndVerifyClientCert},
		ErrorLog:          log.New(io.Discard, "", 0), // an auditor may hang up in the middle of a page
	}
	t.Cleanup(func() { server.Close() })
	listeners := make([]net.Listener, n)
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", net.JoinHostPort(f.ip.String(), "0")); err != nil {
			t.Fatal(err)
		}
		f.kubelets[listeners[i].Addr().(*net.TCPAddr).Port] = say(i)
	}
	for _, l := range listeners {
		go server.ServeTLS(l, "", "")
	}
	return f
}

// join makes the Node objects, a few at once.
func (f *fleet) join(t *testing.T, r *rig) {
	t.Helper()
	ports := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for port := range ports {
				if err := r.server.AddNode(r.ctx, r.cluster.Admin, f.kubelets[port].name, f.ip.String(), port); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for port := range f.kubelets {
		ports <- port
	}
	close(ports)
	workers.Wait()
}

// ServeHTTP tells by the port which kubelet is asked.
func (f *fleet) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	k, ok := f.kubelets[req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr).Port]
	if !ok || req.URL.Path != "/metrics" {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
	io.WriteString(w, k.page())
}

// page is as long as that of a kubelet 1.37 without pods, has its certificates
// at the same place, and is sorted by name as that one is.
func (k kubelet) page() string {
	var b strings.Builder
	fill := func(name string, size int) {
		fmt.Fprintf(&b, "# HELP %s [ALPHA] What comes between.\n# TYPE %s histogram\n", name, name)
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, "%s_bucket{operation=\"filling\",le=\"%d\"} %d\n", name, i, i)
		}
	}
	metric := func(name, kind string, value int) {
		fmt.Fprintf(&b, "# HELP %s [ALPHA] As a kubelet has it.\n# TYPE %s %s\n%s %d\n", name, name, kind, name, value)
	}
	left := int(time.Until(k.notAfter).Seconds())
	fill("apiserver_request_duration_seconds", 62_600)
	metric(renewErrors, "counter", k.renewErrors)
	metric(clientTTL, "gauge", left)
	fill("kubelet_certificate_manager_server_rotation_seconds", 64_500)
	metric(servingTTL, "gauge", left)
	fill("kubelet_runtime_operations_duration_seconds", 91_400)
	metric("kubelet_server_expiration_renew_errors", "counter", 0)
	fill("workqueue_work_duration_seconds", 155_000)
	return b.String()
}
