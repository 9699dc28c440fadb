package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands are all of ours, the root first.
func commands() []*cobra.Command {
	code := 0
	all := []*cobra.Command{rootCommand(streams{}, time.Now(), &code)}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

// Help in a pipe has a line for each flag, and ends with three examples.
func TestHelp(t *testing.T) {
	const most = 57 // audit's
	for _, c := range commands() {
		var out, talk bytes.Buffer
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := run(context.Background(), args, nil, &out, &talk, time.Now()); code != 0 || talk.Len() > 0 {
			t.Errorf("%s --help: exit code %d\n%s", c.CommandPath(), code, &talk)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) > most {
			t.Errorf("%s --help has %d lines, more than %d", c.CommandPath(), len(lines), most)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%s --help has a line of %d characters: %s", c.CommandPath(), n, line)
			}
		}
		if c.Runnable() && !slices.Equal(lines[len(lines)-4:], append([]string{"Examples:"}, strings.Split(c.Example, "\n")...)) {
			t.Errorf("%s --help does not end with three examples", c.CommandPath())
		}
	}
}

func TestHelpUnwritten(t *testing.T) {
	var talk bytes.Buffer
	if code := run(context.Background(), []string{"audit", "--help"}, nil, full{}, &talk, time.Now()); code != 2 || !strings.Contains(talk.String(), "error: writing the help: no space left") {
		t.Errorf("exit code %d, %s", code, &talk)
	}
}

// Help at a terminal fits the screen, names every flag, and says where there is
// more of it.
func TestHelpFits(t *testing.T) {
	for _, c := range commands() {
		whole := help(c, 0)
		for rows := 24; rows < 65; rows++ {
			text := help(c, rows)
			if n := strings.Count(text, "\n"); n >= rows {
				t.Errorf("%s --help: %d lines on a screen of %d", c.CommandPath(), n, rows)
			}
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "config" && strings.Contains(whole, "--"+f.Name) && !strings.Contains(text, "--"+f.Name) {
					t.Errorf("%s --help on a screen of %d: no --%s", c.CommandPath(), rows, f.Name)
				}
			})
			if strings.Contains(text, "--help | less") != (text != whole) {
				t.Errorf("%s --help on a screen of %d: it is shortened and does not say so, or the other way around\n%s", c.CommandPath(), rows, text)
			}
			if lines := strings.Split(text, "\n"); c.Example != "" && !strings.HasSuffix(text, "Examples:\n"+c.Example+"\n") || slices.ContainsFunc(lines, func(l string) bool { return utf8.RuneCountInString(l) > 80 }) {
				t.Errorf("%s --help on a screen of %d:\n%s", c.CommandPath(), rows, text)
			}
		}
	}
}

