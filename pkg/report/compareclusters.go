package report

import (
	"cmp"
	"slices"
)

// clusters compares what the certificates have left: it knows what was lost.
func (c *comparer) clusters() {
	counts := &c.out.Summary.Clusters
	add := func(change ClusterChange, of *Cluster) {
		change.Cluster, change.Name = of.ID, of.Name
		c.out.Clusters = append(c.out.Clusters, change)
	}
	for id, to := range each(c.to) {
		from := c.from.clusters[id]
		now := verdict(to)
		if from == nil {
			change := ClusterChange{Change: ChangeNew, Worse: now == RotationBroken, To: now}
			counted := &counts.New
			if c.from.unexamined(id, "", "", "") != nil {
				change.Change, counted = ChangeExamined, &counts.Examined
			}
			*counted++
			add(change, to)
			continue
		}
		was := verdict(from)
		// Nothing is worse for what was not asked for this time.
		blind := now == RotationUnknown && (c.to.report.Sampling != "" && c.from.report.Sampling == "" || fewerSources(from, to))
		change := ClusterChange{From: was, To: now, Worse: now != was && (now == RotationBroken || was == RotationAutomatic && !blind)}
		for _, s := range sourcesOf(from) {
			if why, ok := c.lost[lostSource{id, s}]; ok {
				change.Change, change.Worse = ChangeNotExamined, true
				change.Sources = append(change.Sources, s)
				change.Why = cmp.Or(change.Why, why)
			}
		}
		switch {
		case change.Change == ChangeNotExamined:
			counts.NotExamined++
		case now != was:
			change.Change = ChangeVerdict
			counts.Verdict++
		default:
			counts.Unchanged++
			continue
		}
		add(change, to)
	}
	for id, from := range each(c.from) {
		if c.to.clusters[id] != nil {
			continue
		}
		change := ClusterChange{Change: ChangeGone, From: verdict(from)}
		if why := c.to.unexamined(id, "", "", ""); why != nil {
			change.Change, change.Why = ChangeNotExamined, why.message
			examined := slices.ContainsFunc(sourcesOf(from), func(s Source) bool { return c.from.brought[lostSource{id, s}] > 0 })
			change.Worse = why.gap && examined
			counts.NotExamined++
		} else {
			counts.Gone++
		}
		add(change, from)
	}
}

// fewerSources reports whether a source that had something to say of a cluster was
// left out of the later audit.
func fewerSources(from, to *Cluster) bool {
	return slices.ContainsFunc(from.Sources, func(was SourceStatus) bool {
		return (was.Status == StatusOK || was.Status == StatusPartial) &&
			!slices.ContainsFunc(to.Sources, func(now SourceStatus) bool { return now.Source == was.Source && now.Status != StatusSkipped })
	})
}

// each is every cluster of a report, once.
func each(v *view) func(yield func(string, *Cluster) bool) {
	return func(yield func(string, *Cluster) bool) {
		for i := range v.report.Clusters {
			c := &v.report.Clusters[i]
			if v.clusters[c.ID] == c && !yield(c.ID, c) {
				return
			}
		}
	}
}

// verdict is a cluster's, where there is one.
func verdict(c *Cluster) Verdict {
	if c.Rotation == nil {
		return RotationUnknown
	}
	return c.Rotation.Verdict
}

func sourcesOf(c *Cluster) []Source {
	sources := make([]Source, len(c.Sources))
	for i, s := range c.Sources {
		sources[i] = s.Source
	}
	return sources
}
