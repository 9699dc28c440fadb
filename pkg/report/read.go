package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The bounds of what is read: a report of some million certificates.
const (
	maxBytes  = 1 << 30  // of all of it
	maxRow    = 16 << 20 // of one value: a certificate, a gap with the names of its nodes
	maxValues = 4 << 20  // rows, and what lists in them hold
	maxDepth  = 1000     // of what is passed over
)

const auditAgain = "run the audit again and keep all of what it writes"

// Read reads a report: a JSON document, or a stream, which becomes one report in
// the order that every report has. Which it is the first document's kind tells.
// It reads to the end, and no more than 1 GiB.
//
// A newer minor version is read, and what it adds is passed over. So is a word
// that is not known where it only describes: a role, a source, a reason, a
// verdict. Words that judge are a closed list: a state, a severity or an outcome
// that is not known is refused, for nothing could be said of it that is sure.
//
// What cannot be read is an *Error, unless r itself fails.
func Read(r io.Reader) (*Report, error) { return read(r, maxBytes, maxValues) }

func read(r io.Reader, size int64, values int) (*Report, error) {
	buffered := bufio.NewReader(&bounded{r, size})
	switch start, err := buffered.Peek(3); {
	case len(start) == 0 && errors.Is(err, io.EOF):
		return nil, &Error{ProblemCutShort, "the report is empty", auditAgain}
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, &Error{ProblemNotJSON, "the report is in UTF-16, and JSON is UTF-8",
			"the > of Windows PowerShell 5 rewrites what it is given: pipe into Out-File -Encoding utf8, or use PowerShell 7"}
	case bytes.Equal(start, []byte("\xef\xbb\xbf")):
		_, _ = buffered.Discard(len(start)) // they are in the buffer
	}
	m := &meter{r: buffered}
	d := &decoder{json: json.NewDecoder(m), meter: m, values: values}
	d.json.UseNumber() // a token that no float can hold is not the reader failing
	first, err := d.next()
	switch {
	case err != nil:
		return nil, err
	case first == nil:
		return nil, &Error{ProblemCutShort, "the report is empty", auditAgain}
	case first.header.Kind == KindHeader:
		return d.stream(first)
	case first.header.Kind != Kind:
		return nil, &Error{ProblemCutShort, "the stream does not begin with its header", auditAgain}
	}
	report := first.report()
	report.Clusters = first.clusters
	return d.finish(report)
}

// next is the next document, of a kind and version that are known; nil at the
// end.
func (d *decoder) next() (*document, error) {
	doc, err := d.document()
	if doc == nil || err != nil {
		return nil, err
	}
	required, ok := requiredKeys(doc.header.Kind)
	if !ok {
		return nil, otherKind(doc.header.Kind)
	}
	if err := sameMajor(doc.header.SchemaVersion); err != nil {
		return nil, err
	}
	if doc.broken != nil {
		return nil, doc.broken
	}
	for key := range strings.FieldsSeq(required) {
		if !doc.has[key] {
			return nil, invalid("%s has no %s", doc.header.Kind, key)
		}
	}
	return doc, nil
}

// requiredKeys are the fields that a kind of document always has; ok is false for
// one that is no part of a report.
func requiredKeys(kind string) (required string, ok bool) {
	const rows = " nodes certificates findings remedies gaps"
	const header, closing = " tool asOf startedAt policy", " outcome exitCode complete durationSeconds summary"
	required, ok = map[string]string{
		Kind:        header + closing + " clusters" + rows,
		KindHeader:  header,
		KindPart:    " cluster" + rows,
		KindClosing: closing + rows,
	}[kind]
	return required, ok
}

