package audit

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/waiver"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// Waivers cover what discovery could not see, every cluster on its own, and what
// is inspected; a stream that forgets each cluster comes to the same.
func TestWaived(t *testing.T) {
	set, err := waiver.Parse("w.yaml", []byte(`
waivers:
- {id: of-a, match: {cluster: a, node: M}, states: [expired], expires: 2026-06-01, reason: known}
- {id: of-b, match: {cluster: b, node: n}, states: [critical], expires: 2026-05-31, reason: known}
- {id: of-c, match: {cluster: c, rule: "*"}, states: [expired], expires: 2026-06-01, reason: known}
gaps:
- {id: discovery, match: {location: /subscriptions/1, reasons: [forbidden]}, expires: 2026-06-01, reason: not ours}
- {id: slow, match: {cluster: a, reasons: [timeout]}, expires: 2026-06-01, reason: known}
`), asOf, []string{ruleExpired})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := lifetime.NewPolicy("", "")
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Policy: policy, FailOn: report.SeverityExpired, AsOf: asOf, Waivers: set, Gaps: []report.Gap{
		{Source: report.SourceARM, Location: "/subscriptions/1", Count: 1, Reason: report.ReasonForbidden, Message: "no"},
	}}
	visits := []collect.Visit{
		{Batches: []collect.Batch{batch("b", report.SourceNode, file("n", 95)...)}},
		{Batches: []collect.Batch{batch("a", report.SourceNode, file("m", 120)...)}, Gaps: []report.Gap{{Source: report.SourceARM, Count: 1, Reason: report.ReasonTimeout, Message: "slow"}}},
		{Batches: []collect.Batch{batch("c", report.SourceKubelet)}},
	}
	whole, parts := New(in), New(in)
	var stream bytes.Buffer
	line := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(append(data, '\n'))
	}
	line(parts.Header())
	for _, v := range visits {
		whole.Add(v)
		parts.Add(v)
		line(parts.Take())
	}
	line(parts.Close(0).Closing())
	got, err := report.Read(&stream)
	if err != nil {
		t.Fatal(err)
	}
	r := whole.Close(0)
	want, _ := json.MarshalIndent(r, "", " ")
	if have, _ := json.MarshalIndent(got, "", " "); !bytes.Equal(want, have) {
		t.Errorf("the report\n%s\nthe stream\n%s", want, have)
	}
	if r.ExitCode != report.ExitOK || r.Outcome != report.OutcomeOK || r.Complete || r.Summary.Gaps != 2 || r.Summary.Waived != 3 {
		t.Errorf("exit code %d, outcome %s, complete %t, %+v", r.ExitCode, r.Outcome, r.Complete, r.Summary)
	}
	for i, want := range []report.WaiverStatus{report.WaiverUsed, report.WaiverExpired, report.WaiverUnused, report.WaiverUsed, report.WaiverUsed} {
		if w := r.Waivers[i]; w.Status != want || w.Matches != map[bool]int{true: 0, false: 1}[want == report.WaiverUnused] {
			t.Errorf("%+v, want it %s", w, want)
		}
	}
	in.Waivers = nil
	if r := Audit(in); r.ExitCode != report.ExitIncomplete || r.Waivers == nil {
		t.Errorf("without: exit code %d, waivers %v", r.ExitCode, r.Waivers)
	}
}
