package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/akscert/akscert/testdata/e2e/build"
)

// The controllers that give kubelets their certificates.
const (
	signer   = "certificatesigningrequest-signing-controller"
	approver = "certificatesigningrequest-approving-controller"
)

// Signing is how certificate requests of kubelets are answered.
type Signing struct {
	Lifetime time.Duration
	// Unapproved leaves every request for somebody else to approve.
	Unapproved bool
}

// StartControllers starts a kube-controller-manager that signs with the cluster
// CA, in place of the one that ran. It works as soon as the API server lets it.
func (c *Cluster) StartControllers(ctx context.Context, server *APIServer, signing Signing) error {
	controllers := []string{signer, approver}
	if signing.Unapproved {
		controllers = []string{signer}
	}
	return c.startControllers(ctx, server, controllers,
		"--cluster-signing-cert-file="+c.files.ca,
		"--cluster-signing-key-file="+c.files.caKey,
		"--cluster-signing-duration="+signing.Lifetime.String(),
	)
}

// StartJobController starts a kube-controller-manager that makes the pods of
// Jobs and nothing else, in place of the one that ran.
func (c *Cluster) StartJobController(ctx context.Context, server *APIServer) error {
	return c.startControllers(ctx, server, []string{"job-controller"})
}

func (c *Cluster) startControllers(ctx context.Context, server *APIServer, controllers []string, flags ...string) error {
	c.controllers.kill()
	binary, err := build.Binary(ctx, c.root, build.ControllerManager, c.log)
	if err != nil {
		return err
	}
	kubeconfig, err := c.controllersKubeconfig(server)
	if err != nil {
		return fmt.Errorf("starting kube-controller-manager: %w", err)
	}
	c.controllerManagers++
	p, err := start(c.Dir, fmt.Sprintf("kube-controller-manager-%d", c.controllerManagers), binary, append([]string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=" + strings.Join(controllers, ","),
		"--use-service-account-credentials", // with the rights that each controller has by itself
		"--leader-elect=false",              // it is alone, and its predecessor was killed
		"--secure-port=0",
	}, flags...)...)
	if err != nil {
		return err
	}
	c.controllers = p
	c.processes = append(c.processes, p)
	return nil
}

func (c *Cluster) controllersKubeconfig(server *APIServer) (string, error) {
	from := time.Now().Add(-30 * Day)
	client, err := c.CA.Issue(Spec{CommonName: "system:kube-controller-manager", NotBefore: from, NotAfter: from.Add(2 * 365 * Day)})
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, "kube-controller-manager.kubeconfig")
	return path, Kubeconfig{Server: server.URL(), CA: c.CA.CertPEM, Cert: client.CertPEM, Key: client.KeyPEM}.Write(path)
}
