package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/discover"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/pkg/report"
)

// streams are where a command reads and writes: out is data, err is talk.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program: it returns the exit code. now is the only clock that a
// verdict is made by.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, now time.Time) int {
	code := report.ExitOK
	root := rootCommand(streams{stdin, stdout, stderr}, now, &code)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if c, err := root.ExecuteContextC(ctx); err != nil {
		complain(stderr, attributed(c, err))
		if asPlugin(c, args) {
			// What a check says on stderr is not shown.
			fmt.Fprintf(stdout, "AKSCERT UNKNOWN - %s\n", render.Visible(strings.TrimSpace(err.Error())))
			return pluginUnknown
		}
		var by interrupted
		if errors.As(context.Cause(ctx), &by) {
			return by.code()
		}
		return report.ExitError
	}
	return code
}

// rootCommand is the list of commands. Those that audit set code.
func rootCommand(s streams, now time.Time, code *int) *cobra.Command {
	root := &cobra.Command{
		Use:   "akscert",
		Short: "which AKS certificates expire next, and what could not be looked at",
		Long: `akscert tells which certificates an AKS cluster lives on, when each expires,
and what could not be looked at. An audit only ever reads.`,
		Example: `  akscert audit
  akscert audit --all-contexts -o json | jq .summary
  akscert inspect server.pem /etc/kubernetes/certs example.com:443`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted{fmt.Errorf("unknown command %q", args[0]), "akscert --help lists the commands"}
			}
			return nil
		},
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return configure(s, c) },
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().String("config", "", "take settings from this `FILE` alone, or none")
	root.SetUsageFunc(func(c *cobra.Command) error {
		_, err := io.WriteString(c.OutOrStderr(), howTo(c, 0))
		return err
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		_, rows := size(s.out)
		if _, err := io.WriteString(s.out, help(c, rows)); err != nil {
			complain(s.err, fmt.Errorf("writing the help: %w", err))
			*code = report.ExitError
		}
	})
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hinted{err, c.CommandPath() + " --help lists the flags"}
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(auditCommand(s, now, code), inspectCommand(s, now, code), mergeCommand(s, now, code), diffCommand(s, now, code), renderCommand(s, now, code), verifyCommand(s, now, code), demoCommand(s, now, code), explainCommand(s), waiverCommand(s, now), configCommand(s, now), schemaCommand(s), nodeScriptCommand(s), versionCommand(s), exitCodesTopic(), formatsTopic())
	completeNoFiles(root)
	return root
}

// hinted is an error with a way out.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// complain prints an error in the one form errors have here.
func complain(w io.Writer, err error) {
	hint := ""
	var h hinted
	var d *discover.Error
	switch {
	case errors.As(err, &h):
		hint = h.hint
	case errors.As(err, &d):
		hint = d.Hint
	}
	fmt.Fprintf(w, "akscert: error: %s\n", render.Visible(strings.TrimSpace(err.Error())))
	if hint != "" {
		fmt.Fprintf(w, "akscert: hint: %s\n", render.Visible(hint))
	}
}
