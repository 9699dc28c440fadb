package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// Comparison draws what changed from one report to a later one, for a person:
// what got worse first, and the result in one line, last.
func Comparison(out io.Writer, c *report.Comparison, look Look) error {
	w := bufio.NewWriter(out)
	var worse, other []string
	add := func(bad bool, change report.Change, text string) {
		line := fmt.Sprintf("%-12s  %s", change, Visible(text))
		if bad {
			worse = append(worse, paint(line, "critical", look.Color))
			return
		}
		other = append(other, line)
	}
	for _, x := range c.Clusters {
		add(x.Worse, x.Change, clusterChanged(x))
	}
	for _, x := range c.Certificates {
		add(x.Worse, x.Change, certificateChanged(x))
	}
	for _, x := range c.Findings {
		add(x.Worse, x.Change, "finding "+x.Finding.Rule+" of "+x.Finding.Cluster+": "+x.Finding.Message)
	}
	for _, x := range c.Gaps {
		text := "gap in " + string(x.Gap.Source)
		for _, of := range []string{x.Gap.Cluster, x.Gap.Node, strings.Join(x.Gap.Nodes, ", ")} {
			if of != "" {
				text += " of " + of
			}
		}
		add(x.Worse, x.Change, text+": "+x.Gap.Message)
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintln(w, title)
		for _, l := range lines {
			fmt.Fprintln(w, "  "+l)
		}
		fmt.Fprintln(w)
	}
	section("Worse", worse)
	section("Changed", other)
	s := c.Summary
	fmt.Fprintf(w, "result: %d worse; %d renewed, %d new, %d gone, %d in another state, %d not examined, %d unchanged (%s to %s, exit %d)\n",
		s.Worse, s.Certificates.Renewed, s.Certificates.New, s.Certificates.Gone, s.Certificates.State, s.Certificates.NotExamined, s.Certificates.Unchanged,
		c.From.AsOf.UTC().Format("2006-01-02 15:04Z"), c.To.AsOf.UTC().Format("2006-01-02 15:04Z"), c.ExitCode)
	return w.Flush()
}

func clusterChanged(x report.ClusterChange) string {
	text := "cluster " + x.Name
	if len(x.Sources) > 0 {
		var names []string
		for _, s := range x.Sources {
			names = append(names, string(s))
		}
		text = "source " + listed(names) + " of " + text
	}
	if x.Change == report.ChangeVerdict {
		text += fmt.Sprintf(": rotation was %s, and is %s", word(string(x.From)), word(string(x.To)))
	}
	return because(text, x.Why)
}

func certificateChanged(x report.CertificateChange) string {
	text := string(x.Role)
	for _, of := range []string{x.Node, x.Location} {
		if of != "" {
			text += " " + of
		}
	}
	if x.Cluster != "" {
		text += " of " + x.Cluster
	}
	switch {
	case x.From != nil && x.To != nil:
		text += fmt.Sprintf(": %s until %s, now %s until %s", x.From.State, date(x.From.NotAfter), x.To.State, date(x.To.NotAfter))
	case x.To != nil:
		text += fmt.Sprintf(": %s until %s", x.To.State, date(x.To.NotAfter))
	case x.From != nil:
		text += fmt.Sprintf(": was %s until %s", x.From.State, date(x.From.NotAfter))
	}
	return because(text, x.Why)
}

func because(text, why string) string {
	if why == "" {
		return text
	}
	return text + ": " + why
}

func word(s string) string {
	if s == "" {
		return "not judged"
	}
	return s
}
