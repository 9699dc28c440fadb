package certs

import "time"

// asn1Time reads UTCTime or GeneralizedTime just as OpenSSL's
// ossl_asn1_time_to_tm does without its RFC 5280 flag: seconds may be missing,
// the zone may be an offset of up to 12:59, GeneralizedTime may have a fraction
// (cut off here: dates are whole seconds), and the date must exist.
func asn1Time(tag int, s []byte) (time.Time, bool) {
	var year int
	switch {
	case tag == tagUTCTime && len(s) >= 11:
		y, ok := twoDigits(s, 0, 99)
		if !ok {
			return time.Time{}, false
		}
		// RFC 5280 4.1.2.5.1: 50 and up is the last century.
		year = 1900 + y
		if y < 50 {
			year += 100
		}
		s = s[2:]
	case tag == tagGeneralizedTime && len(s) >= 13:
		hi, ok1 := twoDigits(s, 0, 99)
		lo, ok2 := twoDigits(s[2:], 0, 99)
		if !ok1 || !ok2 {
			return time.Time{}, false
		}
		year = hi*100 + lo
		s = s[4:]
	default:
		return time.Time{}, false
	}
	month, ok1 := twoDigits(s, 1, 12)
	day, ok2 := twoDigits(s[2:], 1, 31)
	hour, ok3 := twoDigits(s[4:], 0, 23)
	minute, ok4 := twoDigits(s[6:], 0, 59)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return time.Time{}, false
	}
	s = s[8:]
	second := 0
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		var ok bool
		if second, ok = twoDigits(s, 0, 59); !ok {
			return time.Time{}, false
		}
		s = s[2:]
		if tag == tagGeneralizedTime {
			if s, ok = dropFraction(s); !ok {
				return time.Time{}, false
			}
		}
	}
	offset, ok := zone(s)
	if !ok {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day {
		return time.Time{}, false
	}
	return t.Add(-offset), true
}

func twoDigits(s []byte, lowest, highest int) (int, bool) {
	if len(s) < 2 || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	n := int(s[0]-'0')*10 + int(s[1]-'0')
	return n, n >= lowest && n <= highest
}

func dropFraction(s []byte) ([]byte, bool) {
	if len(s) == 0 || s[0] != '.' {
		return s, true
	}
	n := 1
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[n:], n > 1
}

func zone(s []byte) (time.Duration, bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return 0, true
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hours, ok1 := twoDigits(s[1:], 0, 12)
	minutes, ok2 := twoDigits(s[3:], 0, 59)
	if !ok1 || !ok2 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// instant brings a time into the contract: UTC, whole seconds, years 0 to 9999
// (an offset can move it outside; no format of ours can write it then).
func instant(t time.Time) *time.Time {
	t = t.UTC().Truncate(time.Second)
	if y := t.Year(); y < 0 || y > 9999 {
		return nil
	}
	return &t
}
