package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
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

// A file is replaced as a whole, or is as it was.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.json")
	for _, data := range []string{"first and longer", "second"} {
		if err := writeFile(path, []byte(data)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != data {
			t.Errorf("%q, want %q", got, data)
		}
	}
	if err := writeFile(filepath.Join(dir, "gone", "r.json"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
	// What is no regular file is written into, not replaced.
	if err := writeFile(os.DevNull, []byte("away")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s is now a file: %v", os.DevNull, err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
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
