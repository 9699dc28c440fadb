package render

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// Markdown writes the report for a job summary or a comment, in GitHub's dialect:
// the verdict, the certificates worst first, what else was found, what to do, what
// was not examined, and the waivers. It is cut well below the 1 MiB that GitHub
// takes of a step, and says what it left out.
//
// Text from outside stands in code spans, where nothing is markup, a link, or a
// mention; what is prose has all of that escaped.
func Markdown(w io.Writer, r *report.Report) error {
	m := markdown{lookup: newLookup(r), r: r}
	fmt.Fprintf(&m.b, "## akscert: %s\n\n%s\n", lines(string(r.Outcome), prose(sampled(r))), m.verdict())
	m.certificates()
	m.rotation()
	m.found()
	m.todo()
	m.unseen()
	m.waivers()
	_, err := w.Write(m.b.Bytes())
	return err
}

// The limits of a summary. Sections get their share of the bytes, so that a long
// one does not push the next out.
const (
	markdownRows  = 300
	markdownItems = 100
	markdownShare = 150 << 10 // bytes of a section; there are six
	markdownLine  = 8 << 10   // bytes of one item, beyond which it is left out
)

type markdown struct {
	lookup
	r *report.Report
	b bytes.Buffer
}

func (m *markdown) verdict() string {
	s := m.r.Summary
	var parts []string
	for _, n := range []struct {
		count int
		icon  string
		word  string
	}{{s.States.Expired, "❌", "expired"}, {s.States.NotYetValid, "❌", "not-yet-valid"}, {s.States.Critical, "🔴", "critical"}, {s.States.Warning, "🟠", "warning"},
		{s.States.Due, "🔵", "due"}, {s.States.OK, "🟢", "ok"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%s %d %s", n.icon, n.count, n.word))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no certificates"}
	}
	line := "**" + strings.Join(parts, ", ") + "**"
	if all, waived := places(m.r); all > 0 {
		line += fmt.Sprintf("; **%s could not be examined**%s", counted(all, "place"), ofThem(all, waived))
	}
	if s.Waived > 0 {
		line += fmt.Sprintf("; %d waived", s.Waived)
	}
	return line + fmt.Sprintf(" (%s, as of %s, exit %d)", counted(s.Clusters, "cluster"), date(&m.r.AsOf), m.r.ExitCode)
}

// section writes a heading and, under it, as many of n items as there is room
// for.
func (m *markdown) section(title, before string, n int, draw func(i int) string, most int, what string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(&m.b, "\n### %s\n\n%s", title, before)
	written, size := 0, 0
	for written < min(n, most) {
		item := draw(written)
		if len(item) > markdownLine {
			item = "- too long to show here\n"
			if strings.HasPrefix(before, "|") {
				item = "| too long to show here |\n"
			}
		}
		if size += len(item); size > markdownShare {
			break
		}
		m.b.WriteString(item)
		written++
	}
	if left := n - written; left > 0 {
		fmt.Fprintf(&m.b, "\n%d more %s are left out here: see the report in another format.\n", left, what)
	}
}

func (m *markdown) certificates() {
	accepted := waivedRows(m.r)
	row := func(i int) string {
		c := m.r.Certificates[i]
		cluster, waived := "", ""
		if accepted[c.ID] != nil {
			waived = ", waived"
		}
		if len(m.r.Clusters) > 1 {
			cluster = " " + code(m.name(c.Cluster)) + " |"
		}
		return fmt.Sprintf("| %s%s | %s | %s | %s | %s |%s %s | %s |\n", code(string(c.State)), waived, left(c), when(c), life(c, false, Look{}), code(string(c.Role)),
			cluster, code(spot(c.Node, c.Location)), code(c.Subject))
	}
	cluster, rule := "", ""
	if len(m.r.Clusters) > 1 {
		cluster, rule = " Cluster |", " --- |"
	}
	m.section("Certificates", "| State | Expires | Not after | Life | Role |"+cluster+" Location | Subject |\n| --- | --- | --- | --- | --- |"+rule+" --- | --- |\n",
		len(m.r.Certificates), row, markdownRows, "certificates, none of them worse,")
}

func (m *markdown) rotation() {
	var judged []report.Cluster
	for _, c := range m.r.Clusters {
		if c.Rotation != nil {
			judged = append(judged, c)
		}
	}
	m.section("Do they renew themselves?", "", len(judged), func(i int) string {
		c := judged[i]
		item := fmt.Sprintf("- %s: **%s**\n", code(c.Name), prose(string(c.Rotation.Verdict)))
		for _, e := range c.Rotation.Evidence {
			if e.Result != report.ResultPass {
				item += fmt.Sprintf("  - %s: %s: %s\n", prose(string(e.Result)), prose(e.Check), prose(e.Detail))
			}
		}
		return item
	}, markdownItems, "clusters")
}

