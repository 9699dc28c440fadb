// Package demo is a sample Azure estate on loopback: a token endpoint, Azure
// Resource Manager, API servers, and nodes, which are directories that posted
// scripts are really executed in. It shows the audit to a newcomer, and gives
// tests something to talk to.
//
// What is in the estate is the table in estate.go. All else answers for it the
// way Azure does, as recorded in testdata.
package demo

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are how an estate differs from the usual one.
type Options struct {
	Now            time.Time     // all certificates are dated from here
	AllowedScripts []string      // the scripts that Linux nodes execute; others are refused …
	AllowedWindows []string      // the same for Windows nodes, which answer with recorded text
	AllowAnyScript bool          // … unless this
	Limits         bool          // Azure's token buckets: 429 with Retry-After
	Latency        time.Duration // how long a run-command takes at least; Azure's some 20 s
	Nodes          int           // so many nodes in one more, healthy cluster, "many"

	// Rehearsed makes each Linux node run the allowed scripts before anybody asks
	// it to, and then answer with what they printed: for measuring who asks, and
	// not how fast a thousand shells run side by side on this machine.
	Rehearsed bool

	Clusters        int // so many more healthy clusters, "fleet-0001" and so on, every second one in the second subscription …
	NodesPerCluster int // … with so many nodes each; 0: three

	GraphForbidden bool // Resource Graph answers 403 …
	GraphTruncated bool // … or with half of the clusters, and says so
	GraphPage      int  // at most so many rows a page, 0: as many as are asked for

	Dir string // where to make the estate's own temporary directory; empty: the system's

	// WindowsAnswer is what the script writes to stdout on a Windows node whose
	// C: is dir. Nil: nothing.
	WindowsAnswer func(dir string) string

	// Log is told of every script that runs and every request that is refused.
	Log func(format string, args ...any)
}

// Cluster is what can be asked for.
type Cluster struct {
	Subscription        string // its id
	Name, ResourceGroup string
	What                string // what is special about it, in a line
	Nodes               int
	Stuck               bool // only a deadline ends an audit of it
}

// Estate is a running estate.
type Estate struct {
	options  Options
	clusters []*cluster
	byID     map[string]*machine // by the lower-case path of their resource
	dir      string
	secret   string
	signing  []byte // of access tokens
	address  string // https://127.0.0.1:port
	caFile   string

	ctx           context.Context
	stop          context.CancelFunc
	servers       []*http.Server
	serving       sync.WaitGroup
	slots         chan struct{} // scripts that run at once
	scripts       sync.Mutex    // their files
	scriptTimeout time.Duration

	zips   sync.Pool       // *gzip.Writer
	common func() []family // what every kubelet says

	operations operations
	allowances map[string]*allowance // by subscription; "" is for what is asked of none
	queries    bucket                // of Resource Graph
	throttled  atomic.Int64
}

// Start makes an estate and serves it until Close. Ending ctx ends the scripts.
func Start(ctx context.Context, o Options) (*Estate, error) {
	if _, err := exec.LookPath(shell); err != nil {
		return nil, fmt.Errorf("starting the sample estate: its nodes run scripts with %s: %w", shell, err)
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		o.Log("there is no openssl here, so the sample's nodes cannot read their certificates")
	}
	dir, err := os.MkdirTemp(o.Dir, "akscert-demo-")
	if err != nil {
		return nil, fmt.Errorf("starting the sample estate: %w", err)
	}
	e := &Estate{options: o, dir: dir, byID: map[string]*machine{}, slots: make(chan struct{}, 4*runtime.GOMAXPROCS(0)), scriptTimeout: scriptTimeout,
		common: sync.OnceValue(commonMetrics)}
	e.ctx, e.stop = context.WithCancel(ctx)
	if err := e.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the sample estate: %w", err), e.Close())
	}
	return e, nil
}

// build makes the nodes and starts the listeners.
func (e *Estate) build() error {
	random := make([]byte, 64)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	e.secret, e.signing = hex.EncodeToString(random[:24]), random[24:]
	e.allowances = map[string]*allowance{"": {}}
	for _, s := range subscriptions() {
		e.allowances[s.id] = &allowance{}
	}
	if e.options.Limits {
		for _, a := range e.allowances {
			a.fill()
		}
		e.queries.fill(15, 3*60)
	}
	table := estate()
	if e.options.Nodes > 0 {
		table = append(table, many(e.options.Nodes))
	}
	table = append(table, fleet(e.options.Clusters, e.options.NodesPerCluster)...)
	if err := e.addClusters(table); err != nil {
		return err
	}
	if e.options.Rehearsed {
		if err := e.rehearse(); err != nil {
			return err
		}
	}
	return e.serveARM()
}

func (e *Estate) addClusters(table []cluster) error {
	for i := range table {
		c := &table[i]
		c.index = i
		e.clusters = append(e.clusters, c)
		if err := e.addCluster(c); err != nil {
			return fmt.Errorf("making cluster %q: %w", c.name, err)
		}
	}
	return nil
}

