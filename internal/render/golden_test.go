package render

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawing is a format, as the tests of this package go through them.
type drawing struct {
	name, extension string
	draw            func(io.Writer, *report.Report) error
}

func drawings() []drawing {
	return []drawing{
		{"json", "json", func(w io.Writer, r *report.Report) error { return JSON(w, r) }},
		{"ndjson", "ndjson", Lines},
		{"yaml", "yaml", YAML},
		{"csv", "csv", CSV},
		{"markdown", "md", Markdown},
		{"junit", "xml", JUnit},
		{"sarif", "sarif", func(w io.Writer, r *report.Report) error {
			return SARIF(w, r, someRules(), Checkout{Root: "/src", Dir: "/src"})
		}},
		{"prometheus", "prom", Prometheus},
		{"nagios", "line", Nagios},
		{"github", "annotations", func(w io.Writer, r *report.Report) error { return Annotations(w, r, GitHub) }},
		{"azure-devops", "annotations", func(w io.Writer, r *report.Report) error { return Annotations(w, r, AzureDevOps) }},
	}
}

func someRules() []SARIFRule {
	return []SARIFRule{
		{"certificate-expired", report.SeverityExpired, "notAfter is in the past", "renew it"},
		{"ca-mismatch", report.SeverityCritical, "the CAs do not agree", "fetch the kubeconfig again"},
	}
}

// TestGolden compares every format of three reports with what it was before.
func TestGolden(t *testing.T) {
	for name, r := range map[string]*report.Report{"clean": clean(), "ill": ill(), "fleet": fleet(50)} {
		for _, d := range append(drawings(),
			drawing{"html", "html", HTML},
			drawing{"table", "txt", func(w io.Writer, r *report.Report) error { return Table(w, r, Look{}) }},
			drawing{"wide", "txt", func(w io.Writer, r *report.Report) error { return Table(w, r, Look{Wide: true}) }}) {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				got := drawn(t, d.draw, r)
				path := filepath.Join("testdata", "golden", name+"."+d.name+"."+d.extension)
				if *update {
					if err := os.WriteFile(path, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s differs (-update writes it anew):\n%s", path, got)
				}
				if again := drawn(t, d.draw, r); !bytes.Equal(got, again) {
					t.Error("drawn twice, it differs")
				}
			})
		}
	}
}

// No format changes what it draws.
func TestDrawingChangesNothing(t *testing.T) {
	for _, d := range drawings() {
		r := ill()
		drawn(t, d.draw, r)
		if !reflect.DeepEqual(r, ill()) {
			t.Errorf("%s changed the report", d.name)
		}
	}
}

