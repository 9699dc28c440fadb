package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/akscert/akscert/pkg/report"
)

// htmlEverything is a report with one of everything, which the browser in
// testdata/html looks at, too.
func htmlEverything(t testing.TB) *report.Report {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "html", "everything-wrong.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asPage(t testing.TB, r *report.Report) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), root
}

func attributeOf(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func elementsOf(root *html.Node, names ...string) (list []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && (len(names) == 0 || slices.Contains(names, n.Data)) {
			list = append(list, n)
		}
	}
	return list
}

// wordsOf is the text of n, without the style's.
func wordsOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// Everything that a report says is in the page, and each certificate is one row
// of a real table.
func TestHTMLSaysEverything(t *testing.T) {
	r := htmlEverything(t)
	_, root := asPage(t, r)
	text := wordsOf(root)
	if len(r.Waivers) == 0 {
		t.Fatal("no waivers")
	}
	say := func(what, s string) {
		t.Helper()
		if s = htmlVisible(s); !strings.Contains(text, s) {
			t.Errorf("%s is not in the page: %q", what, s)
		}
	}
	for _, c := range r.Clusters {
		for _, s := range []string{c.Name, c.Context, c.Server, c.ResourceID, c.KubernetesVersion} {
			say("of a cluster", s)
		}
		for _, s := range c.Sources {
			say("a source", string(s.Source))
			say("a source's status", s.Why)
		}
		if c.Rotation != nil {
			say("a verdict", string(c.Rotation.Verdict))
			for _, e := range c.Rotation.Evidence {
				say("evidence", e.Check+" "+e.Detail)
			}
		}
	}
	for _, f := range r.Findings {
		say("a finding", f.Rule+" "+f.Message)
	}
	for _, x := range r.Remedies {
		for _, s := range append([]string{x.Summary, x.Impact, x.Docs}, x.Commands...) {
			say("of a remedy", s)
		}
	}
	for _, g := range r.Gaps {
		for _, s := range append([]string{g.Message, g.Hint, g.Node, g.Location, string(g.Reason), g.Cluster}, g.Nodes...) {
			if g.Cluster != s || !slices.ContainsFunc(r.Clusters, func(c report.Cluster) bool { return c.ID == s }) {
				say("of a gap", s)
			}
		}
	}
	for _, w := range r.Waivers {
		say("a waiver", w.ID)
		say("a waiver's reason", w.Reason)
		say("a waiver's day", w.Expires)
	}
	say("a waived finding", "waived until 2026-12-31 by known: we know")
	say("what is waived no more", "the waiver over has expired")
	say("a waived remedy", "waived until 2026-12-31")
	rows := map[string]int{}
	for _, section := range elementsOf(root, "section") {
		if attributeOf(section, "class") != "cluster" {
			continue
		}
		for _, tr := range elementsOf(section, "tr") {
			rows[wordsOf(tr)]++
		}
	}
	for _, c := range r.Certificates {
		found := 0
		for row, n := range rows {
			whole := true
			for _, s := range []string{string(c.State), string(c.Role), c.Node, c.Location, c.Subject, c.Issuer, c.Serial, c.SHA256, c.Malformed, string(c.Renewal), left(c), when(c)} {
				whole = whole && strings.Contains(row, htmlVisible(s))
			}
			if whole {
				found += n
			}
		}
		if found != 1 {
			t.Errorf("%d rows of %s", found, c.ID)
		}
	}
}

