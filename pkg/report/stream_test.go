package report

import (
	"bytes"
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