func drawn(t testing.TB, draw func(io.Writer, *report.Report) error, r *report.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := draw(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// at is the instant of the sample reports.
var at = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func in(days int) *time.Time {
	t := at.AddDate(0, 0, days)
	return &t
}

func of[T any](v T) *T { return &v }

// blank is a report of nothing.
func blank() *report.Report {
	return &report.Report{SchemaVersion: report.SchemaVersion, Kind: report.Kind, Tool: report.Tool{Name: "akscert", Version: "1.0.0"}, AsOf: at, StartedAt: at, DurationSeconds: 2.5,
		Policy:   report.Policy{WarnAt: "80%", CriticalAt: "95%", WarnLead: "365d", CriticalLead: "90d", UnknownLifetime: report.Unknown{WarnAt: "30d", CriticalAt: "7d"}, FailOn: report.SeverityWarning},
		Clusters: []report.Cluster{}, Nodes: []report.Node{}, Certificates: []report.Certificate{}, Findings: []report.Finding{}, Remedies: []report.Remedy{}, Gaps: []report.Gap{}, Waivers: []report.Waiver{}}
}

func cluster(name string) report.Cluster {
	id := "/subscriptions/0000/resourcegroups/rg/providers/microsoft.containerservice/managedclusters/" + name
	return report.Cluster{ID: id, Name: name, ResourceID: id, Credentials: []report.Credential{}, Sources: []report.SourceStatus{
		{Source: report.SourceAPIServer, Status: report.StatusOK, Seconds: 0.25}, {Source: report.SourceNode, Status: report.StatusOK, Seconds: 12}},
		Rotation: &report.Rotation{Verdict: report.RotationAutomatic, Evidence: []report.Evidence{{Check: "rbac", Result: report.ResultPass, Detail: "enableRBAC is on"}}}}
}

// add adds a row that ends in so many days, of two years, and its finding.
func add(r *report.Report, cluster string, source report.Source, role report.Role, node, location string, days int, state report.State, remedy string) {
	const lifetime = 730
	used := float64(lifetime-days) / lifetime
	c := report.Certificate{ID: fmt.Sprintf("sha256:%064x@%s/%s:%s", len(r.Certificates)+1, cluster, node, location), Cluster: cluster, Source: source, Role: role, Node: node, Location: location,
		Count: 1, Subject: "CN=" + string(role), Issuer: "CN=ca", Serial: fmt.Sprintf("%x", 0xe1000+len(r.Certificates)), SHA256: fmt.Sprintf("%064x", len(r.Certificates)+1),
		NotBefore: in(days - lifetime), NotAfter: in(days), LifetimeSeconds: of(int64(lifetime * 86400)), SecondsLeft: of(int64(days) * 86400), LifetimeUsed: &used, State: state, Renewal: report.RenewalUnknown}
	r.Certificates = append(r.Certificates, c)
	severity := report.Severity(state)
	switch state {
	case report.StateOK:
		return
	case report.StateNotYetValid:
		severity = report.SeverityCritical
	}
	r.Findings = append(r.Findings, report.Finding{Rule: "certificate-" + string(state), Severity: severity, Cluster: cluster, Certificate: c.ID, Node: node,
		Message: fmt.Sprintf("%s certificate in %s ends in %d days", role, location, days), By: c.NotAfter, RemedyID: remedy})
}

// clean is one cluster with nothing wrong.
func clean() *report.Report {
	r := blank()
	c := cluster("prod")
	r.Clusters = append(r.Clusters, c)
	r.Nodes = append(r.Nodes, report.Node{Cluster: c.ID, Name: "aks-pool-0", Pool: "pool", OS: "linux"})
	add(r, c.ID, report.SourceAPIServer, report.RoleAPIServer, "", "prod.hcp.westeurope.azmk8s.io:443", 500, report.StateOK, "")
	add(r, c.ID, report.SourceNode, report.RoleKubeletClient, "aks-pool-0", "/var/lib/kubelet/pki/kubelet-client-current.pem", 300, report.StateOK, "")
	r.Sort()
	r.Conclude(0, false)
	return r
}

// ill has everything wrong, twice over: two clusters of one name, every state,
// what has no cluster, no date, no place of its own, and gaps.
func ill() *report.Report {
	r := blank()
	a, b := cluster("prod"), cluster("prod")
	b.ID, b.Context, b.Rotation = "prod-context", "prod-context", &report.Rotation{Verdict: report.RotationBroken, Evidence: []report.Evidence{{Check: "age", Result: report.ResultFail, Detail: "a certificate is past 90 %"}}}
	b.Sources = []report.SourceStatus{{Source: report.SourceAPIServer, Status: report.StatusFailed}, {Source: report.SourceKubelet, Status: report.StatusPartial}, {Source: report.SourceNode, Status: report.StatusSkipped, Why: "run-command is locked down"}}
	b.Credentials = []report.Credential{{User: "admin", Kinds: []string{"client-certificate", "token"}, TokenExpiresAt: in(-3)}}
	r.Clusters = append(r.Clusters, a, b)
	r.Nodes = append(r.Nodes, report.Node{Cluster: a.ID, Name: "aks-pool-0"})
	add(r, a.ID, report.SourceKubeconfig, report.RoleClient, "", "/home/me/.kube/config#users/clusterUser_rg_prod", -40, report.StateExpired, "refetch")
	add(r, a.ID, report.SourceNode, report.RoleNodeStaticClient, "aks-pool-0", "/etc/kubernetes/certs/client.crt", 10, report.StateCritical, "rotate")
	add(r, a.ID, report.SourceNode, report.RoleKubeletClient, "aks-pool-0", "/var/lib/kubelet/pki/kubelet-client-current.pem", 60, report.StateWarning, "rotate")
	add(r, a.ID, report.SourceNode, report.RoleKubeletServing, "AKS-POOL-0", "/var/lib/kubelet/pki/kubelet-server-current.pem", 120, report.StateDue, "")
	add(r, b.ID, report.SourceAPIServer, report.RoleAPIServer, "", "10.0.0.1:443", 800, report.StateNotYetValid, "clock")
	add(r, "", report.SourceFile, report.RoleOther, "", "deploy/tls certs/web.pem#0", 20, report.StateCritical, "renew")
	add(r, "", report.SourceFile, report.RoleOther, "", "deploy/tls certs/web.pem#1", 400, report.StateOK, "")
	r.Certificates = append(r.Certificates, r.Certificates[2], report.Certificate{ID: "twin", Cluster: a.ID, Source: report.SourceNode, Role: report.RoleKubeletClient, Node: "aks-pool-0",
		Location: "/var/lib/kubelet/pki/kubelet-client-current.pem", Count: 3, Approximate: true, NotAfter: in(60), SecondsLeft: of(int64(5184000)), State: report.StateOK, Renewal: report.RenewalAutomatic},
		report.Certificate{ID: "undated", Source: report.SourceFile, Role: report.RoleOther, Location: "old.pem", Count: 1, IsCA: of(true), SelfSigned: of(false), Malformed: "x509: invalid version", State: report.StateOK, Renewal: report.RenewalNone})
	r.Findings = append(r.Findings,
		report.Finding{Rule: "ca-mismatch", Severity: report.SeverityCritical, Cluster: a.ID, Certificate: r.Certificates[0].ID, Message: "the kubeconfig's CA is not the API server's", RemedyID: "refetch"},
		report.Finding{Rule: "rotation-off-static-cert", Severity: report.SeverityWarning, Cluster: a.ID, Node: "aks-pool-0", Message: "node aks-pool-0 uses a static client certificate", RemedyID: "rotate"},
		report.Finding{Rule: "token-expired", Severity: report.SeverityWarning, Cluster: b.ID, Message: "the token of admin expired", RemedyID: "refetch"},
		report.Finding{Rule: "certificate-malformed", Severity: report.SeverityInfo, Certificate: "undated", Message: "x509: invalid version"},
		report.Finding{Rule: "certificate-malformed", Severity: report.SeverityInfo, Certificate: "undated", Message: "and again"})
	r.Remedies = append(r.Remedies,
		report.Remedy{ID: "refetch", Summary: "fetch the kubeconfig again", Commands: []string{"az aks get-credentials --resource-group rg --name prod --overwrite-existing"}, Impact: "none on the cluster"},
		report.Remedy{ID: "rotate", Summary: "rotate the certificates", Commands: []string{"az aks rotate-certs --resource-group rg --name prod", "az aks get-credentials --resource-group rg --name prod"}, Impact: "recreates every node; up to 30 minutes of downtime"},
		report.Remedy{ID: "clock", Summary: "compare the clocks", Commands: []string{}, Impact: "none"},
		report.Remedy{ID: "renew", Summary: "renew it", Commands: []string{}, Impact: "none"})
	r.Gaps = append(r.Gaps,
		report.Gap{Cluster: b.ID, Source: report.SourceAPIServer, Count: 1, Location: "10.0.0.1:443", Reason: report.ReasonTimeout, Message: "no answer within 10s", Hint: "raise --connect-timeout", Retryable: true},
		report.Gap{Cluster: a.ID, Source: report.SourceNode, Nodes: []string{"aks-pool-1", "aks-pool-2", "aks-pool-3", "aks-pool-4"}, Count: 4, Reason: report.ReasonForbidden, Message: "run-command is not allowed"},
		report.Gap{Source: report.SourceARM, Count: 1, Location: "/subscriptions/0001", Reason: report.ReasonForbidden, Message: "may not be read"})
	r.Waivers = []report.Waiver{{ID: "static-pool", Kind: report.WaiverOfFindings, Expires: "2026-12-31", Reason: "the pool goes in autumn", Status: report.WaiverUsed},
		{ID: "locked", Kind: report.WaiverOfGaps, Expires: "2026-12-31", Reason: "run-command is locked down", Status: report.WaiverUsed},
		{ID: "token", Kind: report.WaiverOfFindings, Expires: "2026-05-01", Reason: "a robot", Status: report.WaiverExpired}}
	r.Findings[len(r.Findings)-4].Waiver, r.Gaps[1].Waiver = of(r.Waivers[0].Waived()), of(r.Waivers[1].Waived())
	r.Findings[len(r.Findings)-3].ExpiredWaiver = "token"
	r.Sort()
	r.Conclude(0, false)
	return r
}

// fleet is many clusters, some of them ill.
func fleet(n int) *report.Report {
	r := blank()
	for i := range n {
		c := cluster(fmt.Sprintf("c%03d", i))
		c.ID, c.ResourceID, c.Sources, c.Rotation.Evidence = c.Name, "", c.Sources[:1], []report.Evidence{}
		r.Clusters = append(r.Clusters, c)
		states := []report.State{report.StateOK, report.StateOK, report.StateWarning, report.StateOK, report.StateOK}
		left := map[report.State]int{report.StateOK: 400 + i, report.StateWarning: 100 + i}
		state := states[i%len(states)]
		add(r, c.ID, report.SourceAPIServer, report.RoleAPIServer, "", c.Name+":443", left[state], state, "rotate/"+c.Name)
		if state != report.StateOK {
			r.Remedies = append(r.Remedies, report.Remedy{ID: "rotate/" + c.Name, Summary: "rotate " + c.Name, Commands: []string{"az aks rotate-certs --name " + c.Name}, Impact: "recreates every node"})
		}
	}
	r.Shard = &report.Shard{Index: 1, Count: 3, Fleet: 3 * n}
	r.Sort()
	r.Conclude(0, false)
	return r
}