// The page runs nothing, asks for nothing, and its policy allows the one style
// in it alone.
func TestHTMLIsInert(t *testing.T) {
	for name, r := range map[string]*report.Report{"everything": htmlEverything(t), "many": many(50), "nothing": {Outcome: report.OutcomeOK, Complete: true}} {
		page, root := asPage(t, r)
		if !strings.HasPrefix(page, "<!doctype html>\n<html lang=\"en\">") || !strings.HasSuffix(page, "</html>\n") {
			t.Errorf("%s: begins or ends otherwise", name)
		}
		style := elementsOf(root, "style")
		if len(style) != 1 {
			t.Fatalf("%s: %d styles", name, len(style))
		}
		sum := sha256.Sum256([]byte(style[0].FirstChild.Data))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
		ids := map[string]bool{}
		var links []string
		policy := ""
		for _, n := range elementsOf(root) {
			if slices.Contains([]string{"script", "iframe", "object", "embed", "form", "input", "button", "link", "base", "img", "image", "audio", "video", "foreignobject", "animate", "set"}, n.Data) {
				t.Errorf("%s: <%s>", name, n.Data)
			}
			if n.Data == "meta" && attributeOf(n, "http-equiv") == "Content-Security-Policy" {
				policy = attributeOf(n, "content")
			}
			for _, a := range n.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcdoc":
					t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
				case a.Key == "id":
					if ids[a.Val] || a.Val == "" {
						t.Errorf("%s: id %q is there twice", name, a.Val)
					}
					ids[a.Val] = true
				case a.Key == "href":
					links = append(links, a.Val)
				}
			}
		}
		if policy != want {
			t.Errorf("%s: policy %s\nwant %s", name, policy, want)
		}
		for _, link := range links {
			to, inside := strings.CutPrefix(link, "#")
			if inside && !ids[to] || !inside && !strings.HasPrefix(link, "https://learn.microsoft.com/") {
				t.Errorf("%s: link to %s", name, link)
			}
		}
		if css := style[0].FirstChild.Data; strings.Contains(css, "url(") || strings.Contains(css, "@import") {
			t.Errorf("%s: the style asks for something", name)
		}
		again, _ := asPage(t, r)
		if page != again {
			t.Errorf("%s: another page the second time", name)
		}
	}
}

// A screen reader finds its way: landmarks, headings in order, tables with
// captions, scopes and roles, and drawings that are named or passed over.
func TestHTMLIsReadable(t *testing.T) {
	for _, r := range []*report.Report{htmlEverything(t), many(50)} {
		_, root := asPage(t, r)
		for _, name := range []string{"header", "main", "footer", "nav", "h1"} {
			if n := len(elementsOf(root, name)); n != 1 {
				t.Errorf("%d of %s", n, name)
			}
		}
		level := 0
		for _, h := range elementsOf(root, "h1", "h2", "h3", "h4", "h5", "h6") {
			n := int(h.Data[1] - '0')
			if n > level+1 || strings.TrimSpace(wordsOf(h)) == "" {
				t.Errorf("%s after h%d: %q", h.Data, level, wordsOf(h))
			}
			level = n
		}
		for _, table := range elementsOf(root, "table") {
			if attributeOf(table, "role") != "table" || len(elementsOf(table, "caption")) != 1 {
				t.Errorf("a table without role or caption")
			}
			heads := len(elementsOf(elementsOf(table, "thead")[0], "th"))
			for i, tr := range elementsOf(table, "tr") {
				if n := len(elementsOf(tr, "th", "td")); n != heads || attributeOf(tr, "role") != "row" {
					t.Errorf("row %d has %d cells of %d, role %q", i, n, heads, attributeOf(tr, "role"))
				}
			}
			for _, cell := range elementsOf(table, "th", "td") {
				want := map[string]string{"col": "columnheader", "row": "rowheader", "": "cell"}[attributeOf(cell, "scope")]
				if attributeOf(cell, "role") != want || cell.Data == "th" && want == "cell" {
					t.Errorf("<%s scope=%s role=%s>", cell.Data, attributeOf(cell, "scope"), attributeOf(cell, "role"))
				}
			}
		}
		for _, svg := range elementsOf(root, "svg") {
			if named := attributeOf(svg, "role") == "img" && attributeOf(svg, "aria-label") != ""; named == (attributeOf(svg, "aria-hidden") == "true") {
				t.Errorf("a drawing that is neither named nor hidden: %v", svg.Attr)
			}
		}
		// Text from outside has a direction of its own.
		for n := range root.Descendants() {
			if n.Type == html.TextNode && (strings.Contains(n.Data, "שלום") || strings.Contains(n.Data, "בדיקה")) && n.Parent.Data != "bdi" && n.Parent.Data != "caption" {
				t.Errorf("in <%s>: %s", n.Parent.Data, n.Data)
			}
		}
	}
}

