package e2e

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// What akscert makes of a kubelet.

// audited is a report about the node whose rows of the kubelet's certificates
// say what openssl says of their files, to within two seconds and the time the
// audit took.
func (r *nodeRig) audited(t *testing.T, wantCode int) (rep report.Report) {
	t.Helper()
	paths := map[report.Role]string{report.RoleKubeletClient: cluster.ClientCertificate, report.RoleKubeletServing: cluster.ServingCertificate}
	eventually(t, time.Minute, func() error {
		files := map[report.Role][]byte{}
		for role, path := range paths {
			files[role] = r.file(t, path)
		}
		asked := time.Now()
		rep, _ = r.audit(t, wantCode, r.kubeconfig(r.server))
		apart := 2*time.Second + time.Since(asked)
		for role, path := range paths {
			if !bytes.Equal(files[role], r.file(t, path)) {
				return errors.New("the kubelet replaced a certificate meanwhile")
			}
		}
		for role, file := range files {
			wantMetric(t, row(t, rep, role), opensslFacts(t, file), apart)
		}
		return nil
	})
	return rep
}

// wantMetric checks a row that comes of a metric.
func wantMetric(t *testing.T, got report.Certificate, want facts, apart time.Duration) {
	t.Helper()
	if got.Source != report.SourceKubelet || got.Node != cluster.NodeName || !got.Approximate || got.SHA256 != "" {
		t.Errorf("row %+v, want an approximate one of the kubelet source without a fingerprint", got)
	}
	if got.NotAfter == nil || got.NotAfter.Sub(want.notAfter).Abs() > apart {
		t.Errorf("notAfter of the %s row: %v, openssl says %v", got.Role, got.NotAfter, want.notAfter)
	}
}

// wantRotation checks the verdict, and that the evidence that has these results
// is this and no other.
func wantRotation(t *testing.T, rep report.Report, verdict report.Verdict, result report.Result, checks ...string) {
	t.Helper()
	got := rep.Clusters[0].Rotation
	if got == nil || got.Verdict != verdict {
		t.Fatalf("rotation %+v, want %q", got, verdict)
	}
	var found []string
	for _, e := range got.Evidence {
		if e.Result == result {
			found = append(found, e.Check)
		}
	}
	if !slices.Equal(found, checks) {
		t.Errorf("evidence %+v: %q for %q, want %q", got.Evidence, result, found, checks)
	}
}

// automatic: a healthy node, and what proves it.
func (r *nodeRig) automatic(t *testing.T) {
	rep := r.audited(t, 0)
	wantOnly(t, rep)
	wantRotation(t, rep, report.RotationAutomatic, report.ResultPass, "kubernetes-rbac", "created-or-upgraded-after-march-2022",
		"nodes-rotate", "kubelet-renewal-errors", "no-certificate-overdue")
	if !rep.Complete || len(rep.Gaps) != 0 {
		t.Errorf("gaps %+v", rep.Gaps)
	}
}

// broken: a node that does not renew itself, and the checks that say so.
func (r *nodeRig) broken(t *testing.T, checks ...string) {
	t.Helper()
	wantRotation(t, r.audited(t, 1), report.RotationBroken, report.ResultFail, checks...)
}

// withoutCertificate: a kubelet whose client certificate has expired, which has
// no row any more. It still answers for some minutes, until it would have to ask
// the API server anew who may read its metrics.
func (r *nodeRig) withoutCertificate(t *testing.T) {
	t.Helper()
	rep, _ := r.audit(t, 1, r.kubeconfig(r.server))
	wantRotation(t, rep, report.RotationBroken, report.ResultFail, "kubelet-renewal-errors", "no-certificate-overdue")
	f := finding(t, rep, "kubelet-without-certificate")
	if f.Severity != report.SeverityExpired || f.Node != cluster.NodeName || f.RemedyID == "" {
		t.Errorf("finding %+v, want severity expired on %q, and a remedy", f, cluster.NodeName)
	}
	if len(rep.Nodes) != 1 || rep.Nodes[0].Kubelet == nil || !rep.Nodes[0].Kubelet.NoClientCertificate {
		t.Errorf("nodes %+v, want one whose kubelet has no client certificate", rep.Nodes)
	}
	for _, c := range rep.Certificates {
		if c.Role == report.RoleKubeletClient {
			t.Errorf("row %+v of a certificate that the kubelet says nothing of", c)
		}
	}
}

// oldCA: a kubeconfig of before a rotation of the CA, whose client certificate
// the old CA signed.
func (r *nodeRig) oldCA(t *testing.T) {
	from := time.Now().Add(-30 * cluster.Day)
	ca, err := cluster.NewCA("ca", from, from.Add(30*365*cluster.Day))
	if err != nil {
		t.Fatal(err)
	}
	admin, err := ca.Issue(cluster.Spec{
		CommonName: "masterclient", Organization: "system:masters", NotBefore: from, NotAfter: from.Add(long),
	})
	if err != nil {
		t.Fatal(err)
	}
	k := r.kubeconfig(r.server)
	k.CA, k.Cert, k.Key = ca.CertPEM, admin.CertPEM, admin.KeyPEM
	rep, _ := r.audit(t, 1, k)
	wantOnly(t, rep, "ca-mismatch", "kubeconfig-stale")
	wantGap(t, rep, report.ReasonUnreachable) // to a server it cannot trust it says nothing

	// Somebody mended the CA alone: now it is the server that does not trust.
	k.CA = r.cluster.CA.CertPEM
	rep, _ = r.audit(t, 1, k)
	wantOnly(t, rep, "kubeconfig-stale")
	wantGap(t, rep, report.ReasonUnauthenticated)
}

// wantGap checks that there is one gap, for one reason.
func wantGap(t *testing.T, rep report.Report, reason report.Reason) {
	t.Helper()
	if len(rep.Gaps) != 1 || rep.Gaps[0].Reason != reason {
		t.Errorf("gaps %+v, want one: %s", rep.Gaps, reason)
	}
}
