package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/akscert/akscert/pkg/report"
)

// everywhere is ill with s in every text, for a saved report may come from
// anywhere. Only the words stay that report.Read insists on, and the ids that hold
// the report together are told apart.
func everywhere(s string) *report.Report { return filled(s, true) }

// filled is everywhere, or without the words that an audit chooses from: a state,
// a role, a reason.
func filled(s string, words bool) *report.Report {
	r := ill()
	r.Sampling = s
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			if v.Type().PkgPath() == "time" {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			switch v.Interface().(type) {
			case report.State, report.Severity, report.Outcome: // report.Read refuses any other
			default:
				if v.String() != "" && (words || v.Type() == reflect.TypeFor[string]()) {
					v.SetString(s)
				}
			}
		}
	}
	walk(reflect.ValueOf(r).Elem())
	old := ill() // in the same order
	r.SchemaVersion, r.Kind = old.SchemaVersion, old.Kind
	for i := range r.Clusters {
		r.Clusters[i].ID = old.Clusters[i].ID + s
	}
	for i, c := range old.Certificates {
		r.Certificates[i].ID = c.ID + s
		if r.Certificates[i].Cluster = c.Cluster; c.Cluster != "" {
			r.Certificates[i].Cluster += s
		}
	}
	for i, f := range old.Findings {
		r.Findings[i].Cluster, r.Findings[i].Certificate, r.Findings[i].RemedyID = f.Cluster+s, f.Certificate+s, f.RemedyID+s
	}
	for i := range r.Remedies {
		r.Remedies[i].ID = old.Remedies[i].ID + s
	}
	return r
}

// evil is text that does something, somewhere.
var evil = map[string]string{
	"nothing":               "harmless",
	"terminal":              "x\x1b[2J\x1b]0;title\x07\x9b31m\x7f\u009b31m\b\b",
	"a row of its own":      "x\nexpired  2020-01-01  forged\r\nresult: ok",
	"bidi":                  "user\u202egpj.exe\u2066\u200f",
	"GitHub command":        "::error::forged",
	"GitHub, after a line":  "x\n::set-output name=x::y\n  ::error file=a::b",
	"GitHub, the old way":   "x ##[error]forged ##[set-env name=PATH]evil",
	"Azure DevOps":          "x ##vso[task.setvariable variable=PATH]evil ##VSO[task.complete result=Failed;] ###vso[a.b]",
	"Azure, hidden":         "x #\u200b#vso[task.complete result=Failed;]y #\u00ad#[error]",
	"HTML":                  `<script>alert(1)</script><img src=x onerror=alert(1)>"'><!-- </td></table> &lt;script&gt;`,
	"Markdown":              "`|`` ||| \\| \\` [a](javascript:alert(1)) ![i](https://evil.example/x.png) **b** _i_ ~~s~~ <b> # h\n# h\n- l\n```\n",
	"mentions":              "@octocat someone@example.com #1 GH-1 https://evil.example www.evil.example octo/repo#2",
	"a formula":             "=cmd|'/C calc'!A0",
	"a formula, quoted":     `"=1+1`,
	"a formula, wide":       "＝1+1",
	"a formula, minus":      "-2+3+cmd|' /C calc'!A0",
	"a formula, plus":       "+1;=1+1\t=1+1",
	"a formula, at":         "@SUM(1,1)",
	"a formula, tab":        "\t=1+1",
	"a formula, return":     "\r=1+1",
	"a formula, spaced":     "  =1+1",
	"a label":               "\"} 1\nup{job=\"x\\\"} 2 # {trace_id=\"x\"}",
	"XML":                   "]]><failure/><!DOCTYPE x> \x00\x01\ufffe\uffff &#0; &x;",
	"YAML":                  "- a: b\n? c\n--- !!python/object:x &a *a {b: [c #d\n...\n%YAML 1.1",
	"YAML words":            "on",
	"YAML numbers":          "12:30:45",
	"no UTF-8":              "bad\xff\xfe\xc0\xafutf8\xed\xa0\x80",
	"performance data":      "x | 'ok'=9;;;\n'expired'=0 | y",
	"properties":            "x;type=error]y,title=z%0A::error::%25%3A",
	"SARIF":                 "{0} {{ }} [link](https://evil.example) [a](1) \\[",
	"paths":                 "../../etc/passwd",
	"addresses":             "https://evil.example/x?y#z",
	"astral":                "\U000e0041\U0001f600\U0010ffff\U0001d7d8",
	"a replacement of ours": "\ufffd",
	"Windows":               `C:\Users\me\.kube\config#users/x`,
	"a space":               " ",
	"empty":                 "",
}

