package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/audit"
)

func explainCommand(s streams) *cobra.Command {
	var names []string
	for _, r := range audit.Rules() {
		names = append(names, r.Name)
	}
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "explain a finding: what it means, how it was decided, what helps",
		Example: `  akscert explain
  akscert explain ca-mismatch
  akscert explain rotation-overdue`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, r := range audit.Rules() {
					fmt.Fprintf(s.out, "%-26s  %-8s  %s\n", r.Name, r.Severity, r.Means)
				}
				return nil
			}
			for _, r := range audit.Rules() {
				if r.Name == args[0] {
					_, err := fmt.Fprintf(s.out, "%s (%s)\n\nmeans    %s\ndecided  %s\nhelps    %s\n", r.Name, r.Severity, r.Means, r.Decided, r.Remedy())
					return err
				}
			}
			return hinted{fmt.Errorf("unknown rule %q", args[0]), "the rules are " + strings.Join(names, ", ")}
		},
	}
}
