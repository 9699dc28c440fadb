package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
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

var asOf = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// pair is a certificate and its key.
type pair struct {
	certs.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a certificate; by nil makes it self-signed.
func issue(t *testing.T, template x509.Certificate, by *pair) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(7)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = asOf.AddDate(-1, 0, 0), asOf.AddDate(9, 0, 0)
	}
	parent, signer := &template, key
	if by != nil {
		parent, signer = by.Strict, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := certs.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{c, key}
}

func authority(name string) x509.Certificate {
	return x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func server(dns string) x509.Certificate {
	return x509.Certificate{Subject: pkix.Name{CommonName: "apiserver"}, DNSNames: []string{dns}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func judge(t *testing.T, in Input) *report.Report {
	t.Helper()
	var err error
	if in.Policy, err = lifetime.NewPolicy("", ""); err != nil {
		t.Fatal(err)
	}
	if in.FailOn == "" {
		in.FailOn = report.SeverityWarning
	}
	in.AsOf = asOf
	return Audit(in)
}

func batch(id string, source report.Source, seen ...collect.Observation) collect.Batch {
	t := target.Target{ID: id, Name: id}
	if id == "" {
		t.Operand = "some file"
	}
	return collect.Batch{Target: t, Source: source, Observations: seen}
}

// lenient is c as if crypto/x509 had refused it.
func lenient(c certs.Certificate) certs.Certificate {
	c.Strict, c.Malformed = nil, "a negative serial number"
	return c
}

func TestTrust(t *testing.T) {
	ca := issue(t, authority("ca"), nil)
	namesake := issue(t, authority("ca"), nil)
	other := issue(t, authority("other"), nil)
	middle := issue(t, authority("middle"), &ca)
	direct := issue(t, server("api.example"), &ca)
	below := issue(t, server("api.example"), &middle)
	alone := issue(t, server("api.example"), nil)
	expired := server("api.example")
	expired.NotBefore, expired.NotAfter = asOf.AddDate(-2, 0, 0), asOf.AddDate(-1, 0, 0)
	old := issue(t, expired, &ca)
	clientOnly := server("api.example")
	clientOnly.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	wrongUse := issue(t, clientOnly, &ca)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Strict)
	brokenSignature := direct.Certificate
	brokenSignature.DER = bytes.Clone(direct.DER)
	brokenSignature.DER[len(brokenSignature.DER)-1] ^= 1
	forged, err := certs.Parse(brokenSignature.DER)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name      string
		presented []certs.Certificate
		cas       []certs.Certificate
		edit      func(*collect.Handshake)
		want      string // rules found, worst first
		says      string
	}{
		{name: "healthy", presented: []certs.Certificate{direct.Certificate}, cas: []certs.Certificate{ca.Certificate}},
		{name: "one of several CAs", presented: []certs.Certificate{direct.Certificate}, cas: []certs.Certificate{other.Certificate, ca.Certificate}},
		{name: "by an intermediate it presents", presented: []certs.Certificate{below.Certificate, middle.Certificate}, cas: []certs.Certificate{ca.Certificate}},
		{name: "incomplete chain", presented: []certs.Certificate{below.Certificate}, cas: []certs.Certificate{ca.Certificate},
			want: ruleCAMismatch, says: `issued by "CN=middle", but the kubeconfig trusts "CN=ca"`},
		{name: "another CA", presented: []certs.Certificate{direct.Certificate}, cas: []certs.Certificate{other.Certificate}, want: ruleCAMismatch},
		{name: "another CA of the same name", presented: []certs.Certificate{direct.Certificate}, cas: []certs.Certificate{namesake.Certificate},
			want: ruleCAMismatch, says: "not the one of that name"},
		{name: "forged", presented: []certs.Certificate{forged}, cas: []certs.Certificate{ca.Certificate}, want: ruleCAMismatch},
		{name: "expired is not a mismatch", presented: []certs.Certificate{old.Certificate}, cas: []certs.Certificate{ca.Certificate}},
		{name: "expired and of another CA", presented: []certs.Certificate{old.Certificate}, cas: []certs.Certificate{other.Certificate}, want: ruleCAMismatch},
		{name: "not for servers", presented: []certs.Certificate{wrongUse.Certificate}, cas: []certs.Certificate{ca.Certificate},
			want: ruleCAMismatch, says: "signed by the kubeconfig's CA and still does not verify"},
		{name: "a leaf only we can read", presented: []certs.Certificate{lenient(direct.Certificate)}, cas: []certs.Certificate{ca.Certificate}},
		{name: "a leaf only we can read, of another CA", presented: []certs.Certificate{lenient(direct.Certificate)}, cas: []certs.Certificate{other.Certificate}, want: ruleCAMismatch},
		{name: "another name", presented: []certs.Certificate{direct.Certificate}, cas: []certs.Certificate{ca.Certificate},
			edit: func(h *collect.Handshake) { h.ServerName = "b.example" }, want: ruleNameMismatch, says: "for api.example, not for b.example"},
		{name: "another name, on one only we can read", presented: []certs.Certificate{lenient(direct.Certificate)}, cas: []certs.Certificate{ca.Certificate},
			edit: func(h *collect.Handshake) { h.ServerName = "b.example" }, want: ruleNameMismatch},
		{name: "self-signed and pinned", presented: []certs.Certificate{alone.Certificate}, cas: []certs.Certificate{alone.Certificate}, want: ruleSelfSigned},
		{name: "self-signed and not", presented: []certs.Certificate{alone.Certificate}, cas: []certs.Certificate{ca.Certificate}, want: ruleCAMismatch + " " + ruleSelfSigned},
		{name: "insecure asks for nothing", presented: []certs.Certificate{direct.Certificate}, edit: func(h *collect.Handshake) { h.Insecure = true }},
		{name: "the system's roots", presented: []certs.Certificate{direct.Certificate}},
		{name: "not the system's roots", presented: []certs.Certificate{alone.Certificate}, want: ruleCAMismatch + " " + ruleSelfSigned},
		{name: "an unread CA is a gap elsewhere", presented: []certs.Certificate{direct.Certificate}, edit: func(h *collect.Handshake) { h.CAUnread = true }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := collect.Handshake{Location: "api.example:443", ServerName: "api.example", Presented: test.presented, CA: test.cas}
			if test.edit != nil {
				test.edit(&h)
			}
			r := judge(t, Input{Batches: []collect.Batch{batch("c", report.SourceAPIServer, collect.Observation{Handshake: &h})}, SystemRoots: roots})
			var rules []string
			for _, f := range r.Findings {
				rules = append(rules, f.Rule)
				if f.Rule == ruleCAMismatch && test.want == "" || test.says != "" && !strings.Contains(f.Message, test.says) {
					t.Errorf("message %q, want %q in it", f.Message, test.says)
				}
			}
			if got := strings.Join(rules, " "); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
			if len(r.Gaps) > 0 {
				t.Errorf("gaps %v", r.Gaps)
			}
		})
	}

	// What is remembered of one chain is not said of another.
	var all []collect.Batch
	want := map[string]string{}
	for i, test := range slices.Concat(tests, tests) {
		h := collect.Handshake{Location: "api.example:443", ServerName: "api.example", Presented: test.presented, CA: test.cas}
		if test.edit != nil {
			test.edit(&h)
		}
		id := fmt.Sprintf("%d %s", i, test.name)
		all, want[id] = append(all, batch(id, report.SourceAPIServer, collect.Observation{Handshake: &h})), test.want
	}
	got := map[string][]string{}
	for _, f := range judge(t, Input{Batches: all, SystemRoots: roots}).Findings {
		got[f.Cluster] = append(got[f.Cluster], f.Rule)
	}
	for id, want := range want {
		if got := strings.Join(got[id], " "); got != want {
			t.Errorf("%s, in one audit with all others: found %q, want %q", id, got, want)
		}
	}
}

