package render

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/akscert/akscert/pkg/report"
)

// Every sample report is what its format says it is.
func TestReadBack(t *testing.T) {
	interrupted := ill()
	interrupted.Conclude(report.ExitSIGINT, false)
	for name, r := range map[string]*report.Report{"blank": blank(), "clean": clean(), "ill": ill(), "fleet": fleet(50), "interrupted": interrupted} {
		for _, d := range drawings() {
			if read := readers()[d.name]; read != nil {
				t.Run(name+"/"+d.name, func(t *testing.T) {
					if name == "blank" && d.name == "junit" {
						return // says that nothing was examined, as an error of its own
					}
					read(t, drawn(t, d.draw, r), r)
				})
			}
		}
	}
}

func TestPrometheusLint(t *testing.T) {
	sample := clean()
	sample.Sampling = "per-pool=1"
	for _, r := range []*report.Report{clean(), ill(), fleet(50), sample} {
		problems, err := promlint.New(bytes.NewReader(drawn(t, Prometheus, r))).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
	}
}

// What fails the tests is what fails the audit.
func TestJUnitAgreesWithTheGate(t *testing.T) {
	for _, failOn := range []report.Severity{report.SeverityDue, report.SeverityWarning, report.SeverityCritical, report.SeverityExpired, report.SeverityNone} {
		r := ill()
		r.Gaps = r.Gaps[:0]
		r.Policy.FailOn = failOn
		r.Conclude(0, false)
		out := string(drawn(t, JUnit, r))
		if failed := strings.Contains(out, "<failure"); failed != (r.ExitCode == report.ExitFindings) {
			t.Errorf("--fail-on %s: failures %t, exit code %d", failOn, failed, r.ExitCode)
		}
		if !strings.Contains(out, "certificate-malformed (info): and again") {
			t.Errorf("--fail-on %s: what is below is not told", failOn)
		}
	}
	if out := string(drawn(t, JUnit, blank())); !strings.Contains(out, "nothing was examined") {
		t.Errorf("nothing at all is no result: %s", out)
	}
}

