// Package kubelet reads what each node's kubelet says of its own certificates, in
// its metrics, through the API server. Nothing runs on a node.
//
// The right it takes, get on nodes/proxy, is not one to read only: it reaches
// the kubelet's exec too (kubernetes.io/docs/concepts/security/rbac-good-practices).
package kubelet

import (
	"context"
	"fmt"
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
// enough is how many are asked before the rest is left alone where none of them
// was reached: each costs a request's whole time. They are of as many pools as
// there are, because a pool can be out of reach by itself.
const (
	first  = 3
	enough = 16
)

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

	r := &round{Collector: c, client: client, nodes: nodes, answers: make([]answer, len(nodes))}
	r.all(ctx, spread(nodes))
	for _, a := range r.answers {
		seen = append(seen, a.seen...)
	}
	return seen
}

// spread is an order of nodes, by their indexes, in which the first ones are of
// different pools.
func spread(nodes []report.Node) []int {
	order, rank, taken := make([]int, len(nodes)), make([]int, len(nodes)), map[string]int{}
	for i, n := range nodes {
		order[i], rank[i] = i, taken[n.Pool]
		taken[n.Pool]++
	}
	slices.SortStableFunc(order, func(x, y int) int { return rank[x] - rank[y] })
	return order
}

// answer is what one node's kubelet brought.
type answer struct {
	seen   []collect.Observation
	denied bool // the user may not ask this, by the API server's word
	silent bool // the kubelet was not reached, or said nothing
	whole  bool // whatever else is asked of this API server fails alike
}

// round asks the kubelets of one cluster.
type round struct {
	Collector
	client  *kube.Client
	nodes   []report.Node
	answers []answer // of the nodes, in their order

	mu  sync.Mutex
	end *collect.Gap // why the rest is not asked
}

// all asks the nodes in order, or as many of them as tell how it is with the
// rest. Every node has an answer then.
func (r *round) all(ctx context.Context, order []int) {
	upTo := func(n int) []int { return order[:min(n, len(order))] }
	r.ask(ctx, upTo(first))
	if r.each(upTo(first), func(a answer) bool { return a.denied }) {
		r.stop(*r.answers[order[0]].seen[0].Gap)
	}
	r.ask(ctx, upTo(enough)[len(upTo(first)):])
	if len(order) > enough && r.each(upTo(enough), func(a answer) bool { return a.silent }) {
		gap := *r.answers[order[0]].seen[0].Gap
		gap.Message = fmt.Sprintf("%snot asked, because none of the first %d kubelets answered", doing, enough)
		gap.Hint = "is the tunnel to the nodes (konnectivity) up: kubectl get nodes; kubectl -n kube-system get pods; the node source does not need it"
		r.stop(gap)
	}
	r.ask(ctx, order[len(upTo(enough)):])
}

// each reports whether is holds for all the answers of nodes, and there are any.
func (r *round) each(nodes []int, is func(answer) bool) bool {
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(i int) bool { return !is(r.answers[i]) })
}

// stop has the rest of the nodes not asked: gap is theirs too, in the same words,
// so that audit folds them. The first one counts.
func (r *round) stop(gap collect.Gap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end == nil {
		r.end = &gap
	}
}

// ask asks nodes, as many at once as the Door lets one client, until the round
// is stopped.
func (r *round) ask(ctx context.Context, nodes []int) {
	turns := make(chan int)
	var workers sync.WaitGroup
	for range min(r.client.Share(), len(nodes)) {
		workers.Go(func() {
			for i := range turns {
				r.answers[i] = r.answer(ctx, r.nodes[i])
			}
		})
	}
	for _, i := range nodes {
		turns <- i
	}
	close(turns)
	workers.Wait()
}

func (r *round) answer(ctx context.Context, n report.Node) answer {
	r.mu.Lock()
	end := r.end
	r.mu.Unlock()
	if end != nil {
		gap := *end
		gap.Node = n.Name
		return answer{seen: []collect.Observation{{Gap: &gap}}}
	}
	a := r.one(ctx, r.client, n)
	if a.whole {
		r.stop(*a.seen[0].Gap)
	}
	return a
}