// addCluster makes what stands behind a row of the table.
func (e *Estate) addCluster(c *cluster) (err error) {
	if c.pki, err = newAuthority(e.options.Now, "ca", c.ca); err != nil {
		return err
	}
	if c.front, err = newAuthority(e.options.Now, "front-proxy-ca", c.ca); err != nil {
		return err
	}
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return err
	}
	c.token = hex.EncodeToString(token)
	c.account = sync.OnceValues(func() ([]byte, error) { return c.pki.client(localAccount, "system:masters", c.client) })
	for p := range c.pools {
		for n, made := range c.pools[p].nodes {
			m := &machine{node: made, cluster: c, pool: &c.pools[p], number: n}
			m.setName()
			m.issued = sync.OnceValues(m.issue)
			m.dir = filepath.Join(e.dir, c.name, m.name)
			if e.options.Limits {
				m.runs.fill(12, 4)
				m.polls.fill(45, 15)
			}
			if m.twoCAs && c.next == nil {
				if c.next, err = newAuthority(e.options.Now, "ca", days(1, thirtyYears)); err != nil {
					return err
				}
			}
			c.machines = append(c.machines, m)
			e.byID[strings.ToLower(m.id())] = m
		}
	}
	c.sorted = c.nodes()
	if c.powerState() == stopped {
		c.server = "https://" + c.dns() + ":443" // a name that is no more
		return nil
	}
	der, err := c.serving(c.apiserver)
	if err != nil {
		return err
	}
	return e.listen(&c.server, c.pki.keyPair(der), c.clientCAs(), e.apiServer(c))
}

// serveARM starts the one listener that is Azure itself.
func (e *Estate) serveARM() error {
	ca, err := newAuthority(time.Now(), "akscert demo CA, made for this run", span{time.Hour, 30 * day})
	if err != nil {
		return err
	}
	der, err := ca.server(pkix.Name{CommonName: "akscert demo"}, []string{"127.0.0.1", "::1", "localhost"}, span{time.Hour, 30 * day})
	if err != nil {
		return err
	}
	e.caFile = filepath.Join(e.dir, "ca.pem")
	if err := os.WriteFile(e.caFile, ca.pem, 0o600); err != nil {
		return fmt.Errorf("writing the CA: %w", err)
	}
	return e.listen(&e.address, ca.keyPair(der), nil, e.guard(e.azure()))
}

// listen serves on a port of its own, on loopback and nowhere else. address is
// set before the first request can ask for it.
func (e *Estate) listen(address *string, certificate tls.Certificate, clientCAs *x509.CertPool, handler http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(e.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening on loopback: %w", err)
	}
	server := &http.Server{
		Handler: handler, ErrorLog: quiet(),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
			ClientAuth: tls.RequestClientCert, ClientCAs: clientCAs}, // clientCAs are named in the handshake, and asked about afterwards
	}
	e.servers = append(e.servers, server)
	*address = "https://" + listener.Addr().String()
	e.serving.Go(func() { _ = server.ServeTLS(listener, "", "") })
	return nil
}

// Environment points akscert, az, or whatever uses azidentity at the estate.
func (e *Estate) Environment() []string {
	return []string{
		"AZURE_AUTHORITY_HOST=" + e.address + "/",
		"AZURE_RESOURCE_MANAGER_ENDPOINT=" + e.address,
		"AZURE_RESOURCE_MANAGER_AUDIENCE=" + e.address,
		"AZURE_TENANT_ID=" + tenantID,
		"AZURE_CLIENT_ID=" + clientID,
		"AZURE_CLIENT_SECRET=" + e.secret,
		"AZURE_SUBSCRIPTION_ID=" + subscriptionID,
		"AKSCERT_SUBSCRIPTION=" + subscriptionID, // which would beat it
		"AZURE_TOKEN_CREDENTIALS=EnvironmentCredential",
		"SSL_CERT_FILE=" + e.caFile,
		"REQUESTS_CA_BUNDLE=" + e.caFile,
	}
}

// Clusters lists the clusters in the table's order.
func (e *Estate) Clusters() []Cluster {
	list := make([]Cluster, 0, len(e.clusters))
	for _, c := range e.clusters {
		list = append(list, Cluster{c.subscriptionID(), c.name, c.group, c.what, len(c.machines), c.stuck})
	}
	return list
}

// Throttled counts the 429s given because of a limit; not the one that is a
// node's way to fail.
func (e *Estate) Throttled() int { return int(e.throttled.Load()) }

// Close ends the listeners and whatever still runs, and removes the directory.
func (e *Estate) Close() error {
	e.stop()
	for _, server := range e.servers {
		_ = server.Close()
	}
	e.serving.Wait()
	e.operations.close()
	if err := os.RemoveAll(e.dir); err != nil {
		return fmt.Errorf("removing the sample estate: %w", err)
	}
	return nil
}
