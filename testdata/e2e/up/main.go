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

// serve starts the API server and, where that is possible, a node, and writes
// the administrator's kubeconfig.
func serve(ctx context.Context, c *cluster.Cluster) (string, error) {
	var server *cluster.APIServer
	err := cluster.CanHaveNode(ctx)
	if err == nil {
		server, err = withNode(ctx, c)
	} else {
		fmt.Fprintln(os.Stderr, "without a node:", err)
		server, err = withoutNode(ctx, c)
	}
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, "kubeconfig")
	return path, cluster.Kubeconfig{
		Server: server.URL(), CA: c.CA.CertPEM, Cert: c.Admin.CertPEM, Key: c.Admin.KeyPEM,
	}.Write(path)
}

func withNode(ctx context.Context, c *cluster.Cluster) (*cluster.APIServer, error) {
	n, server, err := c.StartWithNode(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.StartControllers(ctx, server, cluster.Signing{Lifetime: 2 * 365 * cluster.Day}); err != nil {
		return nil, err
	}
	if err := n.Join(ctx, server); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "node %s is up, its files are in %s\n", n.Name, n.Root)
	return server, nil
}

func withoutNode(ctx context.Context, c *cluster.Cluster) (*cluster.APIServer, error) {
	from := time.Now().Add(-30 * cluster.Day)
	serving, err := c.CA.Issue(cluster.Spec{
		CommonName: "apiserver", Names: cluster.Names(),
		NotBefore: from, NotAfter: from.Add(2 * 365 * cluster.Day),
	})
	if err != nil {
		return nil, err
	}
	return c.StartAPIServer(ctx, serving)
}
