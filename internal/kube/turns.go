package kube

import (
	"context"
	"slices"
	"sync"
)

// turns is leave to send requests: to so many at once, and to no Client more
// than its share, so that a cluster whose requests all hang leaves room for
// another. Who has the fewest under way comes first, and then who has waited the
// longest: where several clusters hang, one that answers waits for a single
// request of theirs, and not for all that they queue.
type turns struct {
	mu      sync.Mutex
	free    int
	share   int
	waiting []*waiter // the longest first
}

type waiter struct {
	client *Client
	leave  chan struct{} // closed to give it
}

// take waits for leave for c. The one who has it gives it back by calling done.
func (t *turns) take(ctx context.Context, c *Client) (done func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w := &waiter{client: c, leave: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.give()
	t.mu.Unlock()
	done = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.free++
		c.underway--
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
func (t *turns) give() {
	for t.free > 0 {
		next := -1
		for i, w := range t.waiting {
			if w.client.underway < t.share && (next < 0 || w.client.underway < t.waiting[next].client.underway) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := t.waiting[next]
		t.waiting = slices.Delete(t.waiting, next, next+1)
		t.free--
		w.client.underway++
		close(w.leave)
	}
}
