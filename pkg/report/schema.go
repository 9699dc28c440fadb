package report

import (
	"bytes"
	_ "embed"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema, 2020-12, of every kind of document that this package
// writes: a report, those of a stream, a comparison and a verification.
func Schema() []byte { return bytes.Clone(schema) }
