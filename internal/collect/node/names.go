package node

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// hostname keeps what a host name may hold, in lower case, as Kubernetes names
// nodes.
func hostname(s string) string {
	s = strings.ToLower(s)
	if len(s) > 63 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return ""
	}
	return s
}

// name brings a printed name into the spelling that crypto/x509/pkix gives the
// same name elsewhere: it writes é where RFC 2253 has \C3\A9, and \ where .NET has
// quotes.
func (p *parser) name(s string) string {
	if p.os == "windows" {
		s = unquoted(s)
	}
	return unescaped(s)
}

// unquoted turns `CN="a, b", O=c` into `CN=a\, b,O=c`.
func unquoted(s string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && quoted && strings.HasPrefix(s[i:], `""`):
			b.WriteString(`\"`)
			i++
		case c == '"':
			quoted = !quoted
		case quoted && strings.IndexByte(`,+<>;`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case !quoted && strings.HasPrefix(s[i:], ", "):
			b.WriteByte(',')
			i++
		case !quoted && strings.HasPrefix(s[i:], " + "):
			b.WriteByte('+')
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescaped turns \C3\A9 into é. What is then no UTF-8 stays as it was.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i+2 < len(s) {
			if octet, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				if octet[0] == '\\' {
					b.WriteByte('\\') // pkix escapes it by itself
				}
				b.Write(octet)
				i += 2
				continue
			}
		}
		b.WriteString(s[i : i+2])
		i++
	}
	if !utf8.ValidString(b.String()) {
		return s
	}
	return b.String()
}