func TestRenewalComesFromTheRole(t *testing.T) {
	ca, leaf := issue(t, authority("ca"), nil), issue(t, server("x"), nil)
	signed := issue(t, server("x"), &ca)
	tests := []struct {
		role report.Role
		cert certs.Certificate
		want report.Renewal
	}{
		{report.RoleClient, signed.Certificate, report.RenewalManual},
		{report.RoleClusterCA, ca.Certificate, report.RenewalNone},
		{report.RoleOther, ca.Certificate, report.RenewalNone},
		{report.RoleOther, leaf.Certificate, report.RenewalNone},
		{report.RoleAPIServer, signed.Certificate, report.RenewalUnknown},
		{report.RoleOther, certs.Certificate{}, report.RenewalUnknown},
	}
	for _, test := range tests {
		if got := new(Auditor).renewal(collect.Certificate{Certificate: test.cert, Role: test.role}); got != test.want {
			t.Errorf("%s: %s, want %s", test.role, got, test.want)
		}
	}
}

func TestExitCode(t *testing.T) {
	fresh := issue(t, server("x"), nil)
	row := collect.Observation{Certificate: &collect.Certificate{Certificate: fresh.Certificate, Role: report.RoleOther, Location: "x"}}
	gone := collect.Observation{Gap: &collect.Gap{Location: "y", Reason: report.ReasonTimeout, Message: "hangs"}}
	skip := collect.Observation{Skipped: &collect.Skipped{Why: "no address"}}
	past := fresh.Certificate
	past.NotAfter = &time.Time{}
	*past.NotAfter = asOf.Add(-time.Second)
	bad := collect.Observation{Certificate: &collect.Certificate{Certificate: past, Role: report.RoleOther, Location: "z"}}

	tests := []struct {
		name    string
		in      Input
		code    int
		outcome report.Outcome
	}{
		{"ok", Input{Batches: []collect.Batch{batch("", "file", row)}}, 0, report.OutcomeOK},
		{"finding", Input{Batches: []collect.Batch{batch("", "file", row, bad)}}, 1, report.OutcomeFindings},
		{"finding and gap", Input{Batches: []collect.Batch{batch("", "file", bad, gone)}}, 1, report.OutcomeFindings},
		{"none fails on nothing", Input{Batches: []collect.Batch{batch("", "file", bad)}, FailOn: report.SeverityNone}, 0, report.OutcomeOK},
		{"gap", Input{Batches: []collect.Batch{batch("", "file", row, gone)}}, 3, report.OutcomeIncomplete},
		{"gap allowed", Input{Batches: []collect.Batch{batch("", "file", row, gone)}, AllowIncomplete: true}, 0, report.OutcomeIncomplete},
		{"nothing matched", Input{Batches: []collect.Batch{batch("", "file")}}, 3, report.OutcomeIncomplete},
		{"nothing matched is never allowed", Input{AllowIncomplete: true}, 3, report.OutcomeIncomplete},
		{"a skipped source is no gap", Input{Batches: []collect.Batch{batch("c", "apiserver", skip)}}, 0, report.OutcomeOK},
		{"unless it was named", Input{Batches: []collect.Batch{batch("c", "apiserver", skip)}, Named: []report.Source{"apiserver"}}, 3, report.OutcomeIncomplete},
		{"a gap of discovery", Input{Batches: []collect.Batch{batch("", "file", row)}, Gaps: []report.Gap{{Message: "broken"}}}, 3, report.OutcomeIncomplete},
		{"interrupted beats all", Input{Batches: []collect.Batch{batch("", "file", bad)}, Interrupted: 130}, 130, report.OutcomeInterrupted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := judge(t, test.in)
			if r.ExitCode != test.code || r.Outcome != test.outcome {
				t.Errorf("exit %d %s, want %d %s", r.ExitCode, r.Outcome, test.code, test.outcome)
			}
			if r.Complete != (test.code <= 1 && len(r.Gaps) == 0) {
				t.Errorf("complete %v with exit %d and %d gaps", r.Complete, r.ExitCode, len(r.Gaps))
			}
			data, err := json.Marshal(r)
			if err != nil || bytes.Contains(data, []byte("null")) {
				t.Errorf("JSON with null (%v): %s", err, data)
			}
		})
	}
}

