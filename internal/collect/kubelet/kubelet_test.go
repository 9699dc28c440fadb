package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Two nodes, in the order of their names: one that rotates both certificates,
// and has expired, and one that rotates none.
func TestCollect(t *testing.T) {
	c := &cluster{
		nodes: []string{"b", `{"metadata":{"name":"a","labels":{"agentpool":"p","kubernetes.io/os":"linux"}}}`,
			`{"metadata":{"name":"v","labels":{"type":"virtual-kubelet"}}}`, `{"metadata":{"name":"s","labels":{"agentpool":"asleep"}}}`},
		metrics: map[string]http.HandlerFunc{
			"a": text(200, realistic(5, map[string]string{clientErrors: "3", clientTTL: "-60", servingTTL: "1.728e+07", servingErrors: "1"})),
			"b": text(200, realistic(5, nil))},
	}
	at := c.start(t)
	at.ARM = &target.ARM{Name: "c", ResourceGroup: "rg", Pools: []target.Pool{{Name: "p"}, {Name: "asleep", PowerState: "Stopped"}}}
	got := lines(run(t, at, kube.Config{}))
	want := lines(collect.NotRunning(*at.ARM)) + `node a p/linux rotates true at 2026-01-02T12:00:00Z: -60 3 17280000 1
certificate kubelet-client a@/metrics#kubelet_certificate_manager_client_ttl_seconds 2026-01-02T11:59:00Z 1 true
certificate kubelet-serving a@/metrics#kubelet_certificate_manager_server_ttl_seconds 2026-07-21T12:00:00Z 1 true
node b / rotates false at 2026-01-02T12:00:00Z: - - - -
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	slices.Sort(c.asked)
	if strings.Join(c.asked, " ") != "a b" {
		t.Errorf("asked %v", c.asked)
	}
}

// What a node's kubelet, or the API server in its place, can answer. The words
// are the same for every node, so that audit folds them.
func TestGaps(t *testing.T) {
	half := func(before string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			page := realistic(5, all("100", "200"))
			w.Header().Set("Content-Length", fmt.Sprint(len(page)))
			_, _ = w.Write([]byte(page[:strings.Index(page, "# HELP "+before)]))
			panic(http.ErrAbortHandler)
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("kubelet_running_pods 3\n"))
		for line := []byte(strings.Repeat("x", 64<<10)); r.Context().Err() == nil; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	}
	noProxy := `nodes "NODE" is forbidden: User "u" cannot get resource "nodes/proxy" in API group "" at the cluster scope`
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		want   string // of node a
		more   string // what else came
	}{
		"no right": {status(403, noProxy), "gap forbidden a@/metrics: reading the kubelet's metrics: the user may not get nodes/proxy (403) (this source needs the verb get on nodes/proxy, " +
			"a right that also reaches the kubelet's exec and so any container: grant it only to who may do that anyway; the node source reads the same certificates without it, and --sources=-kubelet leaves this one out) false", ""},
		"kubelet's 401": {text(401, "Unauthorized"), "gap forbidden a@/metrics: reading the kubelet's metrics: the kubelet refuses the API server (", ""},
		"kubelet's 403": {text(403, "Forbidden (user=kube-apiserver, verb=get, resource=nodes, subresource=metrics)"), "gap forbidden a@/metrics: reading the kubelet's metrics: the kubelet refuses the API server (", ""},
		"not found":     {status(404, `nodes "NODE" not found`), "gap not-found a@/metrics: reading the kubelet's metrics: the API server says that there is no such node (404), and lists it (", ""},
		"no metrics":    {text(404, "404 page not found"), "gap not-found a@/metrics: reading the kubelet's metrics: this kubelet has no metrics (", ""},
		"not reached":   {status(503, "error trying to reach service: dial tcp 10.224.0.NODE:10250: connect: connection refused"), "gap unreachable a@/metrics: reading the kubelet's metrics: the API server does not reach the kubelet (", ""},
		"no tunnel":     {status(502, "error trying to reach service: No agent available"), "gap unreachable a@/metrics: reading the kubelet's metrics: the API server does not reach the kubelet (", ""},
		"late":          {status(504, "Timeout: request did not complete"), "gap unreachable a@/metrics: reading the kubelet's metrics: the API server does not reach the kubelet (", ""},
		"busy":          {status(429, "NODE, later"), "gap throttled a@/metrics: reading the kubelet's metrics: the API server is busy (429) (", ""},
		"odd":           {status(418, "NODE"), "gap unsupported a@/metrics: reading the kubelet's metrics: answered I'm a teapot", ""},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
		}, "gap malformed a@/metrics: reading the kubelet's metrics: answered Found", ""},
		"signed out":   {status(401, "Unauthorized"), "gap unauthenticated a@ADDRESS: the API server refused the kubeconfig's credentials (401) (", ""},
		"hang":         {hang, "gap timeout a@/metrics: reading the kubelet's metrics: not done within 2s (", ""},
		"half":         {half(servingTTL), "gap truncated a@/metrics: reading the kubelet's metrics: the answer ended in the middle (try again) true", "node a / rotates true at 2026-01-02T12:00:00Z: 100 0 - -\ncertificate kubelet-client a@"},
		"half, sooner": {half(clientTTL), "gap truncated a@/metrics: reading the kubelet's metrics: the answer ended in the middle (try again) true", "node a / rotates unknown at 2026-01-02T12:00:00Z: - 0 - -\n"},
		"half, first":  {half(clientErrors), "gap truncated a@/metrics: reading the kubelet's metrics: the answer ended in the middle (try again) true", ""},
		"a portal":     {text(200, "<html>\nkubelet is nice\n</html>\n"), "gap malformed a@/metrics: reading the kubelet's metrics: the answer is not what Kubernetes documents (", ""},
		"empty":        {text(200, ""), "gap malformed a@/metrics: reading the kubelet's metrics: the answer is not what Kubernetes documents (", ""},
		"no line end":  {text(200, "kubelet_running_pods 3\n"+clientTTL+" 12"), "gap truncated a@/metrics: reading the kubelet's metrics: the answer ended in the middle (", ""},
		"endless":      {endless, "gap malformed a@/metrics: reading the kubelet's metrics: the answer is larger than 16 MiB (", ""},
		"NaN":          {text(200, "kubelet_running_pods 3\n"+clientTTL+" NaN\n"), "node a / rotates true at 2026-01-02T12:00:00Z: - - - -\n", "gap malformed a@/metrics#" + clientTTL + ": reading the kubelet's metrics: NaN seconds to live"},
		"centuries":    {text(200, clientTTL+" 1e300\n"), "node a / rotates true at 2026-01-02T12:00:00Z: - - - -\n", "gap malformed a@/metrics#" + clientTTL + ": reading the kubelet's metrics: 1e+300 seconds to live"},
		"unused":       {text(200, clientTTL+" +Inf\n"+servingTTL+" +Inf\n"), "node a / rotates true at 2026-01-02T12:00:00Z: - - - -\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := []string{"a", "b", "c"}
			c := &cluster{nodes: names, others: test.handle}
			at := c.start(t)
			cfg := kube.Config{Timeout: time.Minute}
			if name == "hang" {
				cfg.Timeout = 2 * time.Second
			}
			seen := run(t, at, cfg)
			got := lines(seen)
			want := strings.ReplaceAll(test.want, "ADDRESS", strings.TrimPrefix(at.Cluster.Server, "https://"))
			if !strings.HasPrefix(got, want) || !strings.Contains(got, test.more) {
				t.Errorf("got\n%swant\n%s …\n%s", got, want, test.more)
			}
			if test.more == "" && strings.Count(got, "\n") != 3 {
				t.Errorf("got\n%s", got)
			}
			folded := map[collect.Gap][]string{}
			for _, o := range seen {
				if o.Gap != nil {
					g := *o.Gap
					g.Node = ""
					folded[g] = append(folded[g], o.Gap.Node)
				}
			}
			for g, of := range folded {
				if !slices.Equal(of, names) {
					t.Errorf("of %v: %+v", of, g)
				}
			}
		})
	}
}

// Without the right to nodes/proxy three nodes are asked, and all are named.
func TestNoRight(t *testing.T) {
	for name, test := range map[string]struct {
		allowed string
		asked   int
		gaps    int
	}{"none": {"", first, 50}, "one of the first": {"n01", 50, 49}, "a later one": {"n40", first, 50}} {
		t.Run(name, func(t *testing.T) {
			c := &cluster{others: status(403, "no"), metrics: map[string]http.HandlerFunc{test.allowed: text(200, realistic(2, all("5", "6")))}}
			for i := range 50 {
				c.nodes = append(c.nodes, fmt.Sprintf("n%02d", i))
			}
			seen := run(t, c.start(t), kube.Config{})
			gaps := map[string]bool{}
			for _, o := range seen {
				if o.Gap != nil {
					gaps[o.Gap.Node] = true
				}
			}
			if len(c.asked) != test.asked || len(gaps) != test.gaps {
				t.Errorf("asked %d, %d gaps", len(c.asked), len(gaps))
			}
		})
	}
}

// The nodes that could not be listed are one gap; those that could are asked.
func TestListing(t *testing.T) {
	for name, test := range map[string]struct {
		list http.HandlerFunc
		want string
	}{
		"forbidden": {status(403, "nodes is forbidden"), "gap forbidden @nodes: listing nodes: the API server answered 403: nodes is forbidden (the user needs list on nodes, at the cluster scope) false\n"},
		"in part": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"kind":"NodeList","items":[{"metadata":{"name":"../../secrets"}},{"metadata":{"name":"a"}}]}`))
		}, "gap malformed @nodes: listing nodes: 1 have names that no node can have () false\nnode a / rotates false"},
		"signed out": {status(401, "Unauthorized"), "gap unauthenticated @127.0.0.1:"},
		"none":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"kind":"NodeList"}`)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cluster{list: test.list, others: text(200, realistic(1, nil))}
			if got := lines(run(t, c.start(t), kube.Config{})); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
				t.Errorf("got %s", got)
			}
			for _, n := range c.asked {
				if n != "a" {
					t.Errorf("asked %q", n)
				}
			}
		})
	}
}

func TestSkipped(t *testing.T) {
	at := (&cluster{}).start(t)
	at.User = nil
	if got := lines(run(t, at, kube.Config{})); !strings.HasPrefix(got, "skipped: no kubeconfig user") {
		t.Error(got)
	}
}

// The Door bounds what is under way at once, and all of that is used: half by
// each of two clusters.
func TestParallel(t *testing.T) {
	const atOnce = 8
	for _, http2 := range []bool{false, true} {
		var now, peak atomic.Int32
		full := make(chan struct{})
		page := text(200, realistic(2, all("5", "6")))
		c := &cluster{change: func(s *httptest.Server) { s.EnableHTTP2 = http2 }, others: func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
				continue
			}
			if strings.Contains(r.URL.Path, "/n0") { // the first that are asked are fewer
				defer page(w, r)
			} else {
				if n == atOnce {
					select {
					case <-full:
					default:
						close(full)
					}
				}
				select {
				case <-full: // nobody goes on before all that may be here are
				case <-r.Context().Done():
				}
				defer page(w, r)
			}
			now.Add(-1) // before the answer, which may be read and the next asked before we are back
		}}
		for i := range 60 {
			c.nodes = append(c.nodes, fmt.Sprintf("n%d-%d", i/enough, i%enough+10))
		}
		at := c.start(t)
		collector := Collector{Door: kube.New(kube.Config{Parallel: atOnce, Timeout: time.Minute})}
		brought := make([][]collect.Observation, 2)
		var both sync.WaitGroup
		for i := range brought { // two clusters, one door
			both.Go(func() { brought[i] = collector.Collect(t.Context(), at) })
		}
		both.Wait()
		for _, seen := range brought {
			last, nodes := "", 0
			for _, o := range seen {
				switch {
				case o.Gap != nil:
					t.Error(tell(o))
				case o.Node != nil && o.Node.Name <= last:
					t.Errorf("%s after %s", o.Node.Name, last)
				case o.Node != nil:
					last, nodes = o.Node.Name, nodes+1
				}
			}
			if nodes != 60 {
				t.Errorf("%d nodes", nodes)
			}
		}
		if p := peak.Load(); p != atOnce {
			t.Errorf("HTTP/2 %v: %d requests at once", http2, p)
		}
	}
}

// many names nodes, n000 and on.
func many(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%03d", i)
	}
	return names
}

// folded is the gaps by their words, and the nodes of each.
func folded(seen []collect.Observation) map[string][]string {
	of := map[string][]string{}
	for _, o := range seen {
		if o.Gap != nil {
			g := *o.Gap
			g.Node = ""
			words := tell(collect.Observation{Gap: &g})
			of[words] = append(of[words], o.Gap.Node)
		}
	}
	return of
}

// What is about the whole server is not asked of it for every node: a token that
// is refused, and a server that has gone away. Every node has the one gap.
func TestWhole(t *testing.T) {
	t.Run("signed out", func(t *testing.T) {
		c := &cluster{nodes: many(500), others: status(401, "Unauthorized")}
		seen := run(t, c.start(t), kube.Config{})
		gaps := folded(seen)
		if len(c.asked) > first || len(gaps) != 1 || len(seen) != 500 {
			t.Errorf("asked %d; %d observations: %v", len(c.asked), len(seen), gaps)
		}
	})
	t.Run("signed out later", func(t *testing.T) {
		c := &cluster{nodes: many(500), others: status(401, "Unauthorized"), metrics: map[string]http.HandlerFunc{}}
		page := text(200, realistic(1, all("5", "6")))
		for _, n := range many(40) {
			c.metrics[n] = page
		}
		seen := run(t, c.start(t), kube.Config{})
		gaps := folded(seen)
		if len(c.asked) >= 40+16 || len(gaps) != 1 || len(seen) != 40*3+460 {
			t.Errorf("asked %d; %d observations, %d gaps", len(c.asked), len(seen), len(gaps))
		}
	})
}

// Kubelets that nobody reaches do not take a request's whole time each: when
// the first ones are silent, the others are not asked.
func TestSilence(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	const rest = "reading the kubelet's metrics: not asked, because none of the first 16 kubelets answered (is the tunnel to the nodes (konnectivity) up: "
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		reason string
		want   string
		asked  int
	}{
		"hang":        {hang, "timeout", "not done within 2s", enough},
		"not reached": {status(503, "error trying to reach service"), "unreachable", "the API server does not reach the kubelet", enough},
		"refused":     {text(500, "no"), "", "cannot ask the API server", 500}, // the kubelet itself
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &cluster{nodes: many(500), others: test.handle}
			seen := run(t, c.start(t), kube.Config{Timeout: 2 * time.Second})
			if name == "refused" {
				if c.count() != test.asked {
					t.Errorf("asked %d", c.count())
				}
				return
			}
			gaps := folded(seen)
			var skipped, silent int
			for words, nodes := range gaps {
				if strings.HasPrefix(words, "gap "+test.reason+" @/metrics: "+rest) {
					skipped = len(nodes)
				} else if strings.Contains(words, test.want) {
					silent = len(nodes)
				}
			}
			if c.count() > test.asked || len(gaps) != 2 || silent != enough || skipped != 500-enough {
				t.Errorf("asked %d: %v", c.count(), gaps)
			}
		})
	}
}

// A pool that is out of reach, and comes first, says nothing of the others.
func TestSilentPool(t *testing.T) {
	c := &cluster{others: status(503, "error trying to reach service"), metrics: map[string]http.HandlerFunc{}}
	page := text(200, realistic(1, all("5", "6")))
	for i := range 60 {
		pool, name := "a", fmt.Sprintf("a-%02d", i)
		if i >= 30 {
			pool, name = "b", fmt.Sprintf("b-%02d", i)
			c.metrics[name] = page
		}
		c.nodes = append(c.nodes, fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"agentpool":%q}}}`, name, pool))
	}
	seen := run(t, c.start(t), kube.Config{})
	gaps := folded(seen)
	if len(c.asked) != 60 || len(gaps) != 1 || len(seen) != 30+30*3 {
		t.Errorf("asked %d; %d observations: %v", len(c.asked), len(seen), gaps)
	}
	if o := seen[0]; o.Gap == nil || o.Gap.Node != "a-00" || seen[30].Node == nil || seen[30].Node.Name != "b-30" {
		t.Error("not in the order of their names")
	}
}

