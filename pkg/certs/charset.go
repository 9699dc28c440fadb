package certs

import (
	"bytes"
	"unicode/utf8"
)

// utf8Text turns what Windows tools write into UTF-8 without a byte order
// mark: PowerShell 5 redirects as UTF-16.
func utf8Text(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], 0)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], 1)
	case len(data) >= 4 && ascii(data[0]) && data[1] == 0 && ascii(data[2]) && data[3] == 0:
		return fromUTF16(data, 0)
	case len(data) >= 4 && data[0] == 0 && ascii(data[1]) && data[2] == 0 && ascii(data[3]):
		return fromUTF16(data, 1)
	}
	return data
}

func ascii(b byte) bool { return b >= 0x20 && b < 0x7f || b == '\n' || b == '\r' || b == '\t' }

// fromUTF16 takes the low octet of each unit at low. Surrogates become
// replacement characters: nothing that is read here needs them.
func fromUTF16(data []byte, low int) []byte {
	out := make([]byte, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		out = utf8.AppendRune(out, rune(data[i+low])|rune(data[i+1-low])<<8)
	}
	return out
}

// lineCounter turns offsets into line numbers. Offsets mostly rise, so that
// the whole input is counted about once. A line ends at LF, CR LF or CR.
type lineCounter struct {
	data   []byte
	offset int
	lines  int
	off    bool // there are no lines that a person could look up
}

func (l *lineCounter) at(offset int) int {
	if l.off {
		return 0
	}
	if offset < l.offset {
		l.offset, l.lines = 0, 0
	}
	span := l.data[l.offset:offset]
	l.lines += bytes.Count(span, []byte("\n")) + bytes.Count(span, []byte("\r")) - bytes.Count(span, []byte("\r\n"))
	if len(span) > 0 && span[0] == '\n' && l.offset > 0 && l.data[l.offset-1] == '\r' {
		l.lines--
	}
	l.offset = offset
	return l.lines + 1
}
