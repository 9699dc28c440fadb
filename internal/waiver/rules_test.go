package waiver_test

import (
	"testing"
	"time"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/waiver"
	"github.com/akscert/akscert/pkg/report"
)

// The state not-yet-valid is known by its rule, of those that the audit has.
func TestNotYetValid(t *testing.T) {
	var rules []string
	for _, r := range audit.Rules() {
		rules = append(rules, r.Name)
	}
	asOf := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	file := []byte("waivers:\n- {id: a, match: {cluster: c}, states: [not-yet-valid], expires: 2026-06-01, reason: x}\n")
	set, err := waiver.Parse("w.yaml", file, asOf, rules)
	if err != nil {
		t.Fatal(err) // the rule was renamed
	}
	part := &report.Part{Cluster: report.Cluster{ID: "c"}}
	for _, rule := range rules {
		part.Findings = append(part.Findings, report.Finding{Rule: rule, Severity: report.SeverityCritical, Cluster: "c"})
	}
	set.Apply(part, asOf)
	covered := 0
	for _, f := range part.Findings {
		if f.Waiver != nil {
			covered++
		}
	}
	if covered != 1 {
		t.Errorf("%d rules are about it", covered)
	}
	if _, err := waiver.Parse("w.yaml", file, asOf, []string{"certificate-in-the-future"}); err == nil {
		t.Error("a state that no rule is about is taken")
	}
}
