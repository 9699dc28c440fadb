// Package kubelet reads what each node's kubelet says of its own certificates, in
// its metrics, through the API server. Nothing runs on a node.
//
// The right it takes, get on nodes/proxy, is not one to read only: it reaches
// the kubelet's exec too (kubernetes.io/docs/concepts/security/rbac-good-practices).
package kubelet

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Collector reads the metrics of kubelets.
type Collector struct {
	Door *kube.Door
	// PerPool is how many nodes of a pool are asked; 0 for all.
	PerPool int
	// Now is when a line was received; nil for time.Now. A kubelet counts its
	// time to live by the real clock, so an audit as of another instant needs
	// the real one here too.
	Now func() time.Time
}

// Source is report.SourceKubelet.
func (Collector) Source() report.Source { return report.SourceKubelet }

// first is how many nodes are asked before the others, to see whether the user
// may ask at all. More than one, because a right can be for named nodes only.
const first = 3

// Collect asks the kubelet of every node of t, a virtual node's apart, which has
// no certificates of a node's, and those of a stopped pool. Nodes that are not
// ready are asked too: it is their certificates that matter.
func (c Collector) Collect(ctx context.Context, t target.Target) []collect.Observation {
	client, why := c.Door.Client(ctx, t)
	if client == nil {
		return []collect.Observation{*why}
	}
	defer client.Close()
	var seen []collect.Observation
	stopped := map[string]bool{}
	if t.ARM != nil {
		seen = collect.NotRunning(*t.ARM)
		for _, pool := range t.ARM.Pools {
			stopped[pool.Name] = pool.Stopped()
		}
	}
	nodes, err := client.Nodes(ctx)
	if err != nil {
		seen = append(seen, collect.Observation{Gap: listing(err)})
	}
	nodes = slices.DeleteFunc(nodes, func(n report.Node) bool { return n.Virtual || stopped[n.Pool] })
	slices.SortFunc(nodes, func(a, b report.Node) int { return strings.Compare(a.Name, b.Name) })
	nodes = collect.Sample(nodes, c.PerPool, func(n report.Node) (string, string) { return n.Pool, n.Name })

	answers := make([]answer, len(nodes))
	ahead := min(first, len(nodes))
	c.ask(ctx, client, nodes[:ahead], answers[:ahead])
	if ahead > 0 && !slices.ContainsFunc(answers[:ahead], func(a answer) bool { return !a.denied }) {
		for i := ahead; i < len(nodes); i++ {
			gap := *answers[0].seen[0].Gap
			gap.Node = nodes[i].Name
			answers[i].seen = []collect.Observation{{Gap: &gap}}
		}
	} else {
		c.ask(ctx, client, nodes[ahead:], answers[ahead:])
	}
	for _, a := range answers {
		seen = append(seen, a.seen...)
	}
	return seen
}

// answer is what one node's kubelet brought.
type answer struct {
	seen   []collect.Observation
	denied bool // the user may not ask this, by the API server's word
}

// ask asks the kubelets of nodes, as many at once as the Door lets through.
func (c Collector) ask(ctx context.Context, client *kube.Client, nodes []report.Node, answers []answer) {
	var asked sync.WaitGroup
	for i, n := range nodes {
		asked.Go(func() { answers[i] = c.one(ctx, client, n) })
	}
	asked.Wait()
}
