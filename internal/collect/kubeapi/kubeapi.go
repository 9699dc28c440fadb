// Package kubeapi asks a cluster's own API for what concerns its certificates as
// a whole: the server's version, whether Kubernetes RBAC is there, the CAs that
// the API server accepts client certificates of, and the nodes.
package kubeapi

import (
	"context"
	"errors"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Collector asks API servers.
type Collector struct{ Door *kube.Door }

// Source is report.SourceKubeAPI.
func (Collector) Source() report.Source { return report.SourceKubeAPI }

// Collect asks the API server of t four things, each of which can fail by
// itself.
func (c Collector) Collect(ctx context.Context, t target.Target) []collect.Observation {
	client, why := c.Door.Client(ctx, t)
	if client == nil {
		return []collect.Observation{*why}
	}
	defer client.Close()
	api := &collect.API{}
	var seen []collect.Observation
	for _, ask := range []func() ([]collect.Observation, error){
		func() ([]collect.Observation, error) { return nil, version(ctx, client, api) },
		func() ([]collect.Observation, error) { return nil, rbac(ctx, client, api) },
		func() ([]collect.Observation, error) { return authorities(ctx, client) },
		func() ([]collect.Observation, error) { return nodes(ctx, client) },
	} {
		found, err := ask()
		seen = append(seen, found...)
		if err == nil {
			continue
		}
		var failed *kube.Error
		if !errors.As(err, &failed) {
			failed = &kube.Error{Reason: report.ReasonMalformed, Message: err.Error()}
		}
		seen = append(seen, collect.Observation{Gap: failed.Gap()})
		if failed.Whole {
			break // the others would say the same
		}
	}
	if api.Version != "" || api.RBAC != nil {
		seen = append([]collect.Observation{{API: api}}, seen...)
	}
	return seen
}

func nodes(ctx context.Context, client *kube.Client) ([]collect.Observation, error) {
	found, err := client.Nodes(ctx)
	seen := make([]collect.Observation, len(found))
	for i := range found {
		seen[i].Node = &found[i]
	}
	return seen, err
}
