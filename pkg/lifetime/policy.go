package lifetime

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// The default policy. 80 % is where AKS itself aims to have rotated ("within
// 80 % of the client certificate's valid time"). The leads keep a 30-year CA
// from warning six years ahead.
const (
	defaultWarn         = "80%"
	defaultCritical     = "95%"
	DefaultWarnLead     = 365 * 24 * time.Hour
	DefaultCriticalLead = 90 * 24 * time.Hour
)

// Where only notAfter is known there is no lifetime to take a share of; these
// are the times left at which such a certificate warns and is critical.
const (
	UnknownWarn     = 30 * 24 * time.Hour
	UnknownCritical = 7 * 24 * time.Hour
)

// Point is a point in a certificate's life: a share of its lifetime used, or a
// time left.
type Point struct {
	text string
	ppm  int64 // millionths of the lifetime; meaningful when !left
	secs int64 // seconds left; meaningful when left
	left bool
}

// String gives the point as it was written.
func (p Point) String() string { return p.text }

// ParsePoint reads "80%" (0 to 100, up to four decimals) or a time left in
// days, hours or weeks: "30d", "36h", "2w" (at most 100 years).
func ParsePoint(s string) (Point, error) {
	bad := fmt.Errorf("invalid point %q: want a share of the lifetime such as 80%% or a time left such as 30d, 36h or 2w", s)
	if share, ok := strings.CutSuffix(s, "%"); ok {
		ppm, err := parseShare(share)
		if err != nil {
			return Point{}, bad
		}
		return Point{text: s, ppm: ppm}, nil
	}
	units := map[byte]int64{'h': 3600, 'd': 86400, 'w': 7 * 86400}
	if len(s) < 2 || units[s[len(s)-1]] == 0 {
		return Point{}, bad
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	unit := units[s[len(s)-1]]
	if err != nil || int64(n) > 100*365*86400/unit {
		return Point{}, bad
	}
	return Point{text: s, secs: int64(n) * unit, left: true}, nil
}

// parseShare reads a percentage exactly, as millionths. strconv.ParseFloat
// would round, and would read "Inf" and "0x1p4".
func parseShare(s string) (ppm int64, err error) {
	whole, decimals, dot := strings.Cut(s, ".")
	if whole == "" || dot && decimals == "" || len(decimals) > 4 {
		return 0, errors.New("not a percentage")
	}
	for _, digit := range whole + decimals {
		if digit < '0' || digit > '9' {
			return 0, errors.New("not a percentage")
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, errors.New("not a percentage")
	}
	r.Mul(r, big.NewRat(10_000, 1))
	if r.Cmp(big.NewRat(1_000_000, 1)) > 0 {
		return 0, errors.New("more than 100 %")
	}
	return r.Num().Int64() / r.Denom().Int64(), nil
}

// in is where p lies in a life. It never comes earlier than lead before
// notAfter (0: no such bound), and never before notBefore.
func (p Point) in(notBefore, notAfter int64, lead time.Duration) int64 {
	at := notAfter - p.secs
	if !p.left {
		at = share(notBefore, notAfter-notBefore, p.ppm)
		if lead > 0 {
			at = max(at, notAfter-int64(lead/time.Second))
		}
	}
	return max(at, notBefore)
}

// leftOr is p's time left in seconds, or otherwise where p is a share of a
// lifetime that is not known.
func (p Point) leftOr(otherwise time.Duration) int64 {
	if p.left {
		return p.secs
	}
	return int64(otherwise / time.Second)
}

// Policy is when a certificate warns and when it is critical.
type Policy struct {
	Warn, Critical Point
	// WarnLead and CriticalLead: the point comes no earlier than this before
	// notAfter. Zero for a point given by hand, which is taken literally.
	WarnLead, CriticalLead time.Duration
}

// NewPolicy reads the two points; empty ones take the defaults with their
// leads. Critical earlier than warning is an error when both are in one unit.
func NewPolicy(warnAt, criticalAt string) (Policy, error) {
	var p Policy
	if warnAt == "" {
		warnAt, p.WarnLead = defaultWarn, DefaultWarnLead
	}
	if criticalAt == "" {
		criticalAt, p.CriticalLead = defaultCritical, DefaultCriticalLead
	}
	var err error
	if p.Warn, err = ParsePoint(warnAt); err != nil {
		return Policy{}, fmt.Errorf("reading the warning point: %w", err)
	}
	if p.Critical, err = ParsePoint(criticalAt); err != nil {
		return Policy{}, fmt.Errorf("reading the critical point: %w", err)
	}
	if p.Warn.left == p.Critical.left && (p.Critical.ppm < p.Warn.ppm || p.Critical.secs > p.Warn.secs) {
		return Policy{}, fmt.Errorf("the critical point %s comes before the warning point %s", p.Critical, p.Warn)
	}
	return p, nil
}
