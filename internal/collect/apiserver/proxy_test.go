package apiserver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/akscert/akscert/pkg/report"
)

// httpProxy is a proxy that does CONNECT, for alice and hunter2 only where
// wantAuth is set. after comes in one piece with its answer.
func httpProxy(wantAuth bool, after string) func(net.Conn) {
	return func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		token := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:hunter2"))
		if wantAuth && request.Header.Get("Proxy-Authorization") != token {
			io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return
		}
		if request.Method != http.MethodConnect {
			io.WriteString(conn, "HTTP/1.1 405 Method Not Allowed\r\n\r\n")
			return
		}
		upstream, err := net.Dial("tcp", request.Host)
		if err != nil {
			io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"+after)
		join(conn, upstream)
	}
}

func join(a, b net.Conn) {
	defer b.Close()
	go func() {
		defer a.Close()
		io.Copy(a, b)
	}()
	io.Copy(b, a)
}

// socksProxy is a SOCKS5 proxy (RFC 1928, RFC 1929) that answers code, and
// wants alice and hunter2 where wantAuth is set.
func socksProxy(wantAuth bool, code byte) func(net.Conn) {
	return func(conn net.Conn) {
		read := func(n int) []byte {
			p := make([]byte, n)
			io.ReadFull(conn, p)
			return p
		}
		methods := read(int(read(2)[1]))
		switch {
		case !wantAuth:
			conn.Write([]byte{5, 0})
		case !bytes.Contains(methods, []byte{2}):
			conn.Write([]byte{5, 0xff})
			return
		default:
			conn.Write([]byte{5, 2})
			user := read(int(read(2)[1]))
			password := read(int(read(1)[0]))
			if string(user) != "alice" || string(password) != "hunter2" {
				conn.Write([]byte{1, 1})
				return
			}
			conn.Write([]byte{1, 0})
		}
		var host string
		switch read(4)[3] {
		case 1:
			host = net.IP(read(4)).String()
		case 3:
			host = string(read(int(read(1)[0])))
		case 4:
			host = net.IP(read(16)).String()
		}
		address := net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(read(2))))
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
		join(conn, upstream)
	}
}

// httpsProxy is httpProxy behind TLS, and the roots to trust it with.
func httpsProxy(t *testing.T) (address string, roots *x509.CertPool) {
	t.Helper()
	ca := authority(t, "the proxy's CA", nil)
	own := issue(t, "the proxy itself", &ca, nil)
	roots = x509.NewCertPool()
	roots.AddCert(ca.parsed(t))
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own.der, ca.der}, PrivateKey: own.key}}}
	return serve(t, func(conn net.Conn) {
		server := tls.Server(conn, config)
		defer server.Close()
		httpProxy(true, "")(server)
	}), roots
}

// Every kind of proxy leads to the server's own chain, by either way.
func TestDialThroughProxy(t *testing.T) {
	https, roots := httpsProxy(t)
	proxies := map[string]string{
		"http":              "http://" + serve(t, httpProxy(false, "")),
		"http, password":    "http://alice:hunter2@" + serve(t, httpProxy(true, "")),
		"https":             "https://alice:hunter2@" + https,
		"https by name":     "https://alice:hunter2@localhost:" + https[strings.LastIndex(https, ":")+1:],
		"socks5":            "socks5://" + serve(t, socksProxy(false, 0)),
		"socks5h":           "socks5h://" + serve(t, socksProxy(false, 0)),
		"socks5, password":  "socks5://alice:hunter2@" + serve(t, socksProxy(true, 0)),
		"socks5, unwanted ": "socks5://alice:hunter2@" + serve(t, socksProxy(false, 0)),
	}
	for name, proxy := range proxies {
		for way, leaf := range map[string]issued{"standard": issue(t, "leaf", nil, nil), "bare": negativeSerial(t)} {
			t.Run(name+"/"+way, func(t *testing.T) {
				// By name: the proxy is asked to look it up.
				_, port, _ := net.SplitHostPort(serveTLS(t, &tls.Config{}, leaf))
				chain, gap := dial(t, Collector{ProxyRoots: roots}, Endpoint{Address: "localhost:" + port, ProxyURL: proxy})
				if gap != nil {
					t.Fatalf("gap %+v", *gap)
				}
				wantChain(t, chain, leaf.der)
			})
		}
	}
}

// The certificate of an HTTPS proxy is never taken for the server's, and a
// proxy that nobody trusts is told no password.
func TestHTTPSProxyCertificateIsNoRow(t *testing.T) {
	address, roots := httpsProxy(t)
	plain := serve(t, answer("HTTP/1.0 400 Bad Request\r\n\r\n"))
	proxy := "https://alice:hunter2@" + address

	chain, gap := dial(t, Collector{ProxyRoots: roots}, Endpoint{Address: plain, ProxyURL: proxy})
	wantGap(t, gap, report.ReasonMalformed, false, plain, "through the proxy https://"+address, "plain HTTP")
	if chain != nil {
		t.Errorf("%d certificates where the server has none", len(chain))
	}
	_, gap = dial(t, Collector{ProxyRoots: x509.NewCertPool()}, Endpoint{Address: plain, ProxyURL: proxy})
	wantGap(t, gap, report.ReasonUnreachable, false, "the proxy failed", "unknown authority")
}

