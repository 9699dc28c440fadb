package audit

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func TestVerdict(t *testing.T) {
	yes, no := true, false
	ca := issue(t, authority("ca"), nil)
	aged := func(used int) collect.Observation {
		from := asOf.AddDate(0, 0, -used)
		c := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "system:node:n"}, NotBefore: from, NotAfter: from.AddDate(0, 0, 100)}, &ca)
		return collect.Observation{Certificate: &collect.Certificate{Certificate: c.Certificate, Role: report.RoleKubeletClient, Node: "n", Location: "current"}}
	}
	node := func(mode report.BootstrapMode, rotates *bool) collect.Observation {
		return collect.Observation{Node: &report.Node{Name: "n", BootstrapMode: mode, RotateCertificates: rotates}}
	}
	gap := collect.Observation{Gap: &collect.Gap{Node: "m", Reason: report.ReasonBusy, Message: "busy"}}
	good := func() *target.ARM {
		return &target.ARM{RBAC: &yes, KubernetesVersion: "1.31.2", PowerState: "Running", ProvisioningState: "Succeeded"}
	}
	edit := func(change func(*target.ARM)) *target.ARM {
		c := good()
		change(c)
		return c
	}
	old, young := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2022, 4, 1, 0, 0, 0, 0, time.UTC)
	healthy := []collect.Observation{node(report.BootstrapToken, &yes), aged(50)}

	tests := []struct {
		name string
		arm  *target.ARM
		seen []collect.Observation
		want report.Verdict
	}{
		{"every node proves it", good(), healthy, report.RotationAutomatic},
		{"without ARM its checks do not block", nil, append(healthy[:2:2], collect.Observation{API: &collect.API{RBAC: &yes}}), report.RotationAutomatic},
		{"but somebody has to say that RBAC is on", nil, healthy, report.RotationUnknown},
		{"nothing at all is known", nil, nil, report.RotationUnknown},
		{"no node was examined", good(), nil, report.RotationUnknown},
		{"one node could not be", good(), append(healthy[:2:2], gap), report.RotationUnknown},
		{"a node without evidence", good(), []collect.Observation{node(report.BootstrapUnknown, nil)}, report.RotationUnknown},
		{"a certificate, but nobody says it rotates", good(), []collect.Observation{node(report.BootstrapToken, nil), aged(50)}, report.RotationUnknown},
		{"told not to rotate", good(), []collect.Observation{node(report.BootstrapToken, &no), aged(50)}, report.RotationManual},
		{"static", good(), []collect.Observation{node(report.BootstrapStatic, &yes), aged(50)}, report.RotationManual},
		{"RBAC off", edit(func(c *target.ARM) { c.RBAC = &no }), healthy, report.RotationManual},
		{"RBAC not told", edit(func(c *target.ARM) { c.RBAC = nil }), healthy, report.RotationUnknown},
		{"old, and never upgraded", edit(func(c *target.ARM) { c.KubernetesVersion, c.CreatedAt = "1.23.9", &old }), healthy, report.RotationManual},
		{"old, and upgraded since", edit(func(c *target.ARM) { c.KubernetesVersion, c.CreatedAt = "1.24.0", &old }), healthy, report.RotationAutomatic},
		{"an old version of a young cluster", edit(func(c *target.ARM) { c.KubernetesVersion, c.CreatedAt = "1.22.1", &young }), healthy, report.RotationAutomatic},
		{"an old version of unknown age", edit(func(c *target.ARM) { c.KubernetesVersion = "1.22.1" }), healthy, report.RotationUnknown},
		{"version 1.4 is not 1.40", edit(func(c *target.ARM) { c.KubernetesVersion, c.CreatedAt = "1.4.0", &old }), healthy, report.RotationManual},
		{"a kubelet past 90 %", good(), []collect.Observation{node(report.BootstrapToken, &yes), aged(90)}, report.RotationBroken},
		{"just before it", good(), []collect.Observation{node(report.BootstrapToken, &yes), aged(89)}, report.RotationAutomatic},
		{"what rules it out beats what shows it", edit(func(c *target.ARM) { c.RBAC = &no }), []collect.Observation{node(report.BootstrapToken, &yes), aged(95)}, report.RotationManual},
		{"stopped", edit(func(c *target.ARM) { c.PowerState = "Stopped" }), healthy, report.RotationUnknown},
		{"a stopped pool", edit(func(c *target.ARM) { c.Pools = []target.Pool{{Name: "p", PowerState: "Stopped"}} }), healthy, report.RotationUnknown},
		{"a rotation under way", edit(func(c *target.ARM) { c.ProvisioningState = "RotatingClusterCertificates" }), healthy, report.RotationUnknown},
		{"failed, nobody knows at what", edit(func(c *target.ARM) { c.ProvisioningState = "Failed" }), healthy, report.RotationUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := batch("c", report.SourceNode, test.seen...)
			b.Target.ARM = test.arm
			r := judge(t, Input{Batches: []collect.Batch{b}})
			actedOn(t, r)
			got := r.Clusters[0].Rotation
			if got.Verdict != test.want {
				t.Errorf("%s, want %s: %+v", got.Verdict, test.want, got.Evidence)
			}
			for _, e := range got.Evidence {
				if e.Detail == "" || e.Check == "" {
					t.Errorf("a check without a word: %+v", e)
				}
			}
		})
	}
}

// What is overdue says so by name, and gates; a rotation under way only informs.
func TestRotationFindings(t *testing.T) {
	no := false
	b := batch("c", report.SourceNode, collect.Observation{Node: &report.Node{Name: "n", BootstrapMode: report.BootstrapStatic}})
	b.Target.ARM = &target.ARM{RBAC: &no, ProvisioningState: "RotatingClusterCertificates", ResourceGroup: "g", Name: "c"}
	r := judge(t, Input{Batches: []collect.Batch{b}})
	got := map[string]report.Severity{}
	for _, f := range r.Findings {
		got[f.Rule] = f.Severity
	}
	if got[ruleNoRBAC] != report.SeverityWarning || got[ruleStatic] != report.SeverityWarning || got[ruleRotating] != report.SeverityInfo || r.ExitCode != 1 {
		t.Errorf("%v, exit %d", got, r.ExitCode)
	}
	b.Target.ARM.PowerState = "Stopped"
	if first := judge(t, Input{Batches: []collect.Batch{b}}).Remedies[0].Commands[0]; first != "az aks start --resource-group g --name c" {
		t.Errorf("a stopped cluster is not started first: %s", first)
	}
	// Azure refuses a second operation while one is under way.
	if len(r.Remedies) != 2 || r.Remedies[0].Commands[0] != "az aks wait --resource-group g --name c --updated" || r.Remedies[0].Commands[1] != "az aks rotate-certs --resource-group g --name c" {
		t.Errorf("remedies %+v, want the one that both findings share, and to wait", r.Remedies)
	}
}
