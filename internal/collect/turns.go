package collect

import (
	"context"
	"slices"
	"sync"
)

// Turns is leave to ask: so many at once, and of one cluster no more than half of
// them, so that a cluster whose answers all hang leaves room for another. Who has
// the fewest under way comes first, and then who has waited the longest: where
// several clusters hang, one that answers waits for a single answer of theirs, and
// not for all that they queue. Its methods may be called at the same time.
type Turns struct {
	mu      sync.Mutex
	free    int
	share   int
	waiting []*waiter // the longest first
}

// Asker is one that takes turns: a cluster, for one source. Its zero value is
// ready.
type Asker struct{ underway int }

type waiter struct {
	asker *Asker
	leave chan struct{} // closed to give it
}

// NewTurns gives atOnce turns at once; 16 for 0.
func NewTurns(atOnce int) *Turns {
	if atOnce < 1 {
		atOnce = 16
	}
	return &Turns{free: atOnce, share: max(1, atOnce/2)}
}

// Share is how many turns one asker has at once. For more it waits.
func (t *Turns) Share() int { return t.share }

// Take waits for a turn for by, who gives it back by calling done. The error is why
// ctx ended.
func (t *Turns) Take(ctx context.Context, by *Asker) (done func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w := &waiter{asker: by, leave: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.give()
	t.mu.Unlock()
	done = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.free++
		by.underway--
		t.give()
	}
	select {
	case <-w.leave:
		return done, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.waiting, w)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // it was given meanwhile
		done()
	}
	return nil, context.Cause(ctx)
}

// give hands out what is free. t.mu is held.
func (t *Turns) give() {
	for t.free > 0 {
		next := -1
		for i, w := range t.waiting {
			if w.asker.underway < t.share && (next < 0 || w.asker.underway < t.waiting[next].asker.underway) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := t.waiting[next]
		t.waiting = slices.Delete(t.waiting, next, next+1)
		t.free--
		w.asker.underway++
		close(w.leave)
	}
}
