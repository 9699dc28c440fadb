package apiserver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Endpoint is where to shake hands.
type Endpoint struct {
	Address    string // host:port, an IPv6 address in brackets
	ServerName string // for SNI; the host when empty
	ProxyURL   string // beats Collector.Proxy; may hold a password
}

// endpointOf reads a cluster entry's server as client-go does (rest.DefaultServerURL):
// without a scheme it is https only where there is something of TLS to use.
func endpointOf(cluster target.Cluster, user *target.User) (Endpoint, *collect.Gap) {
	wrong := func(reason report.Reason, message, hint string) (Endpoint, *collect.Gap) {
		return Endpoint{}, &collect.Gap{
			Location: fmt.Sprintf("%s#clusters/%s", cluster.File, cluster.Name),
			Reason:   reason, Message: message, Hint: hint,
		}
	}
	const hint = "correct the cluster entry's server, or fetch the kubeconfig again"
	if cluster.Server == "" {
		return wrong(report.ReasonMalformed, "the cluster entry names no server", hint)
	}
	withTLS := !cluster.CA.IsZero() || cluster.InsecureSkipTLSVerify ||
		user != nil && !user.ClientCertificate.IsZero()
	server, err := serverURL(cluster.Server, withTLS)
	if err != nil {
		return wrong(report.ReasonMalformed, "reading the cluster entry's server: "+collect.Clean(err.Error()), hint)
	}
	switch server.Scheme {
	case "https":
	case "http":
		return wrong(report.ReasonUnsupported,
			fmt.Sprintf("server %s is plain http: no certificate to examine", collect.Clean(server.Host)),
			"a server without a scheme is http unless the kubeconfig has a CA or a client certificate for it; write https:// in the cluster entry")
	default:
		return wrong(report.ReasonUnsupported, fmt.Sprintf("server has the scheme %q, not https", collect.Cut(server.Scheme)), hint)
	}
	host, port := server.Hostname(), server.Port()
	if port == "" {
		port = "443"
	}
	// net/http does the same before it dials.
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	address := net.JoinHostPort(host, port)
	if _, _, err := splitAddress(address); err != nil {
		return wrong(report.ReasonMalformed, "reading the cluster entry's server: "+err.Error(), hint)
	}
	name := cluster.TLSServerName
	if name == "" {
		name = host
	}
	return Endpoint{Address: address, ServerName: strings.TrimSuffix(name, "."), ProxyURL: cluster.ProxyURL}, nil
}

// serverURL parses server. Its errors do not repeat a password from it.
func serverURL(server string, withTLS bool) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "" || u.Host == "" {
		scheme := "http://"
		if withTLS {
			scheme = "https://"
		}
		if u, err = url.Parse(scheme + server); err == nil && u.Path != "" && u.Path != "/" {
			err = errors.New("neither a URL nor host:port")
		}
	}
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err
	}
	if err != nil && strings.Contains(server, "@") {
		err = errors.New("not a URL")
	}
	return u, err
}

// splitAddress splits host:port, and refuses what could not be an address: it
// would break out of a proxy's request line, or of the command in a hint.
func splitAddress(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", fmt.Errorf("%q is not host:port", collect.Cut(address))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q is not a port", collect.Cut(port))
	}
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._:%", r) // % before an IPv6 zone
	}
	if host == "" || strings.ContainsFunc(host, odd) {
		return "", "", fmt.Errorf("%q is not a host", collect.Cut(host))
	}
	return host, port, nil
}
