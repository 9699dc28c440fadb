package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/pkg/report"
)

func TestAnnotator(t *testing.T) {
	tests := []struct {
		flag string
		env  map[string]string
		want render.CI
		bad  bool
	}{
		{flag: ""}, {flag: "none", env: map[string]string{"GITHUB_ACTIONS": "true"}}, {flag: "auto"},
		{flag: "auto", env: map[string]string{"GITHUB_ACTIONS": "true"}, want: render.GitHub},
		{flag: "auto", env: map[string]string{"TF_BUILD": "True"}, want: render.AzureDevOps},
		{flag: "github", want: render.GitHub}, {flag: "azure-devops", want: render.AzureDevOps}, {flag: "gitlab", bad: true},
	}
	for _, test := range tests {
		got, err := annotator(test.flag, func(name string) string { return test.env[name] })
		if (err != nil) != test.bad || err == nil && got != test.want {
			t.Errorf("%q %v: %q, %v", test.flag, test.env, got, err)
		}
	}
}

// Files are replaced as a whole and together, or are as they were; stdout has the
// report whatever becomes of them.
func TestReportFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	content := func(name string) string {
		data, err := os.ReadFile(in(name))
		if err != nil {
			return err.Error()
		}
		return string(data)
	}
	says := func(what string) format {
		return format{name: what, draw: func(w io.Writer, _ *report.Report, look render.Look) error {
			_, err := fmt.Fprintf(w, "%s %t %t", what, look.All, look.ASCII)
			return err
		}}
	}
	deliver := func(files ...reportFile) (string, error) {
		var out bytes.Buffer
		j := judge{judging: judging{all: true, ascii: true}, s: streams{out: &out, err: io.Discard}, files: files}
		err := j.deliver(&report.Report{}, func(w io.Writer) error { _, err := io.WriteString(w, "all"); return err })
		return out.String(), err
	}
	if err := os.WriteFile(in("old"), []byte("before and longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(in("old"), 0o464); err != nil { // whatever the umask
		t.Fatal(err)
	}
	if err := os.Symlink("old", in("link")); err != nil {
		t.Skip(err)
	}
	// What is no regular file is written into, not replaced.
	out, err := deliver(reportFile{says("a"), in("link")}, reportFile{says("b"), in("new")}, reportFile{says("c"), os.DevNull})
	if err != nil || out != "all" || content("old") != "a true true" || content("new") != "b true true" {
		t.Fatalf("%q %q %q %v", out, content("old"), content("new"), err)
	}
	info, _ := os.Lstat(in("link"))
	if info.Mode().IsRegular() {
		t.Error("the link was replaced")
	}
	if info, _ = os.Stat(in("old")); runtime.GOOS != "windows" && info.Mode().Perm() != 0o464 {
		t.Errorf("it had the mode 464, and has %o", info.Mode().Perm())
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is now a file: %v", os.DevNull, err)
	}
	out, err = deliver(reportFile{says("x"), in("old")}, reportFile{says("y"), filepath.Join(dir, "gone", "r")})
	if !errors.Is(err, fs.ErrNotExist) || out != "all" || content("old") != "a true true" {
		t.Errorf("%q %q %v", out, content("old"), err)
	}
	if left, _ := filepath.Glob(in(".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What cannot be written is told before anything is looked at, and nothing is left
// of the attempt.
func TestReadReports(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"sub", "closed"} {
		if err := os.Mkdir(in(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in("old"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("old", in("link")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("sub", in("sub2")); err != nil {
		t.Skip(err)
	}
	if files, err := readReports([]string{"json=" + in("old"), "csv=" + in("new"), "yaml=" + in("sub/new")}, nil); err != nil || len(files) != 3 {
		t.Errorf("%v %v", files, err)
	}
	if _, err := os.Stat(in("new")); err == nil {
		t.Error("it wrote one")
	}
	for _, twice := range [][2]string{{"old", "old"}, {"old", "link"}, {"new", "sub/../new"}, {"sub/new", "sub2/new"}} {
		if _, err := readReports([]string{"json=" + in(twice[0]), "csv=" + dir + "/" + twice[1]}, nil); err == nil || !strings.Contains(err.Error(), "two reports") {
			t.Errorf("%v: %v", twice, err)
		}
	}
	if left, _ := filepath.Glob(in(".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(in("closed"), 0o555); err != nil {
		t.Fatal(err)
	}
	if probe, err := os.Create(in("closed/probe")); err == nil {
		probe.Close()
		t.Skip("nothing is closed to this user")
	}
	if _, err := readReports([]string{"json=" + in("closed/r.json")}, nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a folder that cannot be written: %v", err)
	}
}

// A report put together from a stream is the report.
func TestWhole(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	full := &report.Report{AsOf: at, Clusters: []report.Cluster{}, Nodes: []report.Node{}, Certificates: []report.Certificate{}, Findings: []report.Finding{}, Remedies: []report.Remedy{}, Gaps: []report.Gap{{Source: report.SourceARM, Count: 1}}}
	for _, name := range []string{"a", "b", "c"} {
		full.Clusters = append(full.Clusters, report.Cluster{ID: name, Name: name})
		full.Certificates = append(full.Certificates, report.Certificate{ID: name, Cluster: name, State: report.StateWarning, Count: 1})
		full.Findings = append(full.Findings, report.Finding{Rule: "x", Severity: report.SeverityWarning, Cluster: name, Certificate: name, RemedyID: "shared"})
	}
	full.Remedies = append(full.Remedies, report.Remedy{ID: "shared", Commands: []string{}})
	full.Sort()
	parts, rest := full.Parts(), full.Rest()
	got := *full
	got.Clusters, got.Nodes, got.Certificates, got.Findings, got.Remedies, got.Gaps = []report.Cluster{}, rest.Nodes, rest.Certificates, rest.Findings, rest.Remedies, rest.Gaps
	whole(&got, []report.Part{parts[2], parts[0], parts[1]})
	if !reflect.DeepEqual(&got, full) {
		t.Errorf("%+v\nwant\n%+v", &got, full)
	}
}

// Every format can be asked for, is told about, and draws something of nothing.
func TestFormats(t *testing.T) {
	topic := formatsTopic().Long
	for _, f := range formats() {
		var b bytes.Buffer
		r := &report.Report{Clusters: []report.Cluster{}, Certificates: []report.Certificate{}}
		if err := f.draw(&b, r, render.Look{}); err != nil || b.Len() == 0 {
			t.Errorf("%s: %q, %v", f.name, b.String(), err)
		}
		if !strings.Contains(topic, "  "+f.name+" ") || f.what == "" {
			t.Errorf("%s is not in the topic", f.name)
		}
		if got, ok := formatNamed(f.name); !ok || got.what != f.what {
			t.Errorf("%s is not found by its name", f.name)
		}
	}
}
