package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/pkg/report"
)

func renderCommand(s streams, now time.Time, code *int) *cobra.Command {
	var j judging
	var plugin bool
	var maxAge time.Duration
	c := &cobra.Command{
		Use:   "render REPORT",
		Short: "draw a saved report in another format",
		Long: `Render draws a report that akscert audit -o json or -o ndjson saved as any
other format: see akscert help formats. It looks at nothing again, and exits 0
whatever the report says, unless --plugin is given.

With --plugin it is a check for Nagios, Icinga and the like: it exits 0 for OK,
1 for WARNING, 2 for CRITICAL and 3 for UNKNOWN. UNKNOWN is an audit that was
cut short or that missed what no waiver covers, a report without certificates
that is not complete, one that cannot be read or is older than --max-age, and
every error. OK can have gaps that are waived: the line counts them. An audit
takes longer than a check may: run it by itself, and check what it saved.`,
		Example: `  akscert render report.json -o markdown >> "$GITHUB_STEP_SUMMARY"
  akscert render report.json --report junit=report.xml --report html=report.html
  akscert render report.json -o nagios --plugin --max-age 26h`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hinted{errors.New("render draws one report"), "akscert render REPORT.json -o FORMAT, or - for stdin; akscert merge joins several"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			to := s
			var line bytes.Buffer // what a plugin says on stdout is its result: nothing before that is known
			if plugin {
				to.out = &line
			}
			judge, err := j.read(c.Context(), to, now)
			if err != nil {
				return err
			}
			if maxAge < 0 {
				return hinted{fmt.Errorf("invalid --max-age %s", maxAge), "give a time above zero, as 26h"}
			}
			r, err := saved(c.Context(), s, args[0])
			if err == nil {
				err = fresh(r, now, maxAge)
			}
			if err == nil {
				err = judge.draw(r)
			}
			if plugin && err == nil {
				*code, _ = render.PluginStatus(r)
				if _, err = s.out.Write(line.Bytes()); err != nil {
					err = unwritten(err)
				}
			}
			return err
		},
	}
	c.Flags().SortFlags = false
	j.outputFlags(c, formatNames()...)
	c.Flags().BoolVar(&plugin, "plugin", false, "exit as a plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN")
	c.Flags().DurationVar(&maxAge, "max-age", 0, "refuse a report that is older than this `TIME`, as 26h")
	return c
}

// pluginUnknown is what a monitoring plugin exits with that cannot tell.
const pluginUnknown = 3

// asPlugin reports whether a command was to be a monitoring plugin, as far as can
// be told where its flags may not have been read.
func asPlugin(c *cobra.Command, args []string) bool {
	if c == nil || c.Name() != "render" {
		return false
	}
	if f := c.Flags().Lookup("plugin"); f != nil && f.Changed {
		return f.Value.String() == "true"
	}
	for _, arg := range args {
		switch arg {
		case "--plugin", "--plugin=true":
			return true
		case "--":
			return false
		}
	}
	return false
}

// ahead is by how much the clock of whoever audited may be ahead.
const ahead = 5 * time.Minute

// fresh refuses a report that is too old, or from the future, whose age nobody
// can tell.
func fresh(r *report.Report, now time.Time, most time.Duration) error {
	age := now.Sub(r.StartedAt).Truncate(time.Second)
	switch {
	case most == 0:
		return nil
	case age < -ahead:
		return hinted{fmt.Errorf("the report is from the future: it was begun at %s, and it is %s", r.StartedAt.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)),
			"compare the clock here with the one where the audit ran"}
	case age <= most:
		return nil
	}
	return hinted{fmt.Errorf("the report is %s old, and may be %s", age, most), "find out why there is no younger one, or allow more with --max-age"}
}
