package audit

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// What happens to healthy clusters every day must not look like an illness, and
// what is ill must not look healthy for how it was told.

func goodARM() *target.ARM {
	on := true
	return &target.ARM{ID: "/x", ResourceGroup: "rg", Name: "c", SubscriptionID: "sub-b", RBAC: &on, KubernetesVersion: "1.31.2", PowerState: "Running", ProvisioningState: "Succeeded"}
}

func with(arm *target.ARM, batches ...collect.Batch) []collect.Batch {
	for i := range batches {
		batches[i].Target.ARM = arm
	}
	return batches
}

// Run-command takes minutes, and the metric was read at once: a kubelet that
// renewed in between, or a node that was replaced, is none that disagrees.
func TestRenewedBetweenTheReadings(t *testing.T) {
	m := metric("n", 60, 0)
	from, until := asOf.Add(-5*time.Minute), asOf.AddDate(1, 0, 0)
	f := file("n", 0)
	f[1].Certificate.NotBefore, f[1].Certificate.NotAfter = &from, &until
	r := judge(t, Input{Batches: with(goodARM(), batch("c", report.SourceNode, f...), batch("c", report.SourceKubelet, m...))})
	if len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
	older := asOf.Add(-time.Hour)
	f[1].Certificate.NotBefore = &older
	r = judge(t, Input{Batches: with(goodARM(), batch("c", report.SourceNode, f...), batch("c", report.SourceKubelet, m...))})
	if got := rules(r); !slices.Equal(got, []string{ruleDisagrees}) {
		t.Errorf("a file that was there for an hour: %q", got)
	}
}

// A clock that is off is one finding, not one for each of its nodes.
func TestThisMachinesClock(t *testing.T) {
	var files, metrics []collect.Observation
	for i := range 500 {
		name := fmt.Sprintf("n%d", i)
		files = append(files, file(name, 50)...)
		m := metric(name, 50, 0)
		at := day0(50).Add(6 * time.Minute)
		m[1].Certificate.NotAfter = &at
		metrics = append(metrics, m...)
	}
	r := judge(t, Input{Batches: with(goodARM(), batch("c", report.SourceNode, files...), batch("c", report.SourceKubelet, metrics...))})
	if len(r.Findings) != 1 || len(r.Remedies) != 1 || !strings.Contains(r.Findings[0].Message, "this machine's clock") {
		t.Errorf("%d findings, %d remedies", len(r.Findings), len(r.Remedies))
	}
	later := day0(70)
	metrics[1].Certificate.NotAfter = later
	r = judge(t, Input{Batches: with(goodARM(), batch("c", report.SourceNode, files...), batch("c", report.SourceKubelet, metrics...))})
	if len(r.Findings) != 2 || len(r.Remedies) != 1 {
		t.Errorf("and one node of its own: %+v", r.Findings)
	}
}

// When to warn is for a person to say; whether renewal works is not.
func TestWarningPointIsNoVerdict(t *testing.T) {
	policy, err := lifetime.NewPolicy("250d", "7d")
	if err != nil {
		t.Fatal(err)
	}
	r := Audit(Input{Batches: with(goodARM(), batch("c", report.SourceKubelet, metric("n", 110, 0)...)), Policy: policy, FailOn: report.SeverityWarning, AsOf: asOf})
	if v := r.Clusters[0].Rotation.Verdict; v != report.RotationAutomatic {
		t.Errorf("%s: %+v", v, r.Clusters[0].Rotation.Evidence)
	}
	if got := rules(r); !slices.Equal(got, []string{ruleWarning}) {
		t.Errorf("%q", got)
	}
}