// What a certificate, a cluster or Azure says does no harm in any format, and
// every format is still what it says it is.
// forPeople are the formats whose words only an audit chooses.
func forPeople() []drawing {
	return []drawing{{"html", "", HTML},
		{"table", "", func(w io.Writer, r *report.Report) error { return Table(w, r, Look{}) }},
		{"wide", "", func(w io.Writer, r *report.Report) error { return Table(w, r, Look{Wide: true}) }}}
}

func TestHostile(t *testing.T) {
	for name, text := range evil {
		t.Run(name, func(t *testing.T) {
			r := everywhere(text)
			for _, d := range append(drawings(), forPeople()...) {
				r := r
				if d.extension == "" {
					r = filled(text, false)
				}
				out := drawn(t, d.draw, r)
				harmless(t, d.name, out)
				if read := readers()[d.name]; read != nil {
					read(t, out, r)
				}
			}
		})
	}
}

var (
	commands = regexp.MustCompile(`(?i)##(vso)?\[`)
	workflow = regexp.MustCompile(`^\s*::[A-Za-z]`)
)

// harmless is what holds for every format: nothing in it moves a cursor, and no
// line of it is a command to a CI system, unless it is one of ours.
func harmless(t *testing.T, format string, out []byte) {
	t.Helper()
	if !utf8.Valid(out) {
		t.Errorf("%s: not UTF-8", format)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if format == "csv" {
			line = strings.TrimSuffix(line, "\r")
		}
		for _, c := range line {
			if !strconv.IsPrint(c) && (c != '\t' || format != "html") {
				t.Errorf("%s: %U in %q", format, c, line)
			}
		}
		switch format {
		case "github":
			rest := regexp.MustCompile(`^::(error|warning|notice) title=[^:,]*::`).ReplaceAllString(line, "")
			if len(rest) == len(line) || commands.MatchString(line) {
				t.Errorf("%s: %q", format, line)
			}
		case "azure-devops":
			rest := regexp.MustCompile(`^##vso\[task\.logissue type=(error|warning);\]`).ReplaceAllString(line, "")
			if len(rest) == len(line) || commands.MatchString(rest) || strings.ContainsAny(rest, ";]") {
				t.Errorf("%s: %q", format, line)
			}
		default:
			if commands.MatchString(line) || workflow.MatchString(line) {
				t.Errorf("%s: a command in %q", format, line)
			}
		}
	}
}

// readers read a format back, and compare it with the report.
func readers() map[string]func(*testing.T, []byte, *report.Report) {
	return map[string]func(*testing.T, []byte, *report.Report){
		"json": func(t *testing.T, out []byte, r *report.Report) {
			var got report.Report
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			equalJSON(t, "json", &got, r)
		},
		"yaml":       readYAML,
		"csv":        readCSV,
		"markdown":   readMarkdown,
		"junit":      readJUnit,
		"sarif":      readSARIF,
		"prometheus": readPrometheus,
		"nagios":     readNagios,
		"html": func(t *testing.T, out []byte, _ *report.Report) {
			for _, bad := range []string{"<script>alert", "<img src=x", "</td></table>"} {
				if bytes.Contains(out, []byte(bad)) {
					t.Errorf("html: %s", bad)
				}
			}
		},
	}
}

