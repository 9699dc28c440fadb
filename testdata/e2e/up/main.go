// Command up starts the tests' cluster, says where its kubeconfig is, and keeps
// it up until Ctrl-C. Run it as "go run ./up" in testdata/e2e.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/akscert/akscert/testdata/e2e/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "up: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("finding the e2e module: %w", err)
	}
	dir, err := os.MkdirTemp("", "akscert-up-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := cluster.Start(ctx, filepath.Dir(strings.TrimSpace(string(mod))), dir, os.Stderr)
	if err != nil {
		return err
	}
	defer c.Stop()
	kubeconfig, err := serve(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the cluster is up, its logs are in %s\nCtrl-C ends it and removes everything\n", dir)
	fmt.Printf("export KUBECONFIG=%s\n", kubeconfig)
	<-ctx.Done()
	return nil
}

// serve starts the API server and writes the administrator's kubeconfig.
func serve(ctx context.Context, c *cluster.Cluster) (string, error) {
	from := time.Now().Add(-30 * cluster.Day)
	serving, err := c.CA.Issue(cluster.Spec{
		CommonName: "apiserver", Names: cluster.Names(),
		NotBefore: from, NotAfter: from.Add(2 * 365 * cluster.Day),
	})
	if err != nil {
		return "", err
	}
	server, err := c.StartAPIServer(ctx, serving)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, "kubeconfig")
	return path, cluster.Kubeconfig{
		Server: server.URL(), CA: c.CA.CertPEM, Cert: c.Admin.CertPEM, Key: c.Admin.KeyPEM,
	}.Write(path)
}
