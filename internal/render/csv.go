package render

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/akscert/akscert/pkg/report"
)

// CSV writes one line for each certificate, each finding and each gap (kind says
// which), under fixed columns, as RFC 4180 has it: with a header, and lines that
// end in CR LF. A column that a kind has no use for is empty.
//
// Cells are safe to open in a spreadsheet: text is as Visible has it, and where it
// would begin a formula, an apostrophe stands before it.
func CSV(out io.Writer, r *report.Report) error {
	w := bufio.NewWriter(out)
	columns := csvColumns()
	writeCells(w, columns)
	line := make([]string, len(columns))
	l, waived := newLookup(r), waivedRows(r)
	write := func(cells map[string]string) {
		for i, name := range columns {
			line[i] = cells[name]
		}
		writeCells(w, line)
	}
	for _, c := range r.Certificates {
		cells := l.csvCertificate(c)
		cells["kind"] = "certificate"
		csvWaivers(cells, waived[c.ID])
		write(cells)
	}
	for _, f := range r.Findings {
		cells := l.csvFinding(f)
		csvWaiver(cells, f.Waiver, f.ExpiredWaiver)
		write(cells)
	}
	for _, g := range r.Gaps {
		cells := map[string]string{
			"kind": "gap", "cluster": text(l.name(g.Cluster)), "cluster_id": text(g.Cluster), "source": text(string(g.Source)),
			"node": text(strings.Join(nodesOf(g), " ")), "location": text(g.Location), "count": strconv.Itoa(g.Count),
			"reason": text(string(g.Reason)), "message": text(g.Message), "hint": text(g.Hint), "retryable": strconv.FormatBool(g.Retryable),
		}
		csvWaiver(cells, g.Waiver, g.ExpiredWaiver)
		write(cells)
	}
	return w.Flush()
}

func csvColumns() []string {
	return []string{"kind", "state", "cluster", "cluster_id", "source", "role", "node", "location", "not_before", "not_after", "seconds_left",
		"lifetime_seconds", "lifetime_used", "warns_at", "critical_at", "approximate", "renewal", "subject", "issuer", "serial", "sha256", "is_ca",
		"self_signed", "malformed", "count", "rule", "severity", "reason", "message", "by", "remedy", "hint", "retryable", "waiver", "waiver_expires", "waiver_reason", "expired_waiver", "certificate_id"}
}

func (l lookup) csvCertificate(c report.Certificate) map[string]string {
	return map[string]string{
		"state": text(string(c.State)), "cluster": text(l.name(c.Cluster)), "cluster_id": text(c.Cluster), "source": text(string(c.Source)),
		"role": text(string(c.Role)), "node": text(c.Node), "location": text(c.Location), "not_before": instant(c.NotBefore), "not_after": instant(c.NotAfter),
		"seconds_left": whole(c.SecondsLeft), "lifetime_seconds": whole(c.LifetimeSeconds), "lifetime_used": fraction(c.LifetimeUsed),
		"warns_at": instant(c.WarnsAt), "critical_at": instant(c.CriticalAt), "approximate": strconv.FormatBool(c.Approximate), "renewal": text(string(c.Renewal)),
		"subject": text(c.Subject), "issuer": text(c.Issuer), "serial": text(c.Serial), "sha256": text(c.SHA256), "is_ca": maybe(c.IsCA),
		"self_signed": maybe(c.SelfSigned), "malformed": text(c.Malformed), "count": strconv.Itoa(c.Count), "certificate_id": text(c.ID),
	}
}

// csvFinding repeats where the certificate is that the finding is about.
func (l lookup) csvFinding(f report.Finding) map[string]string {
	c := l.about(f)
	return map[string]string{
		"kind": "finding", "cluster": text(l.name(f.Cluster)), "cluster_id": text(f.Cluster), "source": text(string(c.Source)), "role": text(string(c.Role)),
		"node": text(f.Node), "location": text(c.Location), "rule": text(f.Rule), "severity": text(string(f.Severity)), "message": text(f.Message),
		"by": instant(f.By), "remedy": text(f.RemedyID), "certificate_id": text(f.Certificate),
	}
}

func csvWaiver(cells map[string]string, by *report.Waived, expired string) {
	cells["expired_waiver"] = text(expired)
	if by != nil {
		cells["waiver"], cells["waiver_expires"], cells["waiver_reason"] = text(by.ID), text(by.Expires), text(by.Reason)
	}
}

// csvWaivers says of a certificate what each of its findings says, and until when
// all of it holds.
func csvWaivers(cells map[string]string, all []report.Waived) {
	var ids, reasons []string
	until := ""
	for _, w := range all {
		ids, reasons = append(ids, w.ID), append(reasons, w.Reason)
		if until == "" || w.Expires < until {
			until = w.Expires
		}
	}
	cells["waiver"], cells["waiver_expires"], cells["waiver_reason"] = text(strings.Join(ids, " ")), text(until), text(strings.Join(reasons, "; "))
}

// nodesOf is the nodes that a gap stands for.
func nodesOf(g report.Gap) []string {
	if g.Node != "" {
		return []string{g.Node}
	}
	return g.Nodes
}

// text is a cell of text from outside. Spreadsheets take one for a formula that
// begins with = + - or @, in full width too, and some look behind a quote or a
// space; tabs and line ends are visible already.
func text(s string) string {
	s = Visible(s)
	rest := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`´‘’“”＂＇", r) })
	if rest != "" && strings.ContainsRune("=+-@＝＋－＠﹢﹣﹦﹫−", []rune(rest)[0]) {
		return "'" + s
	}
	return s
}

// writeCells writes a line. A cell is quoted, too, where a spreadsheet that
// separates by semicolons or tabs would cut it.
func writeCells(w *bufio.Writer, cells []string) {
	for i, cell := range cells {
		if i > 0 {
			_ = w.WriteByte(',') // Flush tells
		}
		if strings.ContainsAny(cell, ",;\"|\t\r\n") || strings.TrimSpace(cell) != cell {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		_, _ = w.WriteString(cell)
	}
	_, _ = w.WriteString("\r\n")
}

func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func whole(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func fraction(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', 4, 64)
}

func maybe(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
