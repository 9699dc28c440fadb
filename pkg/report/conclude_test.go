package report

import "testing"

func TestConclude(t *testing.T) {
	gap := []Gap{{Source: SourceNode, Count: 1}}
	tests := []struct {
		name        string
		failOn      Severity
		findings    []Severity
		gaps        []Gap
		nothing     bool
		interrupted int
		allow       bool
		outcome     Outcome
		code        int
		complete    bool
	}{
		{"all fine", SeverityWarning, nil, nil, false, 0, false, OutcomeOK, ExitOK, true},
		{"below the line", SeverityWarning, []Severity{SeverityDue, SeverityInfo}, nil, false, 0, false, OutcomeOK, ExitOK, true},
		{"on the line", SeverityWarning, []Severity{SeverityDue, SeverityWarning}, nil, false, 0, false, OutcomeFindings, ExitFindings, true},
		{"above it", SeverityWarning, []Severity{SeverityExpired}, nil, false, 0, false, OutcomeFindings, ExitFindings, true},
		{"no line", SeverityNone, []Severity{SeverityExpired}, nil, false, 0, false, OutcomeOK, ExitOK, true},
		{"a gap", SeverityWarning, []Severity{SeverityDue}, gap, false, 0, false, OutcomeIncomplete, ExitIncomplete, false},
		{"a gap that is allowed", SeverityWarning, nil, gap, false, 0, true, OutcomeIncomplete, ExitOK, false},
		{"findings beat gaps", SeverityWarning, []Severity{SeverityWarning}, gap, false, 0, true, OutcomeFindings, ExitFindings, false},
		{"nothing matched", SeverityWarning, nil, nil, true, 0, false, OutcomeIncomplete, ExitIncomplete, false},
		{"nothing matched is never allowed", SeverityWarning, nil, nil, true, 0, true, OutcomeIncomplete, ExitIncomplete, false},
		{"an interruption beats all", SeverityWarning, []Severity{SeverityExpired}, gap, false, ExitSIGTERM, true, OutcomeInterrupted, ExitSIGTERM, false},
		{"an interruption without a gap", SeverityWarning, nil, nil, false, ExitSIGINT, false, OutcomeInterrupted, ExitSIGINT, false},
	}
	looked := []SourceStatus{{Source: SourceAPIServer, Status: StatusPartial}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := empty()
			r.Policy.FailOn = tt.failOn
			if !tt.nothing {
				r.Clusters = []Cluster{{ID: "c", Sources: looked}}
			}
			for _, s := range tt.findings {
				r.Findings = append(r.Findings, Finding{Cluster: "c", Severity: s})
			}
			r.Gaps = append(r.Gaps, tt.gaps...)
			r.Conclude(tt.interrupted, tt.allow)
			if r.Outcome != tt.outcome || r.ExitCode != tt.code || r.Complete != tt.complete {
				t.Errorf("outcome %s, exit code %d, complete %t", r.Outcome, r.ExitCode, r.Complete)
			}
			// A stream whose parts are not kept comes to the same.
			tally := NewTally(tt.failOn)
			tally.Waivers = r.Waivers
			for _, p := range r.Parts() {
				tally.Add(p)
			}
			c := tally.Close(r.Rest(), tt.interrupted, tt.allow)
			if c.Outcome != r.Outcome || c.ExitCode != r.ExitCode || c.Complete != r.Complete || c.Summary != r.Summary {
				t.Errorf("stream: %+v", c)
			}
		})
	}
}

func TestConcludeCounts(t *testing.T) {
	r := empty()
	r.Clusters = []Cluster{{ID: "c"}}
	r.Nodes = []Node{{Cluster: "c"}, {}}
	for _, s := range []State{StateOK, StateOK, StateDue, StateWarning, StateCritical, StateNotYetValid, StateExpired, StateExpired} {
		r.Certificates = append(r.Certificates, Certificate{Cluster: "c", State: s})
	}
	r.Conclude(0, false)
	if want := (Summary{1, 2, 8, StateCounts{2, 1, 1, 1, 1, 2}, 0, 0, 0}); r.Summary != want {
		t.Errorf("%+v", r.Summary)
	}
}

// Where no source came to look, no flag and no waiver makes that good.
func TestNothingExamined(t *testing.T) {
	for name, sources := range map[string][]SourceStatus{"failed": {{Source: SourceAPIServer, Status: StatusFailed}, {Source: SourceKubeconfig, Status: StatusOK}}, "none": nil} {
		r := empty()
		r.Waivers = []Waiver{{ID: "w", Kind: "gap", Expires: "2099-01-01", Reason: "x", Status: WaiverUnused}}
		r.Clusters = []Cluster{{ID: "c", Sources: sources}}
		r.Gaps = append(r.Gaps, Gap{Cluster: "c", Source: SourceAPIServer, Count: 1, Reason: ReasonUnreachable, Message: "no", Waiver: &Waived{ID: "w", Expires: "2099-01-01", Reason: "x"}})
		r.Conclude(0, true)
		if r.Outcome != OutcomeIncomplete || r.ExitCode != ExitIncomplete || r.Complete {
			t.Errorf("%s: outcome %s, exit code %d", name, r.Outcome, r.ExitCode)
		}
	}
}
