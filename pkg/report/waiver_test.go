package report

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var (
	known   = Waiver{ID: "known", Kind: WaiverOfFindings, Expires: "2026-06-01", Reason: "known", Status: WaiverUnused}
	old     = Waiver{ID: "old", Kind: WaiverOfFindings, Expires: "2026-05-31", Reason: "known", Status: WaiverExpired}
	private = Waiver{ID: "private", Kind: WaiverOfGaps, Expires: "2026-06-01", Reason: "no road there", Status: WaiverUnused}
)

func TestConcludeWaived(t *testing.T) {
	by, alone := known.Waived(), private.Waived()
	finding := Finding{Cluster: "c", Severity: SeverityExpired}
	waived := Finding{Cluster: "c", Severity: SeverityExpired, Waiver: &by}
	again := Finding{Cluster: "c", Severity: SeverityExpired, ExpiredWaiver: "old"}
	gap, allowed := Gap{Source: SourceNode, Count: 1}, Gap{Source: SourceNode, Count: 1, Waiver: &alone}
	tests := []struct {
		name     string
		findings []Finding
		gaps     []Gap
		nothing  bool
		outcome  Outcome
		code     int
		waived   int
		statuses string // known, old, private
	}{
		{"no row needs any", nil, nil, false, OutcomeOK, ExitOK, 0, "unused 0 expired 0 unused 0"},
		{"a waived finding", []Finding{waived, waived}, nil, false, OutcomeOK, ExitOK, 2, "used 2 expired 0 unused 0"},
		{"and one that is not", []Finding{waived, finding}, nil, false, OutcomeFindings, ExitFindings, 1, "used 1 expired 0 unused 0"},
		{"one whose waiver has expired", []Finding{again}, nil, false, OutcomeFindings, ExitFindings, 0, "unused 0 expired 1 unused 0"},
		{"a waived gap", nil, []Gap{allowed}, false, OutcomeOK, ExitOK, 1, "unused 0 expired 0 used 1"},
		{"and one that is not", nil, []Gap{allowed, gap}, false, OutcomeIncomplete, ExitIncomplete, 1, "unused 0 expired 0 used 1"},
		{"a waived finding and a gap", []Finding{waived}, []Gap{gap}, false, OutcomeIncomplete, ExitIncomplete, 1, "used 1 expired 0 unused 0"},
		{"both waived", []Finding{waived}, []Gap{allowed}, false, OutcomeOK, ExitOK, 2, "used 1 expired 0 used 1"},
		{"nothing but a waived gap", nil, []Gap{allowed}, true, OutcomeIncomplete, ExitIncomplete, 1, "unused 0 expired 0 used 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := empty()
			r.Waivers = []Waiver{known, old, private}
			if !tt.nothing {
				r.Clusters = []Cluster{{ID: "c", Sources: []SourceStatus{{Source: SourceAPIServer, Status: StatusPartial}}, Credentials: []Credential{}}}
			}
			r.Findings, r.Gaps = append(r.Findings, tt.findings...), append(r.Gaps, tt.gaps...)
			given := r.Waivers
			r.Conclude(0, false)
			var statuses []string
			for _, w := range r.Waivers {
				statuses = append(statuses, fmt.Sprint(w.Status, " ", w.Matches))
			}
			if got := strings.Join(statuses, " "); r.Outcome != tt.outcome || r.ExitCode != tt.code || r.Summary.Waived != tt.waived || got != tt.statuses {
				t.Errorf("outcome %s, exit code %d, %d waived: %s", r.Outcome, r.ExitCode, r.Summary.Waived, got)
			}
			if r.Complete != (len(r.Gaps) == 0) { // what is waived is not examined all the same
				t.Errorf("complete %t with %d gaps", r.Complete, len(r.Gaps))
			}
			if !slices.Equal(given, []Waiver{known, old, private}) {
				t.Errorf("the caller's waivers are %v", given)
			}
			tally := NewTally(r.Policy.FailOn)
			tally.Waivers = given
			for _, p := range r.Parts() {
				tally.Add(p)
			}
			if c := tally.Close(r.Rest(), 0, false); c.Outcome != r.Outcome || c.Complete != r.Complete || c.Summary != r.Summary || !slices.Equal(c.Waivers, r.Waivers) {
				t.Errorf("stream: %+v", c)
			}
			for _, written := range [][]byte{encode(t, r), stream(t, r)} {
				got, err := Read(bytes.NewReader(written))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, got, r)
			}
		})
	}
}

