package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect/node"
	"github.com/akscert/akscert/internal/demo"
)

// A run-command takes some 20 s in Azure, and its answer was InProgress the
// first time that it was asked for, as recorded.
const (
	latency = 20 * time.Second
	polls   = 2
)

// nodes is a cluster of 1,000 nodes.
//
// Found when this was profiled:
//
// The time was ARM's reads, not its writes: the SDK's poller asks for a script's
// answer until it says that it is done, and then, a third read, for the result.
// 3,000 reads at 25 a second end after 130 s. The answer that says "done" has the
// output as well, in all recordings, so the third is not asked for any more: 105 s.
//
// ARM's bucket fills from when the first request arrives, ours filled from when
// it left, and the first takes longest. A thousand nodes met three or four 429s by
// that. A second's worth of each burst is kept back now, and there are none.
//
// How many nodes are asked at once (Parallel of the node collector) hardly shows
// here, and does in a fleet: see there. CPU is 3 s of 105.
func nodes(b *bench, ctx context.Context) error {
	const n = 1000
	e, err := b.estate(ctx, "-nodes", strconv.Itoa(n))
	if err != nil {
		return err
	}
	r, err := b.measure(ctx, e.environment, b.akscert, "audit", "-g", "shop", "-n", "many", "-o", "ndjson", "-q")
	if err != nil {
		return err
	}
	title("1,000 nodes of one cluster, in one subscription (akscert audit -g shop -n many -o ndjson)")
	return b.audited(ctx, e, r, n, theory(n, 1, 4+n/50), 100)
}

// fleet is 200 clusters of 5 nodes.
//
// Found when this was profiled: the CPU idles, and so do ARM's buckets. A node
// takes a place for 25 s: 20 s, a poll after 4 s, and their requests. 256 places,
// 16 for each of --parallel, are 10 nodes a second, which is what one subscription
// allows, but two allow 20: 104 s. With 64 for each, 65 s, for 30 MiB more. The
// kubelets and API servers, asked meanwhile, take no time of their own.
func fleet(b *bench, ctx context.Context) error {
	const clusters, each, subscriptions = 200, 5, 2
	e, err := b.estate(ctx, "-clusters", strconv.Itoa(clusters), "-each", strconv.Itoa(each))
	if err != nil {
		return err
	}
	r, err := b.measure(ctx, e.environment, b.akscert, "audit", "-g", "fleet", "--all-subscriptions", "-o", "ndjson", "-q")
	if err != nil {
		return err
	}
	title("200 clusters with 5 nodes each, in two subscriptions (akscert audit -g fleet --all-subscriptions -o ndjson)")
	// A cluster is read, and its pools, its machines in two pages, its group's
	// virtual machines.
	return b.audited(ctx, e, r, clusters*each, theory(clusters*each/subscriptions, clusters/subscriptions, 5*clusters/subscriptions), 200)
}

// least is the least time that a subscription's limits allow, and how it comes
// about.
type least struct {
	time time.Duration
	how  string
}

// theory is for n nodes in one subscription, with so many other writes and reads,
// for a client that loses no time: no request takes any, and the answer is there
// the moment that it can be.
func theory(n, writes, reads int) least {
	seconds := func(s float64) time.Duration { return time.Duration(max(0, s) * float64(time.Second)) }
	asked := n + writes
	posted := seconds(float64(asked-demo.WriteBurst)/demo.Writes) + latency
	byWrites := fmt.Sprintf("(%d writes − %d) ÷ %d/s + %v", asked, demo.WriteBurst, demo.Writes, latency)
	// The bucket is full again when the first answer is there.
	polled := max(latency+seconds(float64(polls*n-demo.ReadBurst)/demo.Reads), seconds(float64(polls*n+reads-demo.ReadBurst)/demo.Reads))
	if polled > posted {
		return least{polled, fmt.Sprintf("%d reads of answers, and %d others, burst %d, %d/s, from %v on; writes take %v", polls*n, reads, demo.ReadBurst, demo.Reads, latency, posted)}
	}
	return least{posted, fmt.Sprintf("%s; reads of answers take %v: %v + (%d − %d) ÷ %d/s", byWrites, polled, latency, polls*n, demo.ReadBurst, demo.Reads)}
}

