package report

import (
	"bytes"
	"reflect"
	"testing"
)

func TestStreamAndBack(t *testing.T) {
	for seed := range uint64(300) {
		want := random(seed)
		switch seed % 3 {
		case 1:
			want.Shard, want.Sampling = &Shard{2, 7, 40}, "per-pool=3"
			want.Conclude(0, false)
		case 2:
			want.Conclude(ExitSIGINT, false)
		}
		got, err := Read(bytes.NewReader(stream(t, want)))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		equal(t, got, want)
		if got, err = Read(bytes.NewReader(encode(t, want))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		equal(t, got, want)
	}
}

func TestParts(t *testing.T) {
	r := empty()
	r.Clusters = []Cluster{{ID: "a"}, {ID: "b"}, {ID: "b", Name: "again"}}
	r.Nodes = []Node{{Cluster: "b", Name: "n"}, {Name: "of a file"}}
	r.Findings = []Finding{{Cluster: "a", RemedyID: "clock"}, {Cluster: "b", RemedyID: "clock"}, {Cluster: "a", RemedyID: "clock"}, {Cluster: "unknown", Rule: "x"}}
	r.Remedies = []Remedy{{ID: "clock"}, {ID: "of nothing"}}
	r.Gaps = []Gap{{Source: SourceARM}, {Cluster: "a"}}
	parts := r.Parts()
	if len(parts) != 3 || len(parts[0].Findings) != 2 || len(parts[0].Remedies) != 1 || len(parts[0].Gaps) != 1 || parts[0].Kind != KindPart {
		t.Errorf("a: %+v", parts[0])
	}
	if len(parts[1].Nodes) != 1 || len(parts[1].Remedies) != 1 || len(parts[2].Nodes) != 0 || parts[2].Nodes == nil {
		t.Errorf("b: %+v, %+v", parts[1], parts[2])
	}
	if rest := r.Rest(); len(rest.Nodes) != 1 || len(rest.Findings) != 1 || len(rest.Gaps) != 1 || len(rest.Remedies) != 1 || rest.Remedies[0].ID != "of nothing" {
		t.Errorf("rest: %+v", rest)
	}
}

// Whatever a report has is there again when it is read, also as a stream.
func TestReadKeepsEverything(t *testing.T) {
	r := healthy("a")
	r.Shard, r.Scope, r.Sampling = &Shard{0, 2, 2}, []string{"--all-subscriptions"}, "per-pool=1"
	r.Findings = []Finding{{Rule: "ca-mismatch", Severity: SeverityCritical, Cluster: "a", RemedyID: "x"}}
	r.Remedies = []Remedy{{ID: "x", Summary: "do it", Commands: []string{}}}
	r.Gaps = []Gap{{Cluster: "a", Source: SourceNode, Count: 1, Reason: ReasonTimeout}}
	r.Waivers = []Waiver{{ID: "w", Kind: WaiverOfFindings, Expires: "2026-06-30", Status: WaiverUnused}}
	r = concluded(r)
	r.Complete = true // for this test alone: only a report with gaps is not
	for i, v := 0, reflect.ValueOf(*r); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the sample says nothing of %s", v.Type().Field(i).Name)
		}
	}
	r.Complete = false
	for name, data := range map[string][]byte{"json": encode(t, r), "ndjson": stream(t, r)} {
		got, err := Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, r)
		}
	}
}
