package render

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// A check does not say OK for what nobody looked at, and says what is waived.
func TestPluginOfWhatIsWaived(t *testing.T) {
	unexamined := func(certificates bool, waived ...bool) *report.Report {
		r := blank()
		if certificates {
			r = clean()
		}
		for _, w := range waived {
			g := report.Gap{Source: report.SourceNode, Count: 2, Reason: report.ReasonForbidden, Message: "may not be read"}
			if w {
				g.Waiver = &report.Waived{ID: "w", Expires: "2026-12-31", Reason: "known"}
			}
			r.Gaps = append(r.Gaps, g)
		}
		r.Complete, r.Outcome, r.ExitCode = len(waived) == 0, report.OutcomeOK, report.ExitOK
		return r
	}
	for name, test := range map[string]struct {
		r    *report.Report
		code int
		want []string
	}{
		"nothing seen, all waived": {unexamined(false, true), 3, []string{"AKSCERT UNKNOWN - no certificates; 2 places not examined, all waived", " gaps=2;;;0 gaps_waived=2;;;0 "}},
		"nothing seen, allowed":    {unexamined(false, false), 3, []string{"AKSCERT UNKNOWN - no certificates; 2 places not examined |", " gaps_waived=0;;;0 "}},
		"all waived":               {unexamined(true, true, true), 0, []string{"AKSCERT OK - 2 ok; 4 places not examined, all waived", " gaps=4;;;0 gaps_waived=4;;;0 "}},
		"one waived":               {unexamined(true, true, false), 0, []string{"; 4 places not examined, 2 of them waived", " gaps=4;;;0 gaps_waived=2;;;0 "}},
		"nothing to see":           {unexamined(false), 0, []string{"AKSCERT OK - no certificates |", " gaps=0;;;0 gaps_waived=0;;;0 "}},
	} {
		if code, _ := PluginStatus(test.r); code != test.code {
			t.Errorf("%s: %d, want %d", name, code, test.code)
		}
		line := string(drawn(t, Nagios, test.r))
		for _, want := range test.want {
			if !strings.Contains(line, want) {
				t.Errorf("%s: no %q in %s", name, want, line)
			}
		}
	}
}

// Waivers that cover nothing are told of.
func TestIdleWaiversAreTold(t *testing.T) {
	r := clean()
	r.Waivers = []report.Waiver{
		{ID: "idle", Kind: report.WaiverOfGaps, Expires: "2026-12-31", Reason: "just in case", Status: report.WaiverUnused},
		{ID: "past", Kind: report.WaiverOfFindings, Expires: "2026-05-01", Reason: "a robot", Status: report.WaiverExpired},
		{ID: "held", Kind: report.WaiverOfFindings, Expires: "2026-12-31", Reason: "moving", Status: report.WaiverUsed, Matches: 3}}
	for name, test := range map[string]struct {
		draw func(io.Writer, *report.Report) error
		want []string
	}{
		"markdown": {Markdown, []string{"### Waivers", "- `past` (until 2026-05-01) **has expired**", "- `idle` (until 2026-12-31) **is unused**", "- `held` (until 2026-12-31) covers 3: moving"}},
		"junit":    {JUnit, []string{"<system-out>the waiver past expired on 2026-05-01", "the waiver idle (until 2026-12-31) is unused"}},
		"sarif": {func(w io.Writer, r *report.Report) error {
			return SARIF(w, r, nil, Checkout{Root: "/src", Dir: "/src"})
		}, []string{`"id": "waiver/expired"`, "the waiver past expired on 2026-05-01", `"id": "waiver/unused"`, "the waiver idle (until 2026-12-31) is unused"}},
		"prometheus": {Prometheus, []string{`akscert_waiver{id="past",kind="finding",status="expired"} 1`, `akscert_waiver{id="idle",kind="gap",status="unused"} 1`, `akscert_waiver{id="held",kind="finding",status="used"} 1`}},
		"nagios":     {Nagios, []string{"; 1 waiver expired"}},
	} {
		out := string(drawn(t, test.draw, r))
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
		if read := readers()[name]; read != nil {
			read(t, []byte(out), r)
		}
	}
	if out := string(drawn(t, Markdown, clean())); strings.Contains(out, "Waivers") {
		t.Errorf("of no waivers: %s", out)
	}
}

