package render

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// found lists the findings that no row of the table shows by its state.
func found(w io.Writer, r *report.Report, look Look) {
	first := true
	for _, f := range r.Findings {
		if strings.HasPrefix(f.Rule, "certificate-") && f.Rule != "certificate-malformed" || f.Rule == "ca-expiring" {
			continue
		}
		if first {
			fmt.Fprintln(w, "\nAlso found")
			first = false
		}
		fmt.Fprintf(w, "  %s  %s: %s\n", severity(f, look), Visible(f.Rule), whose(r, f.Cluster)+Visible(f.Message)+waivedBy(f.Waiver))
	}
}

// rotation says of each cluster whether its certificates renew themselves, and
// what speaks against it or is not known. In a fleet those that do need no words.
func rotation(w io.Writer, r *report.Report, look Look) {
	fleet := len(r.Clusters) > 1
	first := true
	unasked := 0
	for _, c := range r.Clusters {
		if c.Rotation == nil || fleet && !look.Wide && c.Rotation.Verdict == report.RotationAutomatic {
			continue
		}
		blank := c.ResourceID == "" && c.Rotation.Verdict == report.RotationUnknown && !look.Wide && !asked(c)
		if blank && fleet {
			unasked++
			continue
		}
		if first {
			fmt.Fprintln(w, "\nDo they renew themselves?")
			first = false
		}
		fmt.Fprintf(w, "  %s: %s", Visible(c.Name), paint(Visible(string(c.Rotation.Verdict)), verdictColor(c.Rotation.Verdict), look.Color))
		if blank {
			fmt.Fprintln(w, " (name the cluster with -g and -n, to look at ARM and at its nodes)")
			continue
		}
		fmt.Fprintln(w)
		for _, e := range c.Rotation.Evidence {
			if e.Result != report.ResultPass || look.Wide || c.Rotation.Verdict == report.RotationAutomatic {
				fmt.Fprintf(w, "     %-7s  %s: %s\n", Visible(string(e.Result)), Visible(e.Check), Visible(e.Detail))
			}
		}
	}
	if unasked > 0 {
		if first {
			fmt.Fprintln(w, "\nDo they renew themselves?")
		}
		fmt.Fprintf(w, "  %d %s: unknown: neither ARM nor the API was there to ask\n", unasked, plural(unasked, "cluster"))
	}
}

// whose names the cluster that a line is about, in a fleet.
func whose(r *report.Report, cluster string) string {
	if len(r.Clusters) < 2 || cluster == "" {
		return ""
	}
	for _, c := range r.Clusters {
		if c.ID == cluster {
			return Visible(c.Name) + ": "
		}
	}
	return Visible(cluster) + ": "
}

// asked reports whether the cluster's own API had anything to say.
func asked(c report.Cluster) bool {
	for _, s := range c.Sources {
		if (s.Source == report.SourceKubeAPI || s.Source == report.SourceKubelet) && (s.Status == report.StatusOK || s.Status == report.StatusPartial) {
			return true
		}
	}
	return false
}

// todo lists what to do, most urgent first, and last what nobody has to do for it
// is waived: in a line, unless everything was asked for.
func todo(w io.Writer, r *report.Report, look Look) {
	if len(r.Remedies) == 0 {
		return
	}
	fmt.Fprintln(w, "\nWhat to do")
	remedies, waived := byNeed(r)
	for i, remedy := range remedies {
		by := ""
		for _, f := range r.Findings {
			if f.RemedyID == remedy.ID && f.By != nil && f.Waiver == nil && f.Severity != report.SeverityInfo {
				by = " (by " + f.By.UTC().Format("2006-01-02") + ")"
				if f.By.Before(r.AsOf) {
					by = " (now)"
				}
				break
			}
		}
		until := waived[remedy.ID]
		if until != "" {
			by = " (waived until " + Visible(until) + ")"
		}
		fmt.Fprintf(w, "  %d. %s%s\n", i+1, Visible(remedy.Summary), by)
		if until != "" && !look.All && !look.Wide {
			continue
		}
		for _, command := range remedy.Commands {
			fmt.Fprintf(w, "       %s\n", Visible(command))
		}
		fmt.Fprintf(w, "     cost: %s\n", Visible(remedy.Impact))
	}
}

// skipped says which sources were left out by design.
func skipped(w io.Writer, r *report.Report) {
	for _, c := range r.Clusters {
		var why []string
		sources := map[string][]string{}
		for _, s := range c.Sources {
			if s.Status != report.StatusSkipped {
				continue
			}
			if sources[s.Why] == nil {
				why = append(why, s.Why)
			}
			sources[s.Why] = append(sources[s.Why], Visible(string(s.Source)))
		}
		for _, reason := range why {
			fmt.Fprintf(w, "\nskipped: %s of %s: %s\n", listed(sources[reason]), Visible(c.Name), Visible(reason))
		}
	}
	lead := "\n"
	for _, c := range r.Clusters {
		for _, credential := range c.Credentials {
			fmt.Fprint(w, lead)
			lead = ""
			fmt.Fprintf(w, "user %s signs in with %s\n", Visible(credential.User), kinds(credential, r.AsOf))
		}
	}
}

