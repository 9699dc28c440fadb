package main

import "github.com/spf13/cobra"

// exitCodesTopic is `akscert help exit-codes`. README has the same table; a
// test keeps them equal.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "what the exit codes mean",
		Long: `Exit codes are the same for every output format:

  0    all that was asked for was examined; nothing at or above --fail-on
  1    something at or above --fail-on (also when there are gaps too)
  2    usage, configuration or internal error, or inspect could read nothing at
       all; stdout is empty, unless only a file of --report was not written
  3    nothing that fails, but part of what was asked for could not be
       examined, or nothing matched (--allow-incomplete turns the former to 0)
  130  interrupted by SIGINT; the report says complete: false
  143  ended by SIGTERM; the report says complete: false

Commands that compare have the same: diff exits 1 when something got worse, and
verify when an old credential still works, and 3 when it could not be tried.
Those that do neither, as explain or demo, exit 0 unless they fail themselves.

--fail-on is due, warning (the default), critical, expired or none. What is
shown never changes the exit code.`,
	}
}
