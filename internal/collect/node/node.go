// Package node looks at the files of a cluster's nodes: their certificates and
// what says whether those renew themselves. It runs one constant, read-only
// script on each node, by Azure's run-command, and reads what that prints.
package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Runner lists a cluster's machines and runs a script on one.
type Runner interface {
	// Machines is every machine that is a node of the cluster, and what could
	// not be listed.
	Machines(ctx context.Context, a target.ARM) ([]target.Machine, []error)
	// Run runs the lines of one script on m and returns what it wrote to its
	// standard output. That is no proof that it ran.
	Run(ctx context.Context, m target.Machine, script []string) (stdout string, err error)
}

// Explained is an error of a Runner that says itself what gap it is.
type Explained interface {
	error
	Gap() (reason report.Reason, message, hint string, retryable bool)
}

// Collector runs the probe on every node of a cluster.
type Collector struct {
	Runner Runner
	// Parallel is how many nodes are asked at once, of all clusters together, and
	// half of them of one; 0 is 16.
	Parallel int
	// PerPool is how many nodes of a pool are asked; 0 for all.
	PerPool int
	// Progress, where set, is told how far it is: of all clusters together. It
	// is called with a cluster's nodes added to total before the first of them
	// is asked. Its calls do not overlap.
	Progress func(done, total, gaps int)

	mu                sync.Mutex // guards what follows, and the calls of Progress
	done, total, gaps int
	turns             *collect.Turns // one for each node that may be asked at once
}

// unreadable is for a cluster that was listed and then could not be read, for
// which discovery has a gap.
const unreadable = "the cluster's ARM resource could not be read"

// Source is report.SourceNode.
func (*Collector) Source() report.Source { return report.SourceNode }

// Collect asks every node of t that ARM does not already say is out of reach.
// It may be called for several clusters at once.
func (c *Collector) Collect(ctx context.Context, t target.Target) []collect.Observation {
	a := t.ARM
	if a == nil {
		return []collect.Observation{{Skipped: &collect.Skipped{Why: "no ARM resource: run-command needs one"}}}
	}
	if a.Listed {
		return []collect.Observation{{Skipped: &collect.Skipped{Why: unreadable}}}
	}
	seen := collect.NotRunning(*a)
	if a.Stopped() {
		return seen
	}
	if a.NodesLockedDown {
		return []collect.Observation{{Gap: lockedDown(*a)}}
	}
	machines, errs := c.Runner.Machines(ctx, *a)
	for _, err := range errs {
		seen = append(seen, collect.Observation{Gap: gapOf(ctx, err)})
	}
	machines = slices.DeleteFunc(slices.Clone(machines), func(m target.Machine) bool { return !runs(*a, m) })
	slices.SortStableFunc(machines, func(a, b target.Machine) int {
		return cmp.Or(strings.Compare(a.Pool, b.Pool), strings.Compare(a.Node, b.Node), strings.Compare(a.ResourceID, b.ResourceID))
	})
	if len(errs) == 0 {
		seen = append(seen, unlisted(*a, machines)...)
	}
	machines = collect.Sample(machines, c.PerPool, func(m target.Machine) (string, string) { return m.Pool, m.Node })
	return append(seen, c.ask(ctx, machines)...)
}

// ask runs the probe on every machine and keeps their order.
func (c *Collector) ask(ctx context.Context, machines []target.Machine) []collect.Observation {
	if len(machines) == 0 {
		return nil
	}
	c.progress(0, len(machines), 0)
	answers := make([][]collect.Observation, len(machines))
	turns, cluster := c.places(), new(collect.Asker)
	var asking sync.WaitGroup
	for i, m := range machines {
		asking.Go(func() {
			if done, err := turns.Take(ctx, cluster); err == nil {
				defer done()
			} // else one says so
			answers[i] = c.one(ctx, m)
			gaps := 0
			for _, o := range answers[i] {
				if o.Gap != nil {
					gaps++
				}
			}
			c.progress(1, 0, gaps)
		})
	}
	asking.Wait()
	return slices.Concat(answers...)
}

// places is what all clusters share.
func (c *Collector) places() *collect.Turns {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns == nil {
		c.turns = collect.NewTurns(c.Parallel)
	}
	return c.turns
}

func (c *Collector) progress(done, total, gaps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.total, c.gaps = c.done+done, c.total+total, c.gaps+gaps
	if c.Progress != nil {
		c.Progress(c.done, c.total, c.gaps)
	}
}

// one asks one machine. The machine is a node of the cluster whether or not it
// answers, so there is always a Node.
func (c *Collector) one(ctx context.Context, m target.Machine) []collect.Observation {
	facts := report.Node{Name: m.Node, Pool: m.Pool, OS: strings.ToLower(m.OS), ResourceID: m.ResourceID}
	if ctx.Err() != nil {
		return of(facts, []collect.Observation{{Gap: collect.Ended(ctx, "")}})
	}
	stdout, err := c.Runner.Run(ctx, m, strings.Split(Script(m.OS), "\n"))
	if err != nil {
		return of(facts, []collect.Observation{{Gap: gapOf(ctx, err)}})
	}
	said, brought := Parse(stdout)
	facts.BootstrapKubeconfig, facts.RotateCertificates, facts.BootstrapMode = said.BootstrapKubeconfig, said.RotateCertificates, said.BootstrapMode
	return of(facts, brought)
}

// gapOf is the gap for an error of the Runner.
func gapOf(ctx context.Context, err error) *collect.Gap {
	var known Explained
	switch {
	case errors.As(err, &known): // it knows, too, whether the script may still run there
		g := &collect.Gap{}
		g.Reason, g.Message, g.Hint, g.Retryable = known.Gap()
		return g
	case ctx.Err() != nil:
		return collect.Ended(ctx, "")
	case errors.Is(err, context.DeadlineExceeded):
		return &collect.Gap{Reason: report.ReasonTimeout, Message: err.Error(), Hint: "give the run more time with --timeout", Retryable: true}
	}
	return &collect.Gap{Reason: report.ReasonUnreachable, Message: err.Error(), Retryable: true}
}
