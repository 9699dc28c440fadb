package discover

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Bounds of a clusters file.
const (
	maxList      = 32 << 20
	maxLine      = 2048 // an ARM id has at most some 400 characters
	maxListed    = 100_000
	maxBadListed = 100 // told one by one
)

// oneALine is the hint for whatever a clusters file should not have.
const oneALine = "one ARM id or context a line, as az aks list --query '[].id' -o tsv prints them"

// Listed is what a clusters file names, each once.
type Listed struct {
	Clusters []target.Target // by their ARM ids, which are all that is known of them
	Contexts []Line
}

// Line is a context in a clusters file.
type Line struct{ Context, Where string }

// List reads a clusters file: an ARM id or a context a line. A line that begins
// with a slash is an id, of which a table's further columns may follow. Blank
// lines and those that begin with # do not matter, nor do a byte order mark,
// the ends of lines, and quotes around one. A line that cannot be used is a gap,
// and the others count. name is what the file is called.
//
// It gives up when ctx ends: what is piped in need not end by itself.
func List(ctx context.Context, r io.Reader, name string) (Listed, []report.Gap, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(r, maxList+1))
		done <- result{data, err}
	}()
	var got result
	select {
	case got = <-done:
	case <-ctx.Done():
		return Listed{}, nil, waited(ctx, fmt.Sprintf("reading the clusters file %q", name), "give it more time with --timeout")
	}
	if got.err != nil && len(got.data) == 0 {
		return Listed{}, nil, &Error{fmt.Sprintf("reading the clusters file %q: %s", name, reason(got.err)), oneALine}
	}
	l := listReader{name: name, seen: map[string]bool{}}
	data := got.data[:min(len(got.data), maxList)]
	l.read(decoded(data))
	switch {
	case got.err != nil:
		l.gap(0, report.ReasonTruncated, fmt.Sprintf("cannot be read to its end: %s", reason(got.err)))
	case len(got.data) > maxList:
		l.gap(0, report.ReasonTruncated, fmt.Sprintf("is larger than %d MiB; the rest is left out", maxList>>20))
	}
	if len(l.seen)+len(l.gaps) == 0 {
		l.gaps = append(l.gaps, report.Gap{Source: report.SourceARM, Count: 1, Location: name, Reason: report.ReasonNotFound, Message: name + " names no cluster", Hint: oneALine})
	}
	if l.more > 0 {
		l.gaps = append(l.gaps, report.Gap{Source: report.SourceARM, Count: l.more, Location: name, Reason: report.ReasonMalformed,
			Message: fmt.Sprintf("%s: %d more lines cannot be used", name, l.more), Hint: oneALine})
	}
	return l.found, l.gaps, nil
}

// waited is why nothing came while ctx lasted.
func waited(ctx context.Context, what, hint string) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, cause) // a signal, which says so
	}
	return &Error{what + " took longer than the run may", hint}
}

// reason is err without the path, which the message has already.
func reason(err error) string {
	var path interface{ Unwrap() error }
	if errors.As(err, &path) && path.Unwrap() != nil {
		return path.Unwrap().Error()
	}
	return err.Error()
}

