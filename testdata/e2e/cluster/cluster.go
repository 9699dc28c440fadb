// Package cluster runs a real Kubernetes control plane on loopback, with
// certificates of the caller's making.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/akscert/akscert/testdata/e2e/build"
)

// Cluster is one etcd, the API servers in front of it, and what else was
// started.
type Cluster struct {
	Dir string // everything it writes
	// CA signs the API server's certificate and the clients' alike, as the
	// one cluster CA of AKS does.
	CA    Pair
	Admin Pair // a client certificate in system:masters, as az aks get-credentials --admin gives

	root        string    // the e2e module
	log         io.Writer // of what is built
	etcdURL     string
	files       files
	processes   []*process
	controllers *process // the kube-controller-manager that runs, if one does
	// Started so far, for their names.
	apiservers, controllerManagers, kubelets int
}

// files are the paths every API server of the cluster is started with.
type files struct {
	ca, caKey                           string
	serviceAccountKey                   string
	requestHeaderCA                     string
	proxyCert, proxyKey                 string
	kubeletClientCert, kubeletClientKey string
}

// Start builds etcd if need be, makes the certificates and starts etcd. Root
// is the folder of the e2e module, dir an empty one whose path is short enough
// for a Unix socket; progress goes to log.
func Start(ctx context.Context, root, dir string, log io.Writer) (*Cluster, error) {
	etcd, err := build.Binary(ctx, root, build.Etcd, log)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, root: root, log: log}
	if err := c.makeCertificates(time.Now()); err != nil {
		return nil, err
	}
	if err := c.startEtcd(ctx, etcd); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// makeCertificates makes what a healthy AKS cluster has, with its lifetimes:
// thirty years for CAs, two for what they sign.
func (c *Cluster) makeCertificates(now time.Time) error {
	// Older than anything a test has it sign, expired certificates included.
	born := now.Add(-3 * 365 * Day)
	var err error
	if c.CA, err = NewCA("ca", born, born.Add(30*365*Day)); err != nil {
		return err
	}
	from := now.Add(-30 * Day)
	if c.Admin, err = c.CA.Issue(Spec{
		CommonName: "masterclient", Organization: "system:masters",
		NotBefore: from, NotAfter: from.Add(2 * 365 * Day),
	}); err != nil {
		return err
	}
	kubeletClient, err := c.CA.Issue(Spec{CommonName: kubeletClientName, NotBefore: from, NotAfter: from.Add(2 * 365 * Day)})
	if err != nil {
		return err
	}
	// A CA of its own: whoever holds a certificate of this one may claim to
	// be anybody.
	frontProxyCA, err := NewCA("front-proxy-ca", from, from.Add(30*365*Day))
	if err != nil {
		return err
	}
	frontProxy, err := frontProxyCA.Issue(Spec{CommonName: "front-proxy-client", NotBefore: from, NotAfter: from.Add(2 * 365 * Day)})
	if err != nil {
		return err
	}
	serviceAccounts, err := NewCA("service-accounts", from, from.Add(30*365*Day)) // only its key is used
	if err != nil {
		return err
	}
	return c.writeFiles(frontProxyCA, frontProxy, serviceAccounts, kubeletClient)
}

func (c *Cluster) writeFiles(frontProxyCA, frontProxy, serviceAccounts, kubeletClient Pair) error {
	var errs [5]error
	c.files.ca, c.files.caKey, errs[0] = c.CA.write(c.Dir, "ca")
	c.files.requestHeaderCA, _, errs[1] = frontProxyCA.write(c.Dir, "front-proxy-ca")
	c.files.proxyCert, c.files.proxyKey, errs[2] = frontProxy.write(c.Dir, "front-proxy-client")
	_, c.files.serviceAccountKey, errs[3] = serviceAccounts.write(c.Dir, "service-accounts")
	c.files.kubeletClientCert, c.files.kubeletClientKey, errs[4] = kubeletClient.write(c.Dir, kubeletClientName)
	return errors.Join(errs[:]...)
}

// startEtcd has etcd listen on Unix sockets: no port to collide on, and nobody
// else on the machine can reach it.
func (c *Cluster) startEtcd(ctx context.Context, binary string) error {
	c.etcdURL = "unix://" + filepath.Join(c.Dir, "etcd.sock")
	peers := "unix://" + filepath.Join(c.Dir, "peer.sock")
	p, err := start(c.Dir, "etcd", binary,
		"--name=e2e",
		"--data-dir="+filepath.Join(c.Dir, "etcd"),
		"--listen-client-urls="+c.etcdURL,
		"--advertise-client-urls="+c.etcdURL,
		"--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers,
		"--initial-cluster=e2e="+peers,
		"--log-level=warn",
		"--unsafe-no-fsync", // nothing here outlives the test
	)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	// The socket is there once etcd serves; the API server waits for the rest.
	return c.wait(ctx, p, func() error {
		_, err := os.Stat(strings.TrimPrefix(c.etcdURL, "unix://"))
		return err
	})
}

// wait polls until ready says nil, the process ends, or two minutes are over.
func (c *Cluster) wait(ctx context.Context, p *process, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("starting %q: it ended\n%s", p.name, p.tail(20))
		case <-ctx.Done():
			return fmt.Errorf("starting %q: %w, last: %w\n%s", p.name, ctx.Err(), err, p.tail(20))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Logs is the end of every program's output.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, p := range c.processes {
		b.WriteString(p.tail(20))
	}
	return b.String()
}

// Stop ends every program, the last started first.
func (c *Cluster) Stop() {
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].kill()
	}
}
