// Package apiserver brings home the certificates that an API server presents in
// its TLS handshake, whether or not anybody would trust them.
//
// There are three ways to them. The first is crypto/tls, as kubectl uses it, with
// every version and cipher suite it has. Where that or the server refuses, a second
// way (bare.go) reads the Certificate message itself and refuses nothing. The third
// is crypto/tls with the key exchanges that the first leaves out (hybrid).
package apiserver

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Collector shakes hands with API servers.
type Collector struct {
	// ConnectTimeout bounds everything from the look-up of a name to the end
	// of the handshake, a proxy's part included. Zero leaves it to the run's
	// context.
	ConnectTimeout time.Duration
	// Proxy names the proxy for a URL, as HTTPS_PROXY and NO_PROXY in the
	// environment would; nil for none. A kubeconfig's proxy-url beats it.
	Proxy func(*url.URL) (*url.URL, error)
	// ProxyRoots are trusted to sign for an HTTPS proxy; nil for the system's.
	ProxyRoots *x509.CertPool
	// Gate bounds the handshakes under way at once, over all targets: each
	// holds a place in it. nil is no bound.
	Gate chan struct{}
	// Memory is shared with whoever else reads what kubeconfigs name; nil for none.
	Memory *collect.Memory
}

// Source is report.SourceAPIServer.
func (Collector) Source() report.Source { return report.SourceAPIServer }

// Collect observes every certificate the server of t presents, and one
// Handshake to judge them together by.
func (c Collector) Collect(ctx context.Context, t target.Target) []collect.Observation {
	if t.Cluster == nil {
		return []collect.Observation{{Skipped: &collect.Skipped{Why: "no API server address is known"}}}
	}
	if t.ARM != nil && t.ARM.Stopped() {
		return collect.NotRunning(*t.ARM)
	}
	endpoint, gap := endpointOf(*t.Cluster, t.User)
	if gap != nil {
		return []collect.Observation{{Gap: gap}}
	}
	chain, gap := c.Dial(ctx, endpoint)
	if gap != nil {
		return []collect.Observation{{Gap: gap}}
	}
	ca, gaps := c.readCA(ctx, *t.Cluster)
	seen, presented := Observe(c.Memory, chain, endpoint.Address, report.RoleAPIServer, report.RoleIntermediate)
	if len(presented) == 0 || presented[0].Index != 0 {
		// Without the leaf there is nothing to compare a name or an issuer
		// with, and an intermediate must not be taken for it. The gap for the
		// leaf is among seen.
		return seen
	}
	handshake := &collect.Handshake{
		Location:   endpoint.Address,
		ServerName: endpoint.ServerName,
		Insecure:   t.Cluster.InsecureSkipTLSVerify,
		Presented:  presented,
	}
	handshake.CA = ca
	// A client passes over what it cannot read, as long as something is left.
	handshake.CAUnread = t.Cluster.CAUnknown || len(ca) == 0 && len(gaps) > 0
	seen = append(seen, gaps...)
	return append(seen, collect.Observation{Handshake: handshake})
}

// Observe turns a chain into observations, and into the certificates that could
// be read. A certificate presented twice is one, with a count and the place of
// the first.
func Observe(memory *collect.Memory, chain [][]byte, location string, leaf, others report.Role) ([]collect.Observation, []certs.Certificate) {
	count := make(map[string]int)
	for _, der := range chain {
		count[string(der)]++
	}
	var seen []collect.Observation
	var presented []certs.Certificate
	for i, der := range chain {
		n := count[string(der)]
		if n == 0 {
			continue // folded into the first
		}
		count[string(der)] = 0
		place, role := location, leaf
		if len(chain) > 1 {
			place = fmt.Sprintf("%s#%d", location, i)
		}
		if i > 0 {
			role = others
		}
		cert, err := memory.Parse(der)
		if err != nil {
			seen = append(seen, collect.Observation{Gap: &collect.Gap{
				Location: place, Reason: report.ReasonMalformed,
				Message: fmt.Sprintf("reading certificate %d of %d presented by %s: %s", i+1, len(chain), location, collect.Clean(err.Error())),
				Hint:    "look at it with: openssl s_client -showcerts -connect " + location,
			}})
			continue
		}
		cert.Index, cert.Count = i, n
		presented = append(presented, cert)
		seen = append(seen, collect.Observation{Certificate: &collect.Certificate{Certificate: cert, Role: role, Location: place}})
	}
	return seen, presented
}

// readCA reads the bundle a kubeconfig would verify the server with. The gaps are
// the same, word for word, as the kubeconfig source has for it, so that audit
// folds them.
func (c Collector) readCA(ctx context.Context, cluster target.Cluster) ([]certs.Certificate, []collect.Observation) {
	if cluster.CA.IsZero() {
		return nil, nil
	}
	location := cluster.File + "#clusters/" + cluster.Name
	found, problems, gap := c.Memory.Material(ctx, cluster.CA, location, "certificate authority")
	if gap != nil {
		return nil, []collect.Observation{{Gap: gap}}
	}
	rows := collect.Rows(found, problems, location, func(int) report.Role { return report.RoleClusterCA })
	return found, slices.DeleteFunc(rows, func(o collect.Observation) bool { return o.Gap == nil })
}
