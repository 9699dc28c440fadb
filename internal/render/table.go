package render

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/akscert/akscert/pkg/report"
)

// Look is how a table should look; it changes nothing of what it says.
type Look struct {
	Wide  bool // every column
	Color bool
	// Width is the terminal's columns; 0 in a pipe, where nothing is cut and
	// no bar is drawn.
	Width int
}

// Table draws the report for a person: the certificates, then what else was
// found, what to do, what was not examined, and the result in one line.
func Table(out io.Writer, r *report.Report, look Look) error {
	w := bufio.NewWriter(out)
	if err := rows(w, r, look); err != nil {
		return err
	}
	skipped(w, r)
	rotation(w, r, look)
	found(w, r, look)
	todo(w, r)
	unseen(w, r)
	fmt.Fprintln(w, result(r, look))
	return w.Flush()
}

// column is one column of the table. The ones with the highest yield give way
// first on a narrow terminal; those with 0 stay.
type column struct {
	head  string
	yield int
	cell  func(report.Certificate) string
}

func columns(r *report.Report, look Look) []column {
	names := clusterNames(r)
	list := []column{
		{"STATE", 0, func(c report.Certificate) string { return paint(string(c.State), string(c.State), look.Color) }},
		{"EXPIRES", 0, func(c report.Certificate) string { return left(c) }},
		{"NOT AFTER", 2, func(c report.Certificate) string { return when(c) }},
		{"LIFE", 1, func(c report.Certificate) string { return life(c, look.Width > 0) }},
		{"ROLE", 0, func(c report.Certificate) string { return string(c.Role) }},
	}
	if len(r.Clusters) > 1 {
		list = append(list, column{"CLUSTER", 0, func(c report.Certificate) string { return Visible(names[c.Cluster]) }})
	}
	list = append(list,
		column{"LOCATION", 0, func(c report.Certificate) string { return location(c) }},
		column{"SUBJECT", 3, func(c report.Certificate) string { return Visible(c.Subject) }})
	if look.Wide {
		list = append(list,
			column{"ISSUER", 0, func(c report.Certificate) string { return Visible(c.Issuer) }},
			column{"NOT BEFORE", 0, func(c report.Certificate) string { return date(c.NotBefore) }},
			column{"RENEWAL", 0, func(c report.Certificate) string { return string(c.Renewal) }},
			column{"SERIAL", 0, func(c report.Certificate) string { return c.Serial }},
			column{"SHA256", 0, func(c report.Certificate) string { return c.SHA256 }})
	}
	return list
}

func clusterNames(r *report.Report) map[string]string {
	names := map[string]string{}
	for _, c := range r.Clusters {
		names[c.ID] = c.Name
	}
	return names
}

func rows(w io.Writer, r *report.Report, look Look) error {
	if len(r.Certificates) == 0 {
		_, err := fmt.Fprintln(w, "no certificates")
		return err
	}
	list := columns(r, look)
	cells := make([][]string, len(r.Certificates))
	for i, c := range r.Certificates {
		for _, col := range list {
			cells[i] = append(cells[i], col.cell(c))
		}
	}
	heads := []string{}
	for _, col := range list {
		heads = append(heads, col.head)
	}
	if look.Width > 0 && !look.Wide {
		heads, cells = fit(list, heads, cells, look.Width)
	}
	return grid(w, heads, cells)
}

// grid sets a table without lines. tablewriter pads and measures; its own
// limits of width do not hold, so cutting is done before (fit).
func grid(w io.Writer, heads []string, cells [][]string) error {
	var padded bytes.Buffer
	table := tablewriter.NewTable(&padded,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off), tablewriter.WithHeaderAlignment(tw.AlignLeft), tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithRowAutoWrap(tw.WrapNone), tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Right: "  ", Overwrite: true}))
	table.Header(heads)
	if err := table.Bulk(cells); err != nil {
		return fmt.Errorf("setting the table: %w", err)
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("setting the table: %w", err)
	}
	for line := range strings.Lines(padded.String()) { // the last column needs no padding
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	return nil
}

// fit makes the table no wider than width: it shortens subject and location,
// and then drops whole columns, the least useful first.
func fit(list []column, heads []string, cells [][]string, width int) ([]string, [][]string) {
	const gap, narrow = 2, 24
	for {
		widths := make([]int, len(heads))
		total := 0
		for i, head := range heads {
			widths[i] = runewidth.StringWidth(head)
			for _, row := range cells {
				widths[i] = max(widths[i], displayed(row[i]))
			}
			total += widths[i] + gap
		}
		over := total - width
		if over <= 0 {
			return heads, cells
		}
		shortened := false
		for _, name := range []string{"SUBJECT", "LOCATION"} {
			i := slices.Index(heads, name)
			if i < 0 || widths[i] <= narrow || over <= 0 {
				continue
			}
			to := max(narrow, widths[i]-over)
			over -= widths[i] - to
			for _, row := range cells {
				row[i] = middle(row[i], to)
			}
			shortened = true
		}
		if shortened && over <= 0 {
			return heads, cells
		}
		worst := -1
		for i, col := range list {
			if col.yield > 0 && (worst < 0 || col.yield > list[worst].yield) {
				worst = i
			}
		}
		if worst < 0 {
			return heads, cells // as narrow as it gets
		}
		list, heads = slices.Delete(slices.Clone(list), worst, worst+1), slices.Delete(slices.Clone(heads), worst, worst+1)
		for i := range cells {
			cells[i] = slices.Delete(slices.Clone(cells[i]), worst, worst+1)
		}
	}
}

// middle cuts s in the middle, where a location's ends are what tells it apart.
func middle(s string, width int) string {
	if runewidth.StringWidth(s) <= width {
		return s
	}
	head := (width - 1) / 3
	return runewidth.Truncate(s, head, "") + "…" + runewidth.TruncateLeft(s, runewidth.StringWidth(s)-(width-1-head), "")
}

func location(c report.Certificate) string {
	at := Visible(c.Location)
	if c.Node != "" {
		at = Visible(c.Node) + ":" + at
	}
	if c.Count > 1 {
		at += fmt.Sprintf(" (%d times)", c.Count)
	}
	return at
}

// life is the share of the lifetime used; on a terminal as a bar, too, with a
// mark at 80 %.
func life(c report.Certificate, bar bool) string {
	if c.LifetimeUsed == nil {
		return "-"
	}
	percent := fmt.Sprintf("%3d %%", int64(math.Floor(*c.LifetimeUsed*100)))
	if !bar {
		return strings.TrimSpace(percent)
	}
	const width, mark = 10, 8
	full := int(math.Floor(min(max(*c.LifetimeUsed, 0), 1) * width))
	var b strings.Builder
	for i := range width {
		if i == mark {
			b.WriteString("|")
		}
		if i < full {
			b.WriteString("█")
		} else {
			b.WriteString("·")
		}
	}
	return b.String() + " " + percent
}
