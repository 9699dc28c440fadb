package verify

import (
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

const patience = 20 * time.Second

// run verifies as of now, and sees to it that no secret is told.
func run(t *testing.T, old Old, today *target.Target, secrets ...string) *report.Verification {
	t.Helper()
	v := Verifier{Servers: apiserver.Collector{ConnectTimeout: patience}, Door: kube.New(kube.Config{Timeout: patience}),
		AsOf: time.Now(), Now: time.Now(), SystemRoots: x509.NewCertPool()}.Verify(t.Context(), old, today)
	v.Conclude(0, false)
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(secrets, secret, "PRIVATE KEY") {
		if strings.Contains(string(data), s) {
			t.Errorf("told a secret: %s", data)
		}
	}
	return v
}

// want is a check's result and some of its detail: "cluster-ca dead: no longer".
func wantChecks(t *testing.T, v *report.Verification, code int, want ...string) {
	t.Helper()
	if v.ExitCode != code {
		t.Errorf("exit code %d, want %d", v.ExitCode, code)
	}
	ok := len(v.Checks) == len(want)
	for i := range min(len(v.Checks), len(want)) {
		c := v.Checks[i]
		head, detail, _ := strings.Cut(want[i], ": ")
		ok = ok && head == string(c.Check)+" "+string(c.Result) && strings.Contains(c.Detail, detail)
	}
	if !ok {
		for _, c := range v.Checks {
			t.Logf("%s %s: %s (hint: %s)", c.Check, c.Result, c.Detail, c.Hint)
		}
		t.Errorf("want %q", want)
	}
}

func wantNote(t *testing.T, v *report.Verification, part string) {
	t.Helper()
	if !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, part) }) {
		t.Errorf("no note says %q: %q", part, v.Notes)
	}
}

// was is a kubeconfig's context of before, for the server of today's.
func was(today target.Target, ca []byte, user *target.User) target.Target {
	t := entry("", ca, user)
	t.Cluster.Server, t.Cluster.TLSServerName = today.Cluster.Server, today.Cluster.TLSServerName
	return t
}

func both(p pair) *target.User {
	return &target.User{Name: "admin", File: "old", ClientCertificate: target.Material{Data: p.pem}, ClientKey: target.NewSecret(string(p.keyPEM)), Token: target.NewSecret(secret)}
}

func certificate(p pair) *target.User {
	u := both(p)
	u.Token = target.Secret{}
	return u
}

func bearer() *target.User {
	return &target.User{Name: "admin", File: "old", Token: target.NewSecret(secret)}
}

