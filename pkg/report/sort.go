package report

import (
	"cmp"
	"slices"
	"time"
)

// Rank orders states as they rise in severity: ok 0, due 1, warning 2,
// critical 3, not-yet-valid 4, expired 5. Anything else is 6, above all.
func (s State) Rank() int {
	states := []State{StateOK, StateDue, StateWarning, StateCritical, StateNotYetValid, StateExpired}
	if i := slices.Index(states, s); i >= 0 {
		return i
	}
	return len(states)
}

// Sort puts r into the order that every report has: certificates and findings
// worst first, then the soonest, then by cluster, source and location; remedies
// as the findings need them; the rest by cluster. What that leaves open stays as
// it was, so that one cluster's rows keep their order wherever it comes from.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Clusters, func(x, y Cluster) int { return cmp.Compare(x.ID, y.ID) })
	slices.SortStableFunc(r.Nodes, func(x, y Node) int { return cmp.Compare(x.Cluster, y.Cluster) })
	slices.SortStableFunc(r.Certificates, func(x, y Certificate) int {
		return cmp.Or(cmp.Compare(y.State.Rank(), x.State.Rank()), cmp.Compare(soonest(x.NotAfter), soonest(y.NotAfter)),
			cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Source, y.Source), cmp.Compare(x.Node, y.Node), cmp.Compare(x.Location, y.Location))
	})
	slices.SortStableFunc(r.Findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(y.Severity.Rank(), x.Severity.Rank()), cmp.Compare(soonest(x.By), soonest(y.By)),
			cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Message, y.Message))
	})
	slices.SortStableFunc(r.Gaps, func(x, y Gap) int {
		return cmp.Or(cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Source, y.Source), cmp.Compare(x.Node, y.Node),
			cmp.Compare(x.Location, y.Location), cmp.Compare(x.Message, y.Message))
	})
	urgency := map[string]int{}
	for i, f := range r.Findings {
		if _, ok := urgency[f.RemedyID]; !ok {
			urgency[f.RemedyID] = i
		}
	}
	rank := func(remedy Remedy) int {
		if i, ok := urgency[remedy.ID]; ok {
			return i
		}
		return len(r.Findings) // nothing needs it
	}
	slices.SortStableFunc(r.Remedies, func(x, y Remedy) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.ID, y.ID))
	})
}

// soonest is t for sorting: what is not known comes last.
func soonest(t *time.Time) int64 {
	if t == nil {
		return 1 << 62
	}
	return t.Unix()
}
