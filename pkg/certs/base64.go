package certs

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// body is what came out of the base64 of a PEM block.
type body struct {
	data []byte
	// bad is the offset of the first character that is no base64, in the
	// encoded text; -1 if there is none.
	bad int
	// sound is how much of data comes before it. Behind it, one octet group
	// with the bad character taken as a zero keeps the rest in step.
	sound int
	// without is the data if all bad characters are left out instead.
	without []byte
	// characters counts those that were base64.
	characters int
}

// decodeBody reads the base64 between two markers. Each line may start with
// prefix (a quotation or comment mark that stood before the marker, too), be
// quoted as in source code, or be an RFC 1421 header; line breaks may be the
// two characters \n, as in JSON.
func decodeBody(text, prefix []byte) body {
	fast := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	if n, err := base64.StdEncoding.Decode(fast, text); err == nil {
		return body{data: fast[:n], bad: -1, sound: n, characters: len(text)}
	}
	s := scrubber{text: text, prefix: bytes.TrimSpace(prefix), clean: fast[:0:0], bad: -1, headers: true}
	s.scrub()
	b := body{bad: s.bad, characters: len(s.clean)}
	b.data, b.sound = decode(s.clean, false)
	if b.bad >= 0 {
		b.without, _ = decode(s.clean, true)
	}
	return b
}

// invalid stands in cleaned text for a character that is no base64.
const invalid = '!'

// decode is base64 that forgives missing padding and padding in the middle.
func decode(clean []byte, skip bool) (out []byte, sound int) {
	out = make([]byte, 0, len(clean)/4*3+3)
	sound = -1
	var group uint32
	n := 0
	for _, c := range clean {
		v, ok := sixBits(c)
		switch {
		case c == '=':
			n = 0
			continue
		case !ok && skip:
			continue
		case !ok && sound < 0:
			sound = len(out)
		}
		group = group<<6 | uint32(v)
		n++
		switch n {
		case 2:
			out = append(out, byte(group>>4))
		case 3:
			out = append(out, byte(group>>2))
		case 4:
			out = append(out, byte(group))
			n = 0
		}
	}
	if sound < 0 {
		sound = len(out)
	}
	return out, sound
}

func sixBits(c byte) (byte, bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A', true
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26, true
	case c >= '0' && c <= '9':
		return c - '0' + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}

// scrubber takes a PEM body line by line down to its base64 characters.
type scrubber struct {
	text, prefix []byte
	clean        []byte
	bad          int
	headers      bool // no line of base64 has come yet
	folded       bool // the line before was a header
}

func (s *scrubber) scrub() {
	// CR ends lines only where LF does not; encoding/pem has it that way too.
	onlyCR := bytes.IndexByte(s.text, '\n') < 0
	start := 0
	for i := 0; i < len(s.text); i++ {
		width := 0
		switch {
		case s.text[i] == '\n' || s.text[i] == '\r' && onlyCR:
			width = 1
		case s.text[i] == '\\' && i+1 < len(s.text) && (s.text[i+1] == 'n' || s.text[i+1] == 'r'):
			width = 2
		}
		if width > 0 {
			s.line(start, i)
			i += width - 1
			start = i + 1
		}
	}
	s.line(start, len(s.text))
}

func (s *scrubber) line(start, end int) {
	text := s.text[start:end]
	line := bytes.TrimSpace(text)
	if len(s.prefix) > 0 && bytes.HasPrefix(line, s.prefix) {
		line = bytes.TrimSpace(line[len(s.prefix):])
	}
	if len(line) == 0 {
		s.folded = false
		return
	}
	if s.headers {
		// RFC 1421 4.6: NAME: VALUE, continued on lines that start blank.
		if bytes.IndexByte(line, ':') >= 0 {
			s.folded = true
			return
		}
		const short = 40 // no line of base64, except the last, is
		if s.folded && (text[0] == ' ' || text[0] == '\t') && (len(line) < short || !isBase64(line)) {
			return
		}
		s.headers = false
	}
	line = unquote(line)
	offset := start + bytes.Index(text, line)
	s.characters(line, offset)
}

// isBase64 is whether a line is nothing but base64.
func isBase64(line []byte) bool {
	for _, c := range line {
		if _, ok := sixBits(c); !ok && c != '=' {
			return false
		}
	}
	return true
}

// unquote takes a line of source code down to the string literal in it, and
// drops what ends a line in other places: commas, and the continuation \. Since
// \n ended a line before the source code did, a quote may be the closing one.
func unquote(line []byte) []byte {
	switch i := bytes.IndexAny(line, "\"'`"); {
	case i > 0:
		return line[:i]
	case i == 0:
		line, _, _ = bytes.Cut(line[1:], line[:1])
		if len(bytes.Trim(line, " \t+.,;)\\")) == 0 {
			return nil
		}
		return line
	}
	return bytes.TrimRight(line, ",;\\ ")
}

// characters takes over the base64 of a line, with the escapes that JSON
// writers use for its characters, and without invisible characters.
func (s *scrubber) characters(line []byte, offset int) {
	for i := 0; i < len(line); {
		c := line[i]
		if _, ok := sixBits(c); ok || c == '=' {
			s.clean = append(s.clean, c)
			i++
			continue
		}
		if c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == 0 {
			i++
			continue
		}
		if c == '\\' {
			if plain, width := unescape(line[i:]); width > 0 {
				if plain != 0 {
					s.clean = append(s.clean, plain)
				}
				i += width
				continue
			}
		}
		r, width := utf8.DecodeRune(line[i:])
		i += width
		switch r {
		case '\u00a0', '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\u2028', '\u0085':
			continue
		}
		if s.bad < 0 {
			s.bad = offset + i - width
		}
		s.clean = append(s.clean, invalid)
	}
}

// unescape reads \/ \t and \u00XX.
func unescape(b []byte) (plain byte, width int) {
	if len(b) >= 2 {
		switch b[1] {
		case '/':
			return '/', 2
		case 't':
			return 0, 2
		}
	}
	if len(b) < 6 || b[1] != 'u' && b[1] != 'U' {
		return 0, 0
	}
	switch string(bytes.ToLower(b[2:6])) {
	case "002b":
		return '+', 6
	case "002f":
		return '/', 6
	case "003d":
		return '=', 6
	case "000a", "000d", "0009", "0020":
		return 0, 6
	}
	return 0, 0
}
