package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/node"
	"github.com/akscert/akscert/internal/demo"
	"github.com/akscert/akscert/internal/discover"
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
  akscert demo -o json | jq '.findings[] | .rule'
  akscert demo --serve`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			judge, err := j.read(s, now)
			if err != nil {
				return err
			}
			o.Now, o.AllowedScripts, o.AllowedWindows = judge.asOf, []string{node.Script("linux")}, []string{node.Script("windows")}
			o.WindowsAnswer = windowsAnswer(judge.asOf)
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
	c.Flags().BoolVar(&serve, "serve", false, "keep the sample running, and print the environment that points at it")
	c.Flags().BoolVar(&stuck, "stuck", false, "audit the cluster that only --timeout ends, too")
	c.Flags().IntVar(&o.Nodes, "nodes", 0, "add a healthy cluster of so many nodes")
	c.Flags().BoolVar(&o.Limits, "limits", false, "throttle as Azure does")
	c.Flags().DurationVar(&o.Latency, "latency", 0, "how long a script takes at least, as 20s in Azure")
	c.Flags().BoolVar(&o.AllowAnyScript, "allow-any-script", false, "run any script that is posted, as you, on this machine")
	l.flags(c.Flags())
	j.flags(c)
	return c
}

// windowsAnswer is what probe.ps1 printed on a Windows node, with its dates
// moved to the sample's: there is no PowerShell to run here.
func windowsAnswer(now time.Time) func(string) string {
	cert := func(from, to int, subject, issuer, fingerprint string) []string {
		stamp := func(days int) string { return now.UTC().AddDate(0, 0, days).Format("2006-01-02 15:04:05Z") }
		return []string{"cert", "from=" + stamp(from), "to=" + stamp(to), "sha256=" + strings.Repeat(fingerprint, 16), "subject=" + subject, "issuer=" + issuer, "serial=5D3A"}
	}
	lines := []string{"host akswin22000000", `file C:\k\pki\kubelet-client-current.pem`}
	lines = append(lines, cert(-200, 530, "CN=system:node:akswin22000000, O=system:nodes", "CN=ca", "A1B2")...)
	lines = append(lines, `none C:\k\pki\kubelet-server-current.pem`, `file C:\k\pki\kubelet.crt`)
	lines = append(lines, cert(-100, 265, "CN=akswin22000000@1700000000", "CN=akswin22000000@1700000000", "C3D4")...)
	lines = append(lines, `file C:\k\ca.crt`)
	lines = append(lines, append(cert(-500, 10450, "CN=ca", "CN=ca", "E5F6"), "ca=true")...)
	lines = append(lines, `seen C:\k\bootstrap-config`, "fact rotate-flag true", "fact kubelet-uses current", "done")
	return func(string) string {
		return fmt.Sprintf("akscert-probe begin 1 windows\r\n%s\r\nakscert-probe end %d\r\n", strings.Join(lines, "\r\n"), len(lines))
	}
}

// keep serves the estate until the context ends.
func keep(ctx context.Context, s streams, estate *demo.Estate) error {
	for _, variable := range estate.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(s.out, "export %s=%s\n", name, target.Quote(value))
	}
	fmt.Fprintln(s.err, "\nin another shell, with that environment:")
	for _, cluster := range estate.Clusters() {
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
	var in inAzure
	in.config.FirstPoll, in.config.PollEvery = 100*time.Millisecond, 200*time.Millisecond
	client, err := in.connect(j, l.connect)
	if err != nil {
		return 0, err
	}
	subscription, err := client.Subscription(ctx, "")
	if err != nil {
		return 0, usage(err)
	}
	var targets []target.Target
	var gaps []report.Gap
	for _, cluster := range estate.Clusters() {
		if cluster.Stuck && !stuck {
			j.note("left out cluster %s: %s (--stuck takes it in)", cluster.Name, cluster.What)
			continue
		}
		t, missing, err := discover.ARM(ctx, client, subscription, cluster.ResourceGroup, cluster.Name, false)
		if err != nil {
			return 0, err
		}
		targets, gaps = append(targets, t), append(gaps, missing...)
	}
	chosen, _, err := choose("", collectors(j, l, client))
	if err != nil {
		return 0, err
	}
	input := j.input(ctx, collect.All(ctx, targets, chosen, l.parallel))
	input.Gaps, input.SystemRoots = gaps, systemRoots()
	return input.Interrupted, j.finish(audit.Audit(input))
}
