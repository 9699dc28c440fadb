package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// TestManyNodes audits a cluster of a thousand nodes, one of which does not
// renew its certificate.
func TestManyNodes(t *testing.T) {
	const many, ill = 1000, 617
	ownAddress(t) // or skip before anything is started
	r := newRig(t)
	r.sources = "kubeconfig,apiserver,kubelet,kubeapi"
	from := time.Now().Add(-30 * cluster.Day)
	r.serving, r.server = r.startServer(t, from, from.Add(long))
	now := time.Now()
	f := r.startFleet(t, many, func(i int) kubelet {
		// An hour apart, so that none can be taken for another.
		k := kubelet{name: nodeName(i), notAfter: now.Add(100*cluster.Day + time.Duration(i)*time.Hour)}
		if i == ill {
			k.notAfter, k.renewErrors = now.Add(cluster.Day), 3
		}
		return k
	})
	f.join(t, r)
	t.Logf("%d nodes joined in %v", many, time.Since(now).Round(time.Second))

	start := time.Now()
	rep, _ := r.audit(t, 1, r.kubeconfig(r.server))
	t.Logf("audited in %v", time.Since(start).Round(time.Second))
	if rep.Summary.Nodes != many || len(rep.Gaps) != 0 {
		t.Errorf("%d nodes, gaps %+v, want %d and none", rep.Summary.Nodes, rep.Gaps, many)
	}
	wantRotation(t, rep, report.RotationBroken, report.ResultFail, "kubelet-renewal-errors", "no-certificate-overdue")
	for _, k := range f.kubelets {
		k.wantIn(t, rep)
	}
}

// wantIn checks the row and the node that the kubelet's page became.
func (k kubelet) wantIn(t *testing.T, rep report.Report) {
	t.Helper()
	n := slices.IndexFunc(rep.Nodes, func(n report.Node) bool { return n.Name == k.name })
	c := slices.IndexFunc(rep.Certificates, func(c report.Certificate) bool {
		return c.Node == k.name && c.Role == report.RoleKubeletClient
	})
	if n < 0 || c < 0 {
		t.Errorf("the report lacks %s or its certificate", k.name)
		return
	}
	// The page may have been on its way for a while.
	if notAfter := rep.Certificates[c].NotAfter; notAfter == nil || notAfter.Sub(k.notAfter).Abs() > 10*time.Second {
		t.Errorf("%s ends %v, its kubelet says %v", k.name, notAfter, k.notAfter)
	}
	if said := rep.Nodes[n].Kubelet; said == nil || said.RenewErrors == nil || *said.RenewErrors != int64(k.renewErrors) {
		t.Errorf("%s: %+v, want %d errors", k.name, said, k.renewErrors)
	}
}