func TestPluginStatus(t *testing.T) {
	tests := []struct {
		name string
		edit func(*report.Report)
		want int
	}{
		{"expired", func(*report.Report) {}, 2},
		{"a warning", func(r *report.Report) { only(r, report.SeverityWarning) }, 1},
		{"due, and that fails", func(r *report.Report) { only(r, report.SeverityDue); r.Policy.FailOn = report.SeverityDue }, 1},
		{"due, and that does not", func(r *report.Report) { only(r, report.SeverityDue); r.Gaps = nil }, 0},
		{"a gap", func(r *report.Report) { only(r, report.SeverityInfo) }, 3},
		{"nothing", func(r *report.Report) { *r = *blank() }, 3},
	}
	for _, test := range tests {
		r := ill()
		test.edit(r)
		r.Conclude(0, false)
		if got, _ := PluginStatus(r); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	r := ill()
	r.Conclude(report.ExitSIGTERM, false)
	if got, word := PluginStatus(r); got != 3 || word != "UNKNOWN" {
		t.Errorf("interrupted: %d", got)
	}
	r = ill()
	only(r, report.SeverityInfo)
	r.Conclude(0, true)
	if got, _ := PluginStatus(r); got != 0 {
		t.Errorf("gaps that are allowed: %d", got)
	}
}

// only leaves the findings of one severity.
func only(r *report.Report, s report.Severity) {
	var kept []report.Finding
	for _, f := range r.Findings {
		if f.Severity == s {
			kept = append(kept, f)
		}
	}
	r.Findings = kept
}

// A summary is below what GitHub takes, however long the report and its texts,
// and says what is not in it.
func TestMarkdownIsBounded(t *testing.T) {
	r := fleet(3000)
	for i := range 4000 {
		r.Gaps = append(r.Gaps, report.Gap{Cluster: r.Clusters[i%3000].ID, Source: report.SourceNode, Count: 1, Reason: report.ReasonTimeout, Message: strings.Repeat("<&>`|", 500), Location: strings.Repeat("x", 5000)})
		r.Certificates = append(r.Certificates, report.Certificate{Location: strings.Repeat("東", 5000), Subject: strings.Repeat("\x1b", 5000), State: report.StateOK})
		r.Findings = append(r.Findings, report.Finding{Rule: "ca-mismatch", Severity: report.SeverityCritical, Message: strings.Repeat("@", 5000)})
	}
	for i := range 100 {
		r.Remedies = append(r.Remedies, report.Remedy{ID: fmt.Sprint(i), Summary: strings.Repeat("*", 5000), Commands: []string{strings.Repeat("x", 100000)}})
	}
	out := drawn(t, Markdown, r)
	if len(out) >= 1<<20 {
		t.Errorf("%d bytes", len(out))
	}
	readMarkdown(t, out, r)
	if n := strings.Count(string(out), " are left out here"); n != 5 {
		t.Errorf("%d of 5 sections say that they are cut", n)
	}
}

// Ten of a kind, of which the last says how many more there are.
func TestAnnotationsAreFew(t *testing.T) {
	r := fleet(200)
	for _, ci := range []CI{GitHub, AzureDevOps} {
		var b bytes.Buffer
		if err := Annotations(&b, r, ci); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 10 || !strings.Contains(lines[9], "31 more of this kind") || !strings.Contains(lines[0], "c002") {
			t.Errorf("%s: %s", ci, b.String())
		}
	}
	var b bytes.Buffer
	if err := Annotations(&b, clean(), GitHub); err != nil || b.Len() > 0 {
		t.Errorf("of nothing: %q, %v", b.String(), err)
	}
}

func FuzzFormats(f *testing.F) {
	for _, text := range evil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return
		}
		r := everywhere(text)
		for _, d := range drawings() {
			out := drawn(t, d.draw, r)
			harmless(t, d.name, out)
			if read := readers()[d.name]; read != nil && d.name != "sarif" { // its schema is slow, and text makes no difference to it
				read(t, out, r)
			}
		}
	})
}

// What an escape says can be read again, and does nothing.
func FuzzEscapes(f *testing.F) {
	for _, text := range evil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seen := Visible(s)
		harmless(t, "visible", []byte(seen))
		if again := Visible(seen); again != seen {
			t.Errorf("visible twice: %q, once %q", again, seen)
		}
		if got := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(quotedLabel(s)); got != seen {
			t.Errorf("label: %q, want %q", got, seen)
		}
		undo := strings.NewReplacer("%25", "%", "%AZP25", "%", "%0A", "\n", "%0D", "\r", "%3A", ":", "%2C", ",", "%3B", ";", "%5D", "]")
		for name, escape := range map[string]func(string) string{"GitHub data": gitHubData, "GitHub property": gitHubProperty, "Azure data": azureData} {
			if got := undo.Replace(escape(s)); got != seen {
				t.Errorf("%s: %q, want %q", name, got, seen)
			}
		}
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		writeCells(w, []string{text(s), "x"})
		w.Flush()
		row, err := csv.NewReader(&b).Read()
		if err != nil || row[0] != text(s) || row[0] != seen && row[0] != "'"+seen {
			t.Errorf("cell: %q, %v, want %q", row, err, text(s))
		}
		valid := strings.ToValidUTF8(s, "\ufffd")
		encoded, _ := json.Marshal(valid)
		out := inert(encoded, surrogates)
		harmless(t, "inert", out)
		var got string
		if err := json.Unmarshal(out, &got); err != nil || got != valid {
			t.Errorf("JSON: %q, %v, want %q", got, err, valid)
		}
		readMarkdown(t, []byte("- "+code(s)+": "+prose(s)+"\n"), nil)
	})
}

func BenchmarkFormats(b *testing.B) {
	for _, d := range drawings() {
		b.Run(d.name, func(b *testing.B) {
			r := fleet(2000)
			for b.Loop() {
				drawn(b, d.draw, r)
			}
		})
	}
}
