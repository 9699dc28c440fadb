package verify

import (
	"context"
	"fmt"
	"sync"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
)

// connections is how many are made for each question, all of them new and at
// once. An API server is several behind one address, which a rotation replaces
// one after the other: what one of them says, the next need not.
const connections = 5

// tries is how often a connection that breaks off is made again.
const tries = 3

// ask shows the credentials of user to the API server of cluster.
func (v *verification) ask(ctx context.Context, cluster target.Cluster, user target.User) answer {
	user.Exec, user.AuthProvider, user.Basic = nil, "", false
	user.Impersonate = target.Impersonate{} // who may not act as another is somebody all the same
	said := make([]answer, connections)
	var all sync.WaitGroup
	for i := range said {
		all.Go(func() {
			for try, again := 0, true; again && try < tries; try++ {
				said[i], again = v.once(ctx, target.Target{Cluster: &cluster, User: &user})
			}
		})
	}
	all.Wait()
	return together(said)
}

// together is what several answers come to: one that accepts is enough, and to
// refuse it takes all of them.
func together(said []answer) answer {
	for _, v := range []verdict{accepted, unclear, refused} {
		var first *answer
		n := 0
		for i := range said {
			if said[i].verdict != v {
				continue
			}
			if n++; first == nil {
				first = &said[i]
			}
		}
		switch {
		case first == nil:
			continue
		case n < len(said):
			first.said += fmt.Sprintf(" on %d of %d connections", n, len(said))
		case v != unclear:
			first.said += fmt.Sprintf(" on each of %d connections", n)
		}
		return *first
	}
	return answer{}
}

// handshakes are those of several connections, without the ones that saw what
// another did. missed is how many came to nothing, and gap why.
func (v *verification) handshakes(ctx context.Context) (seen []collect.Handshake, missed int, gap collect.Gap) {
	tried := make([][]collect.Observation, connections)
	var all sync.WaitGroup
	for i := range tried {
		all.Go(func() { tried[i] = v.Servers.Collect(ctx, v.at) })
	}
	all.Wait()
	known := map[string]bool{}
	gap = collect.Gap{Message: "the API server presented no certificate that can be read"}
	for _, observations := range tried {
		shook, why := false, gap
		for _, o := range observations {
			switch {
			case o.Handshake != nil:
				shook = true
				chain := ""
				for _, c := range o.Handshake.Presented {
					chain += c.Fingerprint
				}
				if !known[chain] {
					known[chain] = true
					seen = append(seen, *o.Handshake)
				}
			case o.Gap != nil:
				why = *o.Gap
			case o.Skipped != nil:
				why = collect.Gap{Message: o.Skipped.Why, Hint: fetchToday}
			}
		}
		if !shook {
			missed++
		}
		if !shook || missed == 0 { // else it is only about what a handshake is judged by
			gap = why
		}
	}
	return seen, missed, gap
}
