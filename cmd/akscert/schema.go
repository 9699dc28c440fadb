package main

import (
	"github.com/spf13/cobra"

	"github.com/akscert/akscert/pkg/report"
)

func schemaCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of a report",
		Long: `Schema prints the JSON Schema (2020-12) of version 1 of all that akscert writes
as JSON about certificates: a report, the documents of a stream (-o ndjson),
what diff says, and what verify says. Which of them a document is, its kind
says. Later versions 1.x may have fields that are not in it.`,
		Example: `  akscert schema > akscert.schema.json
  akscert schema | jq -r '."$defs".Certificate.properties | keys[]'
  akscert schema | jq '."$defs".Reason.enum'`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if _, err := s.out.Write(report.Schema()); err != nil {
				return unwritten(err)
			}
			return nil
		},
	}
}
