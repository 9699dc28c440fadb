package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// result is what one run of akscert left behind.
type result struct {
	code       int
	stdout     string
	stderr     string
	kubeconfig string // its path
}

// run audits with a kubeconfig of its own and checks that nothing secret came
// out, whatever else did.
func (r *rig) run(t *testing.T, k cluster.Kubeconfig, args ...string) result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := k.Write(path); err != nil {
		t.Fatal(err)
	}
	res := r.start(t, nil, append([]string{"audit", "--kubeconfig", path, "--sources", r.sources}, args...)...)
	res.kubeconfig = path
	for _, secret := range secrets(k) {
		if strings.Contains(res.stdout, secret) || strings.Contains(res.stderr, secret) {
			t.Fatal("akscert printed the kubeconfig's token or key (not shown here)")
		}
	}
	return res
}

// start runs akscert with env on top of this process's environment, as far as
// that does not shape the output.
func (r *rig) start(t *testing.T, env []string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(r.ctx, r.akscert, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), shapesOutput), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("running akscert: %v", err)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// shapesOutput tells the variables that would change what is printed or how
// the server is reached.
func shapesOutput(env string) bool {
	name, _, _ := strings.Cut(env, "=")
	return slices.Contains([]string{"NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "KUBECONFIG", "HTTPS_PROXY", "https_proxy"}, name)
}

// secrets are the strings that must never be printed: the token, its signature
// alone, and the key as PEM and as the kubeconfig has it.
func secrets(k cluster.Kubeconfig) []string {
	var all []string
	if k.Token != "" {
		all = append(all, k.Token, k.Token[strings.LastIndex(k.Token, ".")+1:])
	}
	if len(k.Key) > 0 {
		lines := strings.Split(strings.TrimSpace(string(k.Key)), "\n")
		all = append(all, base64.StdEncoding.EncodeToString(k.Key))
		all = append(all, lines[1:len(lines)-1]...)
	}
	return all
}

// audit runs with -o json and reads the report. It checks the exit code, and
// that the report says the same.
func (r *rig) audit(t *testing.T, wantCode int, k cluster.Kubeconfig, args ...string) (report.Report, result) {
	t.Helper()
	res := r.run(t, k, append(args, "-o", "json")...)
	if res.code != wantCode {
		t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", res.code, wantCode, res.stdout, res.stderr)
	}
	rep := decode(t, res.stdout)
	if rep.ExitCode != res.code {
		t.Errorf("report says exit code %d, it was %d", rep.ExitCode, res.code)
	}
	if len(rep.Clusters) != 1 || rep.Clusters[0].ID != cluster.ContextName {
		t.Fatalf("clusters %+v, want %q alone", rep.Clusters, cluster.ContextName)
	}
	return rep, res
}

func decode(t *testing.T, stdout string) report.Report { return decodeAs[report.Report](t, stdout) }

// decodeAs reads a document of pkg/report.
func decodeAs[T any](t *testing.T, stdout string) T {
	t.Helper()
	var rep T
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields() // what is printed is what pkg/report documents
	if err := dec.Decode(&rep); err != nil {
		t.Fatalf("reading the report: %v\n%s", err, stdout)
	}
	return rep
}

// row is the one certificate of a role.
func row(t *testing.T, rep report.Report, role report.Role) report.Certificate {
	t.Helper()
	rows := slices.DeleteFunc(slices.Clone(rep.Certificates), func(c report.Certificate) bool { return c.Role != role })
	if len(rows) != 1 {
		t.Fatalf("%d rows of role %q, want 1: %+v", len(rows), role, rep.Certificates)
	}
	return rows[0]
}

// wantState checks a row's state.
func wantState(t *testing.T, c report.Certificate, want report.State) {
	t.Helper()
	if c.State != want {
		t.Errorf("state of the %s row: %q, want %q", c.Role, c.State, want)
	}
}

// finding is the one finding of a rule, with its remedy looked up.
func finding(t *testing.T, rep report.Report, rule string) report.Finding {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(rep.Findings), func(f report.Finding) bool { return f.Rule != rule })
	if len(found) != 1 {
		t.Fatalf("%d findings %q, want 1: %+v", len(found), rule, rep.Findings)
	}
	f := found[0]
	if f.RemedyID != "" && !slices.ContainsFunc(rep.Remedies, func(r report.Remedy) bool { return r.ID == f.RemedyID }) {
		t.Errorf("finding %q names remedy %q, which the report lacks", rule, f.RemedyID)
	}
	return f
}

// wantOnly checks that the findings' rules are these and no others.
func wantOnly(t *testing.T, rep report.Report, rules ...string) {
	t.Helper()
	got := make([]string, 0, len(rep.Findings))
	for _, f := range rep.Findings {
		got = append(got, f.Rule)
	}
	slices.Sort(got)
	slices.Sort(rules)
	if !slices.Equal(got, rules) {
		t.Errorf("findings %q, want %q", got, rules)
	}
}
