package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// decoder reads documents field by field and row by row: no more of what is read
// is held than becomes part of the report, and what is no report is known as
// such before its rows are.
type decoder struct {
	json   *json.Decoder
	meter  *meter
	values int // how many more may come
	raw    json.RawMessage
}

// document is any document of a report: which fields count its kind tells, and
// that may come last.
type document struct {
	header   Header
	closing  Closing
	cluster  Cluster
	clusters []Cluster
	has      map[string]bool
	broken   error // the first thing wrong with it, told once it is known to be a report
}

func (doc *document) note(err error) {
	if doc.broken == nil {
		doc.broken = err
	}
}

// document is the next document, nil at the end.
func (d *decoder) document() (*document, error) {
	d.allow()
	token, err := d.json.Token()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, d.failed(err)
	}
	if token != json.Delim('{') {
		return nil, &Error{ProblemKind, "this is JSON, but not a report", "a report is what akscert audit -o json or -o ndjson writes, one to a file"}
	}
	doc := &document{has: map[string]bool{}}
	for d.allow(); d.json.More(); d.allow() {
		token, err := d.json.Token()
		if err != nil {
			return nil, d.failed(err)
		}
		key, _ := token.(string) // nothing else can stand here
		if err := d.field(doc, key); err != nil {
			return nil, err
		}
	}
	if _, err := d.json.Token(); err != nil {
		return nil, d.failed(err)
	}
	return doc, nil
}

// field reads the value of one field of doc. Its error ends the reading.
func (d *decoder) field(doc *document, key string) error {
	if known := d.known(doc, key); known != nil {
		if doc.has[key] {
			doc.note(invalid("%s stands there twice", key))
		}
		doc.has[key] = true
		return known()
	}
	_, err := d.value()
	return err
}

// known is how to read a field, nil for one that is not known.
func (d *decoder) known(doc *document, key string) func() error {
	h, c := &doc.header, &doc.closing
	into := map[string]any{
		"schemaVersion": &h.SchemaVersion, "kind": &h.Kind, "tool": &h.Tool, "asOf": &h.AsOf, "startedAt": &h.StartedAt,
		"policy": &h.Policy, "shard": &h.Shard, "scope": &h.Scope, "sampling": &h.Sampling, "outcome": &c.Outcome, "exitCode": &c.ExitCode,
		"complete": &c.Complete, "durationSeconds": &c.DurationSeconds, "summary": &c.Summary, "cluster": &doc.cluster,
	}
	if value, ok := into[key]; ok {
		return func() error {
			raw, err := d.value()
			if err == nil {
				doc.note(unmarshal(raw, value, key))
			}
			return err
		}
	}
	switch key {
	case "clusters":
		return func() error { return rows(d, doc, key, &doc.clusters) }
	case "nodes":
		return func() error { return rows(d, doc, key, &c.Nodes) }
	case "certificates":
		return func() error { return rows(d, doc, key, &c.Certificates) }
	case "findings":
		return func() error { return rows(d, doc, key, &c.Findings) }
	case "remedies":
		return func() error { return rows(d, doc, key, &c.Remedies) }
	case "gaps":
		return func() error { return rows(d, doc, key, &c.Gaps) }
	case "waivers":
		return func() error { return rows(d, doc, key, &c.Waivers) }
	}
	return nil
}

// rows reads a list. Rows are bounded one by one, and counted together with what
// they hold before the next is read.
func rows[T any](d *decoder, doc *document, key string, into *[]T) error {
	token, err := d.json.Token()
	if err != nil {
		return d.failed(err)
	}
	if token != json.Delim('[') {
		if token == nil {
			doc.note(invalid("%s is null", key))
		} else {
			doc.note(invalid("%s is not a list", key))
		}
		return d.pass(token)
	}
	*into = []T{}
	for d.allow(); d.json.More(); d.allow() {
		raw, err := d.value()
		if err != nil {
			return err
		}
		var row T
		doc.note(unmarshal(raw, &row, fmt.Sprintf("%s[%d]", key, len(*into))))
		if d.values -= 1 + held(row); d.values < 0 {
			return tooLarge("the report has more than %d rows", maxValues)
		}
		*into = append(*into, row)
	}
	if _, err := d.json.Token(); err != nil {
		return d.failed(err)
	}
	return nil
}

// held is how much the lists in a row hold.
func held(row any) int {
	switch row := row.(type) {
	case Cluster:
		n := len(row.Sources) + len(row.Credentials)
		for _, c := range row.Credentials {
			n += len(c.Kinds)
		}
		if row.Rotation != nil {
			n += len(row.Rotation.Evidence)
		}
		return n
	case Remedy:
		return len(row.Commands)
	case Gap:
		return len(row.Nodes)
	}
	return 0
}

// meter bounds what is read between two values: encoding/json holds all of a
// value, of spaces too, before anybody can say that it is too much.
type meter struct {
	r    io.Reader
	left int64
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, tooLarge("the report has a value larger than %d MiB", maxRow>>20)
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// allow lets one more value be read.
func (d *decoder) allow() { d.meter.left = 2 * maxRow }

// value is the next value as it stands, good until the next call.
func (d *decoder) value() (json.RawMessage, error) {
	d.allow()
	if err := d.json.Decode(&d.raw); err != nil {
		return nil, d.failed(err)
	}
	if len(d.raw) > maxRow {
		return nil, tooLarge("the report has a value larger than %d MiB", maxRow>>20)
	}
	return d.raw, nil
}

// pass passes over the rest of a value that begins with token.
func (d *decoder) pass(token json.Token) error {
	for depth := 0; ; {
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		if depth > maxDepth {
			return tooLarge("the document is nested deeper than %d", maxDepth)
		}
		d.allow()
		var err error
		if token, err = d.json.Token(); err != nil {
			return d.failed(err)
		}
	}
}

// failed words what ended the reading.
func (d *decoder) failed(err error) error {
	var ours *Error
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{ProblemCutShort, fmt.Sprintf("the report is cut short: it ends at byte %d", d.json.InputOffset()), auditAgain}
	case isSyntax(err):
		return &Error{ProblemNotJSON, fmt.Sprintf("this is not JSON: %v, near byte %d", err, d.json.InputOffset()), "a report is what akscert audit -o json or -o ndjson writes"}
	}
	return fmt.Errorf("reading the report: %w", err)
}

func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	return errors.As(err, &syntax)
}

// unmarshal reads one value; where says which for an error, which quotes nothing
// of it.
func unmarshal(raw json.RawMessage, into any, where string) error {
	if slices.Equal(raw, json.RawMessage("null")) {
		return invalid("%s is null", where)
	}
	err := json.Unmarshal(raw, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return invalid("%s: %s is of the wrong type", where, wrong.Field)
	case errors.As(err, &wrong):
		return invalid("%s is of the wrong type", where)
	}
	return invalid("%s has a value that is none, such as a time not in RFC 3339", where)
}
