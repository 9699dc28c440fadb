package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// twice are the gaps for clusters that are in more than one report.
func (m *merger) twice(latest []*Report) []Gap {
	var gaps []Gap
	told := map[string]bool{}
	for _, c := range m.all.Clusters {
		k := m.clusters[c.ID]
		if k.more == 0 || told[c.ID] {
			continue
		}
		told[c.ID] = true
		gaps = append(gaps, Gap{Cluster: c.ID, Source: SourceFile, Count: 1, Reason: ReasonNotFound,
			Message: fmt.Sprintf("the cluster is in %d of the %d reports that were merged: what %s says of it is kept", k.more+1, len(latest), named(k.from)),
			Hint:    "merge reports that do not overlap, as the shards of one audit do not"})
	}
	return gaps
}

// missingShards are the gaps for shards that are not there, or there twice.
func missingShards(reports []*Report) []Gap {
	if reports[0].Shard == nil {
		return nil
	}
	count, times, twice := reports[0].Shard.Count, map[int]int{}, []int{}
	for _, r := range reports {
		if times[r.Shard.Index]++; times[r.Shard.Index] == 2 {
			twice = append(twice, r.Shard.Index)
		}
	}
	var gaps []Gap
	if missing := count - len(times); missing > 0 {
		var first []int
		for i := 0; len(first) < min(missing, few+1); i++ {
			if times[i] == 0 {
				first = append(first, i)
			}
		}
		gaps = append(gaps, Gap{Source: SourceFile, Count: missing, Reason: ReasonNotFound, Retryable: true,
			Message: fmt.Sprintf("%d of %d shards missing: index %s, counted from 0", missing, count, indexes(first)),
			Hint:    "merge them again once every shard's audit has ended"})
	}
	if len(twice) > 0 {
		slices.Sort(twice)
		gaps = append(gaps, Gap{Source: SourceFile, Count: len(twice), Reason: ReasonNotFound,
			Message: fmt.Sprintf("there more than once, of %d shards: index %s, counted from 0", count, indexes(twice)),
			Hint:    "merge one report of each shard, all of one audit"})
	}
	return gaps
}

// otherFleets are the gaps for shards that divided different fleets, or that
// together have other clusters than the fleet had: somebody was not audited.
func (m *merger) otherFleets(latest []*Report) []Gap {
	if latest[0].Shard == nil {
		return nil
	}
	least, most, indexes := latest[0].Shard.Fleet, latest[0].Shard.Fleet, map[int]bool{}
	for _, r := range latest {
		least, most = min(least, r.Shard.Fleet), max(most, r.Shard.Fleet)
		indexes[r.Shard.Index] = true
	}
	g := Gap{Source: SourceFile, Count: 1, Reason: ReasonNotFound, Hint: "merge the shards of one audit, asked for the same; where clusters came or went meanwhile, audit them all again", Retryable: true}
	switch n := len(m.clusters); {
	case least != most:
		g.Message = fmt.Sprintf("the shards did not divide the same fleet: one saw %d clusters, another %d", least, most)
	case len(indexes) == latest[0].Shard.Count && n != most:
		g.Message = fmt.Sprintf("the fleet had %d clusters, and its shards together have %d", most, n)
	default:
		return nil
	}
	return []Gap{g}
}

// together is how far apart the audited instants of reports may be that are
// merged. Within it nothing changes that a day of warning does not cover.
const together = 6 * time.Hour

// apart is the gap for a report that was judged long before the others, as one of
// last week that was left where this week's are.
func apart(latest []*Report) []Gap {
	first, last := latest[len(latest)-1], latest[0]
	if d := last.AsOf.Sub(first.AsOf); d > together {
		return []Gap{{Source: SourceFile, Count: 1, Reason: ReasonNotFound, Retryable: true,
			Message: fmt.Sprintf("%s was judged as of %s, and another as of %s: what was ok then may not be now", named(first), first.AsOf.UTC().Format(time.RFC3339), last.AsOf.UTC().Format(time.RFC3339)),
			Hint:    "audit that part again, and merge again"}}
	}
	return nil
}

// few is how many of a long list a message names.
const few = 10

func indexes(of []int) string {
	var words []string
	for _, i := range of[:min(len(of), few)] {
		words = append(words, fmt.Sprint(i))
	}
	if len(of) > few {
		words = append(words, "…")
	}
	return strings.Join(words, ", ")
}

// unsaid is the gap for a report that is not complete, where its own gaps do not
// say why. One that matched nothing is a gap only where others matched something:
// a whole that is empty says so itself, and is never allowed to be. A shard that
// is empty because its fleet is small is complete.
func unsaid(r *Report, matched bool) []Gap {
	g := Gap{Source: SourceFile, Count: 1, Reason: ReasonNotFound}
	switch {
	case r.Outcome == OutcomeInterrupted:
		g.Reason, g.Retryable = ReasonInterrupted, true
		g.Message, g.Hint = named(r)+" was interrupted: what it had not reached is missing", "audit that part again, and merge again"
	case r.Complete || len(r.Gaps) > 0:
		return nil
	case len(r.Clusters) > 0 || len(r.Certificates) > 0:
		g.Message, g.Hint = named(r)+" is incomplete, and does not say why", "audit that part again, and merge again"
	case matched:
		g.Message, g.Hint = named(r)+" matched nothing", "check what that audit was asked for"
	default:
		return nil
	}
	return []Gap{g}
}

func named(r *Report) string {
	name := "the report of " + r.StartedAt.UTC().Format(time.RFC3339)
	if r.Shard != nil {
		name = fmt.Sprintf("the report of shard index %d of %d", r.Shard.Index, r.Shard.Count)
	}
	return name
}
