package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/akscert/akscert/pkg/lifetime"
)

// option is a flag that belongs to a group in --help, and who besides a person at
// the keyboard may set it.
type option struct {
	key, kind string // the flag's name, and its type in pflag: two commands may mean two things by one name
	group     string
	reach     reach
	why       string // whoever reach leaves out may not
	check     func(string) error
}

// reach is how far from the keyboard a flag may be set. Each has what the one
// after it has.
type reach int

const (
	anywhere    reach = iota // by a file in the working directory: it may be somebody else's repository
	trusted                  // by the user's own file, or one that the user named
	environment              // by AKSCERT_*
	byHand                   // by the flag alone
)

// The groups of --help, in the order they are shown.
const (
	inScope  = "Scope"
	ofAzure  = "Azure"
	ofPolicy = "Policy"
	ofOutput = "Output"
	ofLimits = "Limits"
)

// options is the table of them, in the order of audit --help. A flag that is not
// here is nobody's to set but by hand, so a new one is safe until it is thought
// through.
func options() []option {
	const (
		token    = "it can say where a token is sent"
		identity = "it can choose which of your credentials is used"
		gate     = "it can open a gate"
		aside    = "it points at another file, which can be any"
		pressure = "how hard Azure and servers are pressed is yours to say"
	)
	return []option{
		{"kubeconfig", "string", inScope, byHand, "KUBECONFIG names it, for kubectl and akscert alike", nil},
		{"context", "stringArray", inScope, anywhere, "", nil},
		{"all-contexts", "bool", inScope, anywhere, "", isBool},
		{"resource-group", "stringArray", inScope, anywhere, "", nil},
		{"name", "stringArray", inScope, anywhere, "", nil},
		{"tag", "stringArray", inScope, anywhere, "", nil},
		{"subscription", "stringArray", inScope, anywhere, "", nil},
		{"all-subscriptions", "bool", inScope, anywhere, "", isBool},
		{"clusters-from", "string", inScope, trusted, aside, nil},
		{"sources", "string", inScope, anywhere, "", isSources},
		{"nodes", "string", inScope, anywhere, "", func(v string) error { _, err := readSampling(v); return err }},
		{"shard", "string", inScope, environment, "a part is one run's alone: what a file leaves out nobody would audit", func(v string) error { _, err := readShard(v); return err }},
		{"allow-exec", "bool", inScope, trusted, "it runs the programs that a kubeconfig names", isBool},

		{"admin", "bool", ofAzure, trusted, identity, isBool},
		{"auth", "string", ofAzure, trusted, identity, nil},
		{"tenant", "string", ofAzure, trusted, token, nil},
		{"cloud", "string", ofAzure, trusted, token, nil},
		{"resource-manager-endpoint", "string", ofAzure, trusted, token, nil},
		{"resource-manager-audience", "string", ofAzure, trusted, token, nil},
		{"authority-host", "string", ofAzure, trusted, token, nil},

		{"warn-at", "string", ofPolicy, anywhere, "", isPoint},
		{"critical-at", "string", ofPolicy, anywhere, "", isPoint},
		{"fail-on", "string", ofPolicy, anywhere, "none turns the exit code off", func(v string) error {
			return oneOf("--fail-on", v, "due", "warning", "critical", "expired", "none")
		}},
		{"allow-incomplete", "bool", ofPolicy, trusted, gate, isBool},
		{"waivers", "string", ofPolicy, trusted, gate, nil},
		{"now", "string", ofPolicy, environment, "an instant is one run's alone: written down it is past, and nothing is expired then", nil},

		{"output", "string", ofOutput, anywhere, "", func(v string) error { return oneOf("--output", v, formatNames()...) }},
		{"all", "bool", ofOutput, anywhere, "", isBool},
		{"ascii", "bool", ofOutput, anywhere, "", isBool},
		{"report", "stringArray", ofOutput, byHand, "it writes a file, which the next command would write over", nil},
		{"annotations", "string", ofOutput, anywhere, "", func(v string) error {
			_, err := annotator(v, func(string) string { return "" })
			return err
		}},
		{"color", "string", ofOutput, anywhere, "", func(v string) error { return oneOf("--color", v, "auto", "always", "never") }},
		{"quiet", "bool", ofOutput, trusted, "it hides what is done in your name", isBool},
		{"verbose", "bool", ofOutput, anywhere, "", isBool},
		{"config", "string", ofOutput, byHand, "AKSCERT_CONFIG names the file, and a file names no other", nil},

		{"timeout", "duration", ofLimits, trusted, pressure, isDuration},
		{"cluster-timeout", "duration", ofLimits, trusted, pressure, isDuration},
		{"connect-timeout", "duration", ofLimits, trusted, pressure, isDuration},
		{"parallel", "int", ofLimits, trusted, pressure, isNumber},
	}
}

