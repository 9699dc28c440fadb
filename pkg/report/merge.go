package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Merge joins reports into one: those of an audit's shards, or of audits of
// other clusters, such as one for each subscription. The reports stay as they
// are; the caller fills in Tool, which is that of the latest. Nothing recorded
// says that incomplete reports were allowed: r.Conclude(0, true) allows it.
//
// A shard that is missing or there twice, a cluster in more than one report, of
// which the one judged last is kept, and a report that was interrupted are gaps
// of the whole. A waiver is unused only where it is in all of them. An *Error is
// returned for no reports, for ones of different policies, for different waivers
// of one id, and for shards together with what is no shard of the same audit.
func Merge(reports []*Report) (*Report, error) {
	if err := mergeable(reports); err != nil {
		return nil, err
	}
	latest := slices.Clone(reports)
	slices.SortStableFunc(latest, latestFirst)
	waivers, err := allWaivers(latest)
	if err != nil {
		return nil, err
	}
	m := &merger{clusters: map[string]*kept{}, remedies: map[string]bool{}, shared: map[string]bool{},
		all: &Report{SchemaVersion: SchemaVersion, Kind: Kind, Tool: latest[0].Tool, AsOf: latest[len(latest)-1].AsOf, Scope: scope(reports), Policy: latest[0].Policy,
			Sampling: sampling(reports), Clusters: []Cluster{}, Waivers: waivers}}
	rows := noRows()
	for _, r := range latest {
		m.add(&rows, r)
	}
	rows.Gaps = append(rows.Gaps, m.twice(latest)...)
	rows.Gaps = append(rows.Gaps, missingShards(latest)...)
	rows.Gaps = append(rows.Gaps, m.otherFleets(latest)...)
	rows.Gaps = append(rows.Gaps, apart(latest)...)
	matched := len(m.all.Clusters)+len(rows.Certificates)+len(rows.Gaps) > 0
	for _, r := range latest {
		rows.Gaps = append(rows.Gaps, unsaid(r, matched)...)
	}
	m.all.Nodes, m.all.Certificates, m.all.Findings, m.all.Remedies, m.all.Gaps = rows.Nodes, rows.Certificates, rows.Findings, rows.Remedies, rows.Gaps
	m.all.StartedAt, m.all.DurationSeconds = span(reports)
	m.all.Sort()
	m.all.Conclude(0, false)
	return m.all, nil
}

// latestFirst makes the result independent of the order in which reports are
// given.
func latestFirst(x, y *Report) int {
	index := func(r *Report) int {
		if r.Shard == nil {
			return 0
		}
		return r.Shard.Index
	}
	first := func(r *Report) string {
		if len(r.Clusters) == 0 {
			return ""
		}
		return r.Clusters[0].ID
	}
	return cmp.Or(y.AsOf.Compare(x.AsOf), y.StartedAt.Compare(x.StartedAt), cmp.Compare(index(x), index(y)),
		cmp.Compare(first(x), first(y)), cmp.Compare(len(y.Certificates), len(x.Certificates)), cmp.Compare(y.DurationSeconds, x.DurationSeconds))
}

func mergeable(reports []*Report) error {
	if len(reports) == 0 {
		return &Error{ProblemMismatch, "there is no report to merge", "name the reports of akscert audit -o json or -o ndjson"}
	}
	first := reports[0]
	for _, r := range reports[1:] {
		if differ := policiesDiffer(first.Policy, r.Policy); differ != "" {
			return &Error{ProblemMismatch, "the reports were judged by different policies: " + differ, "audit all of it with the same flags"}
		}
		switch {
		case (first.Shard == nil) != (r.Shard == nil):
			return &Error{ProblemMismatch, "some reports are shards and some are whole", "merge the shards of one audit first, all of them together; then merge what is whole"}
		case r.Shard != nil && r.Shard.Count != first.Shard.Count:
			return &Error{ProblemMismatch, fmt.Sprintf("the reports are shards of different audits: one of %d and one of %d", min(first.Shard.Count, r.Shard.Count), max(first.Shard.Count, r.Shard.Count)),
				"merge the shards of one audit, all of them together"}
		case r.Shard != nil && !slices.Equal(r.Scope, first.Scope):
			low, high := strings.Join(first.Scope, " "), strings.Join(r.Scope, " ")
			return &Error{ProblemMismatch, fmt.Sprintf("the reports are shards of different audits: one of %s and one of %s", cmp.Or(clip(min(low, high)), "everything"), cmp.Or(clip(max(low, high)), "everything")),
				"merge the shards of one audit, all of them with the same flags"}
		case r.Shard != nil && r.Sampling != first.Sampling:
			low, high := min(r.Sampling, first.Sampling), max(r.Sampling, first.Sampling)
			return &Error{ProblemMismatch, fmt.Sprintf("the reports are shards of different audits: one of nodes %s and one of %s", cmp.Or(clip(low), "all"), clip(high)),
				"merge the shards of one audit, all of them with the same flags"}
		}
	}
	return nil
}