// What a report says, wherever it says it, does no harm.
func TestHTMLIsSafe(t *testing.T) {
	for _, evil := range []string{
		"<script>alert(1)</script>", `"onload="alert(1)`, "'onmouseover='alert(1)", "]]>", "--><img src=x onerror=alert(1)>", "</style><script>alert(1)</script>", "</title><b>", "{{.R}}", "javascript:alert(1)",
		"https://learn.microsoft.com/\" onclick=\"x", "https://learn.microsoft.com.example.com/", "user\u202egpj.exe", "\x1b[31mred\x1b[0m", "a\nexpired  forged row\r\n", "\x00\x7f\u0085", "bad\xff\xfeutf8", "&lt;b&gt;&#x3c;b&#62;", "Z" + strings.Repeat("\u0310", 500),
		strings.Repeat("x", 10_000), strings.Repeat("<b>", 1000), "\U000e0041\u200b\ufeff",
	} {
		r := htmlEverything(t)
		plain := len(elementsOf(func() *html.Node { _, root := asPage(t, r); return root }(), "b", "img", "script"))
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		r.Tool, r.Sampling, r.Outcome = report.Tool{Name: evil, Version: evil}, evil, report.Outcome(evil)
		r.Policy = report.Policy{WarnAt: evil, CriticalAt: evil, WarnLead: evil, CriticalLead: evil, UnknownLifetime: report.Unknown{WarnAt: evil, CriticalAt: evil}, FailOn: report.Severity(evil)}
		for i := range r.Clusters {
			c := &r.Clusters[i]
			*c = report.Cluster{ID: c.ID, Name: evil, Context: evil, Server: evil, ResourceID: evil, ResourceGroup: evil, Location: evil, KubernetesVersion: evil, PowerState: evil, ProvisioningState: evil,
				CreatedAt: &at, Sources: []report.SourceStatus{{Source: report.Source(evil), Status: report.Status(evil), Why: evil}},
				Credentials: []report.Credential{{User: evil, Kinds: []string{evil}}},
				Rotation:    &report.Rotation{Verdict: report.Verdict(evil), Evidence: []report.Evidence{{Check: evil, Result: report.Result(evil), Detail: evil}}}}
		}
		for i := range r.Certificates {
			c := &r.Certificates[i]
			c.Source, c.Role, c.Node, c.Location, c.Subject, c.Issuer, c.Serial, c.SHA256, c.Malformed, c.Renewal = report.Source(evil), report.Role(evil), evil, evil, evil, evil, evil, evil, evil, report.Renewal(evil)
			if i%2 == 0 {
				c.State = report.State(evil)
			}
			if i%3 == 0 {
				c.Cluster = evil
			}
		}
		for i := range r.Findings {
			f := &r.Findings[i]
			f.Rule, f.Severity, f.Node, f.Message, f.ExpiredWaiver = evil, report.Severity(evil), evil, evil, evil
			f.Waiver = &report.Waived{ID: evil, Expires: evil, Reason: evil}
		}
		r.Waivers = []report.Waiver{{ID: evil, Kind: report.WaiverKind(evil), Expires: evil, Reason: evil, Status: report.WaiverStatus(evil)}}
		for i := range r.Remedies {
			r.Remedies[i] = report.Remedy{ID: r.Remedies[i].ID, Summary: evil, Commands: []string{evil}, Impact: evil, Docs: evil}
		}
		for i := range r.Gaps {
			r.Gaps[i] = report.Gap{Cluster: evil, Source: report.Source(evil), Node: evil, Nodes: []string{evil}, Count: 2, Location: evil, Reason: report.Reason(evil), Message: evil, Hint: evil}
		}
		page, root := asPage(t, r)
		if strings.ContainsAny(page, "\x1b\u202e\x00\r\u200b\ufeff\U000e0041") || !utf8.ValidString(page) || strings.Contains(page, "\nexpired") || strings.Contains(page, strings.Repeat("\u0310", 5)) {
			t.Errorf("%.40q stands in the page as it is", evil)
		}
		if !strings.Contains(wordsOf(root), htmlVisible(evil)) {
			t.Errorf("%.40q is not to be seen", evil)
		}
		for _, n := range elementsOf(root) {
			if n.Data == "script" || n.Data == "img" {
				t.Errorf("%.40q: <%s>", evil, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "href" && !strings.HasPrefix(a.Val, "#") && a.Val != evil {
					t.Errorf("%.40q: <%s %s=%q>", evil, n.Data, a.Key, a.Val)
				}
			}
		}
		if now := len(elementsOf(root, "b", "img", "script")); now > plain+60 { // the page's own, of more groups
			t.Errorf("%.40q: %d elements of its own", evil, now-plain)
		}
	}
}

// Every colour can be read on what it stands on, by daylight, at night, and on
// paper: WCAG AA is 4.5 for text and 3 for drawings.
func TestHTMLContrast(t *testing.T) {
	css, err := pages.ReadFile("html/style.css")
	if err != nil {
		t.Fatal(err)
	}
	palettes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	if len(palettes) != 3 {
		t.Fatalf("%d palettes", len(palettes))
	}
	for i, name := range []string{"light", "dark", "print"} {
		color := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(palettes[i][1], -1) {
			color[m[1]] = htmlLuminance(m[2])
		}
		check := func(least float64, front, back string) {
			t.Helper()
			f, fok := color[front]
			b, bok := color[back]
			if ratio := (max(f, b) + 0.05) / (min(f, b) + 0.05); !fok || !bok || ratio < least {
				t.Errorf("%s: --%s on --%s: %.2f", name, front, back, ratio)
			}
		}
		for _, word := range []string{"ink", "soft", "link", "ok", "due", "warning", "critical", "expired", "info"} {
			check(4.5, word, "page")
			check(4.5, word, "panel")
		}
		for _, solid := range []string{"critical", "expired"} {
			check(4.5, "on-solid", solid)
		}
		for _, drawn := range []string{"ink", "due", "ok", "warning", "critical", "expired", "info"} {
			check(3, drawn, "track")
		}
	}
}

func htmlLuminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// A life is drawn where it is, and not drawn where nothing is known.
func TestHTMLLife(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	at := func(days int) *time.Time { d := now.AddDate(0, 0, days); return &d }
	share := func(f float64) *float64 { return &f }
	tests := []struct {
		name string
		c    report.Certificate
		want htmlLife
	}{
		{"half", report.Certificate{NotBefore: at(-50), NotAfter: at(50), LifetimeUsed: share(0.5), WarnsAt: at(30), CriticalAt: at(45), State: report.StateOK},
			htmlLife{Class: "ok", Used: "44%", Now: "50%", Warns: "76.4%", Critical: "89.6%", Percent: "50 % used"}},
		{"a kubelet's", report.Certificate{Role: report.RoleKubeletClient, Renewal: report.RenewalAutomatic, LifetimeUsed: share(0.85), State: report.StateDue}, htmlLife{Class: "due", Used: "74.8%", Now: "80.8%", Window: true, Percent: "85 % used"}},
		{"expired", report.Certificate{LifetimeUsed: share(40), State: report.StateExpired}, htmlLife{Class: "expired", Used: "88%", Now: "98%", Percent: "4000 % used"}},
		{"not begun", report.Certificate{LifetimeUsed: share(0), State: report.StateNotYetValid}, htmlLife{Class: "critical", Now: "2%", Percent: "not begun"}},
		{"only its end", report.Certificate{NotAfter: at(5), State: report.StateWarning}, htmlLife{Class: "warning", Open: true}},
		{"inverted", report.Certificate{NotBefore: at(5), NotAfter: at(-5), State: report.StateExpired}, htmlLife{Class: "expired", Why: "none: it ends before it begins"}},
		{"nothing", report.Certificate{State: report.StateOK}, htmlLife{Class: "ok", Why: "not known"}},
		{"a copy", report.Certificate{Role: report.RoleAPIServerCopy, LifetimeUsed: share(2), State: report.StateExpired}, htmlLife{Class: "info", Used: "88%", Now: "98%", Percent: "200 % used"}},
	}
	for _, test := range tests {
		got := newHTMLLife(&test.c)
		got.begin, got.length = 0, 0
		if got != test.want {
			t.Errorf("%s:\n%+v, want\n%+v", test.name, got, test.want)
		}
	}
}

// All that end in one month are one mark, with the worst of them.
func TestHTMLLane(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var list []*report.Certificate
	for _, x := range []struct {
		days  int
		state report.State
	}{{-9000, report.StateExpired}, {-1, report.StateExpired}, {0, report.StateCritical}, {3, report.StateWarning}, {35, report.StateOK}, {729, report.StateOK}, {730, report.StateOK}, {99999, report.StateDue}} {
		end := now.AddDate(0, 0, x.days)
		list = append(list, &report.Certificate{NotAfter: &end, State: x.state})
	}
	list = append(list, &report.Certificate{State: report.StateOK})
	got := newHTMLLane(now, list)
	var marks []string
	for _, m := range got.Marks {
		marks = append(marks, fmt.Sprintf("%s %s %s", m.X, m.State, m.Title))
	}
	want := []string{"5% expired past: 2 certificates, worst expired", "11.7% critical 1st of the coming months: 2 certificates, worst critical", "15% ok 2nd of the coming months: 1 certificate, worst ok",
		"88.3% ok 24th of the coming months: 1 certificate, worst ok", "95% due later: 2 certificates, worst due"}
	if !slices.Equal(marks, want) {
		t.Errorf("got\n%s", strings.Join(marks, "\n"))
	}
	if want := "2 past, 2 within 30 days, 3 within 90 days, 4 within 24 months, 2 later, 1 with no known end"; got.Words != want {
		t.Errorf("got %s", got.Words)
	}
}

// What is ok is folded where it is much, and never else; what could not be
// examined is never ok.
func TestHTMLFolds(t *testing.T) {
	for _, n := range []int{htmlMostOK, htmlMostOK + 1} {
		r := many(n)
		for i := range r.Certificates {
			r.Certificates[i].State = report.StateOK
		}
		r.Gaps = []report.Gap{{Cluster: "prod", Count: 1}}
		r.Conclude(0, false)
		p := newHTMLPage(r)
		if folded := len(p.Groups[0].Folded.Rows); (folded > 0) != (n > htmlMostOK) || folded+len(p.Groups[0].Shown.Rows) != n {
			t.Errorf("%d of %d are folded", folded, n)
		}
		if p.Groups[0].Worst != "incomplete" {
			t.Errorf("worst is %s", p.Groups[0].Worst)
		}
	}
}

// A gap that stands for several nodes is as many places, as in the other formats.
func TestHTMLCountsPlaces(t *testing.T) {
	r := many(1)
	r.Gaps = []report.Gap{{Cluster: "prod", Count: 4}, {Count: 1}}
	r.Conclude(0, false)
	page, _ := asPage(t, r)
	for _, want := range []string{"Not examined (5)", "knows nothing about: 5 places", "See 5 places under Not examined."} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if p := newHTMLPage(r); p.Groups[0].Gaps != 4 {
		t.Errorf("%d places of the cluster", p.Groups[0].Gaps)
	}
}

func TestHTMLFails(t *testing.T) {
	if err := HTML(brokenPipe{}, many(1)); err == nil {
		t.Error("a page that could not be written is no error")
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func BenchmarkHTML(b *testing.B) { benchmark(b, HTML) }

// A cluster that somebody has decided to live with does not stand above one that
// nobody has.
func TestHTMLWaivedCluster(t *testing.T) {
	r := blank()
	for _, id := range []string{"a", "b"} {
		r.Clusters = append(r.Clusters, report.Cluster{ID: id, Name: id, Sources: []report.SourceStatus{}})
	}
	add(r, "a", report.SourceKubeconfig, report.RoleClient, "", "k#users/a", -1, report.StateExpired, "")
	add(r, "b", report.SourceKubeconfig, report.RoleClient, "", "k#users/b", 100, report.StateWarning, "")
	r.Findings[0].Waiver = &report.Waived{ID: "w", Expires: "2026-12-31", Reason: "x"}
	r.Findings = append(r.Findings, report.Finding{Rule: "ca-mismatch", Severity: report.SeverityCritical, Cluster: "a", Message: "x", Waiver: r.Findings[0].Waiver})
	p := newHTMLPage(r)
	var got []string
	for _, g := range p.Groups {
		got = append(got, g.Name+" "+g.Worst)
	}
	if want := []string{"b warning", "a waived"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
