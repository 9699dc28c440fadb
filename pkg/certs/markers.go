package certs

import (
	"bytes"
	"strings"
)

// marker is a line such as -----BEGIN CERTIFICATE-----, wherever on a line.
type marker struct {
	begin      bool
	start, end int // from the first to behind the last dash
	label      string
	exact      bool // as RFC 7468 has it: five dashes on both sides
}

// markers finds the markers of data in turn. Each of the two searches only
// ever moves on, so that the whole is linear.
type markers struct {
	data  []byte
	at    int
	found [2]marker // the next END and BEGIN
	ready [2]bool
	done  [2]bool
}

func (m *markers) next() (marker, bool) {
	best := -1
	for i, word := range []string{"END ", "BEGIN "} {
		for !m.done[i] && (!m.ready[i] || m.found[i].start < m.at) {
			from := m.at
			if m.ready[i] {
				from = max(from, m.found[i].end)
			}
			m.found[i], m.ready[i] = findMarker(m.data, from, m.at, word)
			m.done[i] = !m.ready[i]
		}
		if !m.done[i] && (best < 0 || m.found[i].start < m.found[best].start) {
			best = i
		}
	}
	if best < 0 {
		return marker{}, false
	}
	found := m.found[best]
	found.begin = best == 1
	m.at = found.end
	return found, true
}

// findMarker looks for word with at least two dashes before it, none of them
// before the offset least. Dashes may be those that a word processor makes.
func findMarker(data []byte, from, least int, word string) (marker, bool) {
	for {
		i := bytes.Index(data[from:], []byte(word))
		if i < 0 {
			return marker{}, false
		}
		at := from + i
		from = at + len(word)
		start, before := dashesBefore(data, at, least)
		if before < 2 {
			continue
		}
		label, labelEnd := labelAt(data, from)
		end, after := dashesAfter(data, labelEnd)
		return marker{
			start: start, end: end, label: label,
			exact: before == 5 && start+5 == at && after == 5 && end == labelEnd+5,
		}, true
	}
}

const longestLabel = 64

func labelAt(data []byte, from int) (string, int) {
	i := from
	for i < len(data) && i-from < longestLabel {
		if c := data[i]; c < ' ' || c >= 0x7f || c == '-' || c == '\\' || c == '"' || c == '\'' || c == '`' {
			break
		}
		i++
	}
	return strings.TrimSpace(string(data[from:i])), i
}

// dashesBefore counts up to five dashes that end at offset at, or one space
// before it.
func dashesBefore(data []byte, at, least int) (start, n int) {
	if at > least && data[at-1] == ' ' {
		at--
	}
	for n < 5 && at > least {
		switch {
		case data[at-1] == '-':
			at--
		case at-3 >= least && wideDash(data[at-3:at]):
			at -= 3
		default:
			return at, n
		}
		n++
	}
	return at, n
}

func dashesAfter(data []byte, at int) (end, n int) {
	for n < 5 && at < len(data) {
		switch {
		case data[at] == '-':
			at++
		case at+3 <= len(data) && wideDash(data[at:at+3]):
			at += 3
		default:
			return at, n
		}
		n++
	}
	return at, n
}

// wideDash is U+2010 to U+2015.
func wideDash(b []byte) bool {
	return b[0] == 0xe2 && b[1] == 0x80 && b[2] >= 0x90 && b[2] <= 0x95
}

// wanted tells the labels of certificates (RFC 7468 5 and 8, OpenSSL's pem.h,
// and whatever calls itself a certificate) from those that are passed over.
func (m marker) wanted() bool {
	switch m.label {
	case "PKCS7", "CMS", "PKCS #7 SIGNED DATA", "PKCS7 SIGNED DATA", "PKCS12":
		return true
	}
	return strings.Contains(m.label, "CERTIFICATE") && !strings.Contains(m.label, "REQUEST")
}

// line is the text before and after the span on its own line.
func line(data []byte, start, end int) (before, after []byte) {
	const most = 256
	from := max(0, start-most)
	before = data[from:start]
	if i := bytes.LastIndexAny(before, "\r\n"); i >= 0 {
		before = before[i+1:]
	}
	after = data[end:min(len(data), end+most)]
	if i := bytes.IndexAny(after, "\r\n"); i >= 0 {
		after = after[:i]
	}
	return before, after
}

func hasWord(b []byte) bool {
	return bytes.ContainsFunc(b, func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	})
}
