package audit

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Every part of a cluster knows a CA. After a rotation that did not come to its
// end, they know different ones.
func TestAgreement(t *testing.T) {
	before, after := issue(t, authority("ca"), nil), issue(t, authority("ca"), nil)
	serving := issue(t, server("api.example"), &after)
	client := x509.Certificate{Subject: pkix.Name{CommonName: "masterclient"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	oldClient, newClient := issue(t, client, &before), issue(t, client, &after)
	past := client
	past.NotBefore, past.NotAfter = asOf.AddDate(-2, 0, 0), asOf.AddDate(0, -1, 0)
	expiredClient := issue(t, past, &before)

	row := func(role report.Role, node, at string, c pair) collect.Observation {
		return collect.Observation{Certificate: &collect.Certificate{Certificate: c.Certificate, Role: role, Node: node, Location: at}}
	}
	shake := func(ca pair) collect.Batch {
		return batch("c", report.SourceAPIServer, collect.Observation{Handshake: &collect.Handshake{Location: "h:443", ServerName: "api.example",
			Presented: []certs.Certificate{serving.Certificate}, CA: []certs.Certificate{ca.Certificate}}})
	}
	kubeconfig := func(ca, user pair) collect.Batch {
		return batch("c", report.SourceKubeconfig, row(report.RoleClient, "", "k#users/u", user), row(report.RoleClusterCA, "", "k#clusters/c", ca))
	}
	nodes := func(cas ...pair) collect.Batch {
		seen := file("n", 50)
		for _, ca := range cas {
			seen = append(seen, row(report.RoleClusterCA, "n", "/etc/kubernetes/certs/ca.crt", ca))
		}
		return batch("c", report.SourceNode, seen...)
	}
	accepts := func(cas ...pair) collect.Batch {
		var seen []collect.Observation
		for _, ca := range cas {
			seen = append(seen, row(report.RoleClientCA, "", "configmap", ca))
		}
		return batch("c", report.SourceKubeAPI, seen...)
	}
	refuses := batch("c", report.SourceKubeAPI, collect.Observation{Gap: &collect.Gap{Location: "h:443", Reason: report.ReasonUnauthenticated, Message: "401"}})

	tests := []struct {
		name    string
		batches []collect.Batch
		rules   []string
	}{
		{"all agree", []collect.Batch{kubeconfig(after, newClient), shake(after), nodes(after), accepts(after)}, nil},
		{"in the middle of a rotation both are known", []collect.Batch{kubeconfig(after, newClient), shake(after), nodes(before, after), accepts(before, after)}, nil},
		{"a kubeconfig from before", []collect.Batch{kubeconfig(before, oldClient), shake(before)}, []string{ruleCAMismatch, ruleStale}},
		{"a kubeconfig of another cluster, with a client certificate of neither", []collect.Batch{kubeconfig(before, newClient), shake(before)}, []string{ruleCAMismatch}},
		{"a client certificate from before", []collect.Batch{kubeconfig(after, oldClient), shake(after), accepts(after)}, []string{ruleStale}},
		{"which is still accepted", []collect.Batch{kubeconfig(after, oldClient), shake(after), accepts(before, after)}, nil},
		{"nobody says what is accepted, and it was refused", []collect.Batch{kubeconfig(after, oldClient), shake(after), refuses}, []string{ruleStale}},
		{"nobody says what is accepted", []collect.Batch{kubeconfig(after, oldClient), shake(after)}, nil},
		{"refused for another reason", []collect.Batch{kubeconfig(after, newClient), shake(after), refuses}, nil},
		{"an expired one is expired", []collect.Batch{kubeconfig(after, expiredClient), shake(after), refuses}, []string{ruleExpired}},
		{"nodes from before", []collect.Batch{kubeconfig(after, newClient), shake(after), nodes(before)}, []string{ruleCAMismatch}},
		{"nodes from after, and an API server from before", []collect.Batch{kubeconfig(after, newClient), shake(after), nodes(after), accepts(before)}, []string{ruleCAMismatch, ruleStale}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := judge(t, Input{Batches: test.batches})
			if got := rules(r); !slices.Equal(got, test.rules) {
				t.Errorf("rules %q, want %q: %+v", got, test.rules, r.Findings)
			}
		})
	}
}

// A context that is a cluster in ARM too: what ARM hands out now is younger.
func TestOlderThanIssued(t *testing.T) {
	ca := issue(t, authority("ca"), nil)
	of := func(days int) pair {
		return issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "masterclient"}, NotBefore: *day0(days), NotAfter: *day0(700)}, &ca)
	}
	mine, younger := of(-300), of(-10)
	for name, test := range map[string]struct {
		issued pair
		want   int
	}{"younger": {younger, 1}, "the same": {mine, 0}} {
		b := batch("c", report.SourceKubeconfig, collect.Observation{Certificate: &collect.Certificate{Certificate: mine.Certificate, Role: report.RoleClient, Location: "k#users/u"}})
		b.Target.ARM = &target.ARM{ResourceGroup: "g", Name: "c"}
		b.Target.Issued.Data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: test.issued.DER})
		r := judge(t, Input{Batches: []collect.Batch{b}})
		if len(r.Findings) != test.want {
			t.Errorf("%s: %+v", name, r.Findings)
		}
		if test.want == 1 && (r.Findings[0].Rule != ruleStale || r.Findings[0].Severity != report.SeverityInfo || r.ExitCode != 0) {
			t.Errorf("%+v, exit %d", r.Findings[0], r.ExitCode)
		}
	}
}

