package cluster

import "context"

// AddNode makes a Node object whose kubelet is said to listen at ip and port.
func (s *APIServer) AddNode(ctx context.Context, admin Pair, name, ip string, port int) error {
	return s.create(ctx, admin, "/api/v1/nodes", map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"name": name, "labels": map[string]string{"kubernetes.io/os": "linux"}},
		"status": map[string]any{
			"addresses":       []any{map[string]any{"type": "InternalIP", "address": ip}},
			"daemonEndpoints": map[string]any{"kubeletEndpoint": map[string]any{"Port": port}},
		},
	})
}
