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
	return render.SARIF(w, r, rules, checkout())
}

// checkout is the repository that the working directory is in, which findings on
// files are told relative to; the working directory itself without one.
func checkout() render.Checkout {
	called, err := os.Getwd()
	if err != nil {
		return render.Checkout{} // removed meanwhile: no file is in it
	}
	dir, err := filepath.EvalSymlinks(called) // as git sees it
	if err != nil {
		return render.Checkout{}
	}
	root := dir
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil { // a folder, or in a worktree a file
			root = at
			break
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	in := render.Checkout{Root: filepath.ToSlash(root), Dir: filepath.ToSlash(dir), Has: func(inside string) bool {
		name := filepath.FromSlash(inside)
		if !filepath.IsLocal(name) { // as with backslashes on Windows
			return false
		}
		info, err := os.Stat(filepath.Join(root, name))
		return err == nil && info.Mode().IsRegular()
	}}
	if link, ok := strings.CutSuffix(called, strings.TrimPrefix(dir, root)); ok && link != root {
		if led, err := filepath.EvalSymlinks(link); err == nil && led == root {
			in.Link = filepath.ToSlash(link)
		}
	}
	return in
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
also writes it to a file, which is either all there or not touched (where one
cannot be written, stdout has the report all the same, and the exit code is 2):

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

// isFile reports whether w is the regular file of that path.
func isFile(w io.Writer, path string) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	out, errOut := f.Stat()
	file, err := os.Stat(path)
	return errOut == nil && err == nil && out.Mode().IsRegular() && os.SameFile(out, file)
}

// reportFile is a --report.
type reportFile struct {
	format
	path string
}

// readReports reads the values of --report. What can be told before an audit
// begins is told then: it may take a quarter of an hour.
func readReports(values []string, stdout io.Writer) ([]reportFile, error) {
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
			if sameFile(have.path, path) {
				return nil, hinted{fmt.Errorf("two reports would be written to %s", path), "give each --report a file of its own"}
			}
		}
		if isFile(stdout, path) {
			return nil, hinted{fmt.Errorf("two reports would be written to %s: it is stdout, too", path), "give --report a file of its own"}
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
		// Tried, and not kept: an audit may be killed, and is not to leave it behind.
		p, err := beside(path)
		p.drop()
		if err != nil {
			return nil, unwrittenFile(path, err)
		}
		files = append(files, reportFile{f, path})
	}
	return files, nil
}

// sameFile reports whether two paths are one file, or would be.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, other := os.Stat(b)
	if err == nil && other == nil {
		return os.SameFile(x, y)
	}
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	x, err = os.Stat(filepath.Dir(a))
	y, other = os.Stat(filepath.Dir(b))
	return err == nil && other == nil && os.SameFile(x, y)
}

// deliver draws r as every format that was asked for, and writes it: files first,
// and each takes its place when all of them are written. Where one cannot be, all
// of them are as they were, and stdout gets the report all the same: an audit may
// have taken long. all is what stdout gets.
func (j judge) deliver(r *report.Report, all func(io.Writer) error) error {
	var out bytes.Buffer
	if err := all(&out); err != nil {
		return fmt.Errorf("rendering the report: %w", err)
	}
	failed := j.writeFiles(r)
	if j.annotate != "" {
		if err := render.Annotations(j.s.err, r, j.annotate); err != nil {
			failed = errors.Join(failed, fmt.Errorf("writing annotations: %w", err))
		}
	}
	if _, err := j.s.out.Write(out.Bytes()); err != nil {
		return unwritten(err)
	}
	return failed
}

// writeFiles writes r to every --report.
func (j judge) writeFiles(r *report.Report) error {
	// In memory first: what cannot be rendered must leave nothing behind.
	drawn := make([]bytes.Buffer, len(j.files))
	for i, f := range j.files {
		if err := f.draw(&drawn[i], r, render.Look{All: j.all, ASCII: j.ascii}); err != nil {
			return fmt.Errorf("rendering the report as %s: %w", f.name, err)
		}
	}
	var written []place
	for i, f := range j.files {
		p, err := beside(f.path)
		if err == nil {
			written = append(written, p)
			err = p.fill(drawn[i].Bytes())
		}
		if err != nil {
			for _, p := range written {
				p.drop()
			}
			return unwrittenFile(f.path, err)
		}
	}
	var failed error
	for i, p := range written {
		if err := p.settle(); err != nil {
			failed = errors.Join(failed, unwrittenFile(j.files[i].path, err))
		}
	}
	return failed
}

// place is where a file goes: it is written beside it and renamed, so that whoever
// reads it never sees half. What is no regular file, such as a pipe, is written as
// it is; a link is followed.
type place struct {
	path      string
	temporary *os.File    // nil for what is written as it is
	mode      fs.FileMode // of the file that it replaces; 0 for none
}

// beside finds out where a file goes, and makes the temporary one there.
func beside(path string) (place, error) {
	p := place{path: path}
	create := fs.FileMode(0o644) // a report holds no secret, and who collects it is another user
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return p, nil
	case err == nil:
		if p.path, err = filepath.EvalSymlinks(path); err != nil {
			return p, err
		}
		p.mode, create = info.Mode().Perm(), info.Mode().Perm()
	}
	base := filepath.Base(p.path)
	name := filepath.Join(filepath.Dir(p.path), "."+strings.ToValidUTF8(base[:min(len(base), 200)], "")+"."+strings.ToLower(rand.Text()[:8])) // file systems allow 255 octets
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, create)
	if err == nil {
		p.temporary = f
	}
	return p, err
}

// fill writes what is to be in the file.
func (p place) fill(data []byte) error {
	if p.temporary == nil {
		f, err := os.OpenFile(p.path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	if _, err := p.temporary.Write(data); err != nil {
		return err
	}
	if p.mode != 0 { // the umask may have narrowed it
		if err := p.temporary.Chmod(p.mode); err != nil {
			return err
		}
	}
	if err := p.temporary.Sync(); err != nil {
		return err
	}
	return p.temporary.Close()
}

// settle puts the file in its place.
func (p place) settle() error {
	if p.temporary == nil {
		return nil
	}
	err := os.Rename(p.temporary.Name(), p.path)
	if err != nil {
		p.drop()
	}
	return err
}

// drop takes away what is not in its place.
func (p place) drop() {
	if p.temporary != nil {
		_ = p.temporary.Close() // again, where it was filled
		_ = os.Remove(p.temporary.Name())
	}
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
