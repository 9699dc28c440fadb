package kube

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// connect is an HTTP proxy that tunnels for those who have the password.
func connect(t *testing.T) (*httptest.Server, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+secret))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Host+" "+r.Header.Get("Authorization"))
		mu.Unlock()
		if r.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		out, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		in, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(out, in)
			_ = out.Close()
		}()
		_, _ = io.Copy(in, out)
		_ = in.Close()
	}))
	t.Cleanup(func() {
		proxy.CloseClientConnections()
		proxy.Close()
	})
	return proxy, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

// The kubeconfig's proxy beats the environment's; the token is for the server
// behind it alone; what fails says which proxy, without its password.
func TestProxy(t *testing.T) {
	proxy, asked := connect(t)
	server := serve(t, ok)
	here := strings.TrimPrefix(proxy.URL, "http://")
	elsewhere := func(*url.URL) (*url.URL, error) { return url.Parse("http://127.0.0.1:1") }
	for name, test := range map[string]struct {
		kubeconfig  string
		environment func(*url.URL) (*url.URL, error)
		message     string
	}{
		"kubeconfig":  {"http://u:" + secret + "@" + here, elsewhere, ""},
		"environment": {"", func(*url.URL) (*url.URL, error) { return url.Parse("http://u:" + secret + "@" + here) }, ""},
		"refused":     {"", elsewhere, "connecting to ADDRESS through the proxy http://127.0.0.1:1: connection refused"},
		"password":    {"http://u:" + secret + "x@" + here, nil, "connecting to ADDRESS through the proxy http://" + here + ": Proxy Authentication Required"},
	} {
		t.Run(name, func(t *testing.T) {
			at := to(server)
			at.Cluster.ProxyURL = test.kubeconfig
			before := len(server.asked())
			_, err := get(t, client(t, Config{Proxy: test.environment, Timeout: patience}, at), Request{})
			want := strings.ReplaceAll(test.message, "ADDRESS", server.address())
			if test.message == "" {
				if err != nil || len(server.asked()) != before+1 {
					t.Errorf("got %+v", err)
				}
			} else if err == nil || err.Reason != report.ReasonUnreachable || !strings.HasPrefix(err.Message, want) || !err.Whole || err.Location != server.address() {
				t.Errorf("got %+v\nwant %s", err, want)
			}
		})
	}
	for _, a := range asked() {
		if a != "CONNECT "+server.address()+" " {
			t.Errorf("the proxy was asked %q", a)
		}
	}
}
