package render

import (
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
	All   bool // every row, and all that is waived: else those that are ok are counted
	ASCII bool // no other character
	Color bool
	// Width is the terminal's columns; 0 in a pipe, where nothing is cut and
	// no bar is drawn.
	Width int
}

// Table draws the report for a person: the certificates, worst first and in a
// fleet by cluster, then what else was found, what is waived, what to do, what was
// not examined, and the result in one line.
func Table(out io.Writer, r *report.Report, look Look) error {
	w := new(bytes.Buffer)
	if err := rows(w, r, look); err != nil {
		return err
	}
	skipped(w, r)
	rotation(w, r, look)
	found(w, r, look)
	accept(w, r, look)
	todo(w, r, look)
	unseen(w, r)
	fmt.Fprintln(w, result(r, look))
	text := w.String()
	if look.ASCII {
		text = ascii(text)
	}
	_, err := io.WriteString(out, text)
	return err
}

// column is one column of the table. The ones with the highest yield give way
// first on a narrow terminal; those with 0 stay.
type column struct {
	head  string
	yield int
	cell  func(report.Certificate) string
	less  func(report.Certificate) string // a narrower cell, which is tried before it gives way
}

func columns(r *report.Report, look Look) []column {
	names, waived := clusterNames(r), waivedRows(r)
	list := []column{
		{head: "STATE", cell: func(c report.Certificate) string {
			if waived[c.ID] != nil {
				return paint(Visible(string(c.State))+", waived", "info", look.Color)
			}
			if c.Role == report.RoleAPIServerCopy && c.State != report.StateOK { // never an alarm: nothing uses it
				return paint(Visible(string(c.State)), "info", look.Color)
			}
			return paint(Visible(string(c.State)), string(c.State), look.Color)
		}},
		{head: "EXPIRES", cell: left},
		{head: "NOT AFTER", yield: 2, cell: when},
		{head: "LIFE", yield: 1, cell: func(c report.Certificate) string { return life(c, look.Width > 0, look) }},
		{head: "ROLE", cell: func(c report.Certificate) string { return Visible(string(c.Role)) }},
	}
	if look.Width > 0 {
		list[3].less = func(c report.Certificate) string { return life(c, false, look) }
	} else if len(r.Clusters) > 1 { // where lines are picked out, each says whose it is
		list = append(list, column{head: "CLUSTER", cell: func(c report.Certificate) string { return Visible(names[c.Cluster]) }})
	}
	list = append(list,
		column{head: "LOCATION", cell: location, less: func(c report.Certificate) string { return shortLocation(c, look) }},
		column{head: "SUBJECT", yield: 3, cell: func(c report.Certificate) string { return Visible(c.Subject) }})
	if look.Wide {
		list = append(list,
			column{head: "ISSUER", cell: func(c report.Certificate) string { return Visible(c.Issuer) }},
			column{head: "NOT BEFORE", cell: func(c report.Certificate) string { return date(c.NotBefore) }},
			column{head: "RENEWAL", cell: func(c report.Certificate) string { return Visible(string(c.Renewal)) }},
			column{head: "SERIAL", cell: func(c report.Certificate) string { return Visible(c.Serial) }},
			column{head: "SHA256", cell: func(c report.Certificate) string { return Visible(c.SHA256) }})
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
	groups := grouped(r, look)
	list := columns(r, look)
	var shown []report.Certificate
	for _, g := range groups {
		shown = append(shown, g.shown...)
	}
	lines := []string{}
	if len(shown) > 0 {
		var err error
		if lines, err = certificates(list, shown, look); err != nil {
			return err
		}
		fmt.Fprintln(w, lines[0])
		lines = lines[1:]
	}
	for i, g := range groups {
		if g.head != "" {
			if i > 0 || len(shown) > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, g.head)
		}
		for _, line := range lines[:len(g.shown)] {
			fmt.Fprintln(w, line)
		}
		lines = lines[len(g.shown):]
		if g.rest != "" {
			fmt.Fprintln(w, g.rest)
		}
	}
	return nil
}

// certificates sets the table of what is shown: its head, and a line for each.
func certificates(list []column, shown []report.Certificate, look Look) ([]string, error) {
	cells := make([][]string, len(list))
	for i, col := range list {
		cells[i] = column1(col.cell, shown, look)
	}
	if look.Width > 0 && !look.Wide {
		list, cells = fit(list, cells, shown, look)
	}
	heads := make([]string, len(list))
	for i, col := range list {
		heads[i] = col.head
	}
	rows := make([][]string, len(shown))
	for i := range shown {
		for c := range list {
			rows[i] = append(rows[i], cells[c][i])
		}
	}
	return grid(heads, rows)
}

