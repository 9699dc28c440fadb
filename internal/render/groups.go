package render

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// group is the rows of one cluster of a fleet, or all there are.
type group struct {
	head  string
	shown []report.Certificate
	rest  string // those that are not shown
}

// grouped puts the rows under their clusters, the cluster with the worst first.
// Rows that are ok are counted, unless all were asked for; clusters of which
// there is nothing else to say are counted too.
func grouped(r *report.Report, look Look) []group {
	of := map[string][]report.Certificate{}
	for _, c := range r.Certificates {
		of[c.Cluster] = append(of[c.Cluster], c)
	}
	if len(r.Clusters) < 2 {
		if len(r.Certificates) == 0 {
			return []group{{rest: "no certificates"}}
		}
		shown, rest := folded(r.Certificates, look)
		return []group{{shown: shown, rest: rest}}
	}
	clusters := slices.Clone(r.Clusters)
	slices.SortStableFunc(clusters, func(x, y report.Cluster) int {
		a, b := first(of[x.ID]), first(of[y.ID])
		return cmp.Or(cmp.Compare(b.State.Rank(), a.State.Rank()), compareTimes(a, b), cmp.Compare(x.Name, y.Name))
	})
	var groups []group
	var quiet []report.Certificate
	n := 0
	for _, c := range clusters {
		shown, rest := folded(of[c.ID], look)
		if len(shown) == 0 && well(r, c) && len(of[c.ID]) > 0 {
			quiet = append(quiet, of[c.ID]...)
			n++
			continue
		}
		groups = append(groups, group{head: heading(c, look), shown: shown, rest: rest})
	}
	for _, c := range clusters {
		delete(of, c.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(of)) { // none, or one that the report does not list
		shown, rest := folded(of[id], look)
		groups = append(groups, group{head: cmp.Or(Visible(id), "of no cluster"), shown: shown, rest: rest})
	}
	if n > 0 {
		_, rest := folded(quiet, look)
		groups = append(groups, group{head: fmt.Sprintf("%d more %s, each of which is well", n, plural(n, "cluster")), rest: rest})
	}
	return groups
}

// well reports whether there is nothing to say of a cluster but that its
// certificates are ok.
func well(r *report.Report, c report.Cluster) bool {
	return c.Rotation != nil && c.Rotation.Verdict == report.RotationAutomatic &&
		!slices.ContainsFunc(r.Gaps, func(g report.Gap) bool { return g.Cluster == c.ID }) &&
		!slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Cluster == c.ID && f.Severity.Rank() > report.SeverityDue.Rank() })
}

func heading(c report.Cluster, look Look) string {
	head := Visible(c.Name)
	if c.ResourceGroup != "" {
		head += " in " + Visible(c.ResourceGroup)
	}
	if c.Rotation != nil {
		head += ": " + paint(Visible(string(c.Rotation.Verdict)), verdictColor(c.Rotation.Verdict), look.Color)
	}
	return head
}

// folded divides certificates into those that are shown and, in words, the rest.
func folded(certificates []report.Certificate, look Look) (shown []report.Certificate, rest string) {
	if look.All {
		return certificates, ""
	}
	var ok []report.Certificate
	for _, c := range certificates {
		if c.State == report.StateOK {
			ok = append(ok, c)
		} else {
			shown = append(shown, c)
		}
	}
	if len(ok) == 0 {
		return shown, ""
	}
	next := slices.MinFunc(ok, compareTimes)
	rest = fmt.Sprintf("%s %d", paint("ok", "ok", look.Color), len(ok))
	if len(ok) > 1 {
		rest += ", the next"
	}
	if next.NotAfter == nil {
		return shown, rest
	}
	if look.Width == 0 {
		return shown, rest + fmt.Sprintf(" %s, %s: %s %s", left(next), when(next), Visible(string(next.Role)), location(next))
	}
	return shown, rest + middle(fmt.Sprintf(" %s: %s %s", left(next), Visible(string(next.Role)), shortLocation(next, look)), max(20, look.Width-displayed(rest)), look)
}

// first is the worst of a cluster's rows, which come worst first. A node's copy of
// the API server's certificate is no harm, however old.
func first(certificates []report.Certificate) report.Certificate {
	for _, c := range certificates {
		if c.Role != report.RoleAPIServerCopy {
			return c
		}
	}
	return report.Certificate{State: report.StateOK}
}

// compareTimes puts the one that expires sooner first, and unknown last.
func compareTimes(a, b report.Certificate) int {
	switch {
	case a.NotAfter == nil && b.NotAfter == nil:
		return 0
	case a.NotAfter == nil:
		return 1
	case b.NotAfter == nil:
		return -1
	}
	return a.NotAfter.Compare(*b.NotAfter)
}

func verdictColor(v report.Verdict) string {
	return map[report.Verdict]string{report.RotationAutomatic: "ok", report.RotationBroken: "expired", report.RotationManual: "warning"}[v]
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// ascii is s with everything else escaped. What we draw with is ASCII already
// where that was asked for: to turn a bar's block into a # here would do so to
// one in a subject, too, and make █#vso[ what a build agent obeys.
func ascii(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r <= '~' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
