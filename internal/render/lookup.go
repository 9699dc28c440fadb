package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/akscert/akscert/pkg/report"
)

// lookup finds what the rows of a report point at.
type lookup struct {
	clusters     map[string]report.Cluster
	certificates map[string]report.Certificate
	remedies     map[string]report.Remedy
}

func newLookup(r *report.Report) lookup {
	l := lookup{map[string]report.Cluster{}, map[string]report.Certificate{}, map[string]report.Remedy{}}
	for _, c := range r.Clusters {
		l.clusters[c.ID] = c
	}
	for _, c := range r.Certificates {
		l.certificates[c.ID] = c
	}
	for _, remedy := range r.Remedies {
		l.remedies[remedy.ID] = remedy
	}
	return l
}

// name is what a cluster is called; its id where the report does not have it,
// and nothing for rows of no cluster.
func (l lookup) name(cluster string) string {
	return cmp.Or(l.clusters[cluster].Name, cluster)
}

// about is the certificate that a finding is about, or what is known of its
// place without one.
func (l lookup) about(f report.Finding) report.Certificate {
	if c, ok := l.certificates[f.Certificate]; ok {
		return c
	}
	return report.Certificate{Cluster: f.Cluster, Node: f.Node}
}

// spot is where a row is, as node:location.
func spot(node, location string) string {
	if node == "" || location == "" {
		return node + location
	}
	return node + ":" + location
}

// worstFirst is the findings by severity. Reports have that order; a report that
// somebody else wrote may not.
func worstFirst(findings []report.Finding) []report.Finding {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(x, y report.Finding) int { return cmp.Compare(y.Severity.Rank(), x.Severity.Rank()) })
	return sorted
}

// accepted says who accepted a finding or a gap, and until when; that nobody does
// any more; or nothing.
func accepted(by *report.Waived, expired string) string {
	switch {
	case by != nil:
		return fmt.Sprintf("waived until %s by %s: %s", by.Expires, by.ID, by.Reason)
	case expired != "":
		return fmt.Sprintf("the waiver %s has expired", expired)
	}
	return ""
}

// fails reports whether a finding is what makes the report's exit code 1.
func fails(r *report.Report, f report.Finding) bool {
	return f.Waiver == nil && f.Severity.Rank() >= r.Policy.FailOn.Rank()
}