// listed is "a, b and c".
func listed(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func kinds(c report.Credential, asOf time.Time) string {
	if len(c.Kinds) == 0 {
		return "nothing (anonymous)"
	}
	s := Visible(strings.Join(c.Kinds, " and "))
	if c.TokenExpiresAt != nil {
		verb := "expires "
		if !c.TokenExpiresAt.After(asOf) {
			verb = "expired "
		}
		s += ", whose token " + verb + date(c.TokenExpiresAt)
	}
	return s
}

// unseen lists the gaps: what this report knows nothing about.
func unseen(w io.Writer, r *report.Report) {
	if len(r.Gaps) == 0 {
		return
	}
	names := clusterNames(r)
	fmt.Fprintln(w, "\nNot examined")
	for _, g := range r.Gaps {
		at := Visible(string(g.Source))
		if cluster := names[g.Cluster]; len(r.Clusters) > 1 && cluster != "" {
			at += " of " + Visible(cluster)
		}
		switch {
		case g.Node != "":
			at += " " + Visible(g.Node)
		case len(g.Nodes) > 0:
			at += " " + few(g.Nodes)
		}
		if g.Location != "" {
			at += " " + Visible(g.Location)
		}
		fmt.Fprintf(w, "  %s: %s (%s)%s\n", at, Visible(g.Message), Visible(string(g.Reason)), waivedBy(g.Waiver))
		if g.Hint != "" {
			fmt.Fprintf(w, "     hint: %s\n", Visible(g.Hint))
		}
	}
}

// few names at most three nodes.
func few(nodes []string) string {
	const most = 3
	list := Visible(strings.Join(nodes[:min(len(nodes), most)], ", "))
	if len(nodes) > most {
		list += fmt.Sprintf(" and %d more nodes", len(nodes)-most)
	}
	return list
}

// stateCount is how many certificates are in a state.
type stateCount struct {
	word  string
	count int
}

// byState counts the certificates, the worst first.
func byState(r *report.Report) []stateCount {
	s := r.Summary.States
	return []stateCount{{"expired", s.Expired}, {"not-yet-valid", s.NotYetValid}, {"critical", s.Critical}, {"warning", s.Warning}, {"due", s.Due}, {"ok", s.OK}}
}

// tally is that in words, without the states that there are none in.
func tally(r *report.Report) string {
	var words []string
	for _, n := range byState(r) {
		if n.count > 0 {
			words = append(words, fmt.Sprintf("%d %s", n.count, n.word))
		}
	}
	if len(words) == 0 {
		return "no certificates"
	}
	return strings.Join(words, ", ")
}

// result is the whole report in one line.
func result(r *report.Report, look Look) string {
	line := fmt.Sprintf("\nresult: %s: %s", paint(Visible(string(r.Outcome)), outcomeColor(r.Outcome), look.Color), tally(r))
	if all, waived := places(r); all > 0 {
		line += fmt.Sprintf("; %s could not be examined%s", counted(all, "place"), ofThem(all, waived))
	}
	if r.Summary.Waived > 0 {
		line += fmt.Sprintf("; %d waived", r.Summary.Waived)
	}
	if sample := sampled(r); sample != "" {
		line += "; " + Visible(sample)
	}
	return line + fmt.Sprintf(" (as of %s, %sexit %d)", date(&r.AsOf), Visible(chosen(r.Policy)), r.ExitCode)
}

// chosen is what the report was judged by, where somebody chose that: a file that
// came with a repository can, and a later point finds less.
func chosen(p report.Policy) string {
	said := ""
	if p.WarnLead == "" && p.WarnAt != "" { // the lead goes with the default
		said += "warn at " + p.WarnAt + ", "
	}
	if p.CriticalLead == "" && p.CriticalAt != "" {
		said += "critical at " + p.CriticalAt + ", "
	}
	if p.FailOn != report.SeverityWarning && p.FailOn != "" {
		said += "fail on " + string(p.FailOn) + ", "
	}
	return said
}

// sampled says that not every node was asked, and which were; "" where all were.
// What a sample leaves out is no gap, so that nothing else tells of it.
func sampled(r *report.Report) string {
	if r.Sampling == "" {
		return ""
	}
	return "only a sample of the nodes: " + r.Sampling
}

func outcomeColor(o report.Outcome) string {
	switch o {
	case report.OutcomeOK:
		return "ok"
	case report.OutcomeFindings:
		return "expired"
	}
	return "warning"
}

// left is the time left in words.
func left(c report.Certificate) string {
	switch {
	case c.SecondsLeft == nil:
		return "unknown"
	case *c.SecondsLeft < 0:
		return lifetime.Span(-*c.SecondsLeft) + " ago"
	}
	return "in " + lifetime.Span(*c.SecondsLeft)
}

func when(c report.Certificate) string {
	s := date(c.NotAfter)
	if c.Approximate {
		s = "~" + s
	}
	return s
}

func date(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// paint colours word as the state or severity it says; the word says it all
// without.
func paint(word, as string, on bool) string {
	if !on {
		return word
	}
	code := map[string]string{"expired": "31;1", "critical": "31", "not-yet-valid": "31", "warning": "33", "due": "36", "ok": "32", "info": "2"}[as]
	if code == "" {
		return word
	}
	return "\x1b[" + code + "m" + word + "\x1b[0m"
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// displayed is the width of a cell on screen; the escapes in it are our own.
func displayed(s string) int { return runewidth.StringWidth(escapes.ReplaceAllString(s, "")) }