// optionOf is the flag's row; false for one that has none.
func optionOf(f *pflag.Flag) (option, bool) {
	for _, o := range options() {
		if o.key == f.Name && o.kind == f.Value.Type() {
			return o, true
		}
	}
	return option{}, false
}

// chooses says which keys pick clusters. They are one answer to one question, so
// that a file's --tag does not narrow, or widen, what was typed.
func chooses() []string {
	return []string{"context", "all-contexts", "resource-group", "name", "tag", "all-subscriptions", "clusters-from"}
}

// isList reports whether the option takes several values.
func (o option) isList() bool { return o.kind == "stringArray" || o.key == "sources" }

// variable is the option's in the environment.
func (o option) variable() string {
	return "AKSCERT_" + strings.ToUpper(strings.ReplaceAll(o.key, "-", "_"))
}

// set gives f what a file or a variable says. It is not given by hand then: f is
// not Changed, which is what decides whether --admin without a cluster in Azure
// is a mistake, and whether --subscription asks for all of its clusters.
func (o option) set(f *pflag.Flag, values []string) error {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.Replace(values)
	}
	return f.Value.Set(strings.Join(values, ","))
}

// takesFormats says of a command that its --output is a report's format. Others
// print something else by that flag, and keep their default.
func takesFormats(command string) bool {
	switch command {
	case "audit", "inspect", "merge", "render", "demo":
		return true
	}
	return false
}

func isBool(v string) error {
	if _, err := strconv.ParseBool(v); err != nil {
		return hinted{fmt.Errorf("%q is neither true nor false", v), "write true or false"}
	}
	return nil
}

func isNumber(v string) error {
	if _, err := strconv.Atoi(v); err != nil {
		return hinted{fmt.Errorf("%q is no number", v), "write a whole number, as 16"}
	}
	return nil
}

func isDuration(v string) error {
	if d, err := time.ParseDuration(v); err != nil || d <= 0 {
		return hinted{fmt.Errorf("%q is no time", v), "write a time above zero, as 30m or 10s"}
	}
	return nil
}

func isPoint(v string) error {
	if _, err := lifetime.ParsePoint(v); err != nil {
		return hinted{err, "points are a share of the lifetime used, as 80%, or a time left, as 30d, 36h or 2w"}
	}
	return nil
}

// sourceNames are those of audit's collectors, in their order.
func sourceNames() []string {
	return []string{"kubeconfig", "apiserver", "arm", "node", "kubelet", "kubeapi"}
}

func isSources(v string) error {
	for word := range strings.SplitSeq(v, ",") {
		if name := strings.TrimPrefix(strings.TrimSpace(word), "-"); !slices.Contains(sourceNames(), name) {
			return hinted{fmt.Errorf("unknown source %q", name), "the sources are " + strings.Join(sourceNames(), ", ")}
		}
	}
	return nil
}

// completeSources offers the sources after each comma, to take or to leave out.
func completeSources(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	minus := ""
	if strings.HasPrefix(typed[len(before):], "-") {
		minus = "-"
	}
	var words []string
	for _, name := range sourceNames() {
		if taken := strings.Split(before, ","); !slices.Contains(taken, name) && !slices.Contains(taken, "-"+name) {
			words = append(words, before+minus+name)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
