package waiver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

var asOf = time.Date(2026, 6, 1, 13, 0, 0, 0, time.UTC)

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		glob, value string
		want        bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a", "ba", false}, {"a*", "a", true}, {"*", "", true}, {"?", "", false}, {"?", "é", true}, {"??", "é", false},
		{"*/legacy", "/subscriptions/1/resourceGroups/rg/legacy", true}, {"*/legacy", "legacy", false}, {"*/legacy", "/x/legacy-2", false},
		{"aks-*-vmss00000?", "aks-win-vmss00000A", true}, {"AKS-WIN", "aks-win", true}, {"ÄKS*", "äks-1", true},
		{"*a*b*c*", "xxaxxbxxcxx", true}, {"*a*b*c", "xxaxxbxxcxx", false}, {"*ab", "aab", true}, {"a**b", "a/x/b", true},
		{`c:\k\*.pem`, `C:\k\x.pem`, true}, {"[a]", "[a]", true}, {"[a]", "a", false}, {"a.c", "abc", false},
		{strings.Repeat("*a", 200) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := matches(tt.glob, tt.value); got != tt.want {
			t.Errorf("%s fits %s: %t", tt.glob, tt.value, got)
		}
	}
}

// parsed is the waivers of a file, of which each is given as a line.
func parsed(t testing.TB, waivers, gaps string) *Set {
	t.Helper()
	file := ""
	for key, lines := range map[string]string{"waivers": waivers, "gaps": gaps} {
		file += key + ":"
		if lines == "" {
			file += " []"
		}
		for line := range strings.Lines(lines) {
			file += "\n- {reason: known, " + strings.TrimSpace(line) + "}"
		}
		file += "\n"
	}
	s, err := Parse("w.yaml", []byte(file), asOf, rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var rules = []string{"certificate-expired", "certificate-not-yet-valid", "certificate-warning", "ca-mismatch", "kubelet-without-certificate"}

// One cluster, with a finding of each kind; each test says which are waived.
func TestApplyToFindings(t *testing.T) {
	const id = "/subscriptions/1/resourcegroups/shop/providers/microsoft.containerservice/managedclusters/legacy"
	sha := strings.Repeat("ab", 32)
	part := func() *report.Part {
		return &report.Part{Cluster: report.Cluster{ID: id, Name: "Legacy", Context: "shop-admin"}, Rows: report.Rows{
			Certificates: []report.Certificate{
				{ID: "client", Cluster: id, Source: report.SourceKubeconfig, Role: report.RoleClient, Subject: "CN=masterclient,O=system:masters", SHA256: sha},
				{ID: "kubelet", Cluster: id, Source: report.SourceNode, Role: report.RoleKubeletClient, Node: "aks-win-0", Subject: "CN=system:node:aks-win-0"},
			},
			Findings: []report.Finding{
				{Rule: "certificate-expired", Severity: report.SeverityExpired, Cluster: id, Certificate: "client"},                           // 0
				{Rule: "certificate-not-yet-valid", Severity: report.SeverityCritical, Cluster: id, Certificate: "client"},                    // 1
				{Rule: "certificate-warning", Severity: report.SeverityWarning, Cluster: id, Certificate: "kubelet", Node: "aks-win-0"},       // 2
				{Rule: "ca-mismatch", Severity: report.SeverityCritical, Cluster: id},                                                         // 3
				{Rule: "serving-self-signed", Severity: report.SeverityInfo, Cluster: id, Certificate: "kubelet", Node: "aks-win-0"},          // 4
				{Rule: "certificate-expired", Severity: report.SeverityExpired, Cluster: "another", Certificate: "of a row that is not here"}, // 5
				{Rule: "certificate-not-yet-valid", Severity: report.SeverityInfo, Cluster: id, Certificate: "kubelet", Node: "aks-win-0"},    // 6: needs none
			}}}
	}
	const all = "states: [due, warning, critical, not-yet-valid, expired], expires: 2026-06-01"
	for _, tt := range []struct{ waivers, want string }{
		{"", ""},
		{`id: a, match: {rule: "*", cluster: legacy}, ` + all, "0a 1a 2a 3a"},
		{`id: a, match: {cluster: LEGACY}, ` + all, "0a 1a 2a 3a"},
		{`id: a, match: {cluster: shop-admin}, ` + all, "0a 1a 2a 3a"},
		{`id: a, match: {cluster: "*/managedClusters/legacy"}, ` + all, "0a 1a 2a 3a"},
		{`id: a, match: {cluster: another}, ` + all, "5a"},
		{`id: a, match: {role: client}, ` + all, "0a 1a"},
		{`id: a, match: {role: "*client"}, ` + all, "0a 1a 2a"},
		{`id: a, match: {source: node}, ` + all, "2a"},
		{`id: a, match: {node: AKS-WIN-*}, ` + all, "2a"},
		{`id: a, match: {node: "*", cluster: legacy}, ` + all, "2a"}, // the cluster's own finding has no node
		{`id: a, match: {subject: "*o=system:masters"}, ` + all, "0a 1a"},
		{`id: a, match: {sha256: "` + sha + `"}, ` + all, "0a 1a"},
		{`id: a, match: {sha256: "AB:AB:*"}, ` + all, "0a 1a"},
		{`id: a, match: {rule: ca-mismatch}, ` + all, "3a"},
		{`id: a, match: {rule: ca-mismatch, role: client}, ` + all, ""}, // all must match
		{`id: a, match: {role: client}, states: [expired], expires: 2026-06-01`, "0a"},
		{`id: a, match: {role: client}, states: [critical], expires: 2026-06-01`, ""}, // not-yet-valid is a state of its own
		{`id: a, match: {role: client}, states: [not-yet-valid], expires: 2026-06-01`, "1a"},
		{`id: a, match: {cluster: legacy}, states: [critical], expires: 2026-06-01`, "3a"},
		// Its last day has passed.
		{`id: a, match: {cluster: legacy}, states: [critical, expired], expires: 2026-05-31`, "0a! 3a!"},
		// Several: the one that holds longest, the first of two that hold as long.
		{"id: a, match: {role: client}, " + all + "\nid: b, match: {rule: certificate-expired}, states: [expired], expires: 2026-07-01", "0b 1a 5b"},
		{"id: a, match: {role: client}, " + all + "\nid: b, match: {source: kubeconfig}, " + all, "0a 1a"},
		{"id: a, match: {role: client}, states: [expired], expires: 2026-01-01\nid: b, match: {source: kubeconfig}, " + all, "0b 1b"},
	} {
		p := part()
		parsed(t, tt.waivers, "").Apply(p, asOf)
		var got []string
		for i, f := range p.Findings {
			switch {
			case f.Waiver != nil:
				got = append(got, fmt.Sprint(i, f.Waiver.ID))
				if f.ExpiredWaiver != "" || f.Waiver.Reason != "known" || len(f.Waiver.Expires) != len(time.DateOnly) {
					t.Errorf("%s: %+v", tt.waivers, f)
				}
			case f.ExpiredWaiver != "":
				got = append(got, fmt.Sprint(i, f.ExpiredWaiver, "!"))
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.waivers, s, tt.want)
		}
	}
}

func TestApplyToGaps(t *testing.T) {
	part := func() *report.Part {
		return &report.Part{Cluster: report.Cluster{ID: "/x/legacy", Name: "legacy"}, Rows: report.Rows{Gaps: []report.Gap{
			{Cluster: "/x/legacy", Source: report.SourceAPIServer, Location: "api:443", Count: 1, Reason: report.ReasonUnreachable},
			{Cluster: "/x/legacy", Source: report.SourceNode, Nodes: []string{"win-0", "linux-0", "win-1", "arm-0"}, Count: 4, Reason: report.ReasonBusy},
			{Source: report.SourceARM, Location: "/subscriptions/1", Count: 1, Reason: report.ReasonForbidden},
		}}}
	}
	for _, tt := range []struct{ waivers, want string }{
		{"", "apiserver 1 [] ; node 4 [win-0 linux-0 win-1 arm-0] ; arm 1 [] "},
		{`id: a, match: {cluster: legacy, reasons: [unreachable]}, expires: 2026-06-01`, "apiserver 1 [] a; node 4 [win-0 linux-0 win-1 arm-0] ; arm 1 [] "},
		{`id: a, match: {cluster: legacy, reasons: [timeout]}, expires: 2026-06-01`, "apiserver 1 [] ; node 4 [win-0 linux-0 win-1 arm-0] ; arm 1 [] "},
		{`id: a, match: {cluster: legacy, reasons: [unreachable, busy]}, expires: 2026-06-01`, "apiserver 1 [] a; node 4 [win-0 linux-0 win-1 arm-0] a; arm 1 [] "},
		{`id: a, match: {cluster: legacy, reasons: [busy]}, expires: 2026-05-31`, "apiserver 1 [] ; node 4 [win-0 linux-0 win-1 arm-0] a!; arm 1 [] "},
		{`id: a, match: {node: "*", source: n*, reasons: [busy]}, expires: 2026-06-01`, "apiserver 1 [] ; node 4 [win-0 linux-0 win-1 arm-0] a; arm 1 [] "},
		// A node that no waiver names is a gap of its own.
		{"id: a, match: {node: win-*, reasons: [busy]}, expires: 2026-06-01", "apiserver 1 [] ; node 2 [win-0 win-1] a; node 2 [linux-0 arm-0] ; arm 1 [] "},
		{"id: a, match: {node: \"win-?\", reasons: [busy]}, expires: 2026-06-01\nid: b, match: {node: LINUX-0, reasons: [busy]}, expires: 2026-05-01",
			"apiserver 1 [] ; node 2 [win-0 win-1] a; node 1 linux-0 b!; node 1 arm-0 ; arm 1 [] "},
		{`id: a, match: {location: "*/1", reasons: [forbidden]}, expires: 2026-06-01`, "apiserver 1 [] ; node 4 [win-0 linux-0 win-1 arm-0] ; arm 1 [] a"},
		{`id: a, match: {cluster: "*1*", reasons: [forbidden]}, expires: 2026-06-01`, "apiserver 1 [] ; node 4 [win-0 linux-0 win-1 arm-0] ; arm 1 [] "},
	} {
		p := part()
		parsed(t, "", tt.waivers).Apply(p, asOf)
		var got []string
		for _, g := range p.Gaps {
			s := fmt.Sprint(g.Source, " ", g.Count, " ", g.Nodes, " ")
			if g.Node != "" {
				s = fmt.Sprint(g.Source, " ", g.Count, " ", g.Node, " ")
			}
			if g.Waiver != nil {
				s += g.Waiver.ID
			}
			if g.ExpiredWaiver != "" {
				s += g.ExpiredWaiver + "!"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, "; "); s != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.waivers, s, tt.want)
		}
	}
}

// A waiver of findings is none of gaps, and the other way round.
func TestKinds(t *testing.T) {
	s := parsed(t, "id: f, match: {cluster: c}, states: [critical], expires: 2026-06-01", "id: g, match: {cluster: c, reasons: [busy]}, expires: 2026-06-02")
	p := &report.Part{Cluster: report.Cluster{ID: "c"}, Rows: report.Rows{
		Findings: []report.Finding{{Cluster: "c", Severity: report.SeverityCritical}}, Gaps: []report.Gap{{Cluster: "c", Reason: report.ReasonBusy}}}}
	s.Apply(p, asOf)
	if p.Findings[0].Waiver.ID != "f" || p.Gaps[0].Waiver.ID != "g" {
		t.Errorf("%+v", p)
	}
}

func TestReport(t *testing.T) {
	s := parsed(t, "id: today, match: {role: client}, states: [expired], expires: 2026-06-01\nid: yesterday, match: {role: client}, states: [expired], expires: 2026-05-31", "")
	want := []report.Waiver{{ID: "today", Kind: report.WaiverOfFindings, Expires: "2026-06-01", Reason: "known", Status: report.WaiverUnused},
		{ID: "yesterday", Kind: report.WaiverOfFindings, Expires: "2026-05-31", Reason: "known", Status: report.WaiverExpired}}
	for _, at := range []time.Time{asOf, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 23, 59, 59, 999, time.UTC),
		time.Date(2026, 6, 2, 1, 0, 0, 0, time.FixedZone("", 2*3600))} {
		if got := s.Report(at); !slices.Equal(got, want) {
			t.Errorf("%s: %v", at, got)
		}
	}
	if got := s.Report(time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)); got[0].Status != report.WaiverExpired {
		t.Errorf("the day after: %v", got)
	}
	if w := s.All()[0]; w.Covers() != "role=client states=expired" || w.Left(asOf.AddDate(0, 0, -10)) != 10 {
		t.Errorf("%s, %d", w.Covers(), w.Left(asOf))
	}
	var none *Set
	if got := none.Report(asOf); got == nil || len(got) > 0 {
		t.Errorf("%v", got)
	}
}