// An annotation of a gap says where.
func TestAnnotationsSayWhere(t *testing.T) {
	r := clean()
	r.Gaps = []report.Gap{
		{Cluster: r.Clusters[0].ID, Source: report.SourceNode, Nodes: []string{"n0", "n1", "n2", "n3"}, Count: 4, Location: "/etc/kubernetes", Reason: report.ReasonTimeout, Message: "no answer"},
		{Source: report.SourceKubelet, Node: "n7", Count: 1, Reason: report.ReasonTimeout, Message: "no answer"}}
	out := string(drawn(t, func(w io.Writer, r *report.Report) error { return Annotations(w, r, GitHub) }, r))
	for _, want := range []string{" in prod::node n0, n1, n2 and 1 more nodes /etc/kubernetes: no answer\n", "::kubelet n7: no answer\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

// What is waived, or only informs, hurries nobody; places are counted, not rows.
func TestMarkdownDeadlines(t *testing.T) {
	waived := &report.Waived{ID: "w", Expires: "2026-12-31", Reason: "known"}
	r := clean()
	r.Remedies = []report.Remedy{{ID: "a", Summary: "first"}, {ID: "b", Summary: "second"}}
	r.Findings = []report.Finding{
		{Rule: "x", Severity: report.SeverityWarning, RemedyID: "a", By: in(5), Waiver: waived},
		{Rule: "x", Severity: report.SeverityInfo, RemedyID: "a", By: in(6)},
		{Rule: "x", Severity: report.SeverityWarning, RemedyID: "a", By: in(30)},
		{Rule: "x", Severity: report.SeverityWarning, RemedyID: "a", By: in(20)},
		{Rule: "x", Severity: report.SeverityWarning, RemedyID: "b", By: in(5), Waiver: waived}}
	r.Gaps = []report.Gap{{Source: report.SourceNode, Count: 3, Waiver: waived}, {Source: report.SourceNode, Count: 2, Waiver: waived}}
	out := string(drawn(t, Markdown, r))
	for _, want := range []string{"1. first (by 2026-06-21)\n", "2. second (waived until 2026-12-31)\n", "**5 places could not be examined**, all waived"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A row says that it is waived where its state stands, and not in the colour of an
// alarm: where all that counts against it is waived, and only there.
func TestWaivedRowsAreMarked(t *testing.T) {
	r := blank()
	r.Clusters = append(r.Clusters, cluster("prod"))
	id := r.Clusters[0].ID
	add(r, id, report.SourceNode, report.RoleOther, "", "whole", -5, report.StateExpired, "")
	add(r, id, report.SourceNode, report.RoleOther, "", "half", 5, report.StateCritical, "")
	add(r, id, report.SourceNode, report.RoleOther, "", "twice", 50, report.StateWarning, "")
	add(r, id, report.SourceNode, report.RoleOther, "", "bare", 60, report.StateWarning, "")
	add(r, id, report.SourceNode, report.RoleOther, "", "fine", 600, report.StateOK, "")
	r.Waivers = []report.Waiver{{ID: "a", Kind: report.WaiverOfFindings, Expires: "2026-12-31", Reason: "moving"}, {ID: "b", Kind: report.WaiverOfFindings, Expires: "2026-10-31", Reason: "known"}}
	a, b := r.Waivers[0].Waived(), r.Waivers[1].Waived()
	for i := range 3 {
		r.Findings[i].Waiver = &a
	}
	r.Findings = append(r.Findings,
		report.Finding{Rule: "rotation-overdue", Severity: report.SeverityWarning, Cluster: id, Certificate: r.Certificates[1].ID, Message: "late"},
		report.Finding{Rule: "rotation-overdue", Severity: report.SeverityWarning, Cluster: id, Certificate: r.Certificates[2].ID, Message: "late", Waiver: &b},
		report.Finding{Rule: "ca-mismatch", Severity: report.SeverityWarning, Cluster: id, Certificate: r.Certificates[4].ID, Message: "differs", Waiver: &b},
		report.Finding{Rule: "serving-self-signed", Severity: report.SeverityInfo, Cluster: id, Certificate: r.Certificates[0].ID, Message: "so it is"})
	r.Sort()
	r.Conclude(0, false)
	table := func(look Look) func(io.Writer, *report.Report) error {
		return func(w io.Writer, r *report.Report) error { return Table(w, r, look) }
	}
	for name, test := range map[string]struct {
		draw func(io.Writer, *report.Report) error
		want []string // in a line with the row's place, in order: whole, half, twice, bare, fine
	}{
		"table":    {table(Look{All: true}), []string{"expired, waived  5 days ago ", "critical         in 5 days ", "warning, waived  in 50 days ", "warning          in 60 days ", "ok               in 600 days "}},
		"wide":     {table(Look{All: true, Wide: true}), []string{"expired, waived ", "critical  ", "warning, waived ", "warning  ", "ok  "}},
		"colour":   {table(Look{All: true, Color: true}), []string{"\x1b[2mexpired, waived\x1b[0m ", "\x1b[31mcritical\x1b[0m ", "\x1b[2mwarning, waived\x1b[0m ", "\x1b[33mwarning\x1b[0m ", "\x1b[32mok\x1b[0m "}},
		"markdown": {Markdown, []string{"| `expired`, waived | ", "| `critical` | ", "| `warning`, waived | ", "| `warning` | ", "| `ok` | "}},
		"html": {HTML, []string{`<td role="cell"><span class="s info"><b>expired</b></span><br><span class="small">waived</span></td>`, `<span class="s critical solid"><b>critical</b></span></td>`,
			`<span class="s info"><b>warning</b></span><br><span class="small">waived</span></td>`, `<span class="s warning"><b>warning</b></span></td>`, `<span class="s ok"><b>ok</b></span></td>`}},
		"csv": {CSV, []string{",a,2026-12-31,moving,,sha256:", ",,,,,sha256:", `,a b,2026-10-31,"moving; known",,sha256:`, ",,,,,sha256:", ",,,,,sha256:"}},
	} {
		out := string(drawn(t, test.draw, r))
		for i, place := range []string{"whole", "half", "twice", "bare", "fine"} {
			row := ""
			for line := range strings.Lines(out) {
				if strings.Contains(line, place) && (strings.Contains(line, "CN=other") || name == "html") && !strings.Contains(line, "<li>") {
					row = line
				}
			}
			if !strings.Contains(row, test.want[i]) {
				t.Errorf("%s: no %q in the row %q of\n%s", name, test.want[i], row, out)
			}
		}
		if read := readers()[name]; read != nil {
			read(t, []byte(out), r)
		}
	}
	out := string(drawn(t, table(Look{Color: true}), r))
	for _, want := range []string{"\x1b[2mwarning\x1b[0m  ca-mismatch: differs (waived by b)", "     \x1b[2mexpired\x1b[0m  certificate-expired: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := string(drawn(t, HTML, r)); strings.Count(out, `class="life info"`) != 2 {
		t.Errorf("lives of what is waived are not drawn so:\n%s", out)
	}
}

// What only waived findings need stands behind what somebody has to do.
func TestWaivedRemediesComeLast(t *testing.T) {
	waived := &report.Waived{ID: "w", Expires: "2026-12-31", Reason: "known"}
	r := clean()
	r.Remedies = []report.Remedy{{ID: "a", Summary: "accepted"}, {ID: "b", Summary: "urgent"}, {ID: "c", Summary: "idle"}}
	r.Findings = []report.Finding{
		{Rule: "x", Severity: report.SeverityExpired, RemedyID: "a", Waiver: waived},
		{Rule: "x", Severity: report.SeverityInfo, RemedyID: "a"},
		{Rule: "x", Severity: report.SeverityWarning, RemedyID: "b"}}
	if out := string(drawn(t, Markdown, r)); !strings.Contains(out, "1. urgent\n\n   Cost: \n2. idle\n\n   Cost: \n3. accepted (waived until 2026-12-31)\n") {
		t.Errorf("markdown:\n%s", out)
	}
	page, _ := asPage(t, r)
	for _, want := range []string{`<details class="do fold warning" id="do1" open><summary><h3>1. <bdi>urgent</bdi>`, ` id="do2" open><summary><h3>2. <bdi>idle</bdi>`,
		`<details class="do fold info" id="do3"><summary><h3>3. <bdi>accepted</bdi></h3> <span class="s info"><b>expired</b></span> <span>waived until 2026-12-31</span>`} {
		if !strings.Contains(page, want) {
			t.Errorf("html: no %q in\n%s", want, page)
		}
	}
}

// How many of the places that were not examined are waived is said alike.
func TestWaivedPlacesAreCounted(t *testing.T) {
	waived := &report.Waived{ID: "w", Expires: "2026-12-31", Reason: "known"}
	for name, test := range map[string]struct {
		draw func(io.Writer, *report.Report) error
		text string
	}{
		"table":    {func(w io.Writer, r *report.Report) error { return Table(w, r, Look{}) }, "; 5 places could not be examined%s; "},
		"markdown": {Markdown, "; **5 places could not be examined**%s; "},
		"html":     {HTML, "5 places under Not examined%s. Of"},
		"nagios":   {Nagios, "; 5 places not examined%s; "},
	} {
		for want, which := range map[string][2]*report.Waived{", all waived": {waived, waived}, ", 3 of them waived": {waived, nil}, "": {}} {
			r := clean()
			r.Gaps = []report.Gap{{Source: report.SourceNode, Count: 3, Waiver: which[0]}, {Source: report.SourceNode, Count: 2, Waiver: which[1]}}
			r.Findings = []report.Finding{{Rule: "x", Severity: report.SeverityWarning, Waiver: waived}}
			r.Conclude(0, false)
			if out := string(drawn(t, test.draw, r)); !strings.Contains(out, fmt.Sprintf(test.text, want)) {
				t.Errorf("%s: no %q in\n%s", name, fmt.Sprintf(test.text, want), out)
			}
		}
	}
}