func TestOneMissingFileIsOneGap(t *testing.T) {
	g := collect.Gap{Location: "k#clusters/c", Reason: report.ReasonNotFound, Message: "no such file"}
	r := judge(t, Input{Batches: []collect.Batch{
		batch("a", report.SourceKubeconfig, collect.Observation{Gap: &g}), batch("a", report.SourceAPIServer, collect.Observation{Gap: &g}),
		batch("b", report.SourceKubeconfig, collect.Observation{Gap: &g}),
	}})
	if len(r.Gaps) != 2 || r.Gaps[0].Cluster != "a" || r.Gaps[1].Cluster != "b" {
		t.Errorf("gaps %+v, want one of a and one of b", r.Gaps)
	}
	if s := r.Clusters[0].Sources; s[0].Status != report.StatusFailed || s[1].Status != report.StatusFailed {
		t.Errorf("sources %+v", s)
	}
}

// A gap says which subscription its cluster is in, whoever missed it.
func TestGapsNameTheSubscription(t *testing.T) {
	a := New(Input{FailOn: report.SeverityWarning})
	in := target.Target{ID: "a", Name: "a", ARM: &target.ARM{SubscriptionID: "s"}}
	a.Add(collect.Visit{Batches: []collect.Batch{{Target: in, Source: report.SourceNode, Observations: []collect.Observation{{Gap: &collect.Gap{Node: "n", Reason: report.ReasonTimeout}}}}},
		Gaps: []report.Gap{{Source: report.SourceARM, Count: 1, Reason: report.ReasonForbidden}}})
	a.Add(collect.Visit{Batches: []collect.Batch{{Target: target.Target{ID: "b"}, Source: report.SourceAPIServer, Observations: []collect.Observation{{Gap: &collect.Gap{Reason: report.ReasonTimeout}}}}}})
	for _, g := range a.Close(0).Gaps {
		if want := map[string]string{"a": "s", "b": ""}[g.Cluster]; g.SubscriptionID != want {
			t.Errorf("%+v: want subscription %q", g, want)
		}
	}
}

