// Package kube is the one door to Kubernetes API servers: signing in as a
// kubeconfig says, asking for one path, listing nodes.
//
// It only reads, by GET. The connection is client-go's: its TLS, its HTTP/2, its
// impersonation. The request is net/http's own, because client-go's reads what a
// server sends without a bound, waits as long as it is told to, and logs. No
// token is sent to a server that was not verified, or to one that another server
// named. No key, token, password or header reaches an error.
package kube

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/akscert/akscert/internal/collect"
)

// Config says what a Door may do.
type Config struct {
	// AllowExec lets the exec plugins of kubeconfigs run.
	AllowExec bool
	// Parallel is how many requests are under way at once, to all clusters
	// and for all collectors together; 0 is 16. One Client has no more than
	// half of them.
	Parallel int
	// Timeout bounds one request, from the look-up of a name to the last byte
	// of the answer. Zero leaves it to the run's context.
	Timeout time.Duration
	// Proxy names the proxy for a URL, as HTTPS_PROXY and NO_PROXY in the
	// environment would; nil for none. A kubeconfig's proxy-url beats it.
	Proxy func(*url.URL) (*url.URL, error)
	// Token mints a bearer token for the clusters that sign in through Entra,
	// in place of kubelogin; nil without Azure. It is asked for every request,
	// and is to remember what it has.
	Token func(context.Context) (string, error)
	// Memory is shared with whoever else reads what kubeconfigs name; nil for none.
	Memory    *collect.Memory
	UserAgent string
}

// Door makes clients. Its methods may be called at the same time.
type Door struct {
	cfg        Config
	turns      *collect.Turns
	pluginTime time.Duration

	mu      sync.Mutex
	plugins map[string]*plugin // by what they are run with
}

// New makes a Door. It asks nothing of the network.
func New(cfg Config) *Door {
	return &Door{cfg: cfg, turns: collect.NewTurns(cfg.Parallel), pluginTime: pluginTime, plugins: map[string]*plugin{}}
}
