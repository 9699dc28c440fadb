package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/pkg/report"
)

// full is a place that has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// Whatever goes wrong, a plugin says UNKNOWN in its one line, and exits 3.
func TestPluginErrors(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	r := &report.Report{SchemaVersion: report.SchemaVersion, Kind: report.Kind, AsOf: now, StartedAt: now, Policy: report.Policy{FailOn: report.SeverityWarning}, Clusters: []report.Cluster{{ID: "c", Name: "c", Sources: []report.SourceStatus{}, Credentials: []report.Credential{}}},
		Nodes: []report.Node{}, Certificates: []report.Certificate{}, Findings: []report.Finding{}, Remedies: []report.Remedy{}, Gaps: []report.Gap{}, Waivers: []report.Waiver{}}
	r.Conclude(0, false)
	var b bytes.Buffer
	if err := render.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "report.json")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(out io.Writer, args ...string) (int, string) {
		var talk bytes.Buffer
		code := run(context.Background(), append([]string{"render", "--config", "none"}, args...), strings.NewReader(""), out, &talk, now)
		return code, talk.String()
	}
	var out bytes.Buffer
	if code, talk := call(&out, path, "-o", "nagios", "--plugin"); code != 0 || !strings.HasPrefix(out.String(), "AKSCERT OK - ") {
		t.Fatalf("%d %s %s", code, out.String(), talk)
	}
	for name, args := range map[string][]string{
		"flag before": {"--nonsense", "--plugin", path},
		"flag after":  {"--plugin", "--nonsense", path},
		"format":      {"--plugin", "-o", "nonsense", path},
		"no report":   {"--plugin"},
		"config":      {"--plugin", "--config", filepath.Join(dir, "none.yaml"), path},
		"--report":    {"--plugin", path, "--report", "json=" + filepath.Join(dir, "gone", "r.json")},
		"max age":     {"--plugin", path, "--max-age", "-1h"},
	} {
		out.Reset()
		code, talk := call(&out, args...)
		if code != pluginUnknown || !strings.HasPrefix(out.String(), "AKSCERT UNKNOWN - ") || strings.Count(out.String(), "\n") != 1 || !strings.HasPrefix(talk, "akscert: error: ") {
			t.Errorf("%s: %d %q %q", name, code, out.String(), talk)
		}
		out.Reset()
		for i, arg := range args {
			if arg == "--plugin" {
				args[i] = "--plugin=false"
			}
		}
		if code, _ := call(&out, args...); code != report.ExitError || out.Len() > 0 {
			t.Errorf("%s, no plugin: %d %q", name, code, out.String())
		}
	}
	if code, talk := call(full{}, "--plugin", "-o", "nagios", path); code != pluginUnknown || !strings.Contains(talk, "no space left") {
		t.Errorf("nowhere to write: %d %q", code, talk)
	}
}

func TestFresh(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		age, most time.Duration
		ok        bool
	}{{time.Hour, 0, true}, {-time.Hour, 0, true}, {time.Hour, time.Hour, true}, {2 * time.Hour, time.Hour, false}, {-5 * time.Minute, time.Hour, true}, {-6 * time.Minute, time.Hour, false}} {
		if err := fresh(&report.Report{StartedAt: now.Add(-test.age)}, now, test.most); (err == nil) != test.ok {
			t.Errorf("%s of %s: %v", test.age, test.most, err)
		}
	}
}
