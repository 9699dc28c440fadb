package main

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/settings"
)

func configCommand(s streams, now time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "settings: what flags are when they are not given",
		Long: `A flag that is not given takes its value from the environment, then from
` + here + ` in the working directory, then from akscert/config.yaml in your
own configuration directory (~/.config on Linux), then its default. --config
FILE or ` + configVariable + `=FILE reads that file in place of both, and none none.

In a file, keys are the names of flags: warn-at: 30d, sources: [arm, apiserver].
In the environment --warn-at is AKSCERT_WARN_AT, and lists have commas. What
chooses clusters (context, resource-group, name, tag, all-…) is one answer: who
comes first answers it all. subscription only says where to look, not for what.

The file in the working directory may be somebody else's. It sets scope, policy
and output, and nothing that signs in, sends a token elsewhere, runs a program,
hides what is done, or opens a gate: such a key there is an error. Your own file
is no better where it lies in the working directory or below it; anywhere else
nobody but you and root may own or write it and its folder.`,
		Example: `  akscert config view
  akscert config view -o json
  akscert config view --warn-at 30d`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := noArguments(c, args); err != nil {
				return err
			}
			return c.Help()
		},
	}
	c.AddCommand(configViewCommand(s, now))
	return c
}

// setting is one row of config view.
type setting struct {
	Key   string `json:"key"`
	Value any    `json:"value"` // a word, or a list of words
	From  string `json:"from"`  // flag, the variable, FILE:LINE or default
}

func configViewCommand(s streams, now time.Time) *cobra.Command {
	var output string
	code := 0
	audit := auditCommand(s, now, &code)
	c := &cobra.Command{
		Use:   "view",
		Short: "say what each setting is, and where from",
		Long: `View prints each setting of akscert audit, its value, and where it is from:
flag, a variable, FILE:LINE, or default. It takes the flags of audit, to see
what they change. What is wrong is told on stderr, and the rest shown.`,
		Example: `  akscert config view
  akscert config view -o json | jq '.settings[] | select(.from != "default")'
  akscert config view --all-contexts --config none`,
		Args: noArguments,
		// A file that is broken is what it is for.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf("--output", output, "table", "json"); err != nil {
				return err
			}
			// What a command of audit's name and flags would take.
			audit.Flags().AddFlag(c.Flags().Lookup("config"))
			holds, problems := settled(audit, os.LookupEnv)
			var rows []setting
			for _, o := range options() {
				if f := audit.Flags().Lookup(o.key); f != nil && o.key != "config" {
					rows = append(rows, row(o, f, holds))
				}
			}
			for _, p := range problems {
				fmt.Fprintf(s.err, "akscert: warning: %s\n", render.Visible(p.Error()))
				if p.Hint != "" {
					fmt.Fprintf(s.err, "akscert: hint: %s\n", render.Visible(p.Hint))
				}
			}
			for _, name := range unknownVariables(os.Environ()) {
				fmt.Fprintf(s.err, "akscert: note: %s is no setting\n", render.Visible(name))
			}
			if output == "json" {
				return render.JSON(s.out, viewed(rows, problems))
			}
			return viewTable(s, rows)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&output, "output", "o", "table", "print a `FORMAT`: table or json")
	complete(c, "output", "table", "json")
	audit.Flags().VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "output" {
			flag.Hidden = true // they are in audit --help
			f.AddFlag(flag)
		}
	})
	return c
}

// row is what one option is.
func row(o option, f *pflag.Flag, holds map[string]settings.Setting) setting {
	r := setting{Key: o.key, From: "default"}
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = list.GetSlice()
	}
	if f.Changed {
		r.From = "flag"
	} else if h, ok := holds[o.key]; ok {
		r.From, values = h.From, h.Values
	}
	for i, v := range values {
		if u, err := url.Parse(v); err == nil && u.User != nil {
			values[i] = u.Redacted() // it is refused when it is used, and may be a password
		}
	}
	if r.Value = any(values); f.Value.Type() != "stringArray" {
		r.Value = strings.Join(values, ",")
	}
	return r
}

// view is config view -o json.
type view struct {
	Settings []setting     `json:"settings"`
	Problems []viewProblem `json:"problems"`
}

type viewProblem struct {
	At      string `json:"at"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func viewed(rows []setting, problems []*settings.Problem) view {
	v := view{rows, []viewProblem{}}
	for _, p := range problems {
		v.Problems = append(v.Problems, viewProblem{p.At, p.Message, p.Hint})
	}
	return v
}

// viewTable prints rows for a person.
func viewTable(s streams, rows []setting) error {
	lines := [][3]string{{"SETTING", "VALUE", "FROM"}}
	for _, r := range rows {
		value, ok := r.Value.(string)
		if list, isList := r.Value.([]string); !ok && isList {
			value = strings.Join(list, ", ")
		}
		if value == "" {
			value = "-"
		}
		lines = append(lines, [3]string{r.Key, render.Visible(value), render.Visible(r.From)})
	}
	wide := 0
	for _, line := range lines {
		wide = min(max(wide, len(line[1])), 40)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(s.out, "%-25s  %-*s  %s\n", line[0], wide, line[1], line[2]); err != nil {
			return unwritten(err)
		}
	}
	return nil
}

// unknownVariables are those that look like settings and are none. They may be
// somebody else's: a Kubernetes Service called akscert makes some.
func unknownVariables(environ []string) []string {
	known := []string{configVariable, shardCount}
	for _, o := range options() {
		known = append(known, o.variable())
	}
	var names []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "AKSCERT_") && !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
