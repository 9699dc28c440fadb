package lifetime

import "fmt"

// Span words a number of seconds for a person, rounded down.
func Span(seconds int64) string {
	const minute, hour, day, year = 60, 3600, 86400, 31556952 // a mean Gregorian year
	units := []struct {
		size int64
		name string
		from int64
	}{{year, "year", 2 * year}, {day, "day", 2 * day}, {hour, "hour", 2 * hour}, {minute, "minute", 2 * minute}, {1, "second", 0}}
	for _, u := range units {
		if seconds < u.from {
			continue
		}
		n := seconds / u.size
		if n == 1 {
			return "1 " + u.name
		}
		return fmt.Sprintf("%d %ss", n, u.name)
	}
	return "0 seconds"
}
