package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// What a real server presents, and how it may be reached.

func (r *rig) otherName(t *testing.T) {
	k := r.kubeconfig(r.server)
	k.TLSServerName = "wrong.example"
	rep, _ := r.audit(t, 1, k)
	wantFacts(t, row(t, rep, report.RoleAPIServer), r.serving.CertPEM)
	wantOnly(t, rep, "name-mismatch")

	// A name that is covered may be asked for, whatever the address.
	k.TLSServerName = "localhost"
	rep, _ = r.audit(t, 0, k)
	wantOnly(t, rep)
}

func (r *rig) insecure(t *testing.T) {
	k := r.kubeconfig(r.server)
	k.CA, k.Insecure = nil, true
	rep, _ := r.audit(t, 1, k)
	wantOnly(t, rep, "insecure-kubeconfig")
	wantFacts(t, row(t, rep, report.RoleAPIServer), r.serving.CertPEM)
}

func (r *rig) warningLater(t *testing.T) {
	// Both were made on the same day for two years, so both are past 80 % then.
	used := r.serving.Cert.NotAfter.Sub(r.serving.Cert.NotBefore) * 85 / 100
	at := r.serving.Cert.NotBefore.Add(used)
	rep, _ := r.audit(t, 1, r.kubeconfig(r.server), "--now", at.Format(time.RFC3339))
	if !rep.AsOf.Equal(at) {
		t.Errorf("as of %v, want %v", rep.AsOf, at)
	}
	wantState(t, row(t, rep, report.RoleAPIServer), report.StateWarning)
	wantState(t, row(t, rep, report.RoleClient), report.StateWarning)
	wantState(t, row(t, rep, report.RoleClusterCA), report.StateOK)
	wantOnly(t, rep, "certificate-warning", "certificate-warning")
}

func (r *rig) warningServing(t *testing.T) {
	// 85 of 100 days are used, and 15 are left.
	now := time.Now()
	serving, server := r.startServer(t, now.Add(-85*cluster.Day), now.Add(15*cluster.Day))
	defer server.Kill()
	rep, _ := r.audit(t, 1, r.kubeconfig(server))
	c := row(t, rep, report.RoleAPIServer)
	wantFacts(t, c, serving.CertPEM)
	wantState(t, c, report.StateWarning)
	wantOnly(t, rep, "certificate-warning")
	if f := finding(t, rep, "certificate-warning"); f.Certificate != c.ID {
		t.Errorf("finding on %q, want %q", f.Certificate, c.ID)
	}

	// A day before the warning point it was well.
	rep, _ = r.audit(t, 0, r.kubeconfig(server), "--now", now.Add(-6*cluster.Day).Format(time.RFC3339))
	wantState(t, row(t, rep, report.RoleAPIServer), report.StateOK)
}

func (r *rig) expiredServing(t *testing.T) {
	now := time.Now()
	serving, server := r.startServer(t, now.Add(-2*365*cluster.Day), now.Add(-time.Hour))
	defer server.Kill()
	rep, _ := r.audit(t, 1, r.kubeconfig(server))
	c := row(t, rep, report.RoleAPIServer)
	wantFacts(t, c, presented(t, server.Addr)[0])
	wantFacts(t, c, serving.CertPEM)
	wantState(t, c, report.StateExpired)
	// Expired is all that is wrong: the CA and the name still fit.
	wantOnly(t, rep, "certificate-expired")
}

func (r *rig) table(t *testing.T) {
	admin := r.expiredAdmin(t)
	k := r.kubeconfig(r.server)
	k.Cert, k.Key = admin.CertPEM, admin.KeyPEM
	res := r.run(t, k)
	if res.code != 1 {
		t.Errorf("exit code %d, want 1\nstderr:\n%s", res.code, res.stderr)
	}
	for _, word := range []string{ // of what is well only the next to expire is named
		cluster.ContextName, "client", "apiserver", "expired", "ok", r.server.Addr, cluster.UserName,
		admin.Cert.NotAfter.Format(time.DateOnly),
	} {
		if !strings.Contains(res.stdout, word) {
			t.Errorf("the table lacks %q:\n%s", word, res.stdout)
		}
	}
	if strings.ContainsRune(res.stdout+res.stderr, '\x1b') {
		t.Errorf("an escape sequence in a pipe:\n%q\n%q", res.stdout, res.stderr)
	}
}

// stopped comes last: it kills the server of all the others.
func (r *rig) stopped(t *testing.T) {
	r.server.Kill()
	rep, _ := r.audit(t, 3, r.kubeconfig(r.server))
	wantState(t, row(t, rep, report.RoleClient), report.StateOK)
	wantState(t, row(t, rep, report.RoleClusterCA), report.StateOK)
	if rep.Complete || rep.Outcome != report.OutcomeIncomplete || len(rep.Gaps) != 1 {
		t.Fatalf("outcome %q, complete %v, gaps %+v, want one gap", rep.Outcome, rep.Complete, rep.Gaps)
	}
	gap := rep.Gaps[0]
	if gap.Source != report.SourceAPIServer || gap.Reason != report.ReasonUnreachable || gap.Cluster != cluster.ContextName {
		t.Errorf("gap %+v, want apiserver unreachable", gap)
	}
	failed := func(s report.SourceStatus) bool {
		return s.Source == report.SourceAPIServer && s.Status == report.StatusFailed
	}
	if !slices.ContainsFunc(rep.Clusters[0].Sources, failed) {
		t.Errorf("sources %+v, want apiserver failed", rep.Clusters[0].Sources)
	}
}
