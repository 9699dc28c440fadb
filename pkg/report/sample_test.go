package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var asOf = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func days(n int) *time.Time {
	t := asOf.AddDate(0, 0, n)
	return &t
}

func defaults() Policy {
	return Policy{WarnAt: "80%", CriticalAt: "95%", WarnLead: "365d", CriticalLead: "90d", UnknownLifetime: Unknown{"30d", "7d"}, FailOn: SeverityWarning}
}

// empty is a report of nothing, not yet concluded.
func empty() *Report {
	r := &Report{SchemaVersion: SchemaVersion, Kind: Kind, Tool: Tool{"akscert", "1.0.0"}, AsOf: asOf, StartedAt: asOf.Add(-time.Minute), DurationSeconds: 2.5,
		Policy: defaults(), Clusters: []Cluster{}}
	rows := noRows()
	r.Nodes, r.Certificates, r.Findings, r.Remedies, r.Gaps = rows.Nodes, rows.Certificates, rows.Findings, rows.Remedies, rows.Gaps
	return r
}

// concluded is r in order and with its conclusion.
func concluded(r *Report) *Report {
	r.Sort()
	r.Conclude(0, false)
	return r
}

// healthy is one cluster with an API server and two nodes, everything examined
// and fine.
func healthy(id string) *Report {
	r := empty()
	r.Clusters = []Cluster{{ID: id, Name: id, Credentials: []Credential{}, Rotation: &Rotation{RotationAutomatic, []Evidence{}},
		Sources: []SourceStatus{{Source: SourceAPIServer, Status: StatusOK}, {Source: SourceNode, Status: StatusOK}}}}
	row := func(source Source, role Role, node, location, sha string) {
		at := id + "/" + node + ":" + location
		r.Certificates = append(r.Certificates, Certificate{ID: "sha256:" + sha + "@" + at, Cluster: id, Source: source, Role: role, Node: node, Location: location,
			Count: 1, SHA256: sha, NotAfter: days(400), State: StateOK, Renewal: RenewalAutomatic})
	}
	row(SourceAPIServer, RoleAPIServer, "", "api:443", "aa")
	for i, node := range []string{"pool-0", "pool-1"} {
		r.Nodes = append(r.Nodes, Node{Cluster: id, Name: node, Pool: "pool"})
		row(SourceNode, RoleKubeletClient, node, "/pki/kubelet-client-current.pem", fmt.Sprint("b", i))
	}
	return concluded(r)
}

// random is a fleet: clusters with rows of every kind, remedies that several
// share, and gaps of no cluster.
func random(seed uint64) *Report {
	rng := rand.New(rand.NewPCG(seed, 2))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	r := empty()
	r.Policy.FailOn = Severity(pick("due", "warning", "critical", "expired", "none"))
	remedies := map[string]bool{}
	for c := range rng.IntN(6) {
		id := fmt.Sprintf("/clusters/%d", (c*7+3)%11) // not in order
		cluster := Cluster{ID: id, Name: id, Sources: []SourceStatus{{Source: SourceNode, Status: StatusPartial}}, Credentials: []Credential{{User: "u", Kinds: []string{}}}}
		if rng.IntN(2) == 0 {
			cluster.Rotation = &Rotation{RotationUnknown, []Evidence{{"rbac", ResultUnknown, "not asked"}}}
		}
		r.Clusters = append(r.Clusters, cluster)
		for n := range rng.IntN(4) {
			node := fmt.Sprintf("node-%d", n)
			r.Nodes = append(r.Nodes, Node{Cluster: id, Name: node})
			for range rng.IntN(4) {
				row := Certificate{Cluster: id, Source: SourceNode, Role: RoleKubeletClient, Node: node, Location: pick("/a", "/b", "/c"), Count: 1,
					NotAfter: days(rng.IntN(500)), State: State(pick("ok", "due", "warning", "critical", "not-yet-valid", "expired")), Renewal: RenewalUnknown}
				row.ID = fmt.Sprintf("%s/%s:%s", id, node, row.Location)
				r.Certificates = append(r.Certificates, row)
				remedy := pick("clock", "pool/"+id, "kubelet/"+id)
				r.Findings = append(r.Findings, Finding{Rule: "rule", Severity: Severity(pick("info", "due", "warning", "critical", "expired")), Cluster: id,
					Certificate: row.ID, Node: node, Message: pick("x", "y") + row.ID, By: row.NotAfter, RemedyID: remedy})
				if !remedies[remedy] {
					remedies[remedy] = true
					r.Remedies = append(r.Remedies, Remedy{ID: remedy, Summary: remedy, Commands: []string{}, Impact: "none"})
				}
			}
			if rng.IntN(3) == 0 {
				r.Gaps = append(r.Gaps, Gap{Cluster: id, Source: SourceNode, Node: node, Count: 1, Reason: ReasonBusy, Message: pick("busy", "still busy")})
			}
		}
	}
	for i := range rng.IntN(3) {
		r.Gaps = append(r.Gaps, Gap{Source: SourceARM, Count: 1, Location: fmt.Sprintf("/subscriptions/%d", i), Reason: ReasonForbidden, Message: "not allowed"})
	}
	if seed%2 == 0 {
		waive(r, rand.New(rand.NewPCG(seed, 5)))
	}
	return concluded(r)
}

