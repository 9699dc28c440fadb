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

func diffCommand(s streams, now time.Time, code *int) *cobra.Command {
	var j judging
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "say what changed between two reports",
		Long: `Diff compares two saved reports: what was renewed, what is new, gone, or in
another state, which cluster's rotation verdict changed, and what can no longer
be looked at. It exits 1 when something got worse, and 0 otherwise.`,
		Example: `  akscert diff monday.json friday.json
  akscert audit -o json | akscert diff monday.json -
  akscert diff monday.json friday.json -o json | jq '.summary.certificates'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 || args[0] == "-" && args[1] == "-" {
				return hinted{errors.New("diff compares two reports"), "akscert diff OLD.json NEW.json; one of them may be - for stdin"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			judge, err := j.read(c.Context(), s, now)
			if err != nil {
				return err
			}
			var sides [2]*report.Report
			for i, name := range args {
				if sides[i], err = saved(c.Context(), s, name); err != nil {
					return err
				}
			}
			var bad *report.Error
			if err := report.Comparable(sides[0], sides[1]); errors.As(err, &bad) {
				return hinted{fmt.Errorf("comparing: %s", bad.Message), bad.Hint}
			}
			d := report.Compare(sides[0], sides[1])
			d.Tool = tool()
			var b bytes.Buffer
			switch j.output {
			case "json":
				err = render.JSON(&b, d)
			case "ndjson":
				err = render.Line(&b, d)
			default:
				err = render.Comparison(&b, d, judge.look())
			}
			if err != nil {
				return err
			}
			*code = d.ExitCode
			if _, err := s.out.Write(b.Bytes()); err != nil {
				return unwritten(err)
			}
			return nil
		},
	}
	c.Flags().SortFlags = false
	j.outputFlags(c, "table", "wide", "json", "ndjson")
	return c
}
