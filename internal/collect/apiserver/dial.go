package apiserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// Dial shakes hands with e and returns the certificates it presents, the leaf
// first, as they were sent, or the reason why there are none. Nothing is
// trusted and nothing is sent but the handshake.
func (c Collector) Dial(ctx context.Context, e Endpoint) ([][]byte, *collect.Gap) {
	r, gap := c.route(e)
	if gap != nil {
		return nil, gap
	}
	if c.Gate != nil {
		select {
		case c.Gate <- struct{}{}:
			defer func() { <-c.Gate }()
		case <-ctx.Done():
			return nil, collect.Ended(ctx, r.address)
		}
	}
	limited := ctx
	if c.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, c.ConnectTimeout)
		defer cancel()
	}
	chain, err := c.handshake(limited, r, standard)
	for _, other := range []way{bare, hybrid} {
		if len(chain) > 0 || !curable(err) {
			break
		}
		found, failed := c.handshake(limited, r, other)
		if len(found) > 0 || errors.Is(failed, errNoCertificate) || errors.Is(failed, errMalformed) || errors.Is(failed, errFlood) {
			chain, err = found, failed
			break
		} // else the first one's words for a failure are the better known ones
	}
	if len(chain) > 0 {
		// Enough was seen, even if the server then demanded a certificate of
		// ours or the time was up.
		return chain, nil
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done() // a socket's deadline can fire a moment before its context's
	}
	if ctx.Err() != nil {
		return nil, collect.Ended(ctx, r.address)
	}
	return nil, explain(limited, c.ConnectTimeout, r, err)
}

// route is the way to a server.
type route struct {
	address string   // host:port
	name    string   // for SNI
	proxy   *url.URL // nil for none
}

// String names the route without the proxy's user and password.
func (r route) String() string {
	if r.proxy == nil {
		return r.address
	}
	return r.address + " through the proxy " + proxyName(r.proxy)
}

// route settles which proxy stands between us and e. What the parsers of proxy
// addresses have to say is left out: they quote the address, password and all.
func (c Collector) route(e Endpoint) (route, *collect.Gap) {
	host, _, err := splitAddress(e.Address)
	if err != nil {
		return route{}, &collect.Gap{Location: e.Address, Reason: report.ReasonMalformed,
			Message: "reading the server's address: " + err.Error(), Hint: "write host:port, an IPv6 address in brackets"}
	}
	r := route{address: e.Address, name: e.ServerName}
	if r.name == "" {
		r.name = host
	}
	from := "the kubeconfig's proxy-url"
	switch {
	case e.ProxyURL != "":
		r.proxy, err = url.Parse(e.ProxyURL)
	case c.Proxy != nil:
		from = "the proxy in the environment (HTTPS_PROXY)"
		r.proxy, err = c.Proxy(&url.URL{Scheme: "https", Host: e.Address})
	}
	if err != nil || r.proxy != nil && r.proxy.Hostname() == "" {
		return route{}, &collect.Gap{Location: e.Address, Reason: report.ReasonMalformed,
			Message: fmt.Sprintf("connecting to %s: %s is not a URL with a host", e.Address, from),
			Hint:    "write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"}
	}
	if r.proxy != nil && proxyPort(r.proxy) == "" {
		return route{}, &collect.Gap{Location: e.Address, Reason: report.ReasonUnsupported,
			Message: fmt.Sprintf("connecting to %s: %s has the scheme %q", e.Address, from, collect.Cut(r.proxy.Scheme)),
			Hint:    "proxies can be http, https or socks5"}
	}
	return r, nil
}

// way is one way of getting a chain out of a fresh connection. A chain counts
// even when there is an error too.
type way func(ctx context.Context, conn net.Conn, name string) ([][]byte, error)

func (c Collector) handshake(ctx context.Context, r route, by way) ([][]byte, error) {
	conn, err := c.connect(ctx, r)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The end of ctx ends whatever read or write is under way.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w := &watched{Conn: conn, left: maxBytes}
	chain, err := by(ctx, w, r.name)
	if err == nil && len(chain) == 0 {
		err = errNoCertificate // as with a cipher suite that needs none, if one were ever agreed on
	}
	if err != nil {
		err = &handshakeError{err: err, head: w.head}
	}
	return chain, err
}

// standard is crypto/tls with everything on that it has, but for the key exchanges
// that a quantum computer could not break: they take a third of a handshake's time,
// and nothing is sent that anybody could want to read then.
func standard(ctx context.Context, conn net.Conn, name string) ([][]byte, error) {
	return shake(ctx, conn, name, []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521})
}

// hybrid is for a server that will have no other key exchange than those.
func hybrid(ctx context.Context, conn net.Conn, name string) ([][]byte, error) {
	return shake(ctx, conn, name, nil) // crypto/tls's own list
}

func shake(ctx context.Context, conn net.Conn, name string, exchanges []tls.CurveID) ([][]byte, error) {
	var suites []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, s.ID)
	}
	var chain [][]byte
	err := tls.Client(conn, &tls.Config{
		ServerName: name,
		// The dates of a chain that nobody trusts, an expired one above all,
		// are the very thing to report. No data is sent over this connection,
		// and whether the chain verifies is judged afterwards.
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS10, // an old server's dates matter as well
		CipherSuites:       suites,
		CurvePreferences:   exchanges,
		// The one place that sees the chain when the handshake then fails, as
		// it does on TLS 1.2 where a client certificate is demanded.
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error { //nolint:gosec // G123: without a session cache nothing is resumed
			chain = raw
			return nil
		},
	}).HandshakeContext(ctx)
	return chain, err
}

// curable reports whether another way could bring what the first did not: it can
// where the peer spoke TLS and one side then refused the other. Some servers
// refuse a hello by closing or resetting the connection.
func curable(err error) bool {
	var failed *handshakeError
	if !errors.As(err, &failed) || collect.TimedOut(err) || errors.Is(err, context.Canceled) || errors.Is(err, errFlood) {
		return false
	}
	var notTLS tls.RecordHeaderError
	return !errors.As(err, &notTLS)
}

const (
	// maxBytes bounds what is read of a server in one handshake. crypto/tls
	// allows 256 KiB for the chain; real ones have less than 10.
	maxBytes = 1 << 20
	// headBytes is how much of an answer is kept, to tell what it was if it
	// was not TLS.
	headBytes = 64
)

var errFlood = fmt.Errorf("the server sent more than %d KiB and no certificate", maxBytes>>10)

// watched is a connection that remembers how its peer began and stops one that
// never ends.
type watched struct {
	net.Conn
	left int
	head []byte
}

func (w *watched) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errFlood
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	w.head = append(w.head, p[:min(n, headBytes-len(w.head))]...)
	return n, err
}
