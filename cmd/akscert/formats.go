package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/pkg/report"
)

// format is one way to draw a report.
type format struct {
	name, what string
	draw       func(io.Writer, *report.Report, render.Look) error
}

// formats is the list of them: -o, --report, completion, help and errors read it.
func formats() []format {
	plain := func(draw func(io.Writer, *report.Report) error) func(io.Writer, *report.Report, render.Look) error {
		return func(w io.Writer, r *report.Report, _ render.Look) error { return draw(w, r) }
	}
	return []format{
		{"table", "for a person, at a terminal or in a log", func(w io.Writer, r *report.Report, look render.Look) error {
			look.Wide = false
			return render.Table(w, r, look)
		}},
		{"wide", "the table with every column", func(w io.Writer, r *report.Report, look render.Look) error {
			look.Wide = true
			return render.Table(w, r, look)
		}},
		{"json", "the whole report, for scripts; render, merge, diff read it", plain(func(w io.Writer, r *report.Report) error { return render.JSON(w, r) })},
		{"ndjson", "the same as a stream, each cluster on a line as it is done", plain(render.Lines)},
		{"yaml", "the same document as json", plain(render.YAML)},
		{"csv", "a line for each certificate, finding and gap, for spreadsheets", plain(render.CSV)},
		{"markdown", "a summary for a CI job or a comment, worst first", plain(render.Markdown)},
		{"html", "a page to look at or to hand on, without script", plain(render.HTML)},
		{"junit", "test results: findings fail, gaps are errors", plain(render.JUnit)},
		{"sarif", "results for code scanning", plain(sarif)},
		{"prometheus", "metrics, for a textfile collector or a Pushgateway", plain(render.Prometheus)},
		{"nagios", "one line with performance data; see akscert render --plugin", plain(render.Nagios)},
	}
}

// sarif takes what a rule means from where it is decided.
func sarif(w io.Writer, r *report.Report) error {
	var rules []render.SARIFRule
	for _, rule := range audit.Rules() {
		rules = append(rules, render.SARIFRule{ID: rule.Name, Severity: rule.Severity, Means: rule.Means, Help: rule.Remedy()})
	}
	return render.SARIF(w, r, rules)
}

// formatNames are those of all formats.
func formatNames() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

func formatNamed(name string) (format, bool) {
	for _, f := range formats() {
		if f.name == name {
			return f, true
		}
	}
	return format{}, false
}

// formatsTopic is `akscert help formats`.
func formatsTopic() *cobra.Command {
	var list strings.Builder
	for _, f := range formats() {
		fmt.Fprintf(&list, "  %-10s  %s\n", f.name, f.what)
	}
	return &cobra.Command{
		Use:   "formats",
		Short: "the formats that a report can be printed in",
		Long: `-o prints a report as one of these; --report FORMAT=PATH, as often as you like,
also writes it to a file, which is either all there or not touched:

` + list.String() + `
The exit code is the same for all of them. akscert render draws a saved json or
ndjson report as any other, later and elsewhere.`,
	}
}

// completeFormats offers formats, with what each is for.
func completeFormats(c *cobra.Command, offered []string) {
	var words, files []string
	for _, f := range formats() {
		for _, name := range offered {
			if name == f.name {
				words, files = append(words, name+"\t"+f.what), append(files, name+"=\t"+f.what)
			}
		}
	}
	complete(c, "output", words...)
	if c.Flags().Lookup("report") != nil {
		_ = c.RegisterFlagCompletionFunc("report", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) { // fails only for a flag that is not there
			if strings.Contains(typed, "=") {
				return nil, cobra.ShellCompDirectiveDefault // a file
			}
			return files, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// reportFile is a --report.
type reportFile struct {
	format
	path string
}

// readReports reads the values of --report. What can be told before an audit
// begins is told then: it may take a quarter of an hour.
func readReports(values []string) ([]reportFile, error) {
	var files []reportFile
	for _, value := range values {
		name, path, ok := strings.Cut(value, "=")
		if !ok || path == "" || path == "-" {
			return nil, hinted{fmt.Errorf("invalid --report %q", value), "name a format and a file, as --report junit=certificates.xml; -o prints to stdout"}
		}
		f, ok := formatNamed(name)
		if !ok {
			return nil, hinted{fmt.Errorf("invalid --report %q: there is no format %q", value, name), "one of " + strings.Join(formatNames(), ", ")}
		}
		for _, have := range files {
			if filepath.Clean(have.path) == filepath.Clean(path) {
				return nil, hinted{fmt.Errorf("two reports would be written to %s", path), "give each --report a file of its own"}
			}
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			if err == nil {
				err = errors.New("not a folder")
			}
			return nil, unwrittenFile(path, err)
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil, unwrittenFile(path, errors.New("it is a folder"))
		}
		files = append(files, reportFile{f, path})
	}
	return files, nil
}

// deliver draws r as every format that was asked for, and writes it: files first,
// for stdout is to stay empty where one fails. all is what stdout gets.
func (j judge) deliver(r *report.Report, all func(io.Writer) error) error {
	// In memory first: what cannot be rendered must leave nothing behind.
	drawn := make([]bytes.Buffer, len(j.files))
	for i, f := range j.files {
		if err := f.draw(&drawn[i], r, render.Look{}); err != nil {
			return fmt.Errorf("rendering the report as %s: %w", f.name, err)
		}
	}
	var out bytes.Buffer
	if err := all(&out); err != nil {
		return fmt.Errorf("rendering the report: %w", err)
	}
	for i, f := range j.files {
		if err := writeFile(f.path, drawn[i].Bytes()); err != nil {
			return unwrittenFile(f.path, err)
		}
	}
	if j.annotate != "" {
		if err := render.Annotations(j.s.err, r, j.annotate); err != nil {
			return fmt.Errorf("writing annotations: %w", err)
		}
	}
	if _, err := j.s.out.Write(out.Bytes()); err != nil {
		return unwritten(err)
	}
	return nil
}

// writeFile writes data to a file: all of it, or none. It is written beside its
// place and renamed, so that whoever reads it never sees half. What is no regular
// file, such as a pipe, is written as it is; a link is followed.
func writeFile(path string, data []byte) (err error) {
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	case err == nil:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+strings.ToLower(rand.Text()[:8]))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // a report holds no secret, and who collects it is another user
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary) // the error is told already
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// unwrittenFile is the error for a --report that could not be written. Where it
// was to be is said once, by the name that was given.
func unwrittenFile(path string, err error) error {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at):
		err = at.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return hinted{fmt.Errorf("writing the report %s: %w", path, err), "name a file in a folder that is there, can be written, and has room"}
}

// annotator is the CI system that --annotations names; none for "".
func annotator(flag string, env func(string) string) (render.CI, error) {
	switch flag {
	case "", "none":
		return "", nil
	case "auto":
		switch {
		case env("GITHUB_ACTIONS") == "true":
			return render.GitHub, nil
		case strings.EqualFold(env("TF_BUILD"), "true"):
			return render.AzureDevOps, nil
		}
		return "", nil
	}
	return render.CI(flag), oneOf("--annotations", flag, string(render.GitHub), string(render.AzureDevOps), "auto", "none")
}
