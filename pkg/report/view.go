package report

import (
	"cmp"
	"slices"
	"strings"
)

// view is a report for comparing: what is where, and where it has looked.
type view struct {
	report, other *Report
	clusters      map[string]*Cluster
	places        []place // in the order of rows
	rows          map[place]*Certificate
	byID          map[string]*Certificate
	waived        map[string]bool    // ids of certificates with waived findings and none other that gates
	brought       map[lostSource]int // rows of a source
	nodes         map[nodeSource]int // rows of a node
	pools         map[nodeSource]string
	gaps          map[string][]*Gap // by cluster
	blind         []*Gap            // why clusters may be missing
}

// place is where a certificate is. nth tells apart what a report has there more
// than once.
type place struct {
	cluster  string
	source   Source
	role     Role
	node     string // in lower case: Windows calls its own in upper case
	location string
	nth      int
}

type nodeSource struct {
	cluster string
	source  Source // none for a node's pool
	node    string
}

func look(r, other *Report) *view {
	v := &view{report: r, other: other, clusters: map[string]*Cluster{}, rows: map[place]*Certificate{}, byID: map[string]*Certificate{}, waived: map[string]bool{},
		brought: map[lostSource]int{}, nodes: map[nodeSource]int{}, pools: map[nodeSource]string{}, gaps: map[string][]*Gap{}}
	for i := range r.Clusters {
		v.clusters[r.Clusters[i].ID] = &r.Clusters[i]
	}
	for _, rr := range []*Report{other, r} { // a node that is gone was of that pool
		for _, n := range rr.Nodes {
			p := nodeSource{n.Cluster, "", strings.ToLower(n.Name)}
			v.pools[p] = cmp.Or(n.Pool, v.pools[p])
		}
	}
	rows := make([]*Certificate, len(r.Certificates))
	for i := range r.Certificates {
		rows[i] = &r.Certificates[i]
	}
	// By id, so that what has one place keeps its number whatever its state.
	slices.SortStableFunc(rows, func(x, y *Certificate) int { return cmp.Compare(x.ID, y.ID) })
	for _, c := range rows {
		p := place{c.Cluster, c.Source, c.Role, strings.ToLower(c.Node), c.Location, 0}
		for v.rows[p] != nil {
			p.nth++
		}
		v.rows[p], v.byID[c.ID] = c, c
		v.places = append(v.places, p)
		v.brought[lostSource{c.Cluster, c.Source}]++
		v.nodes[nodeSource{c.Cluster, c.Source, p.node}]++
	}
	for _, f := range r.Findings {
		if f.Severity.Rank() >= SeverityDue.Rank() {
			before, more := v.waived[f.Certificate]
			v.waived[f.Certificate] = f.Waiver != nil && (before || !more)
		}
	}
	for _, waived := range []bool{false, true} { // what is not waived is what counts, and comes first
		for i := range r.Gaps {
			if g := &r.Gaps[i]; (g.Waiver != nil) == waived {
				v.gap(g)
			}
		}
	}
	return v
}

func (v *view) gap(g *Gap) {
	v.gaps[g.Cluster] = append(v.gaps[g.Cluster], g)
	// What both met, such as a subscription that neither may read, is not
	// why only one of them has a cluster.
	both := func(o Gap) bool {
		return o.Cluster == "" && o.Source == g.Source && o.Location == g.Location && o.Reason == g.Reason && o.Message == g.Message
	}
	if g.Cluster == "" && !slices.ContainsFunc(v.other.Gaps, both) {
		v.blind = append(v.blind, g)
	}
}

// reason is why a place was not examined.
type reason struct {
	message string
	gap     bool // it was asked for, could not be had, and no waiver covers that
}

func because(g *Gap) *reason { return &reason{string(g.Reason) + ": " + g.Message, g.Waiver == nil} }

