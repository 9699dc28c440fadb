package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// kubeletClientName is whom the API server is to kubelets.
const kubeletClientName = "kube-apiserver-kubelet-client"

// AllowBootstrap makes what kubeadm and AKS make for TLS bootstrapping, and
// returns a bootstrap token.
func (s *APIServer) AllowBootstrap(ctx context.Context, admin Pair) (token string, err error) {
	for _, b := range []struct{ role, kind, name string }{
		{"system:node-bootstrapper", "Group", "system:bootstrappers"},
		{"system:certificates.k8s.io:certificatesigningrequests:nodeclient", "Group", "system:bootstrappers"},
		{"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", "Group", "system:nodes"},
		{"system:kubelet-api-admin", "User", kubeletClientName},
	} {
		if err := s.bindRole(ctx, admin, b.role, b.kind, b.name); err != nil {
			return "", err
		}
	}
	var random [11]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	id, secret := hex.EncodeToString(random[:3]), hex.EncodeToString(random[3:])
	err = s.create(ctx, admin, "/api/v1/namespaces/kube-system/secrets", map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{"name": "bootstrap-token-" + id},
		"type":     "bootstrap.kubernetes.io/token",
		"stringData": map[string]string{
			"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true",
		},
	})
	return id + "." + secret, err
}

// bindRole gives a cluster role to a user or group.
func (s *APIServer) bindRole(ctx context.Context, admin Pair, role, kind, name string) error {
	return s.create(ctx, admin, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
		"metadata": map[string]any{"name": "e2e:" + role},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
		"subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}},
	})
}

// create posts an object. It tries for a while, as the server is ready before
// its own controllers have made the namespaces.
func (s *APIServer) create(ctx context.Context, admin Pair, path string, object any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		status, answer, err := s.Do(ctx, Login{Client: &admin}, http.MethodPost, path, body)
		switch {
		case err != nil:
			return fmt.Errorf("posting to %q: %w", path, err)
		case status == http.StatusCreated || status == http.StatusConflict:
			return nil
		case status != http.StatusNotFound:
			return fmt.Errorf("posting to %q: status %d: %s", path, status, answer)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("posting to %q: %w: %s", path, ctx.Err(), answer)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