// A cluster that was stopped while its control plane's certificates rotated has
// nodes that cannot come back.
func TestMissedRotation(t *testing.T) {
	ca := issue(t, authority("ca"), nil)
	renewed := server("api.example")
	renewed.NotBefore, renewed.NotAfter = asOf.AddDate(0, 0, -10), asOf.AddDate(2, 0, 0)
	fresh, older := issue(t, renewed, &ca), issue(t, server("api.example"), &ca)
	serving := func(c pair) collect.Batch {
		b := batch("c", report.SourceAPIServer, collect.Observation{Certificate: &collect.Certificate{Certificate: c.Certificate, Role: report.RoleAPIServer, Location: "h:443"}})
		return b
	}
	judged := func(leaf pair, seen ...collect.Observation) *report.Report {
		s, n := serving(leaf), batch("c", report.SourceNode, seen...)
		s.Target.ARM = &target.ARM{ResourceGroup: "g", Name: "c", ProvisioningState: "Succeeded"}
		n.Target.ARM = s.Target.ARM
		return judge(t, Input{Batches: []collect.Batch{s, n}})
	}
	r := judged(fresh, file("n", 120)...)
	if !slices.Contains(rules(r), ruleMissed) {
		t.Fatalf("rules %q", rules(r))
	}
	var commands []string
	for _, remedy := range r.Remedies {
		commands = append(commands, remedy.Commands...)
	}
	all := strings.Join(commands, "\n")
	if !strings.Contains(all, "az aks nodepool delete --resource-group g --cluster-name c --name pool1") || strings.Contains(all, "node-image-only") {
		t.Errorf("an upgrade is refused once certificates have expired; the pool is to be made anew:\n%s", all)
	}
	for name, r := range map[string]*report.Report{
		"one node of the pool is well":            judged(fresh, append(file("n", 120), file("m", 50)...)...),
		"the API server's is older than that":     judged(older, file("n", 120)...),
		"it expired after the API server's began": judged(fresh, file("n", 105)...),
		"the kubelet's has not expired":           judged(fresh, file("n", 95)...),
	} {
		if slices.Contains(rules(r), ruleMissed) {
			t.Errorf("%s: %q", name, rules(r))
		}
	}
}

// ARM does not say what failed; the certificates do.
func TestFailedRotation(t *testing.T) {
	on := true
	judged := func(state string, seen ...collect.Observation) *report.Report {
		b := batch("c", report.SourceNode, seen...)
		b.Target.ARM = &target.ARM{RBAC: &on, KubernetesVersion: "1.31.2", PowerState: "Running", ProvisioningState: state, ResourceGroup: "g", Name: "c"}
		return judge(t, Input{Batches: []collect.Batch{b}})
	}
	r := judged("Failed", file("n", 95)...)
	if !slices.Contains(rules(r), ruleRotationFailed) || r.Clusters[0].Rotation.Verdict != report.RotationBroken {
		t.Errorf("rules %q, %+v", rules(r), r.Clusters[0].Rotation)
	}
	if r := judged("Failed", file("n", 50)...); len(r.Findings) != 0 || r.Clusters[0].Rotation.Verdict != report.RotationUnknown {
		t.Errorf("another operation may have failed: rules %q, %s", rules(r), r.Clusters[0].Rotation.Verdict)
	}
	if r := judged("Succeeded", file("n", 95)...); slices.Contains(rules(r), ruleRotationFailed) {
		t.Errorf("rules %q", rules(r))
	}
}

func TestImageDate(t *testing.T) {
	for version, want := range map[string][2]int{
		"AKSUbuntu-2204gen2containerd-202501.12.0":     {2025, 1},
		"AKSWindows-2022-containerd-20348.3207.250910": {2025, 9},
		"AKSAzureLinux-V3gen2-202510.03.0":             {2025, 10},
		"AKSUbuntu-1604-2019.04.24":                    {2019, 4},
		"AKSUbuntu-1804gen2containerd-2022.08.10":      {2022, 8},
		"":             {},
		"x-202513.1.0": {},
	} {
		year, month, ok := imageDate(version)
		if ok != (want[0] != 0) || ok && (year != want[0] || month != want[1]) {
			t.Errorf("%s: %d-%d %v, want %v", version, year, month, ok, want)
		}
	}
}
