package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/akscert/akscert/pkg/report"
)

func TestVisible(t *testing.T) {
	tests := []struct{ in, want string }{
		{"CN=masterclient,O=system:masters", "CN=masterclient,O=system:masters"},
		{"CN=Zürich 東京", "CN=Zürich 東京"},
		{"a\x1b[2Jb", `a\u001b[2Jb`},
		{"a\nexpired  forged row", `a\u000aexpired  forged row`},
		{"a\r\tb", `a\u000d\u0009b`},
		{"user\u202egpj.exe", `user\u202egpj.exe`},
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`},
		{"no\u00a0break\u2028", `no\u00a0break\u2028`},
		{"bad\xff\xfeutf8", `bad\xff\xfeutf8`},
		{"a replacement \ufffd of their own", "a replacement \ufffd of their own"},
		{"\U000e0041tag", `\U000e0041tag`},
		{"a ##[error]b ##vso[task.x]c ###VSO[d", `a #\u0023[error]b #\u0023vso[task.x]c ##\u0023VSO[d`},
		{"  ::error::a ::error::b", `  \u003a:error::a ::error::b`},
		{"::1 and C# ## and #0", "::1 and C# ## and #0"},
	}
	for _, test := range tests {
		if got := Visible(test.in); got != test.want {
			t.Errorf("Visible(%q) = %s, want %s", test.in, got, test.want)
		}
	}
}

func many(n int) *report.Report {
	day := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	left, used := int64(86400*30), 0.83
	r := &report.Report{AsOf: day, Outcome: report.OutcomeOK, Clusters: []report.Cluster{{ID: "prod", Name: "prod"}}}
	for i := range n {
		r.Certificates = append(r.Certificates, report.Certificate{
			Cluster: "prod", Source: report.SourceKubeconfig, Role: report.RoleClient, State: report.StateWarning, Count: 1,
			Location: fmt.Sprintf("/home/somebody/.kube/config-with-a-long-name#users/clusterUser_resource-group_%d", i),
			Subject:  "CN=masterclient,O=system:masters", Issuer: "CN=ca", NotAfter: &day, NotBefore: &day, SecondsLeft: &left, LifetimeUsed: &used,
		})
	}
	return r
}

// On a terminal every line fits, and what tells rows apart is still there; in a
// pipe nothing is cut.
func TestTableFits(t *testing.T) {
	for _, width := range []int{60, 80, 100, 120, 160, 240} {
		var b bytes.Buffer
		if err := Table(&b, many(3), Look{Width: width, Color: true}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if got := runewidth.StringWidth(strings.TrimRight(escapes.ReplaceAllString(line, ""), "\n")); got > width && !strings.HasPrefix(line, "result") {
				t.Errorf("at %d: %d columns: %s", width, got, line)
			}
		}
		for i := range 3 {
			if !strings.Contains(b.String(), fmt.Sprintf("_%d", i)) {
				t.Errorf("at %d: row %d cannot be told:\n%s", width, i, &b)
			}
		}
	}
	var b bytes.Buffer
	if err := Table(&b, many(1), Look{}); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, many(1).Certificates[0].Location) || strings.Contains(s, "\x1b") || strings.Contains(s, "█") {
		t.Errorf("in a pipe:\n%s", s)
	}
}

// What had to be shortened is as long as there is room for.
func TestTableUsesTheRoom(t *testing.T) {
	defer func(was bool) { runewidth.DefaultCondition.EastAsianWidth = was }(runewidth.DefaultCondition.EastAsianWidth)
	for name, of := range map[string]string{"narrow": "clusterUser_resource-group", "wide": strings.Repeat("証明書", 12), "narrow, in Japan": "clusterUser_resource-group", "wide, in Japan": strings.Repeat("証明書", 12)} {
		runewidth.DefaultCondition.EastAsianWidth = strings.HasSuffix(name, "in Japan") // where an ellipsis is wide, and a bar
		for width := 60; width < 200; width++ {
			r := many(3)
			for i := range r.Certificates {
				r.Certificates[i].Location = fmt.Sprintf("/kube/config#users/%s_%d", of, i)
			}
			var b bytes.Buffer
			if err := Table(&b, r, Look{Width: width}); err != nil {
				t.Fatal(err)
			}
			widest, cut := 0, false
			for line := range strings.Lines(b.String()) {
				if strings.HasPrefix(line, "warning") {
					widest, cut = max(widest, runewidth.StringWidth(strings.TrimRight(line, "\n"))), cut || strings.Contains(line, "…")
				}
			}
			if widest > width && (width >= 75 || !runewidth.DefaultCondition.EastAsianWidth) || cut && widest < width-3 { // half a wide character at either end
				t.Errorf("%s: %d of %d columns:\n%s", name, widest, width, &b)
			}
		}
	}
}

