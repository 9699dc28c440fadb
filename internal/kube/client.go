package kube

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Client asks one API server as one user. Its methods may be called at the same
// time; each of their failures is an *Error.
type Client struct {
	door       *Door
	server     server
	credential credential
	verifies   string // how messages call what has to verify the server
	turns      collect.Asker

	http   *http.Client
	http1  func() (*http.Client, error) // one that speaks no HTTP/2, made when it is wanted
	mu     sync.Mutex
	idlers []interface{ CloseIdleConnections() } // beneath what client-go wraps around them
}

// Client is the way to the API server of t. Where there is none it is nil, and
// the observation says why: skipped by design, or a gap.
func (d *Door) Client(ctx context.Context, t target.Target) (*Client, *collect.Observation) {
	switch {
	case t.Cluster == nil:
		return nil, skipped("no API server address is known")
	case t.ARM != nil && t.ARM.Stopped():
		return nil, &collect.NotRunning(*t.ARM)[0]
	case t.User == nil:
		return nil, skipped("no kubeconfig user is known: there is nobody to sign in as")
	case t.Cluster.CAUnknown:
		return nil, skipped("no CA is known to verify the API server with")
	}
	at, gap := serverOf(*t.Cluster, t.User)
	if gap == nil {
		at.proxy, gap = d.proxyTo(*t.Cluster, at.address)
	}
	if gap != nil {
		return nil, missing(gap)
	}
	ca, gap := d.readCA(ctx, *t.Cluster)
	if gap != nil {
		return nil, missing(gap)
	}
	credential, why := d.credentialOf(ctx, t, at, ca)
	if why != nil {
		return nil, why
	}
	c := &Client{door: d, server: at, credential: credential, verifies: "the kubeconfig's CA,"}
	if ca == nil {
		c.verifies = "the system's roots, as the kubeconfig names no CA,"
	}
	config := rest.Config{
		TLSClientConfig: rest.TLSClientConfig{
			Insecure: t.Cluster.InsecureSkipTLSVerify, ServerName: t.Cluster.TLSServerName,
			CAData: ca, CertData: credential.certificate, KeyData: credential.key,
		},
		Impersonate: rest.ImpersonationConfig{
			UserName: t.User.Impersonate.User, UID: t.User.Impersonate.UID,
			Groups: t.User.Impersonate.Groups, Extra: t.User.Impersonate.Extra,
		},
		// Set also for no proxy: nil is the environment to client-go. And a
		// transport with a proxy function is not kept in client-go's cache,
		// which would hold on to the key for as long as we run.
		Proxy: func(*http.Request) (*url.URL, error) { return at.proxy, nil },
		Dial:  dial,
	}
	var err error
	if c.http, err = c.speak(config); err != nil {
		return nil, missing(&collect.Gap{Location: at.address, Reason: report.ReasonMalformed,
			Message: "preparing to ask " + at.address + ": " + collect.Clean(err.Error()), Hint: fetchAgain})
	}
	c.http1 = sync.OnceValues(func() (*http.Client, error) {
		config.NextProtos = []string{"http/1.1"}
		return c.speak(config)
	})
	return c, nil
}

func (c *Client) speak(config rest.Config) (*http.Client, error) {
	config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		if idler, ok := rt.(interface{ CloseIdleConnections() }); ok {
			c.mu.Lock()
			c.idlers = append(c.idlers, idler)
			c.mu.Unlock()
		}
		return rt
	}
	client, err := rest.HTTPClientFor(&config)
	if err != nil {
		return nil, err
	}
	// Whoever is named by a redirect was not verified as the API server, and
	// an API server does not redirect.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, nil
}

// Share is how many of the client's requests can be under way at once. More
// wait.
func (c *Client) Share() int { return c.door.turns.Share() }

// Close closes the connections that are idle.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, idler := range c.idlers {
		idler.CloseIdleConnections()
	}
}

const (
	fetchAgain  = "fetch the kubeconfig again: az aks get-credentials --overwrite-existing"
	signInAgain = "sign in again, as with az login (in the cluster's tenant: az login --tenant TENANT), or as the exec plugin wants it: kubelogin convert-kubeconfig -l azurecli"
)

func skipped(why string) *collect.Observation {
	return &collect.Observation{Skipped: &collect.Skipped{Why: why}}
}

func missing(gap *collect.Gap) *collect.Observation { return &collect.Observation{Gap: gap} }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
