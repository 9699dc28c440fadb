package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// TestVerify rotates a cluster's CA, its clients' certificates and the key of
// its tokens, and asks before and after whether the old ones are dead.
func TestVerify(t *testing.T) {
	r := newRig(t)
	_, r.server = r.startServer(t, time.Now().Add(-cluster.Day), time.Now().Add(long))
	token, err := r.server.MintToken(r.ctx, r.cluster.Admin)
	if err != nil {
		t.Fatal(err)
	}
	k := r.kubeconfig(r.server)
	k.Token = token
	before := r.save(t, "before", k)
	nobody := r.issue(t, cluster.Spec{CommonName: "nobody", NotBefore: time.Now().Add(-cluster.Day), NotAfter: time.Now().Add(long)})
	k = r.kubeconfig(r.server)
	k.Cert, k.Key = nobody.CertPEM, nobody.KeyPEM
	weak := r.save(t, "weak", k)
	rep := filepath.Join(r.cluster.Dir, "report.json")
	if err := os.WriteFile(rep, []byte(r.start(t, nil, "audit", "--kubeconfig", before, "--sources", r.sources, "-o", "json").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := append(secrets(r.kubeconfig(r.server)), secrets(k)...)
	secret = append(secret, secrets(cluster.Kubeconfig{Token: token})...)
	verify := func(t *testing.T, want int, args ...string) report.Verification {
		t.Helper()
		// Not this machine's own kubeconfig.
		res := r.start(t, []string{"KUBECONFIG=" + os.DevNull}, append([]string{"verify", "-o", "json", "--old"}, args...)...)
		if slices.ContainsFunc(secret, func(s string) bool { return strings.Contains(res.stdout+res.stderr, s) }) {
			t.Fatal("akscert printed a token or key (not shown here)")
		}
		if res.code != want {
			t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", res.code, want, res.stdout, res.stderr)
		}
		v := decodeAs[report.Verification](t, res.stdout)
		if v.Kind != report.KindVerification || v.ExitCode != want {
			t.Errorf("a %q of exit code %d, want a %q of %d", v.Kind, v.ExitCode, report.KindVerification, want)
		}
		return v
	}

	t.Run("not rotated", func(t *testing.T) {
		v := verify(t, 1, before, "--kubeconfig", before)
		wantLives(t, v, report.Alive, report.CheckCA, report.CheckClientCertificate, report.CheckToken)
		if !v.ServerVerified || v.Outcome != report.OutcomeFindings || !v.Complete || !mentions(v.Notes, "no CA rotation happened") {
			t.Errorf("%+v, want a verified server, and a note that nothing was rotated", v)
		}
	})
	t.Run("not rotated, a user without rights", func(t *testing.T) {
		// The server says 403 and the name, and only to somebody it knows.
		v := verify(t, 1, weak, "--kubeconfig", before)
		wantLives(t, v, report.Alive, report.CheckCA, report.CheckClientCertificate)
		if detail := v.Checks[1].Detail; !strings.Contains(detail, "nobody") {
			t.Errorf("detail %q, want the user's name", detail)
		}
	})

	r.server.Kill()
	if err := r.cluster.RotateCA(time.Now()); err != nil {
		t.Fatal(err)
	}
	_, r.server = r.startServer(t, time.Now().Add(-30*time.Minute), time.Now().Add(long))
	after := r.save(t, "after", r.kubeconfig(r.server))
	t.Run("rotated, and asked at another address", func(t *testing.T) {
		// What another cluster refuses proves nothing.
		v := verify(t, 3, before, "--kubeconfig", after)
		wantLives(t, v, report.LifeUnknown, report.CheckCA, report.CheckClientCertificate, report.CheckToken)
	})
	t.Run("rotated", func(t *testing.T) {
		// An API server of AKS keeps its name. This one has another port.
		v := verify(t, 0, before, "--kubeconfig", after, "--same-cluster")
		wantLives(t, v, report.Dead, report.CheckCA, report.CheckClientCertificate, report.CheckToken)
		if !v.ServerVerified || v.Outcome != report.OutcomeOK || !v.Complete || v.Server != r.server.Addr {
			t.Errorf("%+v, want %s verified", v, r.server.Addr)
		}
	})
	t.Run("rotated, a user without rights", func(t *testing.T) {
		wantLives(t, verify(t, 0, weak, "--kubeconfig", after, "--same-cluster"), report.Dead, report.CheckCA, report.CheckClientCertificate)
	})
	t.Run("rotated, by a report", func(t *testing.T) {
		// It holds no keys: nobody can sign in with it to see.
		v := verify(t, 3, rep, "--kubeconfig", after, "--same-cluster")
		if v.Old.From != report.SourceReport || v.Complete || v.Outcome != report.OutcomeIncomplete {
			t.Errorf("%+v, want an incomplete one, from a report", v)
		}
		want := map[report.CheckKind]report.Life{
			report.CheckCA: report.Dead, report.CheckServingCertificate: report.Dead, report.CheckClientCertificate: report.LifeUnknown,
		}
		for _, c := range v.Checks {
			if life, ok := want[c.Check]; ok && c.Result != life {
				t.Errorf("%+v, want it %s", c, life)
			}
			delete(want, c.Check)
		}
		if len(want) > 0 {
			t.Errorf("checks %+v, none of %v", v.Checks, want)
		}
	})
	t.Run("rotated, and nobody at the old address", func(t *testing.T) {
		v := verify(t, 3, before)
		wantLives(t, v, report.LifeUnknown, report.CheckCA, report.CheckClientCertificate, report.CheckToken)
		if v.ServerVerified || v.Context != "" {
			t.Errorf("%+v, want no server verified by no kubeconfig", v)
		}
	})
}

// wantLives checks that these are the checks, in order, and that they all have
// one result.
func wantLives(t *testing.T, v report.Verification, want report.Life, kinds ...report.CheckKind) {
	t.Helper()
	var got []report.CheckKind
	for _, c := range v.Checks {
		got = append(got, c.Check)
		if c.Result != want {
			t.Errorf("%+v, want it %s", c, want)
		}
	}
	if !slices.Equal(got, kinds) {
		t.Errorf("checks %q, want %q", got, kinds)
	}
}

// mentions tells whether a text is in one of the lines.
func mentions(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}

// save writes a kubeconfig into the cluster's folder.
func (r *rig) save(t *testing.T, name string, k cluster.Kubeconfig) string {
	t.Helper()
	path := filepath.Join(r.cluster.Dir, name+".kubeconfig")
	if err := k.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}
