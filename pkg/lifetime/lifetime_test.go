package lifetime

import (
	"fmt"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

func at(s string) *time.Time {
	if s == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return &t
}

func TestStates(t *testing.T) {
	// Two years, 2024-01-01 to 2026-01-01, are 731 days: 80 % is used after
	// 584.8 days, 90 % after 657.9, 95 % after 694.45.
	const from, until = "2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
	tests := []struct {
		name        string
		from, until string
		warn, crit  string // points; empty for the defaults
		renews      bool
		now         string
		want        report.State
	}{
		{"the second before 80 %", from, until, "", "", false, "2025-08-07T19:11:59Z", report.StateOK},
		{"80 % itself belongs to the later state", from, until, "", "", false, "2025-08-07T19:12:00Z", report.StateWarning},
		{"80 % of one that renews itself", from, until, "", "", true, "2025-08-07T19:12:00Z", report.StateDue},
		{"the second before 90 %", from, until, "", "", true, "2025-10-19T21:35:59Z", report.StateDue},
		{"90 %: overdue", from, until, "", "", true, "2025-10-19T21:36:00Z", report.StateWarning},
		{"95 %", from, until, "", "", false, "2025-11-25T10:48:00Z", report.StateCritical},
		{"95 % beats renewal", from, until, "", "", true, "2025-11-25T10:48:00Z", report.StateCritical},
		{"notAfter itself is still valid", from, until, "", "", false, until, report.StateCritical},
		{"a second later it is not", from, until, "", "", false, "2026-01-01T00:00:01Z", report.StateExpired},
		{"notBefore itself", from, until, "", "", false, from, report.StateOK},
		{"five minutes ahead: skew", from, until, "", "", false, "2023-12-31T23:55:00Z", report.StateWarning},
		{"more than five", from, until, "", "", false, "2023-12-31T23:54:59Z", report.StateNotYetValid},

		{"a 30-year CA at 90 % has more than its lead left", "2000-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "", "", false, "2027-01-01T00:00:00Z", report.StateOK},
		{"and warns a year ahead", "2000-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "", "", false, "2029-01-01T00:00:00Z", report.StateWarning},
		{"by hand the share is literal", "2000-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "80%", "", false, "2026-01-01T00:00:00Z", report.StateWarning},
		{"a time left", from, until, "30d", "1w", false, "2025-12-02T00:00:00Z", report.StateWarning},
		{"a time left, the second before", from, until, "30d", "1w", false, "2025-12-01T23:59:59Z", report.StateOK},
		{"a point never lies before notBefore", from, until, "5000d", "1w", false, from, report.StateWarning},
		{"mixed units: critical first means it warns no later", from, until, "1d", "50%", false, "2025-06-01T00:00:00Z", report.StateCritical},

		{"only notAfter: 30 days", "", until, "", "", false, "2025-12-02T00:00:00Z", report.StateWarning},
		{"only notAfter: more than 30 days", "", until, "", "", false, "2025-12-01T23:59:59Z", report.StateOK},
		{"only notAfter: 7 days", "", until, "", "", false, "2025-12-25T00:00:00Z", report.StateCritical},
		{"only notAfter: a time left by hand counts", "", until, "60d", "", false, "2025-11-10T00:00:00Z", report.StateWarning},

		{"inverted, both past", until, from, "", "", false, "2027-01-01T00:00:00Z", report.StateExpired},
		{"inverted, between: expired beats not-yet-valid", until, from, "", "", false, "2025-01-01T00:00:00Z", report.StateExpired},
		{"inverted, both ahead", until, from, "", "", false, "2020-01-01T00:00:00Z", report.StateNotYetValid},

		{"the whole calendar", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "80%", "95%", false, "7999-01-01T00:00:00Z", report.StateOK},
		{"80 % of it", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "80%", "95%", false, "8001-01-01T00:00:00Z", report.StateWarning},
		{"year 1 is not the unknown time", "0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z", "", "", false, "2026-01-01T00:00:00Z", report.StateExpired},
		{"no lifetime at all", from, from, "", "", false, from, report.StateCritical},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := NewPolicy(test.warn, test.crit)
			if err != nil {
				t.Fatal(err)
			}
			got := Judge(Validity{at(test.from), at(test.until)}, p, test.renews, *at(test.now))
			if got.State != test.want {
				t.Errorf("state %s, want %s (warns %v, critical %v)", got.State, test.want, got.WarnsAt, got.CriticalAt)
			}
			if got.Inverted && (got.LifetimeSeconds != nil || got.LifetimeUsed != nil || got.WarnsAt != nil) {
				t.Error("an inverted validity has lifetime fields")
			}
			if got.WarnsAt != nil && got.WarnsAt.After(*got.CriticalAt) {
				t.Errorf("warns at %v, after critical at %v", got.WarnsAt, got.CriticalAt)
			}
		})
	}
}

func TestFields(t *testing.T) {
	p, err := NewPolicy("", "")
	if err != nil {
		t.Fatal(err)
	}
	j := Judge(Validity{at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59Z")}, p, false, *at("0001-01-01T00:00:00Z"))
	// 9,998 years and a bit: a time.Duration would have stopped at 292 years.
	if want := int64(315537897599); *j.LifetimeSeconds != want || *j.SecondsLeft != want {
		t.Errorf("lifetime %d, left %d, want %d", *j.LifetimeSeconds, *j.SecondsLeft, want)
	}
	if *j.LifetimeUsed != 0 {
		t.Errorf("used %v, want 0", *j.LifetimeUsed)
	}
	j = Judge(Validity{at("2024-01-01T00:00:00Z"), at("2025-01-01T00:00:00Z")}, p, false, *at("2026-01-01T00:00:00Z"))
	if *j.LifetimeUsed <= 1 || *j.SecondsLeft != -365*86400 {
		t.Errorf("used %v, left %d", *j.LifetimeUsed, *j.SecondsLeft)
	}
}

func TestPoints(t *testing.T) {
	for _, s := range []string{"0%", "80%", "82.5%", "99.9999%", "100%", "0h", "36h", "30d", "2w"} {
		if p, err := ParsePoint(s); err != nil || p.String() != s {
			t.Errorf("ParsePoint(%q) = %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "%", "80", "-1%", "101%", "1e2%", "Inf%", "0x1%", "1.%", ".5%", "1.23456%", "d", "30m", "30s", "-3d", "+3d", "3.5d", "99999999999d", "36501d", "30 d", "1_0%"} {
		if p, err := ParsePoint(s); err == nil {
			t.Errorf("ParsePoint(%q) = %v, want an error", s, p)
		}
	}
}

func TestPolicy(t *testing.T) {
	tests := []struct {
		warn, crit string
		ok         bool
	}{
		{"", "", true}, {"80%", "95%", true}, {"90%", "80%", false}, {"3d", "1w", false}, {"1w", "3d", true},
		{"10%", "3d", true}, {"3d", "10%", true}, {"97%", "", false}, {"50%", "50%", true},
	}
	for _, test := range tests {
		_, err := NewPolicy(test.warn, test.crit)
		if (err == nil) != test.ok {
			t.Errorf("NewPolicy(%q, %q): %v", test.warn, test.crit, err)
		}
	}
}

func ExampleSpan() {
	for _, s := range []int64{0, 1, 59, 60, 119, 120, 7199, 7200, 86399, 86400, 172800, 63071999, 63072000, 315537897599} {
		fmt.Println(Span(s))
	}
	// Output:
	// 0 seconds
	// 1 second
	// 59 seconds
	// 60 seconds
	// 119 seconds
	// 2 minutes
	// 119 minutes
	// 2 hours
	// 23 hours
	// 24 hours
	// 2 days
	// 729 days
	// 730 days
	// 9998 years
}
