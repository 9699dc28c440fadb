package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/waiver"
	"github.com/akscert/akscert/pkg/report"
)

const waiverExamples = `  akscert waiver check waivers.yaml
  akscert waiver check waivers.yaml | grep 'expired on'
  akscert audit --waivers waivers.yaml`

func waiverCommand(s streams, now time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "waiver",
		Short: "waivers: what somebody has decided to live with, for a while",
		Long: `A waiver leaves findings, or gaps, out of the exit code until a day that it has
to name. What is waived stays in the report, with its severity. A file of them:

  waivers:
  - id: legacy-until-migration
    match: {cluster: "*/legacy", role: client}
    states: [expired, critical]
    expires: 2026-12-31
    reason: the cluster is gone by then
  gaps:
  - id: private-api-server
    match: {cluster: shop, source: apiserver, reasons: [unreachable, timeout]}
    expires: 2026-12-31
    reason: reached over the VPN only

match has one of these or more, and all must fit: cluster (its id, name or
context), source, role, node, subject, rule, sha256; for gaps cluster, source,
node, location, and a list of reasons. Each is a glob of the whole value, in any
case: * is anything, slashes too, ? is one character. What a finding does not
have, such as the node of one about a cluster, does not fit.

states are due, warning, critical, not-yet-valid and expired: of a finding that
is not about a certificate's state, its severity. expires is the last day, in
UTC, at most 180 days ahead. After it the waiver is told, and what it covered
counts again; one that nothing needs is told, too. A waived gap is still not
examined: the exit code is 0, and the report says complete: false.`,
		Example: waiverExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted{fmt.Errorf("unknown command %q", args[0]), "akscert waiver check FILE"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(waiverCheckCommand(s, now))
	return c
}

func waiverCheckCommand(s streams, now time.Time) *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "check a file of waivers, and list them",
		Long: `Check reads a file of waivers as an audit does, and lists them with the days
that each has left. A file that an audit would refuse is an error: exit 2.
Waivers that have expired are no error, and said to be.`,
		Example: waiverExamples,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hinted{errors.New("check takes one file"), "akscert waiver check FILE"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			asOf, err := instant(at, now)
			if err != nil {
				return err
			}
			set, err := readWaivers(c.Context(), args[0], asOf)
			if err != nil {
				return err
			}
			var out strings.Builder
			expired := 0
			for _, w := range set.All() {
				left := w.Left(asOf)
				holds := fmt.Sprintf("until %s, %s left", w.Expires.Format(time.DateOnly), plural(left, "day"))
				switch {
				case left < 0:
					holds = "expired on " + w.Expires.Format(time.DateOnly) + ", covers nothing any more"
					expired++
				case left == 0:
					holds = fmt.Sprintf("until %s, its last day", w.Expires.Format(time.DateOnly))
				}
				fmt.Fprintf(&out, "%s  %s  %s  %s: %s\n", w.ID, w.Kind, render.Visible(w.Covers()), holds, render.Visible(w.Reason))
			}
			fmt.Fprintf(&out, "result: %s, %d expired\n", plural(len(set.All()), "waiver"), expired)
			if _, err := io.WriteString(s.out, out.String()); err != nil {
				return unwritten(err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&at, "now", "", "as of this `INSTANT`, as 2027-01-31T00:00:00Z")
	return c
}

// plural counts what has a plural in s.
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// stale notes the waivers of an audit that somebody is to look at again. What a
// part of an audit did not need the rest of it may.
func (j judge) stale(r *report.Report) {
	part := r.Shard != nil || r.Outcome == report.OutcomeInterrupted
	for _, w := range r.Waivers {
		id, expires := render.Visible(w.ID), render.Visible(w.Expires)
		switch {
		case w.Status == report.WaiverUnused && !part:
			j.note("waiver %s (until %s) is unused: nothing needs it", id, expires)
		case w.Status == report.WaiverExpired && w.Matches == 0 && !part:
			j.note("waiver %s expired on %s, and nothing needs it now", id, expires)
		case w.Status == report.WaiverExpired:
			j.note("waiver %s expired on %s: what it covered counts again", id, expires)
		}
	}
}

// readWaivers reads a file of waivers; none for "".
func readWaivers(ctx context.Context, name string, asOf time.Time) (*waiver.Set, error) {
	if name == "" {
		return nil, nil
	}
	data, err := readBounded(ctx, name, waiver.MaxBytes)
	var by interrupted
	if errors.As(err, &by) {
		return nil, fmt.Errorf("reading the waivers %q: %w", name, err)
	}
	if err != nil {
		return nil, hinted{fmt.Errorf("reading the waivers %q: %w", name, collect.Cause(err)), "akscert waiver --help shows what such a file has"}
	}
	var rules []string
	for _, r := range audit.Rules() {
		rules = append(rules, r.Name)
	}
	set, err := waiver.Parse(name, data, asOf, rules)
	var bad *waiver.Error
	if errors.As(err, &bad) {
		return nil, hinted{err, bad.Hint}
	}
	return set, err
}

// readBounded reads a file, and of one that is larger than most no more than it
// takes to tell.
func readBounded(ctx context.Context, name string, most int64) ([]byte, error) {
	return collect.Await(ctx, func() ([]byte, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, most+1))
	})
}