// A server can present hundreds of certificates that all claim to be each
// other's issuer; that must not cost a signature check for each pair.
func TestHostileChainIsBounded(t *testing.T) {
	ca := issue(t, authority("x"), nil)
	chain := []certs.Certificate{}
	for range 300 {
		c := issue(t, authority("x"), nil).Certificate
		chain = append(chain, c)
	}
	if _, uncheckable := certs.ChainsTo(chain, []certs.Certificate{ca.Certificate}); !uncheckable {
		t.Error("300 namesakes were all checked")
	}
}

func TestServerAddressHasNoSecret(t *testing.T) {
	tests := map[string]string{
		"https://api.example:6443":                      "https://api.example:6443",
		"https://admin:hunter2@api.example/x?t=hunter2": "https://api.example/x",
		"https://api.example#hunter2":                   "https://api.example",
		"api.example:6443":                              "api.example:6443",
		"admin:hunter2@api.example":                     "",
		"admin:hun:ter2@api.example":                    "",
		"/admin:hunter2@api.example":                    "",
		"https://admin:hunter2@%zz":                     "",
		"http://[::1":                                   "http://[::1",
	}
	for in, want := range tests {
		if got := address(in); got != want {
			t.Errorf("address(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAdminsFetchAsAdmins(t *testing.T) {
	admin := target.Target{Cluster: &target.Cluster{Name: "prod"}, User: &target.User{Name: "clusterAdmin_rg_prod", File: "a b"}}
	if got, _ := getCredentials(admin); got != "az aks get-credentials --resource-group rg --name prod --admin --overwrite-existing --file 'a b'" {
		t.Error(got)
	}
}

func TestRemediesNameTheCluster(t *testing.T) {
	tests := []struct{ user, cluster, want string }{
		{"clusterUser_rg_prod", "prod", "--resource-group rg --name prod"},
		{"clusterAdmin_rg_prod", "prod", "--resource-group rg --name prod"},
		{"clusterUser_my_rg_my_prod", "my_prod", "--resource-group my_rg --name my_prod"},
		{"clusterUser_rg_prod", "renamed", ""},
		{"clusterUser__prod", "prod", ""},
		{"admin", "prod", ""},
		{"clusterUser_a b;rm -rf ~_prod", "prod", "--resource-group 'a b;rm -rf ~' --name prod"},
		{"clusterUser_it's_prod", "prod", `--resource-group 'it'\''s' --name prod`},
		{"clusterUser_--help_prod", "prod", `--resource-group '--help' --name prod`},
	}
	for _, test := range tests {
		got, _ := aksName(target.Target{Cluster: &target.Cluster{Name: test.cluster}, User: &target.User{Name: test.user}})
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.user, got, test.want)
		}
	}
}

// Every rule that is named has a row, and every row a meaning.
func TestRules(t *testing.T) {
	rank := 9
	for _, r := range Rules() {
		if r.Means == "" || r.Decided == "" || r.Remedy() == "" || r.Severity.Rank() > rank {
			t.Errorf("%s: no meaning, or not in its place", r.Name)
		}
		rank = r.Severity.Rank()
	}
	for _, name := range []string{ruleExpired, ruleCritical, ruleWarning, ruleDue, ruleNotYetValid, ruleClockSkew, ruleMalformed, ruleInverted,
		ruleCAExpiring, ruleCAMismatch, ruleNameMismatch, ruleSelfSigned, ruleInsecure, ruleTokenExpired, ruleOverdue, ruleNoRBAC, ruleStatic, ruleRotating} {
		rule(name)
	}
}

// An audit that streams says the same as one that does not.
func TestStreamIsTheReport(t *testing.T) {
	visits := []collect.Visit{
		{Batches: []collect.Batch{batch("b", report.SourceNode, file("n", 95)...), batch("b", report.SourceKubelet, metric("n", 5, 2)...)}},
		{Batches: []collect.Batch{batch("a", report.SourceNode, file("m", 120)...)}, Gaps: []report.Gap{{Source: report.SourceARM, Count: 1, Reason: report.ReasonTimeout, Message: "slow"}}},
		{Batches: []collect.Batch{batch("c", report.SourceKubelet)}},
	}
	in := Input{Policy: lifetime.Policy{}, FailOn: report.SeverityWarning, AsOf: asOf, Gaps: []report.Gap{{Source: report.SourceARM, Count: 1, Reason: report.ReasonForbidden, Message: "a subscription"}}}
	var err error
	if in.Policy, err = lifetime.NewPolicy("", ""); err != nil {
		t.Fatal(err)
	}
	whole, parts := New(in), New(in)
	var stream bytes.Buffer
	line := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(append(data, '\n'))
	}
	line(parts.Header())
	for _, v := range visits {
		whole.Add(v)
		parts.Add(v)
		line(parts.Take())
	}
	line(parts.Close(0).Closing())
	got, err := report.Read(&stream)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.MarshalIndent(whole.Close(0), "", " ")
	have, _ := json.MarshalIndent(got, "", " ")
	if !bytes.Equal(want, have) {
		t.Errorf("the report\n%s\nthe stream\n%s", want, have)
	}
}