// unexamined is why the report does not say what is in a place; nil where it
// does. Where that cannot be told for sure, it does not.
func (v *view) unexamined(cluster string, source Source, node, location string) *reason {
	c := v.clusters[cluster]
	if c == nil {
		return v.absent(cluster, location)
	}
	i := slices.IndexFunc(c.Sources, func(s SourceStatus) bool { return s.Source == source })
	var own, any *Gap // of the source, and of the cluster
	for _, g := range v.gaps[cluster] {
		if any == nil {
			any = g
		}
		if g.Source == source && own == nil {
			own = g
		}
		if v.covers(g, source, node, location) {
			return because(g)
		}
	}
	switch {
	case i < 0 && own != nil:
		return because(own)
	case i < 0:
		return &reason{"source " + string(source) + " was not asked", false}
	case c.Sources[i].Status == StatusSkipped:
		return &reason{"skipped: " + c.Sources[i].Why, false}
	case c.Sources[i].Status == StatusFailed && cmp.Or(own, any) != nil:
		return because(cmp.Or(own, any))
	case c.Sources[i].Status == StatusFailed:
		return &reason{"source " + string(source) + " failed", true}
	case v.report.Sampling != "" && node != "" && v.nodes[nodeSource{cluster, source, strings.ToLower(node)}] == 0:
		return &reason{"not in the sample", false}
	}
	return nil
}

// absent is why the report does not have a cluster at all; nil where it would,
// if there were one. Rows of no cluster are those of files.
func (v *view) absent(cluster, location string) *reason {
	if cluster != "" && len(v.gaps[cluster]) > 0 {
		return because(v.gaps[cluster][0])
	}
	if cluster != "" && len(v.blind) > 0 {
		return because(v.blind[0])
	}
	for _, g := range v.gaps[""] {
		if cluster == "" && within(location, g.Location) {
			return because(g)
		}
	}
	r := v.report
	switch {
	case r.Outcome == OutcomeInterrupted:
		return &reason{"the audit was interrupted", true}
	case r.Shard != nil && (v.other.Shard == nil || r.Shard.Index != v.other.Shard.Index || r.Shard.Count != v.other.Shard.Count):
		return &reason{"another shard's", false}
	case len(r.Clusters) == 0 && len(r.Certificates) == 0:
		return &reason{"nothing matched", true}
	case cluster != "" && !slices.Equal(r.Scope, v.other.Scope):
		return &reason{"another scope was audited", false}
	case cluster != "" && v.deserted(cluster):
		return &reason{"no cluster of its subscription is left: may it still be read?", true}
	}
	return nil
}

// deserted reports whether the report has no cluster in the subscription of one
// that only the other report has.
func (v *view) deserted(cluster string) bool {
	i := slices.IndexFunc(v.other.Clusters, func(c Cluster) bool { return c.ID == cluster })
	if i < 0 || v.other.Clusters[i].SubscriptionID == "" {
		return false
	}
	in := v.other.Clusters[i].SubscriptionID
	return !slices.ContainsFunc(v.report.Clusters, func(c Cluster) bool { return strings.EqualFold(c.SubscriptionID, in) })
}

// covers reports whether a gap of the same cluster may be why there is nothing in
// a place. One fault that several sources met is one gap, of the first of them,
// so that another's counts where it is about the same place.
func (v *view) covers(g *Gap, source Source, node, location string) bool {
	if pool, ok := strings.CutPrefix(g.Location, "agentPools/"); ok { // a pool that is stopped, whichever source said so
		of := v.pools[nodeSource{g.Cluster, "", strings.ToLower(node)}]
		return node != "" && (of == "" || strings.EqualFold(of, pool))
	}
	if g.Node == "" && len(g.Nodes) == 0 {
		return g.Source == source || g.Reason == ReasonNotRunning || g.Location != "" && within(location, g.Location)
	}
	is := func(name string) bool { return strings.EqualFold(name, node) }
	if !is(g.Node) && !slices.ContainsFunc(g.Nodes, is) {
		return false
	}
	if g.Source != source {
		return g.Location != "" && within(location, g.Location)
	}
	return within(location, g.Location)
}

// within reports whether a location is another, or lies in it: a certificate in
// a file, a file in a folder.
func within(location, in string) bool {
	rest, ok := strings.CutPrefix(location, in)
	return ok && (rest == "" || in == "" || strings.HasSuffix(in, "/") || strings.ContainsAny(rest[:1], `#/\`))
}
