package report

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// However a report is divided into shards, and in whatever order they come back,
// merging them gives it back.
func TestMergeOfShardsIsTheWhole(t *testing.T) {
	for seed := range uint64(500) {
		want := random(seed)
		rng := rand.New(rand.NewPCG(seed, 3))
		n, of := 1+rng.IntN(5), map[string]int{}
		for _, c := range want.Clusters {
			of[c.ID] = rng.IntN(n)
		}
		split := shards(want, n, func(cluster string) int { return of[cluster] })
		rng.Shuffle(n, func(i, j int) { split[i], split[j] = split[j], split[i] })
		before := encode(t, split)
		got, err := Merge(split)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, want)
		if string(encode(t, split)) != string(before) {
			t.Fatalf("seed %d: the shards are not as they were", seed)
		}
	}
}

func TestMergeSaysWhatIsMissing(t *testing.T) {
	later := func(r *Report) *Report {
		r.AsOf = r.AsOf.Add(time.Hour)
		r.Clusters[0].KubernetesVersion = "later"
		return r
	}
	shard := func(r *Report, index, count int) *Report {
		r.Shard = &Shard{index, count, 2}
		return r
	}
	interrupted := func(r *Report) *Report { r.Conclude(ExitSIGTERM, false); return r }
	nothing := func() *Report { return concluded(empty()) }
	alone := shard(healthy("b"), 1, 2)
	alone.Shard.Fleet = 1
	spare := shard(empty(), 0, 2) // of a small fleet
	spare.Shard.Fleet = 1
	blind := shard(empty(), 0, 2) // that saw none
	blind.Shard.Fleet = 0
	broken := func(r *Report) *Report {
		r.Findings = append(r.Findings, Finding{Rule: "x", Severity: SeverityExpired, Cluster: r.Clusters[0].ID})
		return concluded(r)
	}
	doubtful := healthy("a")
	doubtful.Complete, doubtful.Outcome, doubtful.ExitCode = false, OutcomeIncomplete, ExitIncomplete

	tests := []struct {
		name     string
		reports  []*Report
		gaps     []string // what each says
		outcome  Outcome
		clusters int
	}{
		{"all", []*Report{shard(healthy("b"), 1, 2), shard(healthy("a"), 0, 2)}, nil, OutcomeOK, 2},
		{"subscriptions", []*Report{healthy("b"), healthy("a"), healthy("c")}, nil, OutcomeOK, 3},
		{"one alone", []*Report{healthy("a")}, nil, OutcomeOK, 1},
		{"a shard without clusters", []*Report{alone, concluded(spare)}, nil, OutcomeOK, 1},
		{"a shard that matched nothing", []*Report{shard(healthy("b"), 1, 2), concluded(blind)}, []string{"index 0 of 2 matched nothing", "one saw 0 clusters, another 2"}, OutcomeIncomplete, 1},
		{"nothing at all, of several", []*Report{nothing(), nothing()}, nil, OutcomeIncomplete, 0},
		{"nothing at all", []*Report{shard(nothing(), 1, 2), concluded(blind)}, []string{"index 0 of 2 matched nothing", "index 1 of 2 matched nothing", "one saw 0 clusters, another 2"}, OutcomeIncomplete, 0},
		{"a shard is missing", []*Report{shard(healthy("b"), 2, 3), shard(healthy("a"), 0, 3)}, []string{"1 of 3 shards missing: index 1,"}, OutcomeIncomplete, 2},
		{"most are", []*Report{shard(healthy("b"), 2, 1<<40)}, []string{"shards missing: index 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, …,"}, OutcomeIncomplete, 1},
		{"and something fails", []*Report{shard(broken(healthy("b")), 2, 3), shard(healthy("a"), 0, 3)}, []string{"1 of 3 shards"}, OutcomeFindings, 2},
		{"a shard twice", []*Report{shard(healthy("b"), 1, 2), shard(healthy("a"), 0, 2), shard(healthy("c"), 1, 2)}, []string{"the fleet had 2 clusters, and its shards together have 3", "more than once, of 2 shards: index 1"}, OutcomeIncomplete, 3},
		{"a shard instead of another", []*Report{shard(healthy("b"), 1, 2), shard(healthy("c"), 1, 2)}, []string{"1 of 2 shards missing: index 0", "more than once"}, OutcomeIncomplete, 2},
		{"a cluster twice", []*Report{healthy("a"), later(healthy("a"))}, []string{"in 2 of the 2 reports"}, OutcomeIncomplete, 1},
		{"an interrupted one", []*Report{shard(healthy("a"), 0, 2), shard(interrupted(healthy("b")), 1, 2)}, []string{"shard index 1 of 2 was interrupted"}, OutcomeIncomplete, 2},
		{"one that matched nothing", []*Report{healthy("a"), nothing()}, []string{"matched nothing"}, OutcomeIncomplete, 1},
		{"one that does not say why", []*Report{doubtful}, []string{"does not say why"}, OutcomeIncomplete, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Merge(tt.reports)
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != tt.outcome || r.Complete != (tt.outcome == OutcomeOK) || len(r.Clusters) != tt.clusters || len(r.Gaps) != len(tt.gaps) || r.Shard != nil {
				t.Fatalf("outcome %s, complete %t, %d clusters, gaps %+v", r.Outcome, r.Complete, len(r.Clusters), r.Gaps)
			}
			for i, g := range r.Gaps {
				if !strings.Contains(g.Message, tt.gaps[i]) || g.Hint == "" || g.Count < 1 {
					t.Errorf("gap %+v", g)
				}
			}
			if len(r.Certificates) != 3*tt.clusters {
				t.Errorf("%d certificates", len(r.Certificates))
			}
			if err := r.check(); err != nil {
				t.Error(err)
			}
		})
	}

	r, err := Merge([]*Report{healthy("a"), later(healthy("a")), healthy("a")})
	if err != nil || r.Clusters[0].KubernetesVersion != "later" || !strings.Contains(r.Gaps[0].Message, "in 3 of the 3") {
		t.Errorf("%+v, %v", r, err)
	}
	if r.Conclude(0, true); r.Outcome != OutcomeIncomplete || r.ExitCode != ExitOK {
		t.Errorf("allowed, it is %s, exit code %d", r.Outcome, r.ExitCode)
	}
}

