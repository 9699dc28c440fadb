package report

import "testing"

func TestVerificationConclude(t *testing.T) {
	tests := []struct {
		name        string
		results     []Life
		interrupted int
		allow       bool
		outcome     Outcome
		code        int
		complete    bool
	}{
		{"all dead", []Life{Dead, Dead}, 0, false, OutcomeOK, ExitOK, true},
		{"one alive", []Life{Dead, Alive}, 0, false, OutcomeFindings, ExitFindings, true},
		{"alive beats unknown", []Life{LifeUnknown, Alive}, 0, true, OutcomeFindings, ExitFindings, false},
		{"unknown", []Life{Dead, LifeUnknown}, 0, false, OutcomeIncomplete, ExitIncomplete, false},
		{"unknown, allowed", []Life{Dead, LifeUnknown}, 0, true, OutcomeIncomplete, ExitOK, false},
		{"nothing", nil, 0, false, OutcomeIncomplete, ExitIncomplete, false},
		{"nothing is never excused", nil, 0, true, OutcomeIncomplete, ExitIncomplete, false},
		{"interrupted", []Life{Dead, Alive}, ExitSIGTERM, true, OutcomeInterrupted, ExitSIGTERM, false},
	}
	for _, test := range tests {
		v := &Verification{}
		for _, result := range test.results {
			v.Checks = append(v.Checks, Check{Result: result})
		}
		v.Conclude(test.interrupted, test.allow)
		if v.Outcome != test.outcome || v.ExitCode != test.code || v.Complete != test.complete {
			t.Errorf("%s: %s, exit %d, complete %v", test.name, v.Outcome, v.ExitCode, v.Complete)
		}
	}
}