// stream reads what follows a header.
func (d *decoder) stream(header *document) (*Report, error) {
	all := &document{header: header.header, closing: Closing{Rows: noRows()}, clusters: []Cluster{}}
	remedies := map[string]bool{}
	for {
		doc, err := d.next()
		var cut *Error
		switch {
		case doc == nil && err == nil, errors.As(err, &cut) && cut.Problem == ProblemCutShort:
			return nil, &Error{ProblemCutShort, fmt.Sprintf("the stream was cut after %d of its clusters: it has no summary", len(all.clusters)),
				"wait for the audit to end, or " + auditAgain}
		case err != nil:
			return nil, err
		case doc.header.Kind == KindHeader, doc.header.Kind == Kind:
			return nil, &Error{ProblemTrailing, "another report begins inside the stream", "give each report a file of its own"}
		}
		all.closing.append(doc.closing.Rows)
		for _, remedy := range doc.closing.Remedies {
			if !remedies[remedy.ID] { // each part has those it needs
				remedies[remedy.ID] = true
				all.closing.Remedies = append(all.closing.Remedies, remedy)
			}
		}
		if doc.header.Kind == KindPart {
			all.clusters = append(all.clusters, doc.cluster)
			continue
		}
		rows := all.closing.Rows
		all.closing = doc.closing
		all.closing.Rows = rows
		report := all.report()
		report.Clusters = all.clusters
		report.Sort()
		return d.finish(report)
	}
}

// finish checks r, and that nothing follows it.
func (d *decoder) finish(r *Report) (*Report, error) {
	switch _, err := d.json.Token(); {
	case errors.Is(err, io.EOF):
		if err := r.check(); err != nil {
			return nil, err
		}
		return r, nil
	case err != nil && !isSyntax(err):
		return nil, d.failed(err)
	}
	return nil, &Error{ProblemTrailing, fmt.Sprintf("something follows the end of the report, at byte %d", d.json.InputOffset()),
		"give each report a file of its own, and let nothing else write into it"}
}

// report is the document as a report without its clusters.
func (doc *document) report() *Report {
	h, c := doc.header, doc.closing
	return &Report{SchemaVersion: h.SchemaVersion, Kind: Kind, Tool: h.Tool, AsOf: h.AsOf, StartedAt: h.StartedAt, DurationSeconds: c.DurationSeconds,
		Policy: h.Policy, Shard: h.Shard, Scope: h.Scope, Sampling: h.Sampling, Outcome: c.Outcome, ExitCode: c.ExitCode, Complete: c.Complete, Summary: c.Summary,
		Nodes: c.Nodes, Certificates: c.Certificates, Findings: c.Findings, Remedies: c.Remedies, Gaps: c.Gaps, Waivers: append([]Waiver{}, c.Waivers...)} // a report from before there were waivers has none
}

func otherKind(kind string) *Error {
	e := &Error{Problem: ProblemKind, Hint: "a report is what akscert audit -o json or -o ndjson writes"}
	switch kind {
	case "":
		e.Message = "the document is not a report: it has no kind"
	case KindComparison:
		e.Message = "the document is a comparison of reports, not a report"
	default:
		e.Message = fmt.Sprintf("the document is not a report: its kind is %q", clip(kind))
	}
	return e
}

// sameMajor refuses a version of the schema that means other things by the same
// words.
func sameMajor(version string) error {
	ours, _, _ := strings.Cut(SchemaVersion, ".")
	major, minor, ok := strings.Cut(version, ".")
	n, err := strconv.ParseUint(major, 10, 16)
	if _, minorErr := strconv.ParseUint(minor, 10, 16); !ok || err != nil || minorErr != nil {
		return invalid("the schemaVersion is %q, which is none", clip(version))
	}
	if major == ours {
		return nil
	}
	e := &Error{ProblemVersion, fmt.Sprintf("the report has version %s of the schema, and only %s is understood", version, SchemaVersion), "read it with the akscert that wrote it"}
	if mine, _ := strconv.ParseUint(ours, 10, 16); n > mine {
		e.Hint = "a newer akscert wrote it: read it with that"
	}
	return e
}

func invalid(format string, args ...any) *Error {
	return &Error{ProblemInvalid, "the report is damaged: " + fmt.Sprintf(format, args...), "read it as akscert wrote it: what was edited or filtered is no report any more"}
}

// clip keeps what is quoted of a foreign document short.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// bounded fails where r has more than left bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge("the report is larger than %d MiB", maxBytes>>20)
	}
	return n, err
}

func tooLarge(format string, args ...any) *Error {
	return &Error{ProblemTooLarge, fmt.Sprintf(format, args...), "audit in shards, and read each one's report"}
}
