package apiserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"

	"github.com/akscert/akscert/internal/collect"
)

// maxConnectHeader bounds a proxy's answer to CONNECT.
const maxConnectHeader = 64 << 10

// connect opens a byte stream to the server, through the proxy if there is one.
func (c Collector) connect(ctx context.Context, r route) (net.Conn, error) {
	if r.proxy == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.address)
		if err != nil {
			return nil, &connectError{err: err}
		}
		return conn, nil
	}
	var conn net.Conn
	var err error
	switch r.proxy.Scheme {
	case "http", "https":
		conn, err = c.tunnel(ctx, r)
	default: // route has seen to it that nothing else is left
		conn, err = socks(ctx, r)
	}
	if err != nil {
		return nil, &proxyError{err: err}
	}
	return conn, nil
}

// tunnel asks an HTTP or HTTPS proxy for a tunnel (RFC 9110 9.3.6).
func (c Collector) tunnel(ctx context.Context, r route) (_ net.Conn, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", proxyAddress(r.proxy))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if stop(); err != nil {
			_ = conn.Close()
		}
	}()
	stream := conn
	if r.proxy.Scheme == "https" {
		// A configuration of its own, and one that verifies: the password goes
		// over this connection, and the proxy's certificate is nobody's row.
		client := tls.Client(conn, &tls.Config{
			ServerName: r.proxy.Hostname(), RootCAs: c.ProxyRoots, MinVersion: tls.VersionTLS12,
		})
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		stream = client
	}
	request := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: r.address}, Host: r.address, Header: http.Header{},
	}
	if user := r.proxy.User; user != nil {
		password, _ := user.Password()
		token := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		request.Header.Set("Proxy-Authorization", "Basic "+token)
	}
	if err := request.Write(stream); err != nil {
		return nil, err
	}
	bounded := &io.LimitedReader{R: stream, N: maxConnectHeader}
	reader := bufio.NewReader(bounded)
	response, err := http.ReadResponse(reader, request) //nolint:bodyclose // the answer to CONNECT has no body: what follows is the tunnel
	if err != nil {
		return nil, fmt.Errorf("reading its answer to CONNECT: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError{response.StatusCode, response.Status}
	}
	bounded.N = math.MaxInt64 // from here on the server speaks, and watched does the bounding
	return tunnelled{stream, reader}, nil
}

// tunnelled is a stream whose first bytes may have come with the proxy's answer.
type tunnelled struct {
	net.Conn
	reader *bufio.Reader
}

func (t tunnelled) Read(p []byte) (int, error) { return t.reader.Read(p) }

// statusError is a proxy's refusal.
type statusError struct {
	code   int
	status string
}

func (e statusError) Error() string { return fmt.Sprintf("it answered %q", collect.Cut(e.status)) }

// socks asks a SOCKS5 proxy. As in net/http, the proxy resolves the server's
// name for socks5 and for socks5h alike.
func socks(ctx context.Context, r route) (net.Conn, error) {
	var auth *proxy.Auth
	if user := r.proxy.User; user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", proxyAddress(r.proxy), auth, new(net.Dialer))
	if err != nil {
		return nil, err
	}
	withContext, ok := dialer.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("the SOCKS client takes no context") // it has since 2018
	}
	return withContext.DialContext(ctx, "tcp", r.address)
}

// proxyName names a proxy without its user and password.
func proxyName(u *url.URL) string {
	return collect.Clean((&url.URL{Scheme: u.Scheme, Host: u.Host}).String())
}

func proxyAddress(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), proxyPort(u))
}

// proxyPort is u's port or its scheme's; empty for a scheme that is none of a
// proxy's.
func proxyPort(u *url.URL) string {
	port, known := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	if known && u.Port() != "" {
		return u.Port()
	}
	return port
}