// words splits a line as a shell would, as far as examples go: into the commands
// of a pipe, without what is redirected.
func words(line string) (pipe [][]string) {
	var word strings.Builder
	var command []string
	quoted, begun := rune(0), false
	end := func() {
		if begun {
			command = append(command, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quoted != 0 && r == quoted:
			quoted = 0
		case quoted != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quoted, begun = r, true
		case r == ' ':
			end()
		case r == '|':
			end()
			pipe, command = append(pipe, command), nil
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	end()
	pipe = append(pipe, command)
	for i, command := range pipe {
		if at := slices.IndexFunc(command, func(w string) bool { return strings.HasPrefix(w, ">") }); at >= 0 {
			pipe[i] = command[:at]
		}
	}
	return pipe
}

// Each example names commands and flags that are there, and as many operands as
// they take.
func TestExamples(t *testing.T) {
	seen := 0
	for _, c := range commands() {
		for line := range strings.Lines(c.Example) {
			found := false
			for _, command := range words(strings.TrimSpace(line)) {
				if i := slices.Index(command, "akscert"); i == 0 {
					found = true
					code := 0
					root := rootCommand(streams{}, time.Now(), &code)
					sub, args, err := root.Find(command[1:])
					if err == nil {
						err = sub.ParseFlags(args)
					}
					if err == nil {
						err = sub.ValidateArgs(sub.Flags().Args())
					}
					if err != nil {
						t.Errorf("%s --help: %s: %v", c.CommandPath(), strings.TrimSpace(line), err)
					}
					seen++
				}
			}
			if !found {
				t.Errorf("%s --help: an example without akscert: %s", c.CommandPath(), line)
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d examples were seen", seen)
	}
}

// runExamples runs the examples that need no cloud, network or other host, on
// files of the script of the names that they use.
func runExamples(ts *testscript.TestScript, _ bool, _ []string) {
	needs := []string{"GROUP", "all-", "example.com", "NODE", "az ", "kubectl ", "less", "akscert demo", "akscert verify", "/etc/"}
	ran := 0
	for _, c := range commands() {
		for line := range strings.Lines(c.Example) {
			if line = strings.TrimSpace(line); slices.ContainsFunc(needs, func(word string) bool { return strings.Contains(line, word) }) {
				continue
			}
			ran++
			err := ts.Exec("sh", "-c", line)
			stderr := ts.ReadFile("stderr")
			if strings.Contains(stderr, "error:") || strings.Contains(stderr, "not found") || err != nil && strings.Contains(err.Error(), "status 2") {
				ts.Fatalf("%s: %v\n%s", line, err, stderr)
			}
		}
	}
	if ran < 20 {
		ts.Fatalf("%d examples were run", ran)
	}
}

// Every flag that belongs to no command alone has a row, which says who may set
// it: a new one is thought through before it ships.
func TestOptions(t *testing.T) {
	alone := []string{"help", "serve", "stuck", "clusters", "nodes-per-cluster", "nodes", "limits", "latency", "allow-any-script", // demo
		"old", "old-context", "context", "same-cluster", // verify
		"plugin", "max-age", "os"}
	rows := map[string]bool{}
	for _, o := range options() {
		rows[o.key] = true
		if o.group == "" || o.reach != anywhere && o.why == "" {
			t.Errorf("--%s: no group, or no reason", o.key)
		}
	}
	seen := map[string]bool{"config": true}
	for _, c := range commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			_, ok := optionOf(f)
			seen[f.Name] = seen[f.Name] || ok
			if !ok && !slices.Contains(alone, f.Name) {
				t.Errorf("%s --%s: add it to options, and say who may set it: a file in the working directory may be an attacker's", c.CommandPath(), f.Name)
			}
		})
	}
	for key := range rows {
		if !seen[key] {
			t.Errorf("options: there is no flag --%s of that type", key)
		}
	}
	// What a repository may say, in one place, so that a change of it is seen.
	want := []string{"context", "all-contexts", "resource-group", "name", "tag", "subscription", "all-subscriptions", "sources", "nodes",
		"warn-at", "critical-at", "fail-on", "output", "all", "ascii", "annotations", "color", "verbose"}
	var have []string
	for _, o := range options() {
		if o.reach == anywhere {
			have = append(have, o.key)
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("a file in the working directory may set %q, want %q", have, want)
	}
}

// The sources that help, completion and settings know are the collectors.
func TestSourceNames(t *testing.T) {
	var have []string
	for _, c := range collectors(nil, limits{parallel: 1, connect: time.Second}, nil, ways{}) {
		have = append(have, string(c.Source()))
	}
	if !slices.Equal(have, sourceNames()) {
		t.Errorf("sourceNames are %q, and the collectors %q", sourceNames(), have)
	}
}

// The schema as a script has it.
func TestSchemaCommand(t *testing.T) {
	var out bytes.Buffer
	if code := run(context.Background(), []string{"schema"}, nil, &out, &out, time.Now()); code != 0 {
		t.Fatal(code)
	}
	file, err := os.ReadFile(filepath.Join("..", "..", "pkg", "report", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), file) {
		t.Error("akscert schema prints something else than pkg/report/schema.json")
	}
}
