package cluster

import (
	"context"
	"time"
)

// NodeName is what AKS calls its first node.
const NodeName = "aks-nodepool1-12345678-vmss000000"

// StartWithNode starts one node and, where it can be reached from there and
// with a certificate for two years, an API server. The node has not joined yet.
func (c *Cluster) StartWithNode(ctx context.Context) (*Node, *APIServer, error) {
	n, err := c.StartNode(ctx, NodeName)
	if err != nil {
		return nil, nil, err
	}
	from := time.Now().Add(-30 * Day)
	serving, err := c.CA.Issue(Spec{
		CommonName: "apiserver", Names: append(Names(), n.Host.String()),
		NotBefore: from, NotAfter: from.Add(2 * 365 * Day),
	})
	if err != nil {
		return nil, nil, err
	}
	server, err := c.StartAPIServerAt(ctx, n.Host, serving, c.CA)
	return n, server, err
}
