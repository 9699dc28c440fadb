// Package e2e audits a real kube-apiserver with certificates of its own making.
package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// rig is what every test looks at.
type rig struct {
	ctx       context.Context
	akscert   string // the binary under test
	kustomize string // what renders the manifests, once it was needed
	sources   string // what it is to look at
	cluster   *cluster.Cluster
	server    *cluster.APIServer // with a healthy certificate
	serving   cluster.Pair       // that certificate
}

// TestRealCluster shares one cluster among its subtests, because each start
// takes seconds. The last one kills the server.
func TestRealCluster(t *testing.T) {
	r := newRig(t)
	from := time.Now().Add(-30 * cluster.Day)
	r.serving, r.server = r.startServer(t, from, from.Add(2*365*cluster.Day))
	t.Run("healthy", r.healthy)
	t.Run("table", r.table)
	t.Run("expired client certificate", r.expiredClient)
	t.Run("expired client certificate and a token", r.expiredClientWithToken)
	t.Run("another cluster's CA", r.otherCA)
	t.Run("a name the certificate does not cover", r.otherName)
	t.Run("insecure-skip-tls-verify", r.insecure)
	t.Run("past the warning point, as of another instant", r.warningLater)
	t.Run("serving certificate past the warning point", r.warningServing)
	t.Run("expired serving certificate", r.expiredServing)
	t.Run("stopped server", r.stopped)
}

// newRig starts a cluster that has no API server yet.
func newRig(t *testing.T) *rig {
	t.Helper()
	// Not t.TempDir, whose name is too long for a Unix socket on some systems.
	dir, err := os.MkdirTemp("", "akscert-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{ctx: t.Context(), akscert: buildAkscert(t, dir), sources: "kubeconfig,apiserver"}
	// The test runs in the e2e module's folder.
	r.cluster, err = cluster.Start(r.ctx, ".", dir, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.cluster.Stop()
		if t.Failed() {
			t.Log(r.cluster.Logs())
		}
	})
	return r
}

// buildAkscert compiles the program from this very checkout.
func buildAkscert(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "akscert")
	compile(t, path, filepath.Join("..", ".."), "./cmd/akscert")
	return path
}

// compile compiles a program of the module in a folder.
func compile(t *testing.T, path, module, program string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, program)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", filepath.Base(path), err, out)
	}
}

// startServer starts an API server whose certificate is valid between the two
// instants and which presents the CA after it.
func (r *rig) startServer(t *testing.T, notBefore, notAfter time.Time) (cluster.Pair, *cluster.APIServer) {
	t.Helper()
	serving := r.issue(t, cluster.Spec{
		CommonName: "apiserver", Names: cluster.Names(), NotBefore: notBefore, NotAfter: notAfter,
	})
	server, err := r.cluster.StartAPIServer(r.ctx, serving, r.cluster.CA)
	if err != nil {
		t.Fatal(err)
	}
	return serving, server
}

func (r *rig) issue(t *testing.T, spec cluster.Spec) cluster.Pair {
	t.Helper()
	pair, err := r.cluster.CA.Issue(spec)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// expiredAdmin is a client certificate that was the administrator's until an
// hour ago.
func (r *rig) expiredAdmin(t *testing.T) cluster.Pair {
	t.Helper()
	now := time.Now()
	return r.issue(t, cluster.Spec{
		CommonName: "masterclient", Organization: "system:masters",
		NotBefore: now.Add(-2 * 365 * cluster.Day), NotAfter: now.Add(-time.Hour),
	})
}

// kubeconfig is a healthy one for the server.
func (r *rig) kubeconfig(server *cluster.APIServer) cluster.Kubeconfig {
	return cluster.Kubeconfig{
		Server: server.URL(),
		CA:     r.cluster.CA.CertPEM,
		Cert:   r.cluster.Admin.CertPEM,
		Key:    r.cluster.Admin.KeyPEM,
	}
}
