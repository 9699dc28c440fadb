package kube

import (
	"context"
	"net/http"
	"sync"
	"testing"
)

// sick is a cluster all of whose answers hang until one is let go, and a client of
// the door that has many more questions for it than the door has turns.
type sick struct {
	arrived, release chan struct{}
}

func hanging(t *testing.T, door *Door, questions int) sick {
	t.Helper()
	s := sick{make(chan struct{}, questions), make(chan struct{})}
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		s.arrived <- struct{}{}
		select {
		case <-s.release:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	})
	c, why := door.Client(t.Context(), to(server))
	if c == nil {
		t.Fatal(tell(why))
	}
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range questions {
		asking.Go(func() { _ = c.Get(ctx, Request{Path: "/hang", Proxied: true}, nil) })
	}
	t.Cleanup(func() {
		stop()
		asking.Wait()
		c.Close()
	})
	return s
}

// answers fails unless a healthy cluster answers while others hang.
func answers(t *testing.T, door *Door) {
	t.Helper()
	well, why := door.Client(t.Context(), to(serve(t, ok)))
	if well == nil {
		t.Fatal(tell(why))
	}
	defer well.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	if _, err := getIn(ctx, t, well, Request{}); err != nil {
		t.Error(err)
	}
}

// A cluster that hangs holds half of the turns, however much it is asked for.
func TestOneSickCluster(t *testing.T) {
	door := New(Config{Parallel: 8})
	s := hanging(t, door, 50)
	for range 4 {
		<-s.arrived
	}
	answers(t, door)
	if len(s.arrived) > 0 {
		t.Error("more than its share is under way")
	}
}