// waive gives r waivers that cover some of its rows, one that has expired and one
// that nothing needs.
func waive(r *Report, rng *rand.Rand) {
	r.Waivers = []Waiver{{ID: "holds", Kind: WaiverOfFindings, Expires: "2026-06-01", Reason: "known", Status: WaiverUnused},
		{ID: "held", Kind: WaiverOfFindings, Expires: "2026-05-31", Reason: "known", Status: WaiverExpired},
		{ID: "unneeded", Kind: WaiverOfFindings, Expires: "2026-09-01", Reason: "known", Status: WaiverUnused},
		{ID: "private", Kind: WaiverOfGaps, Expires: "2026-09-01", Reason: "known", Status: WaiverUnused}}
	holds, private := r.Waivers[0].Waived(), r.Waivers[3].Waived()
	for i := range r.Findings {
		switch rng.IntN(4) {
		case 0:
			r.Findings[i].Waiver = &holds
		case 1:
			r.Findings[i].ExpiredWaiver = "held"
		}
	}
	for i := range r.Gaps {
		if rng.IntN(2) == 0 {
			r.Gaps[i].Waiver = &private
		}
	}
}

func encode(t testing.TB, document any) []byte {
	t.Helper()
	b, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func stream(t testing.TB, r *Report) []byte {
	t.Helper()
	b := encode(t, r.Header())
	for _, p := range r.Parts() {
		b = append(b, encode(t, p)...)
	}
	return append(b, encode(t, r.Closing())...)
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	g, _ := json.MarshalIndent(got, "", " ")
	w, _ := json.MarshalIndent(want, "", " ")
	if bytes.Equal(g, w) {
		return
	}
	gl, wl := bytes.Split(g, []byte("\n")), bytes.Split(w, []byte("\n"))
	for i := range min(len(gl), len(wl)) {
		if !bytes.Equal(gl[i], wl[i]) {
			t.Fatalf("line %d is\n%s\nwant\n%s", i, bytes.Join(gl[max(0, i-8):i+1], []byte("\n")), bytes.Join(wl[max(0, i-8):i+1], []byte("\n")))
		}
	}
	t.Fatalf("%d lines, want %d", len(gl), len(wl))
}

// shards is r as n shards would have reported it.
func shards(r *Report, n int, of func(cluster string) int) []*Report {
	split := make([]*Report, n)
	for i := range split {
		one := *r
		one.Shard = &Shard{i, n, len(r.Clusters)}
		one.Clusters = slices.Clone(r.Clusters)
		one.Clusters = slices.DeleteFunc(one.Clusters, func(c Cluster) bool { return of(c.ID) != i })
		one.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes), func(x Node) bool { return of(x.Cluster) != i })
		one.Certificates = slices.DeleteFunc(slices.Clone(r.Certificates), func(x Certificate) bool { return of(x.Cluster) != i })
		one.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(x Finding) bool { return of(x.Cluster) != i })
		one.Remedies = slices.DeleteFunc(slices.Clone(r.Remedies), func(x Remedy) bool {
			return !slices.ContainsFunc(one.Findings, func(f Finding) bool { return f.RemedyID == x.ID })
		})
		// What discovery could not see, every shard says.
		one.Gaps = slices.DeleteFunc(slices.Clone(r.Gaps), func(x Gap) bool { return x.Cluster != "" && of(x.Cluster) != i })
		split[i] = concluded(&one)
	}
	return split
}
