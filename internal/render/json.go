// Package render draws a report. It reads nothing but the report, and decides
// nothing: not what is shown as bad, and never the exit code.
package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
)

// JSON writes a report, or a comparison of two, as one indented document. Text from outside stays as
// it is: escaping is for formats that a person reads. Only how it is spelled is up to us: a character
// that is not printable, or would begin a command of a CI system whose log this may be, is written as
// JSON's own escape, which says the same.
func JSON(w io.Writer, document any) error { return encode(w, document, "  ") }

func encode(w io.Writer, document any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return err
	}
	_, err := w.Write(inert(b.Bytes(), surrogates))
	return err
}

// surrogates is a character outside the basic plane, as JSON escapes it.
func surrogates(r rune) string {
	high, low := utf16.EncodeRune(r)
	return fmt.Sprintf(`\u%04x\u%04x`, high, low)
}
