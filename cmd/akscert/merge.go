package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/pkg/report"
)

func mergeCommand(s streams, now time.Time, code *int) *cobra.Command {
	var j judging
	c := &cobra.Command{
		Use:   "merge REPORT…",
		Short: "join the reports of a fleet's shards into one",
		Long: `Merge joins reports into one: those of an audit that was split by --shard, or of
audits of other clusters. A shard that is missing, or there twice, and a cluster
that is in two reports, are told as gaps. Nothing is looked at again; the exit
code is that of an audit of all of it.`,
		Example: `  akscert merge shard-*.json
  akscert merge shard-*.json -o json > fleet.json
  akscert audit --all-contexts -o ndjson | akscert merge -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted{errors.New("no report is named"), "akscert merge shard-*.json, or - for stdin"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			judge, err := j.read(c.Context(), s, now)
			if err != nil {
				return err
			}
			reports := make([]*report.Report, 0, len(args))
			for _, name := range args {
				r, err := saved(c.Context(), s, name)
				if err != nil {
					return err
				}
				reports = append(reports, r)
			}
			r, err := report.Merge(reports)
			var bad *report.Error
			if errors.As(err, &bad) {
				return hinted{fmt.Errorf("merging: %s", bad.Message), bad.Hint}
			} else if err != nil {
				return err
			}
			if j.allowIncomplete {
				r.Conclude(0, true)
			}
			*code = r.ExitCode
			return judge.draw(r)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&j.allowIncomplete, "allow-incomplete", false, "exit 0, not 3, when part could not be examined")
	j.outputFlags(c, formatNames()...)
	return c
}
