package audit

import (
	"slices"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

func day0(n int) *time.Time {
	t := asOf.AddDate(0, 0, n)
	return &t
}

// metric is what a kubelet's metrics say: days are left of its certificate, and
// errors have been counted.
func metric(node string, days int, errors int64) []collect.Observation {
	on, ttl := true, int64(days)*86400
	return []collect.Observation{
		{Node: &report.Node{Name: node, RotateCertificates: &on, Kubelet: &report.Kubelet{ReadAt: asOf, ClientTTLSeconds: &ttl, RenewErrors: &errors}}},
		{Certificate: &collect.Certificate{Certificate: certs.Certificate{Count: 1, NotAfter: day0(days)}, Role: report.RoleKubeletClient, Node: node, Location: "/metrics#client", Approximate: true}},
	}
}

// file is the kubelet's certificate on a node, of 100 days, used of which are
// over.
func file(node string, used int) []collect.Observation {
	on := true
	return []collect.Observation{
		{Node: &report.Node{Name: node, Pool: "pool1", RotateCertificates: &on, BootstrapMode: report.BootstrapToken}},
		{Certificate: &collect.Certificate{Certificate: certs.Certificate{Count: 1, NotBefore: day0(-used), NotAfter: day0(100 - used), Issuer: "CN=ca"},
			Role: report.RoleKubeletClient, Node: node, Location: "/var/lib/kubelet/pki/kubelet-client-current.pem"}},
	}
}

// actedOn requires of a verdict that something has to be done that a finding says
// what.
func actedOn(t *testing.T, r *report.Report) {
	t.Helper()
	v := r.Clusters[0].Rotation.Verdict
	if (v == report.RotationManual || v == report.RotationBroken) && !slices.ContainsFunc(r.Findings, func(f report.Finding) bool {
		return f.Severity.Rank() >= report.SeverityWarning.Rank() && f.Rule != ruleDue
	}) {
		t.Errorf("%s, and nothing is found: %+v", v, r.Findings)
	}
}

func rules(r *report.Report) []string {
	var names []string
	for _, f := range r.Findings {
		names = append(names, f.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Without any right in Azure the API and its kubelets still give an answer.
func TestVerdictFromTheAPI(t *testing.T) {
	on, off := true, false
	api := collect.Observation{API: &collect.API{Version: "1.31.2", RBAC: &on}}
	gap := func(node string) collect.Observation {
		return collect.Observation{Gap: &collect.Gap{Node: node, Reason: report.ReasonUnreachable, Message: "no"}}
	}
	old := collect.Observation{Node: &report.Node{Name: "n", CreatedAt: day0(-365 * 6)}}
	tests := []struct {
		name    string
		api     []collect.Observation
		kubelet []collect.Observation
		node    []collect.Observation
		want    report.Verdict
		rules   []string
	}{
		{"every kubelet answers", []collect.Observation{api}, metric("n", 200, 0), nil, report.RotationAutomatic, nil},
		{"nobody says RBAC is on", nil, metric("n", 200, 0), nil, report.RotationUnknown, nil},
		{"RBAC is not served", []collect.Observation{{API: &collect.API{Version: "1.31.2", RBAC: &off}}}, metric("n", 200, 0), nil, report.RotationManual, []string{ruleNoRBAC}},
		{"a kubelet with 20 days left", []collect.Observation{api}, metric("n", 20, 0), nil, report.RotationBroken, []string{ruleOverdue}},
		{"and errors", []collect.Observation{api}, metric("n", 20, 3), nil, report.RotationBroken, []string{ruleRenewErrors, ruleOverdue}},
		{"errors alone prove nothing", []collect.Observation{api}, metric("n", 200, 3), nil, report.RotationAutomatic, []string{ruleRenewErrors}},
		{"errors on one node, lateness on another", []collect.Observation{api}, append(metric("n", 200, 3), metric("m", 20, 0)...), nil, report.RotationBroken, []string{ruleRenewErrors, ruleOverdue}},
		{"one kubelet does not answer", []collect.Observation{api}, append(metric("n", 200, 0), gap("m")), nil, report.RotationUnknown, nil},
		{"but its node's files were read", []collect.Observation{api}, append(metric("n", 200, 0), gap("m")), file("m", 50), report.RotationAutomatic, nil},
		{"whoever spells its name how", []collect.Observation{api}, append(metric("n", 200, 0), gap("m")), file("M", 50), report.RotationAutomatic, nil},
		{"the API lists a node that no kubelet answered for", []collect.Observation{api, {Node: &report.Node{Name: "x"}}}, metric("n", 200, 0), nil, report.RotationUnknown, nil},
		{"a virtual node has nothing to rotate", []collect.Observation{api, {Node: &report.Node{Name: "x", Virtual: true}}}, metric("n", 200, 0), nil, report.RotationAutomatic, nil},
		{"old, and never upgraded", []collect.Observation{{API: &collect.API{Version: "1.22.1", RBAC: &on}}, old}, metric("n", 200, 0), nil, report.RotationManual, []string{ruleNeverUpgraded}},
		{"old, of unknown age", []collect.Observation{{API: &collect.API{Version: "1.22.1", RBAC: &on}}}, metric("n", 200, 0), nil, report.RotationAutomatic, nil},
		{"old, on young images", []collect.Observation{{API: &collect.API{Version: "1.22.1", RBAC: &on}}, old, {Node: &report.Node{Name: "n", ImageVersion: "AKSUbuntu-1804gen2containerd-2022.08.10"}}}, metric("n", 200, 0), nil, report.RotationAutomatic, nil},
		{"old, on images as old", []collect.Observation{{API: &collect.API{Version: "1.22.1", RBAC: &on}}, old, {Node: &report.Node{Name: "n", ImageVersion: "AKSUbuntu-1804gen2containerd-2022.03.10"}}}, metric("n", 200, 0), nil, report.RotationManual, []string{ruleNeverUpgraded}},
		{"the kubelet says it does not rotate, whatever its files say", []collect.Observation{api},
			[]collect.Observation{{Node: &report.Node{Name: "n", RotateCertificates: &off, Kubelet: &report.Kubelet{ReadAt: asOf}}}}, file("n", 50), report.RotationManual, []string{ruleNodeOff}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			batches := []collect.Batch{batch("c", report.SourceNode, test.node...), batch("c", report.SourceKubelet, test.kubelet...), batch("c", report.SourceKubeAPI, test.api...)}
			for i := range batches {
				batches[i].Target.Cluster = &target.Cluster{Server: "https://c-abc.hcp.westeurope.azmk8s.io:443"}
			}
			r := judge(t, Input{Batches: batches})
			actedOn(t, r)
			if got := r.Clusters[0].Rotation; got.Verdict != test.want {
				t.Errorf("%s, want %s: %+v", got.Verdict, test.want, got.Evidence)
			}
			if got := rules(r); !slices.Equal(got, test.rules) {
				t.Errorf("rules %q, want %q", got, test.rules)
			}
		})
	}
}

// The metric has no lifetime; the file it speaks of has. Where they are not about
// the same certificate, that is worth knowing.
func TestMetricAndFile(t *testing.T) {
	r := judge(t, Input{Batches: []collect.Batch{batch("c", report.SourceNode, file("n", 85)...), batch("c", report.SourceKubelet, metric("N", 15, 0)...)}})
	if len(r.Certificates) != 2 || len(r.Nodes) != 1 {
		t.Fatalf("%d rows, %d nodes", len(r.Certificates), len(r.Nodes))
	}
	for _, c := range r.Certificates {
		if c.State != report.StateDue || c.LifetimeUsed == nil || *c.LifetimeUsed != 0.85 {
			t.Errorf("%s: %s, %v used", c.Source, c.State, c.LifetimeUsed)
		}
		if c.Approximate != (c.Source == report.SourceKubelet) || c.Node != "n" && c.Node != "N" {
			t.Errorf("%s: approximate %v, node %q", c.Source, c.Approximate, c.Node)
		}
	}
	if got := rules(r); !slices.Equal(got, []string{ruleDue}) {
		t.Errorf("rules %q", got)
	}
	r = judge(t, Input{Batches: []collect.Batch{batch("c", report.SourceNode, file("n", 50)...), batch("c", report.SourceKubelet, metric("n", 40, 0)...)}})
	if got := rules(r); !slices.Equal(got, []string{ruleDisagrees}) {
		t.Errorf("ten days apart: rules %q", got)
	}
	for _, c := range r.Certificates {
		if c.Source == report.SourceKubelet && c.NotBefore != nil {
			t.Error("the metric took another certificate's notBefore")
		}
	}
}

// A node resource group that is locked down leaves nothing out where every
// kubelet has answered.
func TestKubeletsAnswerForLockedDownNodes(t *testing.T) {
	locked := collect.Observation{Gap: &collect.Gap{Reason: report.ReasonLockedDown, Message: "locked down"}}
	silent := collect.Observation{Gap: &collect.Gap{Node: "m", Reason: report.ReasonTimeout, Message: "hangs"}}
	judged := func(named []report.Source, kubelet ...collect.Observation) *report.Report {
		on := true
		arm := &target.ARM{RBAC: &on, KubernetesVersion: "1.31.2", PowerState: "Running", ProvisioningState: "Succeeded"}
		n, k := batch("c", report.SourceNode, locked), batch("c", report.SourceKubelet, kubelet...)
		n.Target.ARM, k.Target.ARM = arm, arm
		return judge(t, Input{Batches: []collect.Batch{n, k}, Named: named})
	}
	r := judged(nil, metric("n", 200, 0)...)
	if r.Clusters[0].Sources[0].Status != report.StatusSkipped || len(r.Gaps) != 0 || r.Clusters[0].Rotation.Verdict != report.RotationAutomatic {
		t.Errorf("%+v, gaps %+v, %+v", r.Clusters[0].Sources, r.Gaps, r.Clusters[0].Rotation)
	}
	if r := judged([]report.Source{report.SourceNode, report.SourceKubelet}, metric("n", 200, 0)...); len(r.Gaps) != 1 {
		t.Errorf("it was named, and gaps are %+v", r.Gaps)
	}
	if r := judged(nil, append(metric("n", 200, 0), silent)...); len(r.Gaps) != 2 || r.Clusters[0].Rotation.Verdict != report.RotationUnknown {
		t.Errorf("a kubelet is silent, and gaps are %+v", r.Gaps)
	}
	if r := judged(nil); len(r.Gaps) != 1 {
		t.Errorf("no kubelet was there, and gaps are %+v", r.Gaps)
	}
}

// A kubelet without a valid certificate has no row to tell of it.
func TestKubeletWithoutCertificate(t *testing.T) {
	on := true
	n := collect.Observation{Node: &report.Node{Name: "n", RotateCertificates: &on, Kubelet: &report.Kubelet{ReadAt: asOf, NoClientCertificate: true}}}
	serving := collect.Observation{Node: &report.Node{Name: "s", RotateCertificates: &on, Kubelet: &report.Kubelet{ReadAt: asOf, NoServingCertificate: true}}}
	api := batch("c", report.SourceKubeAPI, collect.Observation{API: &collect.API{Version: "1.31.2", RBAC: &on}})
	r := judge(t, Input{Batches: []collect.Batch{batch("c", report.SourceKubelet, append(metric("m", 200, 0), n, serving)...), api}, FailOn: report.SeverityExpired})
	if r.Clusters[0].Rotation.Verdict != report.RotationBroken || r.ExitCode != report.ExitFindings || len(r.Findings) != 2 {
		t.Fatalf("%+v, exit %d, %+v", r.Clusters[0].Rotation, r.ExitCode, r.Findings)
	}
	if f := r.Findings[0]; f.Rule != ruleNoCertificate || f.Severity != report.SeverityExpired || f.Node != "n" || f.RemedyID == "" {
		t.Errorf("%+v", f)
	}
	if f := r.Findings[1]; f.Severity != report.SeverityWarning || f.Node != "s" {
		t.Errorf("%+v", f)
	}
}
