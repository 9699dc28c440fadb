package main

import (
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
	"github.com/akscert/akscert/internal/discover"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func auditCommand(s streams, now time.Time, code *int) *cobra.Command {
	var scope discover.Scope
	var sources, shard, nodes string
	var allowExec bool
	var in inAzure
	var j judging
	var l limits
	c := &cobra.Command{
		Use:   "audit",
		Short: "audit the certificates of clusters",
		Long: `Audit reads the certificates in a kubeconfig, shakes hands with the API server,
asks it and, through it, every kubelet, and, for a cluster named in Azure, reads
every node's certificates by run-command. It judges each: which expires next,
whether it renews itself, what to do, and what could not be looked at. It only
reads, and runs no exec plugin unless --allow-exec says so.

Without -g and -n, --context or --all-contexts it audits the current context.
The exit code is for CI jobs: see akscert help exit-codes.`,
		Example: `  akscert audit
  akscert audit -g GROUP -n CLUSTER
  akscert audit --all-contexts --fail-on critical -o json | jq '.certificates[0]'`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel, err := l.bound(c.Context())
			if err != nil {
				return err
			}
			defer cancel()
			judge, err := j.read(s, now)
			if err != nil {
				return err
			}
			azured, err := in.asked(c, scope)
			if err != nil {
				return err
			}
			if scope.All && len(scope.Contexts) > 0 {
				return hinted{errors.New("--context and --all-contexts exclude each other"), "name contexts, or audit every one"}
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
			find := func() ([]target.Target, []report.Gap, error) { return discover.Kubeconfig(ctx, scope) }
			var client *azure.Client
			if azured {
				if client, err = in.connect(judge, l.connect); err != nil {
					return err
				}
				find = func() ([]target.Target, []report.Gap, error) { return in.find(ctx, client) }
			}
			progress := newProgress(s.err, judge.quiet)
			judge.s.err = progress
			collectors, named, err := choose(sources, collectors(progress, l, client, ways{allowExec, perPool}))
			if err != nil {
				return err
			}
			targets, gaps, err := find()
			if err != nil {
				return err
			}
			if part != nil {
				part.Fleet = len(targets)
			}
			targets = mine(targets, part)
			input := judge.input()
			input.Gaps, input.Named, input.SystemRoots, input.Shard = gaps, named, systemRoots(), part
			if perPool > 0 {
				input.Sampling = nodes
			}
			r, err := judge.examine(ctx, examination{targets: targets, collectors: collectors, fleet: l.fleet(), input: input, progress: progress})
			if err != nil {
				return err
			}
			*code = r.ExitCode
			if client != nil {
				running(judge, client)
			}
			return judge.finish(r)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&scope.Kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` (default: $KUBECONFIG, else ~/.kube/config)")
	flags.StringArrayVar(&scope.Contexts, "context", nil, "audit this `CONTEXT`; repeatable (default: the current one)")
	flags.BoolVar(&scope.All, "all-contexts", false, "audit every context of the kubeconfig")
	in.flags(c)
	flags.StringVar(&sources, "sources", "", "only these `SOURCES`, comma-separated, of kubeconfig,apiserver,arm,node,kubelet,kubeapi; or without: --sources=-node")
	flags.BoolVar(&allowExec, "allow-exec", false, "run the exec plugin that a kubeconfig names, to sign in to the API server")
	flags.StringVar(&nodes, "nodes", "all", "ask `WHICH` nodes: all, or per-pool=N for a sample")
	flags.StringVar(&shard, "shard", "", "only part `I/N` of the clusters, I from 0; see akscert merge")
	l.flags(flags)
	flags.DurationVar(&l.cluster, "cluster-timeout", 15*time.Minute, "bound one cluster")
	j.flags(c)
	complete(c, "sources", "kubeconfig", "apiserver", "arm", "node", "kubelet", "kubeapi")
	_ = c.RegisterFlagCompletionFunc("context", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		targets, _, _ := discover.Kubeconfig(c.Context(), discover.Scope{Kubeconfig: scope.Kubeconfig, All: true})
		names := make([]string, 0, len(targets))
		for _, t := range targets {
			names = append(names, t.Context)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return c
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

// collectors is the list of places to look at. client is nil without Azure.
func collectors(p *progress, l limits, client *azure.Client, how ways) []source {
	nodes := &node.Collector{Parallel: 16 * l.parallel, PerPool: how.perPool, Progress: p.ran}
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	servers := kube.Config{AllowExec: how.allowExec, Parallel: l.parallel, Timeout: l.connect, Proxy: proxy, UserAgent: "akscert/" + version()}
	if client != nil {
		nodes.Runner = client
		servers.Token = client.ServerToken
	}
	door := kube.New(servers)
	return []source{
		{kubeconfig.Collector{}, true},
		{apiserver.Collector{ConnectTimeout: l.connect, Proxy: proxy, Gate: make(chan struct{}, l.parallel)}, true},
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
