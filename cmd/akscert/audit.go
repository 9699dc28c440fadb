package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"

	"github.com/akscert/akscert/internal/azure"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/collect/arm"
	"github.com/akscert/akscert/internal/collect/kubeapi"
	"github.com/akscert/akscert/internal/collect/kubeconfig"
	"github.com/akscert/akscert/internal/collect/kubelet"
	"github.com/akscert/akscert/internal/collect/node"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/pkg/report"
)

func auditCommand(s streams, now time.Time, code *int) *cobra.Command {
	var where scope
	var sources, shard, nodes string
	var allowExec bool
	var j judging
	var l limits
	c := &cobra.Command{
		Use:   "audit",
		Short: "audit the certificates of clusters",
		Long: `Audit looks at a cluster (by default that of the current context) in the sources
kubeconfig, apiserver, kubeapi and kubelet; and, where it is named in Azure, arm
and node, which runs a read-only script on each. It says which certificate
expires next, what to do, and what could not be looked at.`,
		Example: `  akscert audit -g GROUP -n CLUSTER
  akscert audit --all-subscriptions --tag env=prod -o ndjson
  akscert audit --all-contexts --fail-on critical -o json | jq '.findings[0]'`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel, err := l.bound(c.Context())
			if err != nil {
				return err
			}
			defer cancel()
			judge, err := j.read(ctx, s, now)
			if err != nil {
				return err
			}
			if err := where.check(c); err != nil {
				return err
			}
			unread := where.readList(ctx, s.in)
			if _, ok := endedEarly(ctx, false); unread != nil && !ok {
				return unread
			}
			part, err := readShard(shard)
			if err != nil {
				return err
			}
			perPool, err := readSampling(nodes)
			if err != nil {
				return err
			}

			// The sentence: find targets → collect observations → audit → report → render → exit code.
			progress := newProgress(s.err, judge.quiet)
			defer progress.end()
			judge.s.err = progress
			var client *azure.Client
			fleet := l.fleet()
			if where.needsAzure() {
				if client, err = where.in.connect(judge, l.connect); err != nil {
					return err
				}
				fleet.Resolve = where.in.resolve(client)
			}
			collectors, named, err := choose(sources, collectors(progress, l, client, ways{allowExec, perPool}))
			if err != nil {
				return err
			}
			targets, gaps, err := where.find(ctx, client)
			err = cmp.Or(unread, err)
			if early, ok := endedEarly(ctx, where.needsAzure()); ok && err != nil {
				targets, gaps = nil, append(gaps, early) // a report says so, and no more
			} else if err != nil {
				return err
			}
			if part != nil {
				part.Fleet = len(targets)
			}
			targets = mine(targets, part)
			input := judge.input()
			input.Gaps, input.Named, input.SystemRoots, input.Shard = gaps, named, systemRoots(), part
			input.Scope = where.asked(sources)
			if perPool > 0 {
				input.Sampling = nodes
			}
			r, err := judge.examine(ctx, examination{targets: targets, collectors: collectors, fleet: fleet, input: input, progress: progress})
			progress.end()
			if client != nil {
				running(judge, client)
			}
			if err != nil {
				return err
			}
			*code = r.ExitCode
			return judge.finish(r)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	where.flags(c)
	flags.StringVar(&sources, "sources", "", "these `SOURCES` alone, or without: --sources=-node")
	flags.BoolVar(&allowExec, "allow-exec", false, "run the exec plugin of a kubeconfig, to sign in")
	flags.StringVar(&nodes, "nodes", "all", "ask `WHICH`: all, or per-pool=3")
	flags.StringVar(&shard, "shard", "", "part `I/N` of the clusters; see akscert merge")
	l.flags(flags)
	flags.DurationVar(&l.cluster, "cluster-timeout", 15*time.Minute, "bound one cluster to this `LONG`")
	j.flags(c)
	_ = c.RegisterFlagCompletionFunc("sources", completeSources) // fails only for a flag that is not there
	return c
}

// endedEarly is the gap for an audit that a signal ended before it knew what to
// look at.
func endedEarly(ctx context.Context, inAzure bool) (report.Gap, bool) {
	var by interrupted
	if !errors.As(context.Cause(ctx), &by) {
		return report.Gap{}, false
	}
	source := report.SourceKubeconfig
	if inAzure {
		source = report.SourceARM
	}
	return report.Gap{Source: source, Count: 1, Reason: report.ReasonInterrupted, Retryable: true,
		Message: "interrupted before it was known which clusters there are", Hint: "run it again"}, true
}

// source is a collector, and whether a default audit has a use for it.
type source struct {
	collect.Collector
	byDefault bool
}

// ways are how collectors look.
type ways struct {
	allowExec bool // run exec plugins
	perPool   int  // nodes of a pool; 0 for all
}

// nodesAtOnce is how many nodes are waited for, for each place of --parallel; one
// cluster has half of them. A script takes 25 seconds, most of them Azure's: 1,024
// nodes at once are what the limits of two subscriptions let begin in that time
// (make bench-fleet: 104 s with 16, 65 s with 64, where 60 s are possible).
const nodesAtOnce = 128

// collectors is the list of places to look at. client is nil without Azure.
func collectors(p *progress, l limits, client *azure.Client, how ways) []source {
	nodes := &node.Collector{Parallel: nodesAtOnce * l.parallel, PerPool: how.perPool, Progress: p.ran}
	proxy, memory := httpproxy.FromEnvironment().ProxyFunc(), collect.NewMemory()
	servers := kube.Config{AllowExec: how.allowExec, Parallel: l.parallel, Timeout: l.connect, Proxy: proxy, Memory: memory, UserAgent: "akscert/" + version()}
	if client != nil {
		nodes.Runner = client
		servers.Token = client.ServerToken
	}
	door := kube.New(servers)
	return []source{
		{kubeconfig.Collector{Memory: memory}, true},
		{apiserver.Collector{ConnectTimeout: l.connect, Proxy: proxy, Gate: make(chan struct{}, l.parallel), Memory: memory}, true},
		{arm.Collector{}, client != nil},
		{nodes, client != nil},
		{kubelet.Collector{Door: door, PerPool: how.perPool}, true},
		{kubeapi.Collector{Door: door}, true},
	}
}

// choose picks the collectors that --sources asks for, and says which of them
// it names.
func choose(sources string, all []source) (chosen []collect.Collector, named []report.Source, err error) {
	if sources == "" {
		for _, c := range all {
			if c.byDefault {
				chosen = append(chosen, c.Collector)
			}
		}
		return chosen, nil, nil
	}
	var known []string
	for _, c := range all {
		known = append(known, string(c.Source()))
	}
	var without []string
	for name := range strings.SplitSeq(sources, ",") {
		bare, minus := strings.CutPrefix(strings.TrimSpace(name), "-")
		if !slices.Contains(known, bare) {
			return nil, nil, hinted{fmt.Errorf("unknown source %q", bare), "the sources are " + strings.Join(known, ", ")}
		}
		if minus {
			without = append(without, bare)
		} else {
			named = append(named, report.Source(bare))
		}
	}
	for _, c := range all {
		if !slices.Contains(without, string(c.Source())) && (len(named) == 0 && c.byDefault || slices.Contains(named, c.Source())) {
			chosen = append(chosen, c.Collector)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, hinted{fmt.Errorf("--sources %s leaves nothing to look at", sources), "the sources are " + strings.Join(known, ", ")}
	}
	return chosen, named, nil
}

// systemRoots are what verifies an API server whose kubeconfig names no CA. nil
// when they cannot be read, which audit then says.
func systemRoots() *x509.CertPool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil
	}
	return roots
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted{fmt.Errorf("unexpected argument %q", args[0]), c.CommandPath() + " takes flags only; files and endpoints go to akscert inspect"}
	}
	return nil
}

// complete offers words as values of a flag.
func complete(c *cobra.Command, flag string, words ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
}