// Half-way through a rotation not everybody knows the new CA yet.
func TestRotationUnderWay(t *testing.T) {
	before, after := issue(t, authority("ca"), nil), issue(t, authority("ca"), nil)
	serving := issue(t, server("api.example"), &after)
	row := func(role report.Role, node, at string, c pair) collect.Observation {
		return collect.Observation{Certificate: &collect.Certificate{Certificate: c.Certificate, Role: role, Node: node, Location: at}}
	}
	arm := goodARM()
	arm.ProvisioningState = "RotatingClusterCertificates"
	r := judge(t, Input{Batches: with(arm,
		batch("c", report.SourceKubeconfig, row(report.RoleClusterCA, "", "k#clusters/c", after)),
		batch("c", report.SourceAPIServer, collect.Observation{Handshake: &collect.Handshake{Location: "h:443", ServerName: "api.example", Presented: []certs.Certificate{serving.Certificate}, CA: []certs.Certificate{after.Certificate}}}),
		batch("c", report.SourceNode, append(file("n", 50), row(report.RoleClusterCA, "n", "/etc/kubernetes/certs/ca.crt", before))...))})
	if r.ExitCode != 0 || !slices.Equal(rules(r), []string{ruleCAMismatch, ruleRotating}) {
		t.Errorf("exit %d, %q", r.ExitCode, rules(r))
	}
	if len(r.Remedies) != 1 || r.Remedies[0].Commands[0] != "az aks wait --resource-group rg --name c --subscription sub-b --updated" {
		t.Errorf("%+v", r.Remedies)
	}
}

// A client certificate may stand below an intermediate, and it may be the only
// credential there is: it then opened the door to what would deny it.
func TestClientBelowAnIntermediate(t *testing.T) {
	ca, other := issue(t, authority("ca"), nil), issue(t, authority("other"), nil)
	middle := issue(t, authority("middle"), &ca)
	client := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "u"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, &middle)
	row := func(role report.Role, at string, c pair) collect.Observation {
		return collect.Observation{Certificate: &collect.Certificate{Certificate: c.Certificate, Role: role, Location: at}}
	}
	judged := func(accepts pair, u target.User) []string {
		k, api := batch("c", report.SourceKubeconfig, row(report.RoleClient, "k#users/u#0", client), row(report.RoleOther, "k#users/u#1", middle)),
			batch("c", report.SourceKubeAPI, row(report.RoleClientCA, "configmap", accepts))
		k.Target.User, api.Target.User = &u, &u
		return rules(judge(t, Input{Batches: []collect.Batch{k, api}}))
	}
	token := target.User{Name: "u", Token: target.NewSecret("x")}
	if got := judged(ca, token); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := judged(other, token); !slices.Equal(got, []string{ruleStale}) {
		t.Errorf("%q", got)
	}
	if got := judged(other, target.User{Name: "u"}); len(got) != 0 {
		t.Errorf("it is all there is, and read the list: %q", got)
	}
}

// What is true of AKS is not true of others.
func TestNotAKS(t *testing.T) {
	on := true
	n := metric("n", 200, 0)
	n[0].Node.CreatedAt = day0(-365 * 6)
	batches := []collect.Batch{batch("c", report.SourceKubelet, n...), batch("c", report.SourceKubeAPI, collect.Observation{API: &collect.API{Version: "1.23.9", RBAC: &on}})}
	for i := range batches {
		batches[i].Target.Cluster = &target.Cluster{Name: "kubernetes", Server: "https://10.0.0.1:6443"}
	}
	r := judge(t, Input{Batches: batches})
	if len(r.Findings) != 0 || r.Clusters[0].Rotation.Verdict != report.RotationAutomatic {
		t.Errorf("%+v, %+v", r.Findings, r.Clusters[0].Rotation)
	}
}

// The verdict does not rest on gaps that stand for each other in the report.
func TestFoldedGapsStillCount(t *testing.T) {
	on := true
	gone := func() collect.Observation {
		return collect.Observation{Gap: &collect.Gap{Location: "h:443", Reason: report.ReasonUnreachable, Message: "connecting to h:443: connection refused"}}
	}
	r := judge(t, Input{Batches: []collect.Batch{batch("c", report.SourceAPIServer, gone()), batch("c", report.SourceKubelet, append(metric("n", 200, 0), gone())...),
		batch("c", report.SourceKubeAPI, collect.Observation{API: &collect.API{Version: "1.31.2", RBAC: &on}})}})
	if len(r.Gaps) != 1 || r.Clusters[0].Rotation.Verdict != report.RotationUnknown {
		t.Errorf("%+v, %+v", r.Gaps, r.Clusters[0].Rotation)
	}
	refused := func(node string) collect.Observation {
		return collect.Observation{Gap: &collect.Gap{Node: node, Location: "h:443", Reason: report.ReasonUnauthenticated, Message: "401"}}
	}
	r = judge(t, Input{Batches: []collect.Batch{batch("c", report.SourceKubelet, refused("a"), refused("b")), batch("c", report.SourceKubeAPI, refused(""))}})
	if len(r.Gaps) != 2 {
		t.Errorf("%+v", r.Gaps)
	}
}