// audited prints what an audit of an estate took.
func (b *bench) audited(ctx context.Context, e *running, r run, n int, least least, mebibytes int64) error {
	e.in.Close()
	throttled, err := e.line()
	if err != nil {
		return err
	}
	found, err := b.check(ctx, r)
	if err != nil {
		return err
	}
	if found.Nodes != n || found.Certificates == 0 {
		return fmt.Errorf("%d nodes and %d certificates in the report, exit code %d\n%s", found.Nodes, found.Certificates, r.code, tail(r.stderr))
	}
	b.ratio("wall time", r.wall, least.time, "what Azure's limits and latency allow: "+least.how, 1.2)
	b.memory("memory", r.memory, mebibytes<<20)
	b.result("lost to throttling", fmt.Sprintf("%d requests", found.Throttled), fmt.Sprintf("of %d nodes; %s answers 429, all asked again", n, throttled), found.Throttled == 0, "0")
	told("besides", "%d certificates of %d nodes, %d gaps, exit code %d, %.1f s of CPU", found.Certificates, found.Nodes, found.Gaps, r.code, r.cpu.Seconds())
	_, err = e.end() // it removes its files, which on a busy machine takes a while
	return err
}

// running is an estate in a process of its own.
type running struct {
	*helper
	environment []string
}

func (b *bench) estate(ctx context.Context, args ...string) (*running, error) {
	h, err := b.help(ctx, append([]string{"estate"}, args...)...)
	if err != nil {
		return nil, err
	}
	line, err := h.line()
	if err != nil {
		return nil, err
	}
	e := &running{helper: h}
	return e, json.Unmarshal([]byte(line), &e.environment)
}

// estate serves one with Azure's limits, until its input ends; then it says how
// often it answered 429. A thousand nodes that run their script side by side
// would take the machine's time from what is measured: they have run it before.
func estate(args []string) error {
	f := flag.NewFlagSet("estate", flag.ContinueOnError)
	o := demo.Options{Now: time.Now(), Limits: true, Latency: latency, Rehearsed: true,
		AllowedScripts: []string{node.Script("linux")}, AllowedWindows: []string{node.Script("windows")}}
	f.IntVar(&o.Nodes, "nodes", 0, "")
	f.IntVar(&o.Clusters, "clusters", 0, "")
	f.IntVar(&o.NodesPerCluster, "each", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	e, err := demo.Start(context.Background(), o)
	if err != nil {
		return err
	}
	environment, err := json.Marshal(e.Environment())
	if err != nil {
		return err
	}
	fmt.Println(string(environment))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	fmt.Println(e.Throttled())
	return e.Close()
}

// found is what a stream of a report holds.
type found struct{ Clusters, Nodes, Certificates, Gaps, Throttled int }

func (b *bench) check(ctx context.Context, r run) (f found, err error) {
	line, err := b.ask(ctx, "check", r.stdout)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal([]byte(line), &f)
}

// check counts in a child, since a line can be large.
func check(args []string) error {
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	var all found
	d := json.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	for d.More() {
		var part struct {
			Clusters, Nodes, Certificates []struct{}
			Cluster                       *struct{}
			Gaps                          []struct {
				Reason string
				Count  int
			}
		}
		if err := d.Decode(&part); err != nil {
			return err
		}
		if part.Cluster != nil {
			all.Clusters++
		}
		all.Clusters += len(part.Clusters)
		all.Nodes += len(part.Nodes)
		all.Certificates += len(part.Certificates)
		for _, g := range part.Gaps {
			all.Gaps += g.Count
			if strings.EqualFold(g.Reason, "throttled") {
				all.Throttled += g.Count
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}