// A row that claims a waiver which the report does not have would not gate.
func TestReadRefusesWaivers(t *testing.T) {
	sound := func() *Report {
		r := healthy("a")
		by, alone := known.Waived(), private.Waived()
		r.Waivers = []Waiver{known, old, private}
		r.Findings = []Finding{{Rule: "x", Severity: SeverityExpired, Cluster: "a", Waiver: &by}, {Rule: "y", Severity: SeverityDue, Cluster: "a", ExpiredWaiver: "old"}}
		r.Gaps = []Gap{{Cluster: "a", Source: SourceNode, Count: 1, Waiver: &alone}}
		return concluded(r)
	}
	if _, err := Read(bytes.NewReader(encode(t, sound()))); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, message string
		edit          func(*Report)
	}{
		{"of no name", "no id", func(r *Report) { r.Waivers[1].ID = "" }},
		{"twice", "twice", func(r *Report) { r.Waivers[1].ID = "known" }},
		{"of no kind", "kind", func(r *Report) { r.Waivers[0].Kind = "all" }},
		{"of no status", "status", func(r *Report) { r.Waivers[0].Status = "fine" }},
		{"a finding's that is not there", `findings[0]: waiver "known"`, func(r *Report) { r.Waivers[0].ID = "other" }},
		{"a finding's of another day", `findings[0]: waiver "known"`, func(r *Report) { r.Waivers[0].Expires = "2026-06-02" }},
		{"a finding's of another kind", `findings[0]: waiver "known"`, func(r *Report) { r.Waivers[0].Kind = WaiverOfGaps }},
		{"a gap's that is not there", `gaps[0]: waiver "private"`, func(r *Report) { r.Waivers = r.Waivers[:2] }},
		{"an expired one that has not", `findings[1]: expiredWaiver "old"`, func(r *Report) { r.Waivers[1].Status = WaiverUsed }},
		{"miscounted", "not all there", func(r *Report) { r.Waivers[0].Matches++ }},
		{"unused, and used", "not all there", func(r *Report) { r.Waivers[0].Status = WaiverUnused }},
		{"miscounted rows", "not all there", func(r *Report) { r.Summary.Waived-- }},
		{"a row less that is waived", "not all there", func(r *Report) { r.Findings[0].Waiver = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sound()
			tt.edit(r)
			_, err := Read(bytes.NewReader(encode(t, r)))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) {
				t.Errorf("%v, want %s", err, tt.message)
			}
		})
	}
	// A report from before there were waivers.
	before := strings.NewReplacer(`,"waivers":[]`, "", `,"waived":0`, "").Replace(string(encode(t, healthy("a"))))
	if strings.Contains(before, "waive") {
		t.Fatal(before)
	}
	if r, err := Read(strings.NewReader(before)); err != nil || r.Waivers == nil {
		t.Errorf("%v, %v", r, err)
	}
}

