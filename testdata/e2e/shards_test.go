package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// inParts: the pods of deploy/indexed-job as processes, each with its arguments
// and its environment, and what akscert merge makes of them.
func (r *rig) inParts(t *testing.T) {
	j := r.jobs(t)["indexed-job"]
	pod := j.container(t)
	// There is no Azure here to find clusters in. A dozen contexts, which all lead
	// to one API server, are as many clusters: which part one is in is for its id
	// to say, and that is the context's name.
	k := r.kubeconfig(r.server)
	for i := range 12 {
		k.Contexts = append(k.Contexts, fmt.Sprintf("cluster-%02d", i))
	}
	args := slices.Clone(pod.Args)
	for _, azure := range [][]string{{"--all-subscriptions"}, {"--auth", "workload-identity"}} {
		i := slices.Index(args, azure[0])
		if i < 0 || !slices.Equal(args[i:i+len(azure)], azure) {
			t.Fatalf("arguments %q, without %q", args, azure)
		}
		args = slices.Delete(args, i, i+len(azure))
	}
	args = append(args, "--kubeconfig", r.save(t, "fleet", k), "--all-contexts")
	var env []string
	for _, v := range pod.Env {
		env = append(env, v.Name+"="+v.Value)
	}
	audit := func(name string, env ...string) (string, report.Report) {
		t.Helper()
		res := r.start(t, env, args...)
		if res.code != report.ExitOK || res.stderr != "" {
			t.Fatalf("%s: exit code %d\n%s", name, res.code, res.stderr)
		}
		path := filepath.Join(r.cluster.Dir, name+".ndjson")
		if err := os.WriteFile(path, []byte(res.stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		rep := decode(t, r.start(t, nil, "merge", path, "-o", "json").stdout) // alone
		return path, rep
	}

	whole, rep := audit("whole")
	if n := len(rep.Clusters); n != len(k.Contexts) {
		t.Fatalf("%d clusters, want %d", n, len(k.Contexts))
	}
	var parts []string
	for i := range j.Spec.Completions {
		path, rep := audit(fmt.Sprintf("shard-%d", i), append(slices.Clone(env), fmt.Sprintf("JOB_COMPLETION_INDEX=%d", i))...)
		if s := rep.Shard; len(rep.Clusters) == 0 || len(rep.Clusters) == len(k.Contexts) {
			t.Errorf("shard %+v has %d clusters, want some", s, len(rep.Clusters))
		}
		parts = append(parts, path)
	}

	merged := r.start(t, nil, append([]string{"merge", "-o", "json"}, parts...)...)
	if rep := decode(t, merged.stdout); merged.code != report.ExitOK || !rep.Complete || len(rep.Clusters) != len(k.Contexts) {
		t.Errorf("merged: exit code %d, complete %v, %d clusters, gaps %+v", merged.code, rep.Complete, len(rep.Clusters), rep.Gaps)
	}
	path := filepath.Join(r.cluster.Dir, "merged.json")
	if err := os.WriteFile(path, []byte(merged.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	diff := r.start(t, nil, "diff", "-o", "json", whole, path)
	d := decodeAs[report.Comparison](t, diff.stdout)
	if diff.code != report.ExitOK || d.Worse || len(d.Clusters)+len(d.Certificates)+len(d.Findings)+len(d.Gaps) > 0 {
		t.Errorf("diff: exit code %d\n%s", diff.code, diff.stdout)
	}

	// One pod's log was forgotten.
	lost := r.start(t, nil, append([]string{"merge", "-o", "json"}, parts[1:]...)...)
	rep = decode(t, lost.stdout)
	if lost.code != report.ExitIncomplete || rep.Complete || rep.Outcome != report.OutcomeIncomplete || len(rep.Gaps) != 1 {
		t.Errorf("without one: exit code %d, %q, gaps %+v", lost.code, rep.Outcome, rep.Gaps)
	}
}