// A node that was removed since it was listed is no gap; one that is still there
// is, and so is one that nobody tells us of.
func TestGone(t *testing.T) {
	c := &cluster{nodes: []string{"a", "b", "c", "d"}, others: status(404, "nodes not found"), metrics: map[string]http.HandlerFunc{"a": text(200, realistic(1, nil))},
		gone: map[string]http.HandlerFunc{"b": status(404, `nodes "b" not found`), "d": status(403, "no")}}
	got := lines(run(t, c.start(t), kube.Config{}))
	if strings.Count(got, "\n") != 3 || !strings.HasPrefix(got, "node a ") || strings.Contains(got, " b") ||
		!strings.Contains(got, "\ngap not-found c@/metrics: ") || !strings.Contains(got, "\ngap not-found d@/metrics: ") {
		t.Error(got)
	}
}

// A stopped cluster is a gap, by itself: whoever looks only here must not pass.
func TestStopped(t *testing.T) {
	c := &cluster{nodes: many(1)}
	at := c.start(t)
	at.ARM = &target.ARM{Name: "c", ResourceGroup: "rg", PowerState: "Stopped"}
	if got := lines(run(t, at, kube.Config{})); got != lines(collect.NotRunning(*at.ARM)) || !strings.HasPrefix(got, "gap not-running @: the cluster is stopped (") || len(c.asked) > 0 {
		t.Error(got)
	}
}

// The end of the run leaves what there is, and a gap for each of the rest.
func TestEnd(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	c := &cluster{nodes: []string{"a", "b", "c", "d"}, metrics: map[string]http.HandlerFunc{"a": text(200, realistic(1, all("5", "6")))},
		others: func(_ http.ResponseWriter, r *http.Request) {
			interrupt(errors.New("signal"))
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}}
	seen := Collector{Door: kube.New(kube.Config{Parallel: 1})}.Collect(ctx, c.start(t))
	ended := 0
	for _, o := range seen {
		if o.Gap != nil && o.Gap.Reason == report.ReasonInterrupted && o.Gap.Node != "" {
			ended++
		}
	}
	if ended < 3 {
		t.Error(lines(seen))
	}
}
