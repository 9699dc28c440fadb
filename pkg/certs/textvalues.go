package certs

import (
	"strconv"
	"strings"
	"time"
)

const hexDigits = "0123456789abcdef"

// textSerial brings the spellings of a serial number into that of
// Certificate.Serial: "0A" (-serial), "10 (0xa)" and "04:5f:…" (-text), with
// "-", "-10 (-0xa)" and "(Negative)04:5f" for negative ones.
func textSerial(s string) string {
	if i := strings.IndexByte(s, '('); i > 0 && strings.HasSuffix(s, ")") {
		s = s[i+1 : len(s)-1]
	}
	s = strings.ToLower(strings.TrimSpace(s))
	rest, negative := strings.CutPrefix(s, "(negative)")
	if !negative {
		rest, negative = strings.CutPrefix(s, "-")
	}
	rest = strings.TrimPrefix(strings.TrimSpace(rest), "0x")
	rest = strings.ReplaceAll(rest, ":", "")
	if rest == "" || strings.Trim(rest, hexDigits) != "" {
		return ""
	}
	rest = strings.TrimLeft(rest, "0")
	if rest == "" {
		return "00"
	}
	if len(rest)%2 == 1 {
		rest = "0" + rest
	}
	if negative {
		rest = "-" + rest
	}
	return rest
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// badTime is what OpenSSL prints for a time it cannot read.
const badTime = "Bad time value"

// dateLike tells the value of a printed date, right or wrong, from source code
// and prose that happens to have the same key.
func dateLike(s string) bool {
	switch {
	case s == badTime:
		return true
	case len(s) >= 4 && s[3] == ' ' && strings.Contains(months, s[:3]):
		return true
	case len(s) >= 5 && s[4] == '-' && strings.Trim(s[:4], "0123456789") == "":
		return true
	}
	return len(s) < 40 && strings.ContainsAny(s, "0123456789") && strings.Contains(s, ":") &&
		!strings.ContainsAny(s, "(){}=,;")
}

// textDate reads "Jan  2 15:04:05 2006 GMT" and -dateopt iso_8601's
// "2006-01-02 15:04:05Z". OpenSSL prints years without leading zeros, keeps
// fractions of a second, and leaves out GMT or Z (but still means it) where the
// certificate gave an offset.
func textDate(s string) (time.Time, bool) {
	parts := strings.Fields(s)
	if len(parts) == 6 || len(parts) == 5 && len(parts[0]) == 3 && strings.Contains("MonTueWedThuFriSatSun", parts[0]) {
		parts = parts[1:] // a weekday
	}
	switch len(parts) {
	case 4, 5:
		if len(parts) == 5 {
			if parts[3] == "UTC" || parts[3] == "GMT" { // certtool
				parts[3], parts[4] = parts[4], parts[3]
			}
			if parts[4] != "GMT" && parts[4] != "UTC" {
				return time.Time{}, false
			}
		}
		at := strings.Index(months, parts[0])
		if len(parts[0]) != 3 || at < 0 || at%3 != 0 {
			return time.Time{}, false
		}
		return clock(parts[3], strconv.Itoa(at/3+1), parts[1], parts[2])
	case 1:
		day, hours, ok := strings.Cut(s, "T")
		if !ok {
			return time.Time{}, false
		}
		parts = []string{day, hours}
	case 2:
	default:
		return time.Time{}, false
	}
	day := strings.Split(parts[0], "-")
	if len(day) != 3 {
		return time.Time{}, false
	}
	return clock(day[0], day[1], day[2], strings.TrimSuffix(parts[1], "Z"))
}

func clock(year, month, day, hours string) (time.Time, bool) {
	hms := strings.Split(hours, ":")
	if len(hms) != 3 {
		return time.Time{}, false
	}
	seconds, fraction, dotted := strings.Cut(hms[2], ".")
	if dotted && strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, false
	}
	var n [6]int
	for i, s := range []string{year, month, day, hms[0], hms[1], seconds} {
		v, err := strconv.ParseUint(s, 10, 14)
		if err != nil || i > 0 && len(s) > 2 {
			return time.Time{}, false
		}
		n[i] = int(v)
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	// time.Date rounds what does not exist into what does.
	if n[0] > 9999 || t.Year() != n[0] || int(t.Month()) != n[1] || t.Day() != n[2] ||
		t.Hour() != n[3] || t.Minute() != n[4] || t.Second() != n[5] {
		return time.Time{}, false
	}
	return t, true
}

// textName turns "C = US, CN = x" and "/C=US/CN=x" into the order of RFC 2253
// ("CN=x,C=US"). Text in that order already, or in none that is clear, stays
// as it is.
func textName(s string) string {
	var parts []string
	switch {
	case strings.HasPrefix(s, "/"):
		parts = strings.Split(s[1:], "/")
	case strings.Contains(s, "; "):
		parts = strings.Split(s, "; ")
	case strings.Contains(s, ", ") || strings.Contains(s, " = "):
		parts = strings.Split(s, ", ")
	default:
		return s
	}
	for i, p := range parts {
		key, value, ok := strings.Cut(p, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || strings.ContainsAny(key, " \"\\,/") || strings.ContainsAny(value, `",+`) {
			return s
		}
		parts[i] = key + "=" + value
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ",")
}
