package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

func TestTableWaived(t *testing.T) {
	r := many(1)
	r.Policy.FailOn = report.SeverityWarning
	r.Waivers = []report.Waiver{{ID: "w", Kind: report.WaiverOfFindings, Expires: "2026-06-09", Reason: "known", Status: report.WaiverUnused},
		{ID: "g", Kind: report.WaiverOfGaps, Expires: "2026-06-09", Reason: "no road", Status: report.WaiverUnused},
		{ID: "old", Kind: report.WaiverOfFindings, Expires: "2026-05-09", Reason: "later", Status: report.WaiverExpired},
		{ID: "spare", Kind: report.WaiverOfFindings, Expires: "2026-06-09", Reason: "in case", Status: report.WaiverUnused}}
	w, g := r.Waivers[0].Waived(), r.Waivers[1].Waived()
	for i := range 9 {
		r.Findings = append(r.Findings, report.Finding{Rule: "ca-mismatch", Severity: report.SeverityCritical, Message: fmt.Sprint("m", i), Waiver: &w, RemedyID: "all"})
	}
	r.Findings = append(r.Findings, report.Finding{Rule: "token-expired", Severity: report.SeverityWarning, Message: "again", ExpiredWaiver: "old", RemedyID: "some"},
		report.Finding{Rule: "ca-mismatch", Severity: report.SeverityCritical, Message: "m", Waiver: &w, RemedyID: "some"})
	r.Remedies = []report.Remedy{{ID: "all", Summary: "all", Impact: "none"}, {ID: "some", Summary: "some", Impact: "none"}, {ID: "none", Summary: "none", Impact: "none"}}
	r.Gaps = []report.Gap{{Source: report.SourceNode, Count: 1, Reason: report.ReasonBusy, Message: "busy", Waiver: &g}}
	r.Conclude(0, false)
	var narrow, wide bytes.Buffer
	if err := Table(&narrow, r, Look{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"critical  ca-mismatch: m0 (waived by w)\n", "token-expired: again\n", "node: busy (busy) (waived by g)\n", "; 1 place could not be examined, all waived; 11 waived (",
		"1. some\n", "2. none\n     cost: none\n  3. all (waived until 2026-06-09)\n\n",
		"\nWaived\n  w  until 2026-06-09: known\n     critical  ca-mismatch: m0\n", "     and 5 more\n  g  until 2026-06-09: no road\n     not examined: busy (busy)\n",
		"  waiver old expired on 2026-05-09: what it covered counts again (later)\n     warning  token-expired: again\n", "  waiver spare (until 2026-06-09) is unused: nothing needs it\n",
	} {
		if !strings.Contains(narrow.String(), want) {
			t.Errorf("no %q in\n%s", want, &narrow)
		}
	}
	for _, look := range []Look{{Wide: true}, {All: true}} {
		wide.Reset()
		if err := Table(&wide, r, look); err != nil || strings.Count(wide.String(), "     critical  ca-mismatch: m") != 10 ||
			!strings.Contains(wide.String(), "1. some\n     cost: none\n  2. none\n     cost: none\n  3. all (waived until 2026-06-09)\n     cost: none\n\n") {
			t.Errorf("%+v: %v\n%s", look, err, &wide)
		}
	}

	// A report that somebody else wrote.
	const evil = "x\x1b[2J\nexpired\u202e"
	r.Waivers[0] = report.Waiver{ID: evil, Kind: report.WaiverOfFindings, Expires: evil, Reason: evil, Status: report.WaiverUsed}
	r.Waivers[2].ID, r.Waivers[2].Expires, r.Waivers[2].Reason, r.Waivers[3].ID, r.Waivers[3].Expires = evil, evil, evil, evil, evil
	r.Findings[0].Waiver = &report.Waived{ID: evil, Expires: evil}
	r.Findings[0].Rule, r.Findings[0].Severity, r.Findings[0].Message, r.Gaps[0].Reason, r.Gaps[0].Message = evil, evil, evil, evil, evil
	r.Findings = r.Findings[:1]
	var b bytes.Buffer
	if err := Table(&b, r, Look{}); err != nil || strings.ContainsAny(b.String(), "\x1b\u202e") || strings.Contains(b.String(), "\nexpired") {
		t.Errorf("%v\n%q", err, &b)
	}
}
