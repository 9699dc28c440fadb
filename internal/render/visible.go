package render

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Visible makes text from outside safe to print: whatever is not a printable
// character, control and bidi characters and line breaks among them, becomes an
// escape, and so does what a CI system takes for a command. A subject must not
// move the cursor, forge a row, or say something to the pipeline it is read in.
func Visible(s string) string { return muted(printable(s)) }

// command is what a CI system obeys wherever it stands in a line: ##vso[ in Azure
// Pipelines (Command.TryParse of its agent), ##[ in GitHub Actions
// (ActionCommand.TryParse of its runner). leading is what GitHub obeys where it
// begins a line, behind spaces or not: ::error::.
var (
	command = regexp.MustCompile(`(?i)(#)#((?:vso)?\[)`)
	leading = regexp.MustCompile(`^( *):(:[A-Za-z])`)
)

func muted(s string) string {
	if strings.Contains(s, "##") {
		s = command.ReplaceAllString(s, `${1}\u0023${2}`)
	}
	if strings.Contains(s, "::") {
		s = leading.ReplaceAllString(s, `${1}\u003a${2}`)
	}
	return s
}

// inert is a JSON text, or a YAML text whose every string with such a thing in
// it is in double quotes, that says the same without anything in it that a
// terminal or a CI system acts on. long is the escape of what has more than four
// hexadecimal digits.
func inert(text []byte, long func(rune) string) []byte {
	if bytes.Contains(text, []byte("##")) {
		text = command.ReplaceAll(text, []byte(`${1}\u0023${2}`))
	}
	odd := func(r rune) bool { return !strconv.IsPrint(r) && r != '\n' }
	if bytes.IndexFunc(text, odd) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !odd(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(long(r))
		}
	}
	return b.Bytes()
}

func printable(s string) string {
	clean := true
	for _, r := range s {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != 0xef: // a byte that is no UTF-8
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