func TestMergeWaivers(t *testing.T) {
	by := known.Waived()
	with := func(id string, waivers ...Waiver) *Report {
		r := healthy(id)
		r.Waivers = waivers
		r.Findings = []Finding{{Rule: "x", Severity: SeverityExpired, Cluster: id, Certificate: r.Certificates[0].ID}}
		return concluded(r)
	}
	used := with("b", known, old)
	used.Findings[0].Waiver = &by
	used.Conclude(0, false)
	expired := known
	expired.Status = WaiverExpired
	for _, tt := range []struct {
		name    string
		reports []*Report
		want    string
	}{
		{"unused in both", []*Report{with("a", known), with("b", known)}, "[known unused 0]"},
		{"used in one", []*Report{with("a", known, old), used}, "[known used 1 old expired 0]"},
		{"in one only", []*Report{with("a"), with("b", known)}, "[known unused 0]"},
		{"expired in one", []*Report{with("a", expired), used}, "[known expired 1 old expired 0]"},
		{"expired in the other", []*Report{used, with("a", expired)}, "[known expired 1 old expired 0]"},
		{"expired in the one that is read last", []*Report{used, with("c", expired)}, "[known expired 1 old expired 0]"},
		{"none", []*Report{with("a"), with("b")}, "[]"},
	} {
		r, err := Merge(tt.reports)
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		for _, w := range r.Waivers {
			got = append(got, w.ID, w.Status, w.Matches)
		}
		if fmt.Sprint(got) != tt.want || r.Waivers == nil {
			t.Errorf("%s: %v", tt.name, got)
		}
		if err := r.check(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	other := known
	other.Reason = "another"
	var e *Error
	if _, err := Merge([]*Report{with("a", known), with("b", other)}); !errors.As(err, &e) || e.Problem != ProblemMismatch {
		t.Errorf("two of one id: %v", err)
	}
}

// What is waived in the new report did not get worse.
func TestCompareWaived(t *testing.T) {
	by, alone := known.Waived(), private.Waived()
	expired := func(r *Report) {
		r.Certificates[0].State, r.Certificates[0].NotAfter = StateExpired, days(-1)
	}
	other := func(r *Report) { r.Certificates[0].SHA256 = "another" }
	find := func(severity Severity, waiver *Waived) func(*Report) {
		return func(r *Report) {
			for _, c := range r.Certificates {
				if c.State == StateExpired {
					r.Findings = append(r.Findings, Finding{Rule: fmt.Sprint(severity, len(r.Findings)), Severity: severity, Cluster: "a", Certificate: c.ID, Waiver: waiver})
				}
			}
		}
	}
	lose := func(waiver *Waived) func(*Report) {
		return func(r *Report) {
			r.Certificates = slices.DeleteFunc(r.Certificates, func(c Certificate) bool { return c.Source == SourceNode })
			r.Clusters[0].Sources[1].Status = StatusFailed
			r.Gaps = []Gap{{Cluster: "a", Source: SourceNode, Count: 1, Reason: ReasonForbidden, Waiver: waiver}}
		}
	}
	for _, tt := range []struct {
		name  string
		edits []func(*Report)
		worse bool
	}{
		{"expired", []func(*Report){expired, find(SeverityExpired, nil)}, true},
		{"expired and waived", []func(*Report){expired, find(SeverityExpired, &by)}, false},
		{"and something else found, too", []func(*Report){expired, find(SeverityExpired, &by), find(SeverityCritical, nil)}, true},
		{"something mild, too", []func(*Report){expired, find(SeverityExpired, &by), find(SeverityDue, nil)}, true},
		{"something mild before", []func(*Report){expired, find(SeverityDue, nil), find(SeverityExpired, &by)}, true},
		{"another that expires earlier", []func(*Report){expired, other, find(SeverityExpired, nil)}, true},
		{"another that expires earlier, and waived", []func(*Report){expired, other, find(SeverityExpired, &by)}, false},
		{"something that needs no waiver", []func(*Report){expired, find(SeverityInfo, nil), find(SeverityExpired, &by)}, false},
		{"a source is lost", []func(*Report){lose(nil)}, true},
		{"a source is lost, and waived", []func(*Report){lose(&alone)}, false},
		{"waived, and lost for another reason", []func(*Report){lose(&alone), func(r *Report) {
			r.Gaps = append(r.Gaps, Gap{Cluster: "a", Source: SourceNode, Count: 1, Reason: ReasonBusy})
		}}, true},
	} {
		r := healthy("a")
		for _, edit := range tt.edits {
			edit(r)
		}
		c := Compare(healthy("a"), r)
		if c.Worse != tt.worse {
			t.Errorf("%s: worse %t: %q", tt.name, c.Worse, said(c))
		}
		for _, g := range c.Gaps {
			if g.Worse && g.Gap.Waiver != nil {
				t.Errorf("%s: %+v is waived, and worse", tt.name, g)
			}
		}
	}
}
