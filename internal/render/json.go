// Package render draws a report. It reads nothing but the report, and decides
// nothing: not what is shown as bad, and never the exit code.
package render

import (
	"encoding/json"
	"io"
)

// JSON writes a report, or a comparison of two, as one indented document. Text from outside stays as
// it is: escaping is for formats that a person reads.
func JSON(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}
