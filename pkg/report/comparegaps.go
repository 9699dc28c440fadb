package report

import "strings"

// spot is a place that could not be looked at. Why makes no difference: a server
// that times out today was refused yesterday.
type spot struct {
	cluster  string
	source   Source
	node     string // in lower case
	location string
}

func nodesOf(g Gap) []string {
	if len(g.Nodes) > 0 {
		return g.Nodes
	}
	return []string{g.Node}
}

func spots(r *Report) map[spot]bool {
	all := map[spot]bool{}
	for _, g := range r.Gaps {
		for _, node := range nodesOf(g) {
			all[spot{g.Cluster, g.Source, strings.ToLower(node), g.Location}] = true
		}
	}
	return all
}

func (c *comparer) gaps() {
	before, after := spots(c.from.report), spots(c.to.report)
	for _, g := range c.to.report.Gaps {
		if g, ok := only(g, func(s spot) bool { return !before[s] }); ok {
			c.out.Gaps = append(c.out.Gaps, GapChange{Change: ChangeNew, Worse: c.loses(g), Gap: g})
			c.out.Summary.Gaps.New++
		}
	}
	for _, g := range c.from.report.Gaps {
		closed := func(s spot) bool { return !after[s] && c.to.unexamined(s.cluster, s.source, s.node, s.location) == nil }
		if g, ok := only(g, closed); ok {
			c.out.Gaps = append(c.out.Gaps, GapChange{Change: ChangeClosed, Gap: g})
			c.out.Summary.Gaps.Closed++
		}
	}
}

// only is g for those of its nodes of which something is true.
func only(g Gap, is func(spot) bool) (_ Gap, any bool) {
	var nodes []string
	for _, node := range nodesOf(g) {
		if is(spot{g.Cluster, g.Source, strings.ToLower(node), g.Location}) {
			nodes = append(nodes, node)
		}
	}
	if len(g.Nodes) > 0 && len(nodes) > 0 {
		g.Nodes, g.Count = nodes, len(nodes)
	}
	return g, len(nodes) > 0
}

// loses reports whether a gap stands for a source, or for a cluster, that was
// examined before.
func (c *comparer) loses(g Gap) bool {
	if g.Waiver != nil {
		return false
	}
	whole := g.Node == "" && len(g.Nodes) == 0
	for lost := range c.lost {
		if lost.cluster == g.Cluster && (lost.source == g.Source || whole) || g.Cluster == "" && c.to.clusters[lost.cluster] == nil {
			return true
		}
	}
	return false
}