func (m *markdown) found() {
	var untold []report.Finding
	for _, f := range m.r.Findings {
		if !told(f) || f.Waiver != nil || f.ExpiredWaiver != "" {
			untold = append(untold, f)
		}
	}
	m.section("Also found", "", len(untold), func(i int) string {
		f := untold[i]
		cluster := ""
		if f.Cluster != "" && len(m.r.Clusters) > 1 {
			cluster = " " + code(m.name(f.Cluster)) + ":"
		}
		return fmt.Sprintf("- **%s** %s:%s %s\n", prose(string(f.Severity)), code(f.Rule), cluster, prose(lines(f.Message, accepted(f.Waiver, f.ExpiredWaiver))))
	}, markdownItems, "findings")
}

// told reports whether a row of the certificates tells a finding by its state.
func told(f report.Finding) bool {
	return strings.HasPrefix(f.Rule, "certificate-") && f.Rule != "certificate-malformed" || f.Rule == "ca-expiring"
}

func (m *markdown) todo() {
	by := map[string]*time.Time{}
	for _, f := range m.r.Findings {
		if f.Waiver != nil || f.Severity == report.SeverityInfo {
			continue
		}
		if at := by[f.RemedyID]; f.By != nil && (at == nil || f.By.Before(*at)) {
			by[f.RemedyID] = f.By
		}
	}
	remedies, waived := byNeed(m.r)
	m.section("What to do", "", len(remedies), func(i int) string {
		remedy := remedies[i]
		until := ""
		if at := by[remedy.ID]; at != nil {
			until = " (by " + at.UTC().Format("2006-01-02") + ")"
			if at.Before(m.r.AsOf) {
				until = " (now)"
			}
		}
		if day := waived[remedy.ID]; day != "" {
			until = " (waived until " + prose(day) + ")"
		}
		item := fmt.Sprintf("%d. %s%s\n", i+1, prose(remedy.Summary), until)
		if len(remedy.Commands) > 0 {
			item += "\n" + fenced("   ", remedy.Commands)
		}
		return item + fmt.Sprintf("\n   Cost: %s\n", prose(remedy.Impact))
	}, markdownItems, "remedies")
}

func (m *markdown) unseen() {
	m.section("Not examined", "", len(m.r.Gaps), func(i int) string {
		g := m.r.Gaps[i]
		item := "- " + code(string(g.Source))
		if name := m.name(g.Cluster); name != "" && len(m.r.Clusters) > 1 {
			item += " of " + code(name)
		}
		if nodes := nodesOf(g); len(nodes) > 0 {
			item += " " + code(few(nodes))
		}
		if g.Location != "" {
			item += " " + code(g.Location)
		}
		item += fmt.Sprintf(": %s (%s)\n", prose(lines(g.Message, accepted(g.Waiver, g.ExpiredWaiver))), prose(string(g.Reason)))
		if g.Hint != "" {
			item += "  - hint: " + prose(g.Hint) + "\n"
		}
		return item
	}, markdownItems, "gaps")
}

// waivers lists them, first those that have expired and those that nothing needs.
func (m *markdown) waivers() {
	said := map[report.WaiverStatus]string{report.WaiverExpired: "**has expired**: what it covered counts again", report.WaiverUnused: "**is unused**: nothing needs it"}
	var all []report.Waiver
	for _, status := range []report.WaiverStatus{report.WaiverExpired, report.WaiverUnused, report.WaiverUsed} {
		all = append(all, waivers(m.r, status)...)
	}
	m.section("Waivers", "", len(all), func(i int) string {
		w := all[i]
		status := said[w.Status]
		if status == "" {
			status = fmt.Sprintf("covers %d", w.Matches)
		}
		return fmt.Sprintf("- %s (until %s) %s: %s\n", code(w.ID), prose(w.Expires), status, prose(w.Reason))
	}, markdownItems, "waivers")
}

// code is text from outside in a code span. The two characters that could end it,
// or a cell of a table, are escaped as Visible escapes others: how many backslashes
// a bar needs in a table's code is not the same everywhere.
func code(s string) string {
	if s == "" {
		return "-"
	}
	const most = 300
	return "`" + strings.NewReplacer("`", `\u0060`, "|", `\u007c`).Replace(clipped(Visible(s), most)) + "`"
}

var (
	markup = regexp.MustCompile("[\\\\`*_{}\\[\\]()~|!^$]")
	// What GitHub makes a link or a mention of after all markup is done; an
	// element in between is what keeps it apart.
	reference = regexp.MustCompile(`[@#]|://|(?i:www\.|\bgh-)`)
)

// prose is text from outside as running text: no markup, no HTML, no link, no
// mention, no reference.
func prose(s string) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clipped(Visible(s), 2000))
	s = markup.ReplaceAllString(s, `\$0`)
	return reference.ReplaceAllStringFunc(s, func(found string) string {
		return found[:len(found)-1] + "<span>" + found[len(found)-1:] + "</span>"
	})
}

// fenced is commands in a fence that they cannot close.
func fenced(indent string, commands []string) string {
	fence := "```"
	var lines []string
	for _, command := range commands {
		line := Visible(command)
		for strings.Contains(line, fence) {
			fence += "`"
		}
		lines = append(lines, indent+line+"\n")
	}
	return indent + fence + "sh\n" + strings.Join(lines, "") + indent + fence + "\n"
}
