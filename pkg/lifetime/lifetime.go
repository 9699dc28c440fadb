// Package lifetime judges a validity against a policy at an instant.
//
// All arithmetic is on whole seconds since 1970 in int64: a time.Duration
// saturates at 292 years, and certificates live from year 0 to 9999.
package lifetime

import (
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// Skew is how far ahead a notBefore may be and still be called clock skew
// rather than not-yet-valid.
const Skew = 5 * time.Minute

// Kubelets renew at a random point between 70 % and 90 % of the lifetime
// (client-go, util/certificate/certificate_manager.go, nextRotationDeadline:
// jitteryDuration is 0.7 to 0.9 of it). Past the later one, renewal is overdue.
const overduePPM = 900_000

// Validity is a certificate's dates, as far as known.
type Validity struct {
	NotBefore, NotAfter *time.Time
}

// Judgement is what a policy says of a validity at an instant. Fields that
// cannot be worked out are nil.
type Judgement struct {
	State report.State
	// WarnsAt and CriticalAt are the first instants of those states.
	WarnsAt, CriticalAt *time.Time
	// OverdueAt is 90 % of the lifetime, when a self-renewing certificate
	// should have been renewed at the latest.
	OverdueAt *time.Time
	// LifetimeSeconds is notAfter − notBefore, the unit client-go reckons in.
	LifetimeSeconds *int64
	// SecondsLeft is notAfter − now; negative once expired.
	SecondsLeft *int64
	// LifetimeUsed is a fraction, 0 to 1, above 1 once expired; 0 until
	// notBefore.
	LifetimeUsed *float64
	// Inverted: notAfter lies before notBefore. There are no lifetime fields.
	Inverted bool
	// Skewed: notBefore is ahead, by no more than Skew.
	Skewed bool
}

// Judge says how v stands at now under p. now is cut to whole seconds. renews
// says that the certificate is known to renew itself.
//
// A boundary instant belongs to the later state; at notAfter itself the
// certificate is still valid (RFC 5280 section 4.1.2.5).
func Judge(v Validity, p Policy, renews bool, now time.Time) Judgement {
	var j Judgement
	at := now.Unix()
	var notBefore, notAfter int64
	if v.NotBefore != nil {
		notBefore = v.NotBefore.Unix()
	}
	if v.NotAfter != nil {
		notAfter = v.NotAfter.Unix()
		left := notAfter - at
		j.SecondsLeft = &left
	}
	j.Inverted = v.NotBefore != nil && v.NotAfter != nil && notAfter < notBefore
	both := v.NotBefore != nil && v.NotAfter != nil && !j.Inverted

	var warn, critical, overdue int64
	switch {
	case both:
		life := notAfter - notBefore
		j.LifetimeSeconds = &life
		if life > 0 {
			used := max(0, float64(at-notBefore)/float64(life))
			j.LifetimeUsed = &used
		}
		warn = p.Warn.in(notBefore, notAfter, p.WarnLead)
		critical = p.Critical.in(notBefore, notAfter, p.CriticalLead)
		overdue = share(notBefore, life, overduePPM)
		j.OverdueAt = instant(overdue)
	case v.NotAfter != nil && !j.Inverted:
		warn = notAfter - p.Warn.leftOr(UnknownWarn)
		critical = notAfter - p.Critical.leftOr(UnknownCritical)
	}
	if v.NotAfter != nil && !j.Inverted {
		// The units may differ, so that critical comes first on this one
		// certificate; nothing is critical without having been a warning.
		warn = min(warn, critical)
		j.WarnsAt, j.CriticalAt = instant(warn), instant(critical)
	}
	j.State, j.Skewed = state(v, j, at, renews)
	return j
}

func state(v Validity, j Judgement, at int64, renews bool) (s report.State, skewed bool) {
	reached := func(t *time.Time) bool { return t != nil && at >= t.Unix() }
	if v.NotAfter != nil && at > v.NotAfter.Unix() {
		return report.StateExpired, false
	}
	if v.NotBefore != nil && at < v.NotBefore.Unix() {
		if v.NotBefore.Unix()-at > int64(Skew/time.Second) {
			return report.StateNotYetValid, false
		}
		skewed = true
	}
	switch {
	case reached(j.CriticalAt):
		return report.StateCritical, skewed
	case renews && reached(j.OverdueAt), skewed:
		return report.StateWarning, skewed
	case reached(j.WarnsAt):
		if renews && j.OverdueAt != nil {
			return report.StateDue, false
		}
		return report.StateWarning, false
	}
	return report.StateOK, false
}

// share is the instant at which ppm millionths of life are used, rounded down.
// It cannot overflow: the longest life is 3.2e11 seconds, times 1e6.
func share(notBefore, life, ppm int64) int64 { return notBefore + life*ppm/1_000_000 }

// instant is sec as a time. What lies before year 0 or after 9999, which JSON
// cannot carry (RFC 3339), is drawn to the edge: every certificate is past it,
// or short of it, all the same.
func instant(sec int64) *time.Time {
	const first, last = -62167219200, 253402300799 // 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z
	sec = min(max(sec, first), last)
	t := time.Unix(sec, 0).UTC()
	return &t
}
