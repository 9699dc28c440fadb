package collect

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// A turn is given back by one who went away while waiting, or while it was given.
func TestTurnsAreGivenBack(t *testing.T) {
	turns := NewTurns(2)
	c, gone := &Asker{}, errors.New("gone")
	done, err := turns.Take(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		ctx, cancel := context.WithCancelCause(t.Context())
		all.Go(func() {
			if done, err := turns.Take(ctx, c); err == nil {
				done()
			} else if !errors.Is(err, gone) {
				t.Error(err)
			}
		})
		all.Go(func() { cancel(gone) })
	}
	done()
	all.Wait()
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := turns.Take(ended, c); !errors.Is(err, gone) {
		t.Error(err)
	}
	for range 50 { // given and gone at once: either may be seen first
		if done, err := turns.Take(&goneSoon{Context: context.WithoutCancel(t.Context())}, c); err == nil {
			done()
		}
	}
	if turns.free != 2 || c.underway != 0 || len(turns.waiting) != 0 {
		t.Errorf("free %d, under way %d, waiting %d", turns.free, c.underway, len(turns.waiting))
	}
}

// goneSoon is a context that ends as soon as one waits for it.
type goneSoon struct {
	context.Context
	ended bool
}

func (g *goneSoon) Done() <-chan struct{} {
	g.ended = true
	done := make(chan struct{})
	close(done)
	return done
}

func (g *goneSoon) Err() error {
	if g.ended {
		return context.Canceled
	}
	return nil
}
