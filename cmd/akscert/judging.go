package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/waiver"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// limits are the flags that bound a run.
type limits struct {
	timeout, cluster, connect time.Duration
	parallel                  int
}

func (l *limits) flags(f *pflag.FlagSet) {
	f.DurationVar(&l.timeout, "timeout", 30*time.Minute, "bound the whole run to this `LONG`")
	f.DurationVar(&l.connect, "connect-timeout", 10*time.Second, "bound a request to this `LONG`")
	f.IntVar(&l.parallel, "parallel", 16, "`MANY` connections, 64x a cluster's nodes")
}

// fleet is how many targets are in flight together. A cluster that waits for its
// nodes or for Azure holds no place that is scarce; what is, --parallel bounds.
func (l limits) fleet() collect.Fleet {
	return collect.Fleet{AtOnce: 16 * l.parallel, Timeout: l.cluster}
}

// bound checks the limits, and ends ctx when the run's time is up.
func (l limits) bound(ctx context.Context) (context.Context, context.CancelFunc, error) {
	switch {
	case l.timeout <= 0:
		return nil, nil, hinted{fmt.Errorf("invalid --timeout %s", l.timeout), "give a time above zero, as 30m"}
	case l.cluster < 0:
		return nil, nil, hinted{fmt.Errorf("invalid --cluster-timeout %s", l.cluster), "give a time above zero, as 10m"}
	case l.connect <= 0:
		return nil, nil, hinted{fmt.Errorf("invalid --connect-timeout %s", l.connect), "give a time above zero, as 10s"}
	case l.parallel < 1 || l.parallel > 1000:
		return nil, nil, hinted{fmt.Errorf("invalid --parallel %d", l.parallel), "give a number from 1 to 1000"}
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	return ctx, cancel, nil
}

// judging are the flags of every command that judges and prints.
type judging struct {
	warnAt, criticalAt, failOn, now string
	allowIncomplete                 bool
	waivers                         string
	output, color, annotations      string
	offered, reports                []string
	quiet, verbose                  bool
	all, ascii                      bool // of the table
}

func (j *judging) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&j.warnAt, "warn-at", "", "warn at this `POINT`: 80% of the lifetime used, or 30d left")
	f.StringVar(&j.criticalAt, "critical-at", "", "critical at this `POINT`: 95%, or 36h, 2w left")
	f.StringVar(&j.failOn, "fail-on", "warning", "exit 1 from this `SEVERITY` on, or none")
	f.BoolVar(&j.allowIncomplete, "allow-incomplete", false, "exit 0, not 3, when part could not be examined")
	f.StringVar(&j.waivers, "waivers", "", "what this `FILE` waives fails nothing; see akscert waiver")
	f.StringVar(&j.now, "now", "", "judge as of this `INSTANT`, as 2027-01-31T00:00:00Z")
	j.outputFlags(c, formatNames()...)
	f.BoolVarP(&j.verbose, "verbose", "v", false, "say on stderr what is looked at")
	complete(c, "fail-on", "due", "warning", "critical", "expired", "none")
}

// outputFlags are those of every command that prints: a report in any format, or
// something else in the formats that are offered.
func (j *judging) outputFlags(c *cobra.Command, offered ...string) {
	f := c.Flags()
	if j.failOn == "" {
		j.failOn = "warning"
	}
	j.offered = offered
	f.StringVarP(&j.output, "output", "o", "table", "print a `FORMAT`: "+few(offered))
	if len(offered) == len(formats()) {
		f.BoolVar(&j.all, "all", j.all, "every row of the table, ok ones too")
		f.BoolVar(&j.ascii, "ascii", false, "a table in ASCII alone")
		f.StringArrayVar(&j.reports, "report", nil, "also write a file, as `FORMAT=PATH`; repeatable")
		f.StringVar(&j.annotations, "annotations", "", "tell this CI `SYSTEM` too: github, azure-devops, auto")
		complete(c, "annotations", string(render.GitHub), string(render.AzureDevOps), "auto", "none")
	}
	f.StringVar(&j.color, "color", "auto", "colour this `WHEN`: auto, always, never")
	f.BoolVarP(&j.quiet, "quiet", "q", false, "no notes on stderr")
	completeFormats(c, offered)
	complete(c, "color", "auto", "always", "never")
}

// few names what is offered, where a line has room for it.
func few(offered []string) string {
	if len(offered) > 5 {
		return "see akscert help formats"
	}
	return strings.Join(offered, ", ")
}

