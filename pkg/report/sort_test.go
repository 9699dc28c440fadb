package report

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSort(t *testing.T) {
	r := empty()
	r.Certificates = []Certificate{
		{ID: "fine", State: StateOK, NotAfter: days(1)},
		{ID: "no date", State: StateExpired},
		{ID: "later", State: StateExpired, NotAfter: days(-1)},
		{ID: "sooner, b", State: StateExpired, NotAfter: days(-2), Cluster: "b"},
		{ID: "sooner, a, 2", State: StateExpired, NotAfter: days(-2), Cluster: "a", Location: "2"},
		{ID: "sooner, a, 1", State: StateExpired, NotAfter: days(-2), Cluster: "a", Location: "1"},
		{ID: "future", State: StateNotYetValid, NotAfter: days(9)},
		{ID: "due", State: StateDue, NotAfter: days(2)},
	}
	r.Findings = []Finding{{Severity: SeverityInfo, RemedyID: "last"}, {Severity: SeverityDue}, {Severity: SeverityExpired, RemedyID: "first"}}
	r.Remedies = []Remedy{{ID: "b, of nothing"}, {ID: "a, of nothing"}, {ID: "last"}, {ID: "first"}}
	r.Clusters = []Cluster{{ID: "b"}, {ID: "a"}}
	r.Sort()
	var ids []string
	for _, c := range r.Certificates {
		ids = append(ids, c.ID)
	}
	if want := []string{"sooner, a, 1", "sooner, a, 2", "sooner, b", "later", "no date", "future", "due", "fine"}; !slices.Equal(ids, want) {
		t.Errorf("certificates %q", ids)
	}
	ids = nil
	for _, x := range r.Remedies {
		ids = append(ids, x.ID)
	}
	if want := []string{"first", "last", "a, of nothing", "b, of nothing"}; !slices.Equal(ids, want) {
		t.Errorf("remedies %q", ids)
	}
	if r.Findings[0].Severity != SeverityExpired || r.Clusters[0].ID != "a" {
		t.Errorf("findings %v, clusters %v", r.Findings, r.Clusters)
	}
}

// In whatever order clusters come in, the report is the same.
func TestSortAfterAnyOrderOfClusters(t *testing.T) {
	for seed := range uint64(200) {
		want := random(seed)
		parts, rest := want.split()
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		got, rows, have := *want, noRows(), map[string]bool{}
		got.Clusters = []Cluster{}
		for _, p := range append(parts, Part{Rows: rest}) {
			if p.Kind != "" {
				got.Clusters = append(got.Clusters, p.Cluster)
			}
			rows.append(p.Rows)
			for _, remedy := range p.Remedies {
				if !have[remedy.ID] {
					have[remedy.ID] = true
					rows.Remedies = append(rows.Remedies, remedy)
				}
			}
		}
		got.Nodes, got.Certificates, got.Findings, got.Remedies, got.Gaps = rows.Nodes, rows.Certificates, rows.Findings, rows.Remedies, rows.Gaps
		got.Sort()
		equal(t, &got, want)
	}
}
