package collect

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Where clusters that hang hold all turns, the next one that is free goes to who
// has none, however many they wait for themselves and since when.
func TestTurnsOfTheFewest(t *testing.T) {
	turns := NewTurns(4)
	var sick [2]Asker
	well, release := new(Asker), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	for i := range sick {
		for range 20 {
			hanging.Go(func() {
				if done, err := turns.Take(ctx, &sick[i]); err == nil {
					select {
					case <-release:
					case <-ctx.Done():
					}
					done()
				}
			})
		}
	}
	given := make(chan struct{})
	waits := func(n int) {
		for have := -1; have != n; {
			turns.mu.Lock()
			have = len(turns.waiting)
			turns.mu.Unlock()
			runtime.Gosched()
		}
	}
	waits(36)
	go func() {
		defer close(given)
		if done, err := turns.Take(ctx, well); err == nil {
			done()
		}
	}()
	waits(37)
	release <- struct{}{}
	select {
	case <-given:
	case <-time.After(10 * time.Second):
		t.Error("the turn went to a cluster that hangs")
	}
	cancel()
	hanging.Wait()
	<-given
}

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