// grid sets a table without rules: the first of its lines is the head.
// tablewriter pads and measures; its own limits of width do not hold, so cutting
// is done before (fit).
func grid(heads []string, rows [][]string) ([]string, error) {
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
	if err := table.Bulk(rows); err != nil {
		return nil, fmt.Errorf("setting the table: %w", err)
	}
	if err := table.Render(); err != nil {
		return nil, fmt.Errorf("setting the table: %w", err)
	}
	var lines []string
	for line := range strings.Lines(padded.String()) { // the last column needs no padding
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	if len(lines) != len(rows)+1 {
		return nil, fmt.Errorf("setting the table: %d lines for %d rows", len(lines), len(rows))
	}
	return lines, nil
}

// column1 is one column's cells.
func column1(cell func(report.Certificate) string, shown []report.Certificate, look Look) []string {
	cells := make([]string, len(shown))
	for i, c := range shown {
		if cells[i] = cell(c); look.ASCII {
			cells[i] = ascii(cells[i])
		}
	}
	return cells
}

// fit makes the table no wider than the screen: it shortens subject and location,
// then narrows or drops whole columns, the least useful first. What room is left
// in the end is given back to what was shortened.
func fit(list []column, cells [][]string, shown []report.Certificate, look Look) ([]column, [][]string) {
	narrow := map[string]int{"SUBJECT": 24, "LOCATION": 28} // what tells rows apart is shortened no further
	whole := map[string][]string{}                          // cells before they were cut
	last := map[string]int{}                                // and how far that was
	list, cells = slices.Clone(list), slices.Clone(cells)
	cut := func(i, to int) {
		cells[i] = slices.Clone(whole[list[i].head])
		for r, cell := range cells[i] {
			cells[i][r] = middle(cell, to, look)
		}
	}
	for {
		widths, total := measured(list, cells)
		over, again := total-look.Width, false
		if over <= 0 {
			for _, name := range []string{"LOCATION", "SUBJECT"} {
				if i := slices.IndexFunc(list, func(c column) bool { return c.head == name }); i >= 0 && whole[name] != nil {
					cut(i, widths[i]-over)
					widths, total = measured(list, cells)
					over = total - look.Width
				}
			}
			return list, cells
		}
		for _, name := range []string{"SUBJECT", "LOCATION"} {
			i := slices.IndexFunc(list, func(c column) bool { return c.head == name })
			if i < 0 || widths[i] <= narrow[name] || over <= 0 {
				continue
			}
			if name == "LOCATION" && list[i].less != nil { // what tells a place apart, before anything of that is cut
				cells[i], list[i].less = column1(list[i].less, shown, look), nil
				over = 0
				again = true
				break
			}
			to := max(narrow[name], widths[i]-over)
			if to == last[name] {
				continue // it was cut that far, and is wider all the same
			}
			last[name] = to
			over -= widths[i] - to
			if whole[name] == nil {
				whole[name] = cells[i]
			}
			cut(i, to)
		}
		if again || over <= 0 {
			continue
		}
		worst := -1
		for i, col := range list {
			if col.yield > 0 && (worst < 0 || col.yield > list[worst].yield) {
				worst = i
			}
		}
		switch {
		case worst < 0 && narrow["LOCATION"] > 20:
			narrow["LOCATION"] -= 8
		case worst < 0:
			return list, cells // as narrow as it gets
		case list[worst].less != nil:
			cells[worst], list[worst].less = column1(list[worst].less, shown, look), nil
		default:
			list, cells = slices.Delete(list, worst, worst+1), slices.Delete(cells, worst, worst+1)
		}
	}
}

// measured are the columns' widths, and that of the table.
func measured(list []column, cells [][]string) (widths []int, total int) {
	const gap = 2
	total = -gap // none after the last
	for i, col := range list {
		width := runewidth.StringWidth(col.head)
		for _, cell := range cells[i] {
			width = max(width, displayed(cell))
		}
		widths = append(widths, width)
		total += width + gap
	}
	return widths, total
}

// middle cuts s in the middle, where a location's ends are what tells it apart.
func middle(s string, width int, look Look) string {
	if runewidth.StringWidth(s) <= width {
		return s
	}
	room := width - runewidth.StringWidth(look.dots()) // which is 2 where terminals are East Asian
	head := room / 3
	return runewidth.Truncate(s, head, "") + look.dots() + runewidth.TruncateLeft(s, runewidth.StringWidth(s)-(room-head), "")
}

// shortLocation is what tells a place apart where there is little room: the end
// of the node's name, and of the path.
func shortLocation(c report.Certificate, look Look) string {
	at := c.Location
	switch {
	case strings.HasPrefix(at, "/metrics#"):
		at = "/metrics"
	case strings.Contains(at, "#users/") || strings.Contains(at, "#clusters/"):
		at = at[strings.LastIndex(at, "#"):]
	default:
		at = at[strings.LastIndexAny(at, `/\`)+1:]
	}
	const tail = 14 // of aks-system-10417857-vmss000001: -vmss000001 and some
	dots := ""
	if node := []rune(c.Node); len(node) > tail+1 {
		c.Node, dots = string(node[len(node)-tail:]), look.dots()
	}
	c.Location = at
	return dots + location(c)
}

// dots stand for what was cut.
func (l Look) dots() string {
	if l.ASCII {
		return "~"
	}
	return "…"
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
func life(c report.Certificate, bar bool, look Look) string {
	if c.LifetimeUsed == nil {
		return "-"
	}
	percent := fmt.Sprintf("%3d %%", int64(math.Floor(*c.LifetimeUsed*100)))
	if !bar {
		return strings.TrimSpace(percent)
	}
	const width, mark = 10, 8
	filled, empty := "█", "·"
	if look.ASCII {
		filled, empty = "#", "."
	}
	full := int(math.Floor(min(max(*c.LifetimeUsed, 0), 1) * width))
	var b strings.Builder
	for i := range width {
		if i == mark {
			b.WriteString("|")
		}
		if i < full {
			b.WriteString(filled)
		} else {
			b.WriteString(empty)
		}
	}
	return b.String() + " " + percent
}