// decoded is UTF-8 without a byte order mark. Windows PowerShell redirects into
// UTF-16.
func decoded(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		units = append(units, order.Uint16(data[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}

// listReader is a clusters file being read.
type listReader struct {
	name  string
	seen  map[string]bool
	found Listed
	gaps  []report.Gap
	more  int // lines that cannot be used, beyond those in gaps
}

func (l *listReader) read(data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		if len(l.seen) == maxListed {
			l.gap(n, report.ReasonTruncated, fmt.Sprintf("there are more than %d clusters; the rest is left out", maxListed))
			return
		}
		l.line(n, lines.Text())
	}
}

func (l *listReader) line(n int, text string) {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasPrefix(text, "#") || text == "[" || text == "]" || text == "[]" { // az's own format is JSON
		return
	}
	if len(text) > maxLine {
		l.gap(n, report.ReasonMalformed, fmt.Sprintf("is longer than %d bytes", maxLine))
		return
	}
	if isID(text) {
		text, _, _ = strings.Cut(text, "\t")
		text, _, _ = strings.Cut(text, " #")
	}
	text = unquoted(strings.TrimSpace(text))
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "}") || strings.Contains(text, `": `) || strings.HasPrefix(text, `"`) { // what JSON's own lines leave
		l.gap(n, report.ReasonMalformed, "is JSON, and not one id or context")
		return
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Cf, r) }) {
		l.gap(n, report.ReasonMalformed, "holds control characters or what is no text")
		return
	}
	if !isID(text) {
		if text != "" && !l.seen["context "+text] {
			l.seen["context "+text] = true
			l.found.Contexts = append(l.found.Contexts, Line{text, fmt.Sprintf("%s:%d", l.name, n)})
		}
		return
	}
	a, why := parseID(text)
	if why != "" {
		l.gap(n, report.ReasonMalformed, why)
		return
	}
	if id := strings.ToLower(a.ID); !l.seen[id] {
		l.seen[id] = true
		l.found.Clusters = append(l.found.Clusters, inARM(a))
	}
}

// isID reports whether a line means to be an ARM id, whatever is around it.
func isID(text string) bool {
	text = strings.ToLower(strings.TrimLeft(text, `"'`))
	return strings.HasPrefix(text, "/") || strings.HasPrefix(text, "subscriptions/")
}

// unquoted takes away the quotes around text, and the comma that JSON has after.
func unquoted(text string) string {
	if len(text) < 2 {
		return text
	}
	bare := strings.TrimSuffix(text, ",")
	if q := bare[0]; (q == '"' || q == '\'') && len(bare) > 1 && bare[len(bare)-1] == q {
		return strings.TrimSpace(bare[1 : len(bare)-1])
	}
	return text
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// parseID reads a managed cluster's id, or says what is wrong with it.
func parseID(text string) (target.ARM, string) {
	words := strings.Split(strings.Trim(text, "/"), "/")
	fixed := []string{"subscriptions", "", "resourceGroups", "", "providers", "Microsoft.ContainerService", "managedClusters", ""}
	for i, word := range fixed {
		switch {
		case i >= len(words):
			return target.ARM{}, "is an incomplete ARM id"
		case word != "" && !strings.EqualFold(word, words[i]):
			return target.ARM{}, "is not the ARM id of a managed cluster"
		case word == "" && (words[i] == "" || words[i] == "." || words[i] == ".." || strings.ContainsFunc(words[i], unicode.IsSpace) || strings.ContainsAny(words[i], `"'<>?%&\`)):
			return target.ARM{}, "is not an ARM id: a name in it cannot be one"
		}
	}
	switch {
	case len(words) > len(fixed):
		return target.ARM{}, "is the ARM id of something in a managed cluster"
	case !guid.MatchString(words[1]):
		return target.ARM{}, "is not an ARM id: its subscription is not an id"
	}
	return target.ARM{ID: "/" + strings.Join(words, "/"), SubscriptionID: words[1], ResourceGroup: words[3], Name: words[7], Listed: true}, ""
}

// gap notes what is wrong with a line, or with the file where n is 0. What the
// line says is not quoted: it may be anything.
func (l *listReader) gap(n int, reason report.Reason, what string) {
	where, sentence := l.name, l.name+" "+what
	if n > 0 {
		where = fmt.Sprintf("%s:%d", l.name, n)
		sentence = fmt.Sprintf("line %d of %s %s", n, l.name, what)
	}
	if n > 0 && len(l.gaps) >= maxBadListed && reason == report.ReasonMalformed {
		l.more++
		return
	}
	l.gaps = append(l.gaps, report.Gap{Source: report.SourceARM, Count: 1, Location: where, Reason: reason, Message: sentence, Hint: oneALine})
}