func TestDialProxyGap(t *testing.T) {
	server := serveTLS(t, &tls.Config{}, issue(t, "leaf", nil, nil))
	gone := refusing(t)
	const user = "alice:hunter2@"
	tests := []struct {
		name      string
		proxy     string
		server    string
		reason    report.Reason
		retryable bool
		says      string
	}{
		{"407", "http://" + serve(t, httpProxy(true, "")), server, report.ReasonUnreachable, false, `it answered "407 Proxy Authentication Required"`},
		{"wrong password", "http://alice:hunter22@" + serve(t, httpProxy(true, "")), server, report.ReasonUnreachable, false, "407"},
		{"502", "http://" + user + serve(t, httpProxy(false, "")), gone, report.ReasonUnreachable, true, `it answered "502 Bad Gateway"`},
		{"proxy refuses connections", "http://" + user + gone, server, report.ReasonUnreachable, true, "the proxy failed: connection refused"},
		{"proxy does not resolve", "http://" + user + "does-not-exist.invalid:1", server, report.ReasonUnreachable, true, `looking up "does-not-exist.invalid"`},
		{"proxy hangs", "http://" + user + serve(t, hang), server, report.ReasonTimeout, true, "not done within 300ms"},
		{"HTTPS proxy hangs", "https://" + user + serve(t, hang), server, report.ReasonTimeout, true, "not done within 300ms"},
		{"SOCKS proxy hangs", "socks5://" + user + serve(t, hang), server, report.ReasonTimeout, true, "not done within 300ms"},
		{"proxy closes", "http://" + user + serve(t, func(net.Conn) {}), server, report.ReasonUnreachable, true, "connection"},
		{"proxy is no proxy", "http://" + user + serve(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-\x1b[2J\r\n\r\n") }), server, report.ReasonUnreachable, true, `malformed HTTP`},
		{"proxy's header has no end", "http://" + user + serve(t, endlessHeader), server, report.ReasonUnreachable, true, "the proxy failed"},
		{"server speaks first", "http://" + user + serve(t, httpProxy(false, alert)), serve(t, hang), report.ReasonUnsupported, false, `alert "handshake failure"`},
		{"tunnel closes", "http://" + user + serve(t, httpProxy(false, "")), serve(t, closeAfterHello), report.ReasonUnreachable, true, "through the proxy http://127.0.0.1:"},
		{"SOCKS wants a password", "socks5://" + serve(t, socksProxy(true, 0)), server, report.ReasonUnreachable, false, "authentication"},
		{"SOCKS wants another", "socks5://alice:hunter22@" + serve(t, socksProxy(true, 0)), server, report.ReasonUnreachable, false, "authentication failed"},
		{"SOCKS cannot reach it", "socks5://" + user + serve(t, socksProxy(false, 4)), server, report.ReasonUnreachable, true, "host unreachable"},
		{"SOCKS proxy closes", "socks5://" + user + serve(t, func(net.Conn) {}), server, report.ReasonUnreachable, true, "connection"},
		{"unknown scheme", "ftp://" + user + "proxy:21", server, report.ReasonUnsupported, false, `scheme "ftp"`},
		{"no URL", "http://alice:hunter2@pro xy:3128", server, report.ReasonMalformed, false, "proxy-url"},
		{"no host", "proxy:3128", server, report.ReasonMalformed, false, "proxy-url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Collector{}
			if tt.reason == report.ReasonTimeout {
				c.ConnectTimeout = brief
			}
			_, gap := dial(t, c, Endpoint{Address: tt.server, ProxyURL: tt.proxy})
			retryable := tt.retryable
			if strings.Contains(tt.proxy, ".invalid") {
				retryable = gap.Retryable // see TestDialDoesNotResolve
			}
			wantGap(t, gap, tt.reason, retryable, tt.server, tt.says)
		})
	}
}

func endlessHeader(conn net.Conn) {
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
	for {
		if _, err := fmt.Fprintf(conn, "X: %s\r\n", strings.Repeat("y", 1000)); err != nil {
			return
		}
	}
}

// The environment's proxy is used, except where it says not to; the
// kubeconfig's comes before it.
func TestProxyFromEnvironment(t *testing.T) {
	used := make(chan string, 9)
	proxy := func(name string) string {
		return "http://" + serve(t, func(conn net.Conn) {
			used <- name
			io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\n\r\n")
		})
	}
	environment := httpproxy.Config{HTTPSProxy: proxy("environment"), NoProxy: "no.invalid"}
	c := Collector{ConnectTimeout: 20 * time.Second, Proxy: environment.ProxyFunc()}
	tests := []struct{ address, proxyURL, want string }{
		{"server.invalid:443", "", "environment"},
		{"server.invalid:443", proxy("kubeconfig"), "kubeconfig"},
		{"no.invalid:443", "", "none"},
		{refusing(t), "", "none"}, // loopback is never proxied
		{"no.invalid:443", proxy("kubeconfig"), "kubeconfig"},
	}
	for _, tt := range tests {
		_, gap := dial(t, c, Endpoint{Address: tt.address, ProxyURL: tt.proxyURL})
		wantGap(t, gap, report.ReasonUnreachable, gap.Retryable, tt.address)
		got := "none"
		select {
		case got = <-used:
		default:
		}
		if got != tt.want {
			t.Errorf("%s with proxy-url %q went through %s, want %s", tt.address, tt.proxyURL, got, tt.want)
		}
	}
	c.Proxy = func(*url.URL) (*url.URL, error) { return nil, fmt.Errorf("bad proxy http://alice:hunter2@[") }
	_, gap := dial(t, c, Endpoint{Address: "server.invalid:443"})
	wantGap(t, gap, report.ReasonMalformed, false, "HTTPS_PROXY")
}