// judge is what those flags said, checked.
type judge struct {
	judging
	s        streams
	policy   lifetime.Policy
	asOf     time.Time
	started  time.Time
	files    []reportFile
	annotate render.CI // "" for nobody
	waived   *waiver.Set
	begun    *bool // a stream's header is written
}

func (j judging) read(ctx context.Context, s streams, now time.Time) (judge, error) {
	policy, err := lifetime.NewPolicy(j.warnAt, j.criticalAt)
	if err != nil {
		return judge{}, hinted{err, "points are a share of the lifetime used, as 80%, or a time left, as 30d, 36h or 2w; give both --warn-at and --critical-at"}
	}
	if err := oneOf("--fail-on", j.failOn, "due", "warning", "critical", "expired", "none"); err != nil {
		return judge{}, err
	}
	if err := oneOf("--output", j.output, j.offered...); err != nil {
		return judge{}, err
	}
	if err := oneOf("--color", j.color, "auto", "always", "never"); err != nil {
		return judge{}, err
	}
	asOf, err := instant(j.now, now)
	if err != nil {
		return judge{}, err
	}
	waived, err := readWaivers(ctx, j.waivers, asOf)
	if err != nil {
		return judge{}, err
	}
	annotate, err := annotator(j.annotations, os.Getenv)
	if err != nil {
		return judge{}, err
	}
	files, err := readReports(j.reports, s.out)
	if err != nil {
		return judge{}, err
	}
	return judge{judging: j, s: s, policy: policy, asOf: asOf, started: now, files: files, annotate: annotate, waived: waived, begun: new(bool)}, nil
}

// instant is what --now says, or else now.
func instant(flag string, now time.Time) (time.Time, error) {
	if flag == "" {
		return now, nil
	}
	t, err := time.Parse(time.RFC3339, flag)
	if err != nil || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		return t, hinted{fmt.Errorf("invalid --now %q", flag), "give an instant as 2027-01-31T00:00:00Z"}
	}
	return t, nil
}

func oneOf(flag, value string, words ...string) error {
	for _, word := range words {
		if value == word {
			return nil
		}
	}
	return hinted{fmt.Errorf("invalid %s %q", flag, value), "one of " + strings.Join(words, ", ")}
}

// input is what an audit judges by.
func (j judge) input() audit.Input {
	return audit.Input{Policy: j.policy, FailOn: report.Severity(j.failOn), AllowIncomplete: j.allowIncomplete, AsOf: j.asOf, Waivers: j.waived}
}

// finish completes r with what is not judgement, and prints it.
func (j judge) finish(r *report.Report) error {
	j.stale(r)
	r.Tool = tool()
	r.StartedAt = j.started.UTC().Truncate(time.Second)
	r.DurationSeconds = time.Since(j.started).Round(time.Millisecond).Seconds()
	if j.output != "ndjson" {
		return j.draw(r)
	}
	// All but the end is written already.
	return j.deliver(r, func(w io.Writer) error {
		if !*j.begun {
			if err := render.Line(w, r.Header()); err != nil {
				return err
			}
		}
		return render.Line(w, r.Closing())
	})
}

// draw prints r.
func (j judge) draw(r *report.Report) error {
	f, _ := formatNamed(j.output) // read refuses any other
	return j.deliver(r, func(w io.Writer) error { return f.draw(w, r, j.look()) })
}

// note says something on stderr, unless told to be quiet.
func (j judge) note(format string, args ...any) {
	if !j.quiet {
		fmt.Fprintf(j.s.err, "akscert: note: "+format+"\n", args...)
	}
}

// said says something on stderr, if asked for it.
func (j judge) said(format string, args ...any) {
	if j.verbose {
		fmt.Fprintf(j.s.err, "akscert: "+format+"\n", args...)
	}
}

func (j judge) look() render.Look {
	look := render.Look{Wide: j.output == "wide", All: j.all, ASCII: j.ascii}
	terminal := isTerminal(j.s.out)
	if terminal {
		if look.Width, _ = size(j.s.out); look.Width <= 0 {
			look.Width = 80
		}
	}
	look.Color = colored(j.color, os.Getenv, terminal)
	return look
}

// colored decides about colour, the strongest word first.
func colored(flag string, env func(string) string, terminal bool) bool {
	switch {
	case flag != "auto":
		return flag == "always"
	case env("NO_COLOR") != "": // no-color.org
		return false
	case env("CLICOLOR_FORCE") != "" && env("CLICOLOR_FORCE") != "0": // bixense.com/clicolors
		return true
	case env("CLICOLOR") == "0", env("TERM") == "dumb":
		return false
	}
	return terminal
}
