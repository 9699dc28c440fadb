package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// local runs the probe on nodes that are directories; other nodes answer with
// an error or a text.
type local struct {
	t        *testing.T
	machines []target.Machine
	listing  []error
	roots    map[string]string
	errs     map[string]error
	answers  map[string]string
	wait     <-chan struct{}

	asked, now, most atomic.Int32
}

func (l *local) Machines(context.Context, target.ARM) ([]target.Machine, []error) {
	return l.machines, l.listing
}

func (l *local) Run(ctx context.Context, m target.Machine, script []string) (string, error) {
	l.asked.Add(1)
	now := l.now.Add(1)
	defer l.now.Add(-1)
	for most := l.most.Load(); now > most && !l.most.CompareAndSwap(most, now); most = l.most.Load() {
	}
	if l.wait != nil {
		select {
		case <-l.wait:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if err := l.errs[m.Node]; err != nil {
		return "", err
	}
	if answer, ok := l.answers[m.Node]; ok {
		return answer, nil
	}
	if got := strings.Join(script, "\n"); got != Script(m.OS) {
		l.t.Errorf("%s was sent another script", m.Node)
	}
	stdout, _ := run(l.t, []string{"/bin/sh"}, l.roots[m.Node], "")
	return stdout, nil
}

type explained struct{ reason report.Reason }

func (e explained) Error() string { return string(e.reason) }
func (e explained) Gap() (report.Reason, string, string, bool) {
	return e.reason, "message of " + string(e.reason), "hint", true
}

func cluster() target.Target {
	return target.Target{ARM: &target.ARM{ResourceGroup: "my (group)", Name: "prod", PowerState: "Running", NodeResourceGroup: "MC_x",
		Pools: []target.Pool{{Name: "nodepool1", PowerState: "Running", Count: 2}, {Name: "win", PowerState: "Running", Count: 1}}}}
}

func TestCollect(t *testing.T) {
	root := tree{files: map[string]string{static: "nothing"}}.write(t)
	runner := &local{t: t,
		machines: []target.Machine{
			{Node: "win0", Pool: "win", OS: "Windows", ResourceID: "/w"},
			{Node: "b", Pool: "nodepool1", OS: "Linux", ResourceID: "/b"},
			{Node: "nap", OS: "Linux"},
			{Node: "a", Pool: "nodepool1", OS: "Linux", ResourceID: "/a"},
			{Node: "off", Pool: "Idle", OS: "Linux"},
		},
		listing: []error{fmt.Errorf("listing: %w", explained{report.ReasonForbidden}), errors.New("plain")},
		roots:   map[string]string{"b": fullNode(t).write(t), "nap": root},
		errs:    map[string]error{"a": fmt.Errorf("wrapped: %w", explained{report.ReasonBusy})},
		answers: map[string]string{"win0": read(t, "windows.txt")},
	}
	target1 := cluster()
	target1.ARM.Pools = append(target1.ARM.Pools, target.Pool{Name: "idle", PowerState: "Stopped", Count: 3})
	var last [3]int
	calls := 0
	c := &Collector{Runner: runner, Parallel: 2, Progress: func(done, total, gaps int) {
		calls++
		last = [3]int{done, total, gaps}
	}}
	seen := c.Collect(context.Background(), target1)
	want := []string{
		`not-running agentPools/idle: the node pool "idle" is stopped`,
		"forbidden : message of forbidden",
		"unreachable : plain",
		"node nap",
		"malformed " + static + ": holds no certificate",
		"node a",
		"busy : message of busy",
		"node b",
	}
	same(t, show(seen)[:len(want)], want)
	for _, o := range seen {
		if o.Certificate != nil && o.Certificate.Node != "b" && o.Certificate.Node != "win0" {
			t.Errorf("%+v", o.Certificate)
		}
		if o.Node != nil && o.Node.Name == "win0" && (o.Node.OS != "windows" || o.Node.Pool != "win" || o.Node.ResourceID != "/w" || o.Node.BootstrapMode != report.BootstrapToken) {
			t.Errorf("%+v", o.Node)
		}
	}
	if runner.asked.Load() != 4 || last != [3]int{4, 4, 2} || calls != 5 {
		t.Errorf("asked %d, progress %v in %d calls", runner.asked.Load(), last, calls)
	}
}

func TestCollectAsksNothing(t *testing.T) {
	stopped, locked, empty := cluster(), cluster(), cluster()
	stopped.ARM.PowerState = "Stopped"
	stopped.ARM.NodesLockedDown = true
	locked.ARM.NodesLockedDown = true
	tests := []struct {
		name   string
		target target.Target
		want   []string
		hint   string
	}{
		{"no ARM", target.Target{}, []string{"skipped: no ARM resource: run-command needs one"}, ""},
		{"stopped", stopped, []string{"not-running : the cluster is stopped"}, "az aks start --resource-group 'my (group)' --name prod"},
		{"locked down", locked, []string{`locked-down : the node resource group "MC_x" is locked down: it refuses run-command`}, runByHand},
		{"none listed", empty, []string{
			`not-found agentPools/nodepool1: the node pool "nodepool1" should have nodes (2), and none was listed`,
			`not-found agentPools/win: the node pool "win" should have nodes (1), and none was listed`}, "try again when the pool is not being scaled or upgraded"},
	}
	for _, tt := range tests {
		runner := &local{t: t}
		seen := (&Collector{Runner: runner}).Collect(context.Background(), tt.target)
		same(t, show(seen), tt.want)
		if g := seen[0].Gap; g != nil && g.Hint != tt.hint {
			t.Errorf("%s: hint %q", tt.name, g.Hint)
		}
		if runner.asked.Load() != 0 {
			t.Errorf("%s: asked", tt.name)
		}
	}
}

// 200 nodes, at most 8 of one cluster at once, and the run ends while they are asked: each has
// its gap. Whether the script may still run somewhere is the Runner's to say.
func TestCollectInterrupted(t *testing.T) {
	runner := &local{t: t, wait: make(chan struct{})}
	for i := range 200 {
		runner.machines = append(runner.machines, target.Machine{Node: fmt.Sprintf("n%03d", i), Pool: "p", OS: "Linux"})
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	var once sync.Once
	go func() {
		for runner.now.Load() < 8 {
			if ctx.Err() != nil {
				return
			}
		}
		once.Do(func() { cancel(errors.New("interrupted")) })
	}()
	seen := (&Collector{Runner: runner}).Collect(ctx, target.Target{ARM: &target.ARM{}})
	waiting := 0
	for _, o := range seen {
		if o.Gap == nil {
			continue
		}
		if o.Gap.Reason != report.ReasonInterrupted || o.Gap.Node == "" {
			t.Errorf("%+v", o.Gap)
		}
		waiting++
	}
	if waiting != 200 || runner.most.Load() != 8 || len(seen) != 400 {
		t.Errorf("%d waiting, %d at once, %d observations", waiting, runner.most.Load(), len(seen))
	}
}

// A cluster all of whose nodes hang does not hold another.
func TestCollectBesideASickCluster(t *testing.T) {
	sick := &local{t: t, wait: make(chan struct{})}
	for i := range 50 {
		sick.machines = append(sick.machines, target.Machine{Node: fmt.Sprintf("n%02d", i), Pool: "p", OS: "Linux"})
	}
	well := &local{t: t, machines: []target.Machine{{Node: "a", Pool: "p", OS: "Linux"}, {Node: "b", Pool: "p", OS: "Linux"}}, answers: map[string]string{"a": "", "b": ""}}
	c := &Collector{Runner: both{sick, well}, Parallel: 4}
	ctx, cancel := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	hanging.Go(func() { c.Collect(ctx, target.Target{ARM: &target.ARM{Name: "sick"}}) })
	for sick.now.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Collect(ctx, target.Target{ARM: &target.ARM{Name: "well"}})
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("it waits for the other cluster")
	}
	cancel()
	hanging.Wait()
	<-done
}

// both are two clusters behind one Azure.
type both struct{ sick, well *local }

func (b both) Machines(ctx context.Context, a target.ARM) ([]target.Machine, []error) {
	if a.Name == "sick" {
		return b.sick.Machines(ctx, a)
	}
	return b.well.Machines(ctx, a)
}

func (b both) Run(ctx context.Context, m target.Machine, script []string) (string, error) {
	if strings.HasPrefix(m.Node, "n") {
		return b.sick.Run(ctx, m, script)
	}
	return b.well.Run(ctx, m, script)
}

var _ collect.Collector = (*Collector)(nil)