// equalJSON compares two reports as JSON has them.
func equalJSON(t *testing.T, format string, got, want any) {
	t.Helper()
	canonical := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var a any
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
		b, _ = json.Marshal(a)
		return string(b)
	}
	if g, w := canonical(got), canonical(want); g != w {
		t.Errorf("%s: read back differs:\n%s\nwant\n%s", format, g, w)
	}
}

func readYAML(t *testing.T, out []byte, r *report.Report) {
	var got any
	if err := yaml.Unmarshal(out, &got); err != nil {
		t.Fatalf("yaml: %v\n%s", err, out)
	}
	equalJSON(t, "yaml", got, r)
}

func readCSV(t *testing.T, out []byte, r *report.Report) {
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll() // refuses lines of another length
	if err != nil {
		t.Fatalf("csv: %v", err)
	}
	if want := 1 + len(r.Certificates) + len(r.Findings) + len(r.Gaps); len(rows) != want {
		t.Errorf("csv: %d lines, want %d", len(rows), want)
	}
	number := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	for _, row := range rows {
		for _, cell := range row {
			start := strings.TrimLeft(cell, "\"` \u2018\u2019\u201c\u201d")
			if start != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(start)[0]) && !number.MatchString(cell) {
				t.Errorf("csv: a formula: %q", cell)
			}
		}
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(out, []byte("\r\n")), []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n") {
			t.Errorf("csv: line %d has a line end in it", i)
		}
	}
}

var (
	// What comes first counts: an escaped backtick opens no code, and in code
	// nothing is escaped.
	codeSpan   = regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]|`[^`]*`")
	keptApart  = regexp.MustCompile(`<span>[@#./-]</span>`)
	fencedOpen = regexp.MustCompile("^ *(`{3,})sh$")
)

// readMarkdown takes away what is code, and what is escaped; what is left must be
// ours alone.
func readMarkdown(t *testing.T, out []byte, _ *report.Report) {
	fence, columns := "", 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if fence != "" {
			if strings.TrimSpace(line) == fence {
				fence = ""
			} else if strings.Contains(line, fence) {
				t.Errorf("markdown: a command ends its fence: %q", line)
			}
			continue
		}
		if open := fencedOpen.FindStringSubmatch(line); open != nil {
			fence = open[1]
			continue
		}
		if strings.HasPrefix(line, "|") {
			if n := strings.Count(line, "|"); columns == 0 {
				columns = n
			} else if n != columns {
				t.Errorf("markdown: %d bars, want %d: %s", n, columns, line)
			}
		}
		rest := keptApart.ReplaceAllString(codeSpan.ReplaceAllString(line, " "), " ")
		for _, bad := range []string{"<", ">", "`", "](", "@", "://", "www.", "~~"} {
			if strings.Contains(rest, bad) {
				t.Errorf("markdown: %s in %q, of %q", bad, rest, line)
			}
		}
	}
	if fence != "" {
		t.Error("markdown: a fence is open")
	}
}