// policiesDiffer is the first thing in which they do.
func policiesDiffer(x, y Policy) string {
	for _, f := range []struct{ name, x, y string }{
		{"warnAt", x.WarnAt, y.WarnAt}, {"criticalAt", x.CriticalAt, y.CriticalAt},
		{"warnLead", x.WarnLead, y.WarnLead}, {"criticalLead", x.CriticalLead, y.CriticalLead},
		{"unknownLifetime.warnAt", x.UnknownLifetime.WarnAt, y.UnknownLifetime.WarnAt},
		{"unknownLifetime.criticalAt", x.UnknownLifetime.CriticalAt, y.UnknownLifetime.CriticalAt},
		{"failOn", string(x.FailOn), string(y.FailOn)},
	} {
		if f.x != f.y {
			low, high := min(f.x, f.y), max(f.x, f.y)
			return fmt.Sprintf("%s %s and %s", f.name, cmp.Or(clip(low), "none"), clip(high))
		}
	}
	return ""
}

// merger gathers the reports, the latest first.
type merger struct {
	all      *Report
	clusters map[string]*kept
	remedies map[string]bool
	shared   map[string]bool // rows of no cluster that another report has already brought
}

// kept is a cluster that is in the whole.
type kept struct {
	from *Report
	more int // reports that have it, too
}

func (m *merger) add(rows *Rows, r *Report) {
	parts, rest := r.split()
	for _, p := range parts {
		k := m.clusters[p.Cluster.ID]
		if k != nil && k.from != r {
			k.more++
			continue
		}
		m.clusters[p.Cluster.ID] = &kept{from: r}
		m.all.Clusters = append(m.all.Clusters, p.Cluster)
		m.take(rows, p.Rows)
	}
	m.take(rows, m.unshared(rest))
}

func (m *merger) take(rows *Rows, more Rows) {
	rows.append(more)
	for _, remedy := range more.Remedies {
		if !m.remedies[remedy.ID] {
			m.remedies[remedy.ID] = true
			rows.Remedies = append(rows.Remedies, remedy)
		}
	}
}

// unshared is rest without what another report has brought: every shard finds
// all clusters, and so all have the gaps of that.
func (m *merger) unshared(rest Rows) Rows {
	var here []string
	without := Rows{Nodes: fresh(m, &here, rest.Nodes), Certificates: fresh(m, &here, rest.Certificates), Findings: fresh(m, &here, rest.Findings),
		Remedies: rest.Remedies, Gaps: fresh(m, &here, rest.Gaps)}
	for _, row := range here {
		m.shared[row] = true
	}
	return without
}

func fresh[T any](m *merger, here *[]string, rows []T) []T {
	var kept []T
	for _, row := range rows {
		b, _ := json.Marshal(row) // of plain values: only a time past the year 9999 fails, and then nothing is the same
		key := fmt.Sprintf("%T %s", row, b)
		if !m.shared[key] || len(b) == 0 {
			kept = append(kept, row)
		}
		*here = append(*here, key)
	}
	return kept
}

// scope is what was asked for, where all were asked for the same.
func scope(reports []*Report) []string {
	for _, r := range reports {
		if !slices.Equal(r.Scope, reports[0].Scope) {
			return nil
		}
	}
	return reports[0].Scope
}

// sampling is how the reports sampled: all ways there are.
func sampling(reports []*Report) string {
	var ways []string
	for _, r := range reports {
		if r.Sampling != "" {
			ways = append(ways, r.Sampling)
		}
	}
	slices.Sort(ways)
	return strings.Join(slices.Compact(ways), ", ")
}

// span is from the earliest start to the latest end.
func span(reports []*Report) (started time.Time, seconds float64) {
	started = reports[0].StartedAt
	for _, r := range reports {
		if r.StartedAt.Before(started) {
			started = r.StartedAt
		}
	}
	for _, r := range reports {
		seconds = max(seconds, r.StartedAt.Sub(started).Seconds()+r.DurationSeconds)
	}
	return started, math.Round(seconds*1000) / 1000
}
