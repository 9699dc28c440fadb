package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/collect/node"
	"github.com/akscert/akscert/internal/demo"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func demoCommand(s streams, now time.Time, code *int) *cobra.Command {
	var serve, stuck bool
	var o demo.Options
	var j judging
	var l limits
	c := &cobra.Command{
		Use:   "demo",
		Short: "audit a sample estate on this machine",
		Long: `Demo starts a sample of Azure on loopback, with clusters healthy and ill, and
audits it with the very same code: ARM, API servers, and nodes, on which the
script is really run. It needs sh and openssl, and neither an Azure account nor
a network. It exits 0 whatever it finds.

With --serve it keeps the sample running and prints the environment that points
akscert audit, or az, at it.`,
		Example: `  akscert demo
  akscert demo -o json | jq '.findings[].rule'
  akscert demo --serve`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			judge, err := j.read(c.Context(), s, now)
			if err != nil {
				return err
			}
			o.Now, o.AllowedScripts, o.AllowedWindows = judge.asOf, []string{node.Script("linux")}, []string{node.Script("windows")}
			o.WindowsAnswer = windowsAnswer
			o.Log = judge.said
			if _, err := exec.LookPath("openssl"); err != nil {
				judge.note("there is no openssl here: the sample's nodes cannot read their certificates")
			}
			estate, err := demo.Start(c.Context(), o)
			if err != nil {
				return hinted{err, "the sample needs sh and openssl"}
			}
			defer func() { err = errors.Join(err, estate.Close()) }()
			if serve {
				return keep(c.Context(), s, estate)
			}
			judge.note("this is a sample: nothing here is yours")
			ctx, cancel, err := l.bound(c.Context())
			if err != nil {
				return err
			}
			defer cancel()
			*code, err = auditEstate(ctx, judge, l, estate, stuck)
			return err
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&serve, "serve", false, "keep it running, and print what points at it")
	c.Flags().BoolVar(&stuck, "stuck", false, "audit the cluster that only --timeout ends, too")
	c.Flags().IntVar(&o.Clusters, "clusters", 0, "add this `MANY`, half in a second subscription")
	c.Flags().IntVar(&o.NodesPerCluster, "nodes-per-cluster", 3, "of this `MANY` nodes each")
	c.Flags().IntVar(&o.Nodes, "nodes", 0, "add a cluster of this `MANY` nodes")
	c.Flags().BoolVar(&o.Limits, "limits", false, "throttle as Azure does")
	c.Flags().DurationVar(&o.Latency, "latency", 0, "what a script takes at least: this `LONG`, as 20s")
	c.Flags().BoolVar(&o.AllowAnyScript, "allow-any-script", false, "run any script that is posted, as you, here")
	l.flags(c.Flags())
	j.flags(c)
	return c
}

// keep serves the estate until the context ends.
func keep(ctx context.Context, s streams, estate *demo.Estate) error {
	for _, variable := range estate.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(s.out, "export %s=%s\n", name, target.Quote(value))
	}
	fmt.Fprintln(s.err, "\nin another shell, with that environment:")
	for i, cluster := range estate.Clusters() {
		if i == 20 {
			fmt.Fprintf(s.err, "  and %d more: akscert audit --all-subscriptions\n", len(estate.Clusters())-i)
			break
		}
		fmt.Fprintf(s.err, "  akscert audit -g %s -n %-12s  # %s\n", target.Quote(cluster.ResourceGroup), target.Quote(cluster.Name), cluster.What)
	}
	fmt.Fprintln(s.err, "\nCtrl-C ends it and removes everything")
	<-ctx.Done()
	return nil
}

// auditEstate is audit's sentence, over all clusters of the sample. code is that
// of the signal that ended it early, or 0: a sample's findings fail nobody.
func auditEstate(ctx context.Context, j judge, l limits, estate *demo.Estate, stuck bool) (code int, err error) {
	// The sample is found as Azure would be: by the environment, which the
	// credential and the system's roots are read from.
	for _, variable := range estate.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return 0, err
		}
	}
	progress := newProgress(j.s.err, j.quiet)
	defer progress.end()
	j.s.err = progress
	var in inAzure
	in.config.FirstPoll, in.config.PollEvery = 100*time.Millisecond, 200*time.Millisecond
	client, err := in.connect(j, l.connect)
	if err != nil {
		return 0, err
	}
	everywhere := scope{everywhere: true}
	targets, gaps, err := everywhere.find(ctx, client)
	if err != nil {
		return 0, err
	}
	for _, cluster := range estate.Clusters() {
		if cluster.Stuck && !stuck {
			j.note("left out cluster %s: %s (--stuck takes it in)", cluster.Name, cluster.What)
			targets = slices.DeleteFunc(targets, func(t target.Target) bool { return t.Name == cluster.Name })
		}
	}
	chosen, _, err := choose("", collectors(progress, l, client, ways{}))
	if err != nil {
		return 0, err
	}
	input := j.input()
	input.Gaps, input.SystemRoots = gaps, systemRoots()
	fleet := l.fleet()
	fleet.Resolve = in.resolve(client)
	r, err := j.examine(ctx, examination{targets: targets, collectors: chosen, fleet: fleet, input: input, progress: progress})
	if err != nil {
		return 0, err
	}
	if r.Outcome == report.OutcomeInterrupted {
		code = r.ExitCode
	}
	return code, j.finish(r)
}
