package render

import (
	"io"

	"github.com/akscert/akscert/pkg/report"
)

// Lines writes the whole report as a stream.
func Lines(w io.Writer, r *report.Report) error {
	if err := Line(w, r.Header()); err != nil {
		return err
	}
	for _, part := range r.Parts() {
		if err := Line(w, part); err != nil {
			return err
		}
	}
	return Line(w, r.Closing())
}

// Line writes one document of a stream, on one line: see report.Header,
// report.Part and report.Closing. Text from outside is as in JSON.
func Line(w io.Writer, document any) error { return encode(w, document, "") }
