package collect

import (
	"context"
	"sync"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Batch is what one collector brought from one target.
type Batch struct {
	Target       target.Target
	Source       report.Source
	Observations []Observation
	Took         time.Duration
}

// Fleet says how many targets are looked at together, and for how long. What is
// scarce, connections and Azure's allowance, each collector bounds for all
// targets together; a target that waits for its nodes costs little.
type Fleet struct {
	// AtOnce is how many targets are in flight; at least 1.
	AtOnce int
	// Timeout bounds one target; zero leaves it to the run's context.
	Timeout time.Duration
	// Resolve, where set, learns what there is to know of a target before any
	// collector looks at it, and what is missing for it.
	Resolve func(ctx context.Context, t target.Target) (target.Target, []report.Gap)
}

// Visit is what was brought from one target: a batch for each collector, in
// their order, and what was already missing before.
type Visit struct {
	Batches []Batch
	Gaps    []report.Gap
}

// targetTimeout is why a target's context ended before the run's.
type targetTimeout struct{}

func (targetTimeout) Error() string { return "the cluster's time was up" }

// Is makes it a deadline.
func (targetTimeout) Is(err error) bool { return err == context.DeadlineExceeded }

// Hint is what to do about it, for whoever tells of it.
func (targetTimeout) Hint() string { return "give each cluster more time with --cluster-timeout" }

// Each looks at every target with every collector, and calls done with each
// target's visit as it ends, in whatever order that is; calls do not overlap. A
// target whose turn had not come when ctx ended has a gap for each collector.
func Each(ctx context.Context, targets []target.Target, collectors []Collector, fleet Fleet, done func(Visit)) {
	turns := make(chan int)
	var workers sync.WaitGroup
	var one sync.Mutex
	for range min(max(fleet.AtOnce, 1), len(targets)) {
		workers.Go(func() {
			for i := range turns {
				v := visit(ctx, targets[i], collectors, fleet)
				one.Lock()
				done(v)
				one.Unlock()
			}
		})
	}
	for i := range targets {
		turns <- i
	}
	close(turns)
	workers.Wait()
}

// visit runs the collectors on t side by side.
func visit(ctx context.Context, t target.Target, collectors []Collector, fleet Fleet) Visit {
	if fleet.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, fleet.Timeout, targetTimeout{})
		defer cancel()
	}
	v := Visit{Batches: make([]Batch, len(collectors))}
	if fleet.Resolve != nil && ctx.Err() == nil {
		t, v.Gaps = fleet.Resolve(ctx, t)
	}
	var working sync.WaitGroup
	for i, c := range collectors {
		working.Go(func() {
			start := time.Now()
			var seen []Observation
			if ctx.Err() != nil {
				seen = []Observation{{Gap: Ended(ctx, "")}}
			} else {
				seen = c.Collect(ctx, t)
			}
			v.Batches[i] = Batch{Target: t, Source: c.Source(), Observations: seen, Took: time.Since(start)}
		})
	}
	working.Wait()
	return v
}