func TestVerify(t *testing.T) {
	// AKS names every CA alike, so here they are too.
	oldCA, newCA, otherCA := issue(t, "ca", nil), issue(t, "ca", nil), issue(t, "another", nil)
	admin := issue(t, "masterclient", &oldCA, masters)
	reader := issue(t, `a "quoted" user`, &oldCA)
	past := issue(t, "masterclient", &oldCA, masters, expired)
	bundle := slices.Concat(oldCA.pem, newCA.pem)

	tests := []struct {
		name   string
		server *kubeAPI
		signer pair // of the server's certificate
		old    *target.User
		oldCA  []byte // the old CA's when nil
		today  []byte // the CA of today's kubeconfig; nil for none
		code   int
		want   []string
		note   string
	}{
		{name: "all dead", server: &kubeAPI{clientCAs: []pair{newCA}}, signer: newCA, old: both(admin), today: newCA.pem,
			want: []string{"cluster-ca dead: no longer verifies what 127.0.0.1:", "client-certificate dead: refused it (401)", "token dead: refused it (401)"}},
		// The CAs that the server names are others': the certificate is shown all the same.
		{name: "another CA's name", server: &kubeAPI{clientCAs: []pair{otherCA}, anonymous: true}, signer: otherCA, old: both(admin), today: otherCA.pem,
			want: []string{"cluster-ca dead: no longer", "client-certificate dead: (401)", "token dead: (401)"}},
		{name: "nothing rotated", server: &kubeAPI{clientCAs: []pair{oldCA}, tokens: map[string]string{secret: "admin"}}, signer: oldCA, old: both(admin), today: oldCA.pem, code: 1,
			want: []string{"cluster-ca alive: still verifies what 127.0.0.1:", "client-certificate alive: still works: the API server let it read a namespace (200)", "token alive: (200)"},
			note: "the CA did not change: no CA rotation happened"},
		{name: "the server still takes the old CA's clients", server: &kubeAPI{clientCAs: []pair{oldCA, newCA}}, signer: newCA, old: both(admin), today: newCA.pem, code: 1,
			want: []string{"cluster-ca dead: no longer", "client-certificate alive: (200)", "token dead: (401)"}},
		{name: "who may not read namespaces is known", server: &kubeAPI{clientCAs: []pair{oldCA}, tokens: map[string]string{secret: strings.Repeat("long", 100)}}, signer: newCA, old: both(reader), today: newCA.pem, code: 1,
			want: []string{"cluster-ca dead: no longer", `client-certificate alive: knows it as user "a \"quoted\" user"`, `token alive: knows it as user "longlong`}},
		{name: "in the middle", server: &kubeAPI{clientCAs: []pair{oldCA, newCA}}, signer: newCA, old: both(admin), today: bundle, code: 1,
			want: []string{"cluster-ca dead: though the kubeconfig of today trusts it still", "client-certificate alive: (200)", "token dead: (401)"},
			note: "trusts 1 of the 1 old CAs, and 2 in all"},
		{name: "a bundle that is what it was", server: &kubeAPI{clientCAs: []pair{newCA}}, signer: newCA, old: bearer(), oldCA: bundle, today: bundle, code: 1,
			want: []string{"cluster-ca dead: trusts it still", "cluster-ca alive: and the kubeconfig of today trusts it still", "token dead: (401)"},
			note: "the CA did not change"},
		{name: "the server takes no certificates", server: &kubeAPI{anonymous: true, instead: func(w http.ResponseWriter, _ *http.Request) {
			status(w, 403, `namespaces "kube-system" is forbidden: User "system:anonymous" cannot get resource`)
		}}, signer: newCA, old: certificate(admin), today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", "client-certificate unknown: 403 for system:anonymous"}},
		{name: "TLS refuses", server: &kubeAPI{clientCAs: []pair{newCA}, demands: true}, signer: newCA, old: both(admin), today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", "client-certificate dead: refused it in the TLS handshake (unknown certificate authority)", "token unknown: not examined"}},
		{name: "past", server: &kubeAPI{clientCAs: []pair{oldCA}}, signer: newCA, old: certificate(past), today: newCA.pem,
			want: []string{"cluster-ca dead: no longer", "client-certificate dead: dead by its date, which proves nothing about the rotation"}},
		{name: "past, and taken", server: &kubeAPI{clientCAs: []pair{oldCA}, anybody: true}, signer: newCA, old: certificate(past), today: newCA.pem, code: 1,
			want: []string{"cluster-ca dead: no longer", "client-certificate alive: although it expired on "}},
		{name: "a portal", server: &kubeAPI{instead: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome")) }}, signer: newCA, old: both(admin), today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", "client-certificate unknown: not what Kubernetes documents", "token unknown: not what Kubernetes documents"}},
		{name: "a forbidding portal", server: &kubeAPI{instead: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `User "x"`, http.StatusForbidden) }}, signer: newCA, old: both(admin), today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", "client-certificate unknown: 403", "token unknown: 403"}},
		{name: "a server in trouble", server: &kubeAPI{instead: func(w http.ResponseWriter, _ *http.Request) { status(w, 500, "etcd \x1b[2J") }}, signer: newCA, old: both(admin), today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", `client-certificate unknown: etcd \x1b[2J`, "token unknown: 500"}},

		// Who answers is not the cluster's, as far as today's kubeconfig knows.
		{name: "a server that today does not verify", server: &kubeAPI{clientCAs: []pair{newCA}}, signer: otherCA, old: both(admin), today: newCA.pem, code: 3,
			want: []string{"cluster-ca unknown: does not verify that server either", "client-certificate unknown: (401) on each of 5 connections; but the kubeconfig of today", "token unknown: not sent"}},
		{name: "it takes the certificate", server: &kubeAPI{clientCAs: []pair{oldCA}}, signer: otherCA, old: both(admin), today: newCA.pem, code: 1,
			want: []string{"cluster-ca unknown: either", "client-certificate alive: (200)", "token unknown: not sent"}},
		{name: "no kubeconfig of today", server: &kubeAPI{clientCAs: []pair{newCA}}, signer: newCA, old: certificate(admin), code: 3,
			want: []string{"cluster-ca unknown: anybody may have answered", "client-certificate unknown: (401) on each of 5 connections; but nothing of today verifies"}, note: "taken on trust"},
		{name: "no kubeconfig of today, and a token", server: &kubeAPI{clientCAs: []pair{newCA}}, signer: newCA, old: both(admin), code: 3,
			want: []string{"cluster-ca unknown: no longer", "client-certificate unknown: (401)", "token unknown: not sent"}},
		{name: "no kubeconfig of today, nothing rotated", server: &kubeAPI{clientCAs: []pair{oldCA}}, signer: oldCA, old: both(admin), code: 1,
			want: []string{"cluster-ca alive: still", "client-certificate alive: (200)", "token unknown: not sent"}},
		{name: "a damaged CA of today", server: &kubeAPI{clientCAs: []pair{newCA}}, signer: newCA, old: both(admin), today: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), code: 3,
			want: []string{"cluster-ca unknown: its CA could not be read", "client-certificate unknown: its CA could not be read", "token unknown: not sent"}},

		// What there is nothing of, or nothing to be had of.
		{name: "an exec plugin", server: &kubeAPI{}, signer: newCA, old: &target.User{Name: "me", Exec: &target.Exec{Command: "kubelogin"}}, today: newCA.pem,
			want: []string{"cluster-ca dead: no longer"}, note: `user "me" signs in by an exec plugin`},
		{name: "no user", server: &kubeAPI{}, signer: newCA, today: newCA.pem, want: []string{"cluster-ca dead: no longer"}, note: "no user"},
		{name: "no key", server: &kubeAPI{}, signer: newCA, old: &target.User{Name: "x", ClientCertificate: target.Material{Data: admin.pem}, Token: target.NewSecret(secret)}, today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", "client-certificate unknown: no key to it", "token dead: (401)"}},
		{name: "no certificate", server: &kubeAPI{}, signer: newCA, old: &target.User{Name: "x", File: "old", ClientCertificate: target.Material{File: "gone.pem"}}, today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", "client-certificate unknown: gone.pem"}},
		{name: "no token file", server: &kubeAPI{}, signer: newCA, old: &target.User{Name: "x", File: "old", TokenFile: "gone"}, today: newCA.pem, code: 3,
			want: []string{"cluster-ca dead: no longer", `token unknown: reading token file "gone"`}},
		{name: "a damaged old CA", server: &kubeAPI{}, signer: newCA, old: bearer(), oldCA: []byte("junk"), today: newCA.pem, code: 3,
			want: []string{"cluster-ca unknown: holds no certificate", "token dead: (401)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := test.server
			address := api.start(t, test.signer)
			if test.oldCA == nil {
				test.oldCA = oldCA.pem
			}
			old := FromKubeconfig(t.Context(), entry(address, test.oldCA, test.old))
			var today *target.Target
			if test.today != nil {
				now := entry(address, test.today, bearer()) // whose credentials are not touched
				today = &now
			}
			v := run(t, old, today)
			wantChecks(t, v, test.code, test.want...)
			if test.note != "" {
				wantNote(t, v, test.note)
			}
			if v.Server != address || v.ServerVerified && today == nil {
				t.Errorf("asked %s, verified %v", v.Server, v.ServerVerified)
			}
			// No token goes where it was said not to.
			if sent := len(api.bearers) > 0; sent && !v.ServerVerified {
				t.Errorf("the token was sent: %q", api.bearers)
			}
		})
	}
}

// A connection that breaks off is no answer, and is made again.
func TestBrokenOff(t *testing.T) {
	ca := issue(t, "ca", nil)
	var left atomic.Int32
	api := &kubeAPI{instead: func(w http.ResponseWriter, _ *http.Request) {
		if left.Add(-1) >= 0 {
			panic(http.ErrAbortHandler)
		}
		status(w, 401, "Unauthorized")
	}}
	today := entry(api.start(t, ca), ca.pem, nil)
	left.Store(tries - 1)
	v := run(t, FromKubeconfig(t.Context(), was(today, issue(t, "ca", nil).pem, bearer())), &today)
	wantChecks(t, v, 0, "cluster-ca dead: no longer", "token dead: (401)")

	left.Store(1 << 20)
	v = run(t, FromKubeconfig(t.Context(), was(today, issue(t, "ca", nil).pem, bearer())), &today)
	wantChecks(t, v, 3, "cluster-ca dead: no longer", "token unknown: not examined")
}

// A server that refuses by TLS is understood every time; and one that only says
// the words of an alert has not refused.
func TestTLSRefusesAlways(t *testing.T) {
	oldCA, ca := issue(t, "ca", nil), issue(t, "ca", nil)
	api := &kubeAPI{clientCAs: []pair{ca}, demands: true}
	today := entry(api.start(t, ca), ca.pem, nil)
	for range 5 { // each of several connections
		v := run(t, FromKubeconfig(t.Context(), was(today, oldCA.pem, certificate(issue(t, "admin", &oldCA, masters)))), &today)
		wantChecks(t, v, 0, "cluster-ca dead: no longer", "client-certificate dead: refused it in the TLS handshake (unknown certificate authority)")
	}
	api = &kubeAPI{instead: func(w http.ResponseWriter, _ *http.Request) {
		status(w, 500, `refused with the alert "bad certificate"`)
	}}
	today = entry(api.start(t, ca), ca.pem, nil)
	v := run(t, FromKubeconfig(t.Context(), was(today, oldCA.pem, bearer())), &today)
	wantChecks(t, v, 3, "cluster-ca dead: no longer", "token unknown: not examined")
}

// An insecure kubeconfig of today vouches for nothing.
func TestInsecureToday(t *testing.T) {
	ca := issue(t, "ca", nil)
	api := &kubeAPI{tokens: map[string]string{secret: "admin"}}
	today := entry(api.start(t, ca), nil, nil)
	today.Cluster.InsecureSkipTLSVerify = true
	v := run(t, FromKubeconfig(t.Context(), was(today, issue(t, "ca", nil).pem, bearer())), &today)
	wantChecks(t, v, 3, "cluster-ca unknown: anybody may have answered", "token unknown: not sent")
	wantNote(t, v, "insecure-skip-tls-verify")
	if !strings.Contains(v.Checks[0].Hint, "az aks get-credentials") {
		t.Errorf("no way out: %+v", v.Checks[0])
	}
	if len(api.bearers) > 0 {
		t.Error("the token was sent")
	}
}

// A certificate that is shown by what verifies the wrong name is not verified.
func TestWrongName(t *testing.T) {
	ca := issue(t, "ca", nil)
	api := &kubeAPI{tokens: map[string]string{secret: "admin"}}
	today := entry(api.start(t, ca), ca.pem, nil)
	today.Cluster.TLSServerName = "another.example"
	v := run(t, FromKubeconfig(t.Context(), was(today, issue(t, "ca", nil).pem, bearer())), &today)
	wantChecks(t, v, 3, "cluster-ca unknown: another.example", "token unknown: not sent")
	if len(api.bearers) > 0 {
		t.Error("the token was sent")
	}
}

// An expired serving certificate is still the old CA's.
func TestExpiredServer(t *testing.T) {
	ca := issue(t, "ca", nil)
	today := entry((&kubeAPI{clientCAs: []pair{ca}}).start(t, ca, expired), ca.pem, nil)
	v := run(t, FromKubeconfig(t.Context(), was(today, ca.pem, both(issue(t, "x", &ca, masters)))), &today)
	wantChecks(t, v, 1, "cluster-ca alive: still verifies", "client-certificate alive: (200)", "token unknown: expired")
}

// A chain of another CA that the old one signed across is verified by the old
// one still.
func TestCrossSigned(t *testing.T) {
	oldCA := issue(t, "old", nil)
	between := issue(t, "between", &oldCA, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil })
	api := &kubeAPI{}
	today := entry(api.start(t, between), between.pem, nil)
	v := run(t, FromKubeconfig(t.Context(), was(today, slices.Concat(oldCA.pem, between.pem), nil)), &today)
	wantChecks(t, v, 1, "cluster-ca dead: no longer", "cluster-ca alive: still")
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ca := issue(t, "ca", nil)
	today := entry(address, ca.pem, nil)
	old := FromKubeconfig(t.Context(), entry(address, ca.pem, both(issue(t, "x", &ca, expired))))
	v := run(t, old, &today)
	wantChecks(t, v, 3, "cluster-ca unknown: refused", "client-certificate dead: dead by its date", "token unknown: refused")
	if v.Server != address || v.ServerVerified {
		t.Errorf("asked %q, verified %v", v.Server, v.ServerVerified)
	}
}

func TestNothingOld(t *testing.T) {
	ca := issue(t, "ca", nil)
	today := entry((&kubeAPI{}).start(t, ca), ca.pem, nil)
	v := run(t, FromKubeconfig(t.Context(), was(today, nil, &target.User{Name: "me", Exec: &target.Exec{}})), &today)
	v.Conclude(0, true)
	wantChecks(t, v, 3)
	wantNote(t, v, "names no CA of its own")
}

func TestReport(t *testing.T) {
	oldCA, newCA := issue(t, "ca", nil), issue(t, "ca", nil)
	admin, past := issue(t, "masterclient", &oldCA), issue(t, "masterclient", &oldCA, expired)
	api := &kubeAPI{}
	address := api.start(t, newCA)
	served, _ := (apiserver.Collector{ConnectTimeout: patience}).Dial(t.Context(), apiserver.Endpoint{Address: address})

	row := func(role report.Role, source report.Source, p pair) report.Certificate {
		k := entry(address, p.pem, certificate(p))
		for _, found := range FromKubeconfig(t.Context(), k).cas {
			return report.Certificate{Cluster: "aks", Role: role, Source: source, Location: "config#users/me", Subject: found.subject, SHA256: found.sha256, NotAfter: found.notAfter}
		}
		t.Fatal("no row")
		return report.Certificate{}
	}
	r := &report.Report{Certificates: []report.Certificate{
		row(report.RoleClusterCA, report.SourceKubeconfig, oldCA),
		row(report.RoleClusterCA, report.SourceNode, oldCA), // the same again
		row(report.RoleAPIServer, report.SourceAPIServer, issue(t, "apiserver", &oldCA)),
		row(report.RoleClient, report.SourceKubeconfig, admin),
		row(report.RoleClient, report.SourceKubeconfig, past),
	}}
	other := row(report.RoleClusterCA, report.SourceKubeconfig, newCA)
	other.Cluster = "another"
	r.Certificates = append(r.Certificates, other)
	cluster := report.Cluster{ID: "aks", Name: "aks", Server: "https://" + address, Credentials: []report.Credential{{User: "me", Kinds: []string{"client-certificate", "token"}}},
		Sources: []report.SourceStatus{{Source: report.SourceAPIServer, Status: report.StatusFailed}, {Source: report.SourceKubeconfig, Status: report.StatusOK}}}

	today := entry(address, newCA.pem, nil)
	v := run(t, FromReport(r, cluster), &today)
	wantChecks(t, v, 3, "cluster-ca dead: does not trust it", "serving-certificate dead: no longer presents it",
		"client-certificate unknown: no key", "client-certificate dead: by its date", "token unknown: a report holds no token")
	if c := v.Checks[2]; c.User != "me" || !strings.Contains(c.Hint, "--old") {
		t.Errorf("%+v", c)
	}

	// Fingerprints alone do not tell who signed.
	v = run(t, FromReport(r, cluster), nil)
	wantChecks(t, v, 3, "cluster-ca unknown: fingerprint alone", "serving-certificate unknown: nothing of today verifies",
		"client-certificate unknown: no key", "client-certificate dead: by its date", "token unknown: a report")

	// Nothing was rotated.
	r.Certificates = []report.Certificate{row(report.RoleClusterCA, report.SourceKubeconfig, newCA), {Cluster: "aks", Role: report.RoleAPIServer, SHA256: fingerprint(t, served[0])}}
	cluster.Credentials = nil
	v = run(t, FromReport(r, cluster), &today)
	wantChecks(t, v, 1, "cluster-ca alive: still verifies", "serving-certificate alive: still presents it")
	wantNote(t, v, "the CA did not change")

	// The old CA is still trusted, and signs no more.
	r.Certificates = []report.Certificate{row(report.RoleClusterCA, report.SourceKubeconfig, oldCA)}
	today = entry(address, slices.Concat(oldCA.pem, newCA.pem), nil)
	v = run(t, FromReport(r, cluster), &today)
	wantChecks(t, v, 0, "cluster-ca dead: trusts it still")
	if len(api.bearers)+api.certs > 0 {
		t.Error("something was shown to the server")
	}
}