// One node has one name, in rows and gaps alike; one that nobody has asked is a
// gap; and one that has only just joined may still wait for its certificate.
func TestNodes(t *testing.T) {
	r := judge(t, Input{Batches: with(goodARM(),
		batch("c", report.SourceNode, collect.Observation{Node: &report.Node{Name: "AKSWIN000000"}}, collect.Observation{Gap: &collect.Gap{Node: "AKSWIN000000", Reason: report.ReasonBusy, Message: "busy"}}),
		batch("c", report.SourceKubeAPI, collect.Observation{Node: &report.Node{Name: "akswin000000", ImageVersion: "AKSWindows-2022-containerd-20348.3207.250910"}}))})
	if len(r.Nodes) != 1 || r.Nodes[0].Name != "akswin000000" || r.Gaps[0].Node != "akswin000000" {
		t.Errorf("%+v, %+v", r.Nodes, r.Gaps)
	}
	r = judge(t, Input{Batches: with(goodARM(), batch("c", report.SourceKubelet, metric("n", 200, 0)...), batch("c", report.SourceKubeAPI, collect.Observation{Node: &report.Node{Name: "new"}}))})
	if len(r.Gaps) != 1 || r.Gaps[0].Node != "new" || r.ExitCode != 3 {
		t.Errorf("%+v, exit %d", r.Gaps, r.ExitCode)
	}
	fresh := metric("n", 200, 0)
	born := asOf.Add(-20 * time.Second)
	fresh[0].Node.CreatedAt, fresh[0].Node.Kubelet.NoServingCertificate = &born, true
	r = judge(t, Input{Batches: with(goodARM(), batch("c", report.SourceKubelet, fresh...))})
	if len(r.Findings) != 1 || r.Findings[0].Severity != report.SeverityInfo {
		t.Errorf("%+v", r.Findings)
	}
}

// What ARM handed out a moment ago is not younger for being fetched again, and
// stands in no file.
func TestRemediesForWhatARMHandedOut(t *testing.T) {
	ca := issue(t, authority("ca"), nil)
	client := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "masterclient"}, NotBefore: asOf.AddDate(-2, 0, 5), NotAfter: asOf.AddDate(0, 0, 5)}, &ca)
	serving := issue(t, server("other.example"), &ca)
	judged := func(from string) string {
		b := with(goodARM(), batch("c", report.SourceKubeconfig, collect.Observation{Certificate: &collect.Certificate{Certificate: client.Certificate, Role: report.RoleClient, Location: from + "#users/u"}}),
			batch("c", report.SourceAPIServer, collect.Observation{Handshake: &collect.Handshake{Location: "h:443", ServerName: "api.example", Presented: []certs.Certificate{serving.Certificate}, CA: []certs.Certificate{ca.Certificate}}}))
		for i := range b {
			b[i].Target.Cluster = &target.Cluster{Name: "c", File: from, Server: "https://api.example"}
			b[i].Target.User = &target.User{Name: "clusterUser_rg_c", File: from}
		}
		var commands []string
		for _, remedy := range judge(t, Input{Batches: b}).Remedies {
			commands = append(commands, remedy.Commands...)
		}
		return strings.Join(commands, "\n")
	}
	if got := judged(target.UserCredential); strings.Contains(got, "--kubeconfig "+target.UserCredential) || !strings.Contains(got, "az aks rotate-certs --resource-group rg --name c --subscription sub-b") {
		t.Errorf("%s", got)
	}
	if got := judged("/ci/kube.yaml"); !strings.Contains(got, "az aks get-credentials --resource-group rg --name c --subscription sub-b --overwrite-existing --file /ci/kube.yaml") || strings.Contains(got, "rotate-certs") {
		t.Errorf("%s", got)
	}
}