// What a certificate says must not move the cursor or forge a line, wherever it
// is shown.
func TestTableIsSafe(t *testing.T) {
	const evil = "x\x1b[2J\nexpired\u202e"
	r := many(1)
	r.Certificates[0].Subject, r.Certificates[0].Issuer, r.Certificates[0].Location, r.Certificates[0].Node = evil, evil, evil, evil
	r.Clusters = []report.Cluster{{ID: evil, Name: evil, Sources: []report.SourceStatus{{Status: report.StatusSkipped, Why: evil}},
		Credentials: []report.Credential{{User: evil, Kinds: []string{evil}}}}, {ID: "other"}}
	r.Certificates[0].Cluster = evil
	r.Findings = []report.Finding{{Rule: "ca-mismatch", Severity: report.SeverityCritical, Message: evil}}
	r.Remedies = []report.Remedy{{Summary: evil, Commands: []string{evil}, Impact: evil}}
	r.Gaps = []report.Gap{{Location: evil, Message: evil, Hint: evil}}
	for _, look := range []Look{{}, {Wide: true}, {Width: 80}, {Width: 300}} {
		var b bytes.Buffer
		if err := Table(&b, r, look); err != nil {
			t.Fatal(err)
		}
		if s := b.String(); strings.ContainsAny(s, "\x1b\u202e") || strings.Contains(s, "\nexpired") {
			t.Errorf("%+v:\n%q", look, s)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	benchmark(b, func(w io.Writer, r *report.Report) error { return Table(w, r, Look{}) })
}
func BenchmarkJSON(b *testing.B) {
	benchmark(b, func(w io.Writer, r *report.Report) error { return JSON(w, r) })
}

func benchmark(b *testing.B, draw func(io.Writer, *report.Report) error) {
	for _, n := range []int{1, 100, 10_000} {
		r := many(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := draw(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// In ASCII what somebody else wrote is escaped, not drawn anew: a block that
// became a # would make a command of what was none.
func TestASCIIForgesNothing(t *testing.T) {
	r := many(1)
	r.Certificates[0].Subject = "CN=█#vso[task.setvariable]x ██[error] ·…"
	for _, look := range []Look{{ASCII: true}, {ASCII: true, All: true, Width: 100}, {ASCII: true, Wide: true}} {
		var b bytes.Buffer
		if err := Table(&b, r, look); err != nil {
			t.Fatal(err)
		}
		s := b.String()
		if strings.Contains(s, "##") && look.Width == 0 || strings.Contains(s, "#vso[") && !strings.Contains(s, `\u2588#vso[`) || strings.ContainsFunc(s, func(c rune) bool { return c > '~' }) {
			t.Errorf("%+v:\n%s", look, s)
		}
	}
}

// A cluster that the report does not list loses no row.
func TestRowsOfAnUnknownCluster(t *testing.T) {
	r := many(3)
	r.Clusters = append(r.Clusters, report.Cluster{ID: "other", Name: "other"})
	r.Certificates[1].Cluster = "ghost"
	var b bytes.Buffer
	if err := Table(&b, r, Look{All: true}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "clusterUser_resource-group_"); got != 3 {
		t.Errorf("%d rows:\n%s", got, &b)
	}
}

// What nothing uses is no alarm.
func TestCopiesAreFaint(t *testing.T) {
	r := many(2)
	r.Certificates[0].State, r.Certificates[1].State = report.StateExpired, report.StateExpired
	r.Certificates[1].Role = report.RoleAPIServerCopy
	var b bytes.Buffer
	if err := Table(&b, r, Look{Color: true}); err != nil {
		t.Fatal(err)
	}
	if red, faint := strings.Count(b.String(), "\x1b[31;1mexpired"), strings.Count(b.String(), "\x1b[2mexpired"); red != 1 || faint != 1 {
		t.Errorf("%d red, %d faint:\n%s", red, faint, &b)
	}
}

// A policy that somebody chose is told where the result is: a lenient one finds
// less.
func TestResultNamesThePolicy(t *testing.T) {
	for want, p := range map[string]report.Policy{
		"exit 0)": {WarnAt: "80%", CriticalAt: "95%", WarnLead: "365d", CriticalLead: "90d", FailOn: report.SeverityWarning},
		"warn at 100%, critical at 100%, fail on expired, exit 0)": {WarnAt: "100%", CriticalAt: "100%", FailOn: report.SeverityExpired},
		"warn at 80%, fail on none, exit 0)":                       {WarnAt: "80%", CriticalAt: "95%", CriticalLead: "90d", FailOn: report.SeverityNone},
	} {
		r := many(1)
		r.Policy = p
		var b bytes.Buffer
		if err := Table(&b, r, Look{}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), "Z, "+want+"\n") {
			t.Errorf("want %q, got\n%s", want, &b)
		}
	}
}
