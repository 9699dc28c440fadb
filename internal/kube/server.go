package kube

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/idna"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// server is where an API server is.
type server struct {
	address string   // host:port, as the apiserver source writes it
	prefix  string   // of every path, where the API server stands behind another
	proxy   *url.URL // nil for none
}

// String names the way to the server without a proxy's user and password.
func (s server) String() string {
	if s.proxy == nil {
		return s.address
	}
	shown := *s.proxy
	shown.User, shown.Path, shown.RawQuery, shown.Fragment = nil, "", "", ""
	return s.address + " through the proxy " + collect.Clean(shown.String())
}

// serverOf reads a cluster entry's server as client-go does
// (rest.DefaultServerURL): without a scheme it is https only where there is
// something of TLS to use.
func serverOf(cluster target.Cluster, user *target.User) (server, *collect.Gap) {
	wrong := func(reason report.Reason, message string) (server, *collect.Gap) {
		return server{}, &collect.Gap{Location: cluster.File + "#clusters/" + cluster.Name, Reason: reason, Message: message,
			Hint: "correct the cluster entry's server, or fetch the kubeconfig again"}
	}
	if cluster.Server == "" {
		return wrong(report.ReasonMalformed, "the cluster entry names no server")
	}
	scheme := "http://"
	if !cluster.CA.IsZero() || cluster.InsecureSkipTLSVerify || !user.ClientCertificate.IsZero() {
		scheme = "https://"
	}
	u, err := url.Parse(cluster.Server)
	if err != nil || u.Scheme == "" || u.Host == "" {
		if u, err = url.Parse(scheme + cluster.Server); err == nil && u.Path != "" && u.Path != "/" {
			err = errors.New("neither a URL nor host:port")
		}
	}
	// The parser's own words are left out: they quote the address, and with it
	// a password.
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " @\"'\\") {
		return wrong(report.ReasonMalformed, "reading the cluster entry's server: not a URL with a host")
	}
	if u.Scheme != "https" {
		return wrong(report.ReasonUnsupported, fmt.Sprintf("server %s is not https: nobody signs in where everybody can listen", collect.Clean(u.Host)))
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "443"
	}
	// net/http does the same before it dials.
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	return server{address: net.JoinHostPort(host, port), prefix: strings.TrimSuffix(u.Path, "/")}, nil
}

// proxyTo settles which proxy stands between us and a server. What the parsers
// of proxy addresses have to say is left out: they quote the address, password
// and all.
func (d *Door) proxyTo(cluster target.Cluster, address string) (proxy *url.URL, gap *collect.Gap) {
	var err error
	from := "the kubeconfig's proxy-url"
	switch {
	case cluster.ProxyURL != "":
		proxy, err = url.Parse(cluster.ProxyURL)
	case d.cfg.Proxy != nil:
		from = "the proxy in the environment (HTTPS_PROXY)"
		proxy, err = d.cfg.Proxy(&url.URL{Scheme: "https", Host: address})
	}
	if err != nil || proxy != nil && proxy.Hostname() == "" {
		return nil, &collect.Gap{Location: address, Reason: report.ReasonMalformed,
			Message: fmt.Sprintf("connecting to %s: %s is not a URL with a host", address, from),
			Hint:    "write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT"}
	}
	if proxy != nil && proxy.Scheme != "http" && proxy.Scheme != "https" && proxy.Scheme != "socks5" && proxy.Scheme != "socks5h" {
		return nil, &collect.Gap{Location: address, Reason: report.ReasonUnsupported,
			Message: fmt.Sprintf("connecting to %s: %s has the scheme %q", address, from, collect.Cut(proxy.Scheme)),
			Hint:    "proxies can be http, https or socks5"}
	}
	return proxy, nil
}

// readCA reads the bundle that has to verify the server; nil for the system's
// roots. A bundle that cannot be read is the same gap, word for word, as the
// kubeconfig source has for it.
func (d *Door) readCA(ctx context.Context, cluster target.Cluster) ([]byte, *collect.Gap) {
	if cluster.InsecureSkipTLSVerify || cluster.CA.IsZero() {
		return nil, nil // client-go refuses a bundle that is not to be used
	}
	location := cluster.File + "#clusters/" + cluster.Name
	if _, _, gap := d.cfg.Memory.Material(ctx, cluster.CA, location, "certificate authority"); gap != nil {
		return nil, gap
	}
	data, err := read(ctx, cluster.CA)
	if err != nil {
		return nil, collect.Unread(ctx, err, location, "certificate authority", cluster.CA.File)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return nil, &collect.Gap{Location: location, Reason: report.ReasonMalformed,
			Message: "reading certificate authority: holds no certificate that an API server can be verified with", Hint: fetchAgain}
	}
	return data, nil
}

// read is the bytes of m, which are in memory or in a file.
func read(ctx context.Context, m target.Material) ([]byte, error) {
	if len(m.Data) > 0 {
		return m.Data, nil
	}
	data, err := collect.ReadFile(ctx, m.File)
	if err == nil && len(bytes.TrimSpace(data)) == 0 {
		err = errors.New("the file is empty")
	}
	return data, err
}
