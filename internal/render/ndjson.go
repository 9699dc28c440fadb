package render

import (
	"encoding/json"
	"io"
)

// Line writes one document of a stream, on one line: see report.Header,
// report.Part and report.Closing. As in JSON, text from outside stays as it is.
func Line(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(document)
}