// A test result as the schemas of Ant (windyroad/JUnit-Schema) and of Jenkins'
// xunit plugin (junit-10.xsd) both allow it: which attributes there must and may
// be, and which elements in which order.
func readJUnit(t *testing.T, out []byte, r *report.Report) {
	type rule struct{ must, may, children string }
	rules := map[string]rule{
		"testsuites": {"", "", "testsuite"},
		"testsuite":  {"name tests failures errors time timestamp hostname package id", "skipped", "properties testcase system-out system-err"},
		"properties": {"", "", "property"},
		"property":   {"name value", "", ""},
		"testcase":   {"name classname time", "", "skipped error failure"},
		"failure":    {"type", "message", ""},
		"error":      {"type", "message", ""},
		"skipped":    {"", "message", ""},
		"system-out": {"", "", ""},
		"system-err": {"", "", ""},
	}
	type seen struct {
		name     string
		children []string
		counts   map[string]int
		said     map[string]string
	}
	var stack []*seen
	total := map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(out))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("junit: %v\n%s", err, out)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			want, ok := rules[name]
			if !ok {
				t.Fatalf("junit: element %s", name)
			}
			here := &seen{name: name, counts: map[string]int{}, said: map[string]string{}}
			for _, a := range e.Attr {
				here.said[a.Name.Local] = a.Value
				if !strings.Contains(" "+want.must+" "+want.may+" ", " "+a.Name.Local+" ") {
					t.Errorf("junit: attribute %s of %s", a.Name.Local, name)
				}
			}
			for _, must := range strings.Fields(want.must) {
				if here.said[must] == "" && must != "value" {
					t.Errorf("junit: %s has no %s", name, must)
				}
			}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, name)
				for i := len(stack) - 1; i >= 0; i-- {
					stack[i].counts[name]++
				}
			}
			total[name]++
			stack = append(stack, here)
		case xml.EndElement:
			here := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			order := strings.Fields(rules[here.name].children)
			last := 0
			for _, child := range here.children {
				i := -1
				for j, known := range order {
					if known == child {
						i = j
					}
				}
				if i < last {
					t.Errorf("junit: %s in %s, out of order", child, here.name)
				}
				last = i
			}
			switch here.name {
			case "testcase":
				if len(here.children) > 1 {
					t.Errorf("junit: %d results of one test", len(here.children))
				}
			case "testsuite":
				for attribute, element := range map[string]string{"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"} {
					if got := here.said[attribute]; got != strconv.Itoa(here.counts[element]) {
						t.Errorf("junit: %s=%s, counted %d", attribute, got, here.counts[element])
					}
				}
				for attribute, pattern := range map[string]string{"time": `^[0-9]+\.[0-9]{3}$`, "timestamp": `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$`} {
					if !regexp.MustCompile(pattern).MatchString(here.said[attribute]) {
						t.Errorf("junit: %s=%q", attribute, here.said[attribute])
					}
				}
				if here.counts["system-out"] != 1 || here.counts["system-err"] != 1 || here.counts["properties"] != 1 {
					t.Error("junit: a suite lacks system-out, system-err or properties")
				}
			}
		}
	}
	gaps := 0
	for _, g := range r.Gaps {
		if g.Waiver == nil {
			gaps++
		}
	}
	if total["error"] != gaps {
		t.Errorf("junit: %d errors, %d gaps that nobody waived", total["error"], gaps)
	}
}

func readPrometheus(t *testing.T, out []byte, r *report.Report) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("prometheus: %v\n%s", err, out)
	}
	if got := len(families["akscert_cert_state"].GetMetric()); got != len(r.Certificates) {
		t.Errorf("prometheus: %d states, %d certificates", got, len(r.Certificates))
	}
	series := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name := line[:strings.LastIndexByte(line, ' ')]
		if series[name] {
			t.Errorf("prometheus: twice: %s", line)
		}
		series[name] = true
	}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			if m.TimestampMs != nil {
				t.Errorf("prometheus: %s has a timestamp", name)
			}
			if name == "akscert_cert_state" {
				for _, pair := range m.GetLabel() {
					if pair.GetName() == "location" && pair.GetValue() != Visible(pair.GetValue()) {
						t.Errorf("prometheus: %q", pair.GetValue())
					}
				}
			}
		}
	}
}

func readNagios(t *testing.T, out []byte, _ *report.Report) {
	data := `'?[a-z_-]+'?=-?[0-9]+(\.[0-9]+)?s?(;;;0)?`
	line := regexp.MustCompile(`^AKSCERT (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n<>]* \| ` + data + `( ` + data + `)*\n$`)
	if !line.Match(out) {
		t.Errorf("nagios: %q", out)
	}
}