// A subscription that no shard may read is one gap.
func TestMergeOfWhatAllShardsSay(t *testing.T) {
	var reports []*Report
	for i, id := range []string{"a", "b", "c"} {
		r := healthy(id)
		r.Shard = &Shard{i, 3, 3}
		r.Gaps = []Gap{{Source: SourceARM, Count: 1, Location: "/subscriptions/1", Reason: ReasonForbidden, Message: "not allowed"},
			{Source: SourceARM, Count: 1, Location: "/subscriptions/1", Reason: ReasonThrottled, Message: id}}
		reports = append(reports, concluded(r))
	}
	r, err := Merge(reports)
	if err != nil || len(r.Gaps) != 4 || r.Outcome != OutcomeIncomplete {
		t.Errorf("%+v, %v", r.Gaps, err)
	}
}

func TestMergeTimes(t *testing.T) {
	a, b, c := healthy("a"), healthy("b"), healthy("c")
	a.StartedAt, a.DurationSeconds, a.AsOf = asOf, 10.5, asOf
	b.StartedAt, b.DurationSeconds, b.AsOf = asOf.Add(-time.Minute), 3, asOf.Add(time.Hour)
	c.StartedAt, c.DurationSeconds, c.AsOf = asOf.Add(time.Second), 1.25, asOf.Add(time.Minute)
	b.Sampling, c.Sampling = "per-pool=3", "per-pool=1"
	b.Tool.Version = "2.0.0"
	r, err := Merge([]*Report{a, b, c})
	if err != nil {
		t.Fatal(err)
	}
	if !r.StartedAt.Equal(b.StartedAt) || r.DurationSeconds != 70.5 || !r.AsOf.Equal(asOf) || r.Sampling != "per-pool=1, per-pool=3" || r.Tool.Version != "2.0.0" {
		t.Errorf("started %s, %g s, as of %s, sampling %s, tool %s", r.StartedAt, r.DurationSeconds, r.AsOf, r.Sampling, r.Tool)
	}
}

func TestMergeRefuses(t *testing.T) {
	with := func(edit func(*Report)) *Report { r := healthy("b"); edit(r); return r }
	tests := []struct {
		name, message string
		reports       []*Report
	}{
		{"none", "no report", nil},
		{"another policy", "warnAt 30d and 80%", []*Report{healthy("a"), with(func(r *Report) { r.Policy.WarnAt = "30d" })}},
		{"no lead", "criticalLead none and 90d", []*Report{healthy("a"), with(func(r *Report) { r.Policy.CriticalLead = "" })}},
		{"another line", "failOn expired and warning", []*Report{healthy("a"), with(func(r *Report) { r.Policy.FailOn = SeverityExpired })}},
		{"another audit's shard", "one of 3 and one of 4", []*Report{with(func(r *Report) { r.Shard = &Shard{1, 4, 9} }), with(func(r *Report) { r.Shard = &Shard{0, 3, 9} })}},
		{"a shard of other clusters", "one of everything and one of --name=x", []*Report{with(func(r *Report) { r.Shard = &Shard{1, 3, 9} }), with(func(r *Report) { r.Shard, r.Scope = &Shard{0, 3, 9}, []string{"--name=x"} })}},
		{"a shard of fewer nodes", "one of nodes all and one of per-pool=1", []*Report{with(func(r *Report) { r.Shard = &Shard{1, 3, 9} }), with(func(r *Report) { r.Shard, r.Sampling = &Shard{0, 3, 9}, "per-pool=1" })}},
		{"a shard and a whole", "some are whole", []*Report{healthy("a"), with(func(r *Report) { r.Shard = &Shard{0, 3, 9} })}},
	}
	for _, tt := range tests {
		r, err := Merge(tt.reports)
		var e *Error
		if !errors.As(err, &e) || e.Problem != ProblemMismatch || !strings.Contains(e.Message, tt.message) || e.Hint == "" || r != nil {
			t.Errorf("%s: %v, %v", tt.name, r, err)
		}
	}
}
