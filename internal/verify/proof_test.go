package verify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// What was not shown was not refused, whatever the answer is: something that ends
// TLS in front of the API server has no certificate to pass on.
func TestNotAskedForTheCertificate(t *testing.T) {
	oldCA, ca := issue(t, "ca", nil), issue(t, "ca", nil)
	admin := issue(t, "admin", &oldCA, masters)
	for name, api := range map[string]*kubeAPI{
		"401": {asksNot: true},
		"200": {asksNot: true, instead: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"kind":"Namespace"}`) }},
		// Some of its servers ask for it, and the one that answers does not.
		// One of its servers asks for it, and breaks off; the one that answers does not.
		"one of several": {shakes: func(_ int, hello *tls.ClientHelloInfo, config *tls.Config) {
			if !slices.Contains(hello.SupportedProtos, "h2") {
				config.ClientAuth = tls.NoClientCert
			}
		}, instead: func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor == 2 {
				panic(http.ErrAbortHandler)
			}
			status(w, 401, "Unauthorized")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			today := entry(api.start(t, ca), ca.pem, nil)
			v := run(t, FromKubeconfig(t.Context(), was(today, oldCA.pem, certificate(admin))), &today)
			wantChecks(t, v, 3, "cluster-ca dead: no longer", "client-certificate unknown: the server did not ask for a client certificate")
			if api.asksNot && api.certs > 0 {
				t.Error("it was shown")
			}
		})
	}
}

// A 401 of somebody who does not speak as an API server does proves nothing.
func TestForeign401(t *testing.T) {
	oldCA, ca := issue(t, "ca", nil), issue(t, "ca", nil)
	api := &kubeAPI{instead: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sign in", http.StatusUnauthorized) }}
	today := entry(api.start(t, ca), ca.pem, nil)
	v := run(t, FromKubeconfig(t.Context(), was(today, oldCA.pem, both(issue(t, "admin", &oldCA)))), &today)
	wantChecks(t, v, 3, "cluster-ca dead: no longer", "client-certificate unknown: not in an API server's words", "token unknown: not in an API server's words")
}

// A TLS alert is about no token: that is sent above TLS.
func TestTokenByTLS(t *testing.T) {
	ca := issue(t, "ca", nil)
	api := &kubeAPI{clientCAs: []pair{ca}, shakes: func(_ int, _ *tls.ClientHelloInfo, config *tls.Config) {
		config.ClientAuth, config.MaxVersion = tls.NoClientCert, tls.VersionTLS12
		config.VerifyConnection = func(tls.ConnectionState) error { return errors.New("no") } // so it says "bad certificate"
	}}
	today := entry(api.start(t, ca), ca.pem, nil)
	v := run(t, FromKubeconfig(t.Context(), was(today, issue(t, "ca", nil).pem, bearer())), &today)
	wantChecks(t, v, 3, "cluster-ca dead: no longer", "token unknown: not examined: the server ended the handshake before it saw it")
}

// Another address may be another cluster's, where everything is refused: nothing
// is dead there, and no token goes there, unless somebody says that it is one.
func TestElsewhere(t *testing.T) {
	oldCA, ca := issue(t, "ca", nil), issue(t, "ca", nil)
	admin := issue(t, "admin", &oldCA, masters)
	verifies := func(old Old, today target.Target, same bool) *report.Verification {
		v := Verifier{Servers: apiserver.Collector{ConnectTimeout: patience}, Door: kube.New(kube.Config{Timeout: patience}),
			AsOf: time.Now(), Now: time.Now(), SystemRoots: x509.NewCertPool(), SameCluster: same}.Verify(t.Context(), old, &today)
		v.Conclude(0, false)
		return v
	}
	api := &kubeAPI{clientCAs: []pair{ca}}
	today := entry(api.start(t, ca), ca.pem, nil)
	gate := was(today, oldCA.pem, both(admin))
	gate.Cluster.Server += "/another"
	for _, old := range []target.Target{entry("192.0.2.1:6443", oldCA.pem, both(admin)), gate} {
		v := verifies(FromKubeconfig(t.Context(), old), today, false)
		wantChecks(t, v, 3, "cluster-ca unknown: may be another cluster", "client-certificate unknown: may be another cluster", "token unknown: not sent: --old is of ")
		wantNote(t, v, "it proves something only if they are one cluster")
		for _, c := range v.Checks {
			if c.Hint != sayWhich {
				t.Errorf("hint %q", c.Hint)
			}
		}
		if !v.ServerVerified || len(api.bearers) > 0 {
			t.Errorf("verified %v, and was sent %q", v.ServerVerified, api.bearers)
		}
	}
	v := verifies(FromKubeconfig(t.Context(), entry("192.0.2.1:6443", oldCA.pem, both(admin))), today, true)
	wantChecks(t, v, 0, "cluster-ca dead: no longer", "client-certificate dead: (401)", "token dead: (401)")
	wantNote(t, v, "it proves something only if they are one cluster")

	// Whoever accepts it is told of, wherever.
	today = entry((&kubeAPI{clientCAs: []pair{oldCA}}).start(t, oldCA), oldCA.pem, nil)
	v = verifies(FromKubeconfig(t.Context(), entry("192.0.2.1:6443", oldCA.pem, certificate(admin))), today, false)
	wantChecks(t, v, 1, "cluster-ca alive: still", "client-certificate alive: (200)")

	// A report that does not say where the server was.
	r := &report.Report{Certificates: []report.Certificate{{Cluster: "aks", Role: report.RoleClusterCA, SHA256: "00"}}}
	c := report.Cluster{ID: "aks", Sources: []report.SourceStatus{{Source: report.SourceKubeconfig, Status: report.StatusOK}}}
	v = verifies(FromReport(r, c), today, false)
	wantChecks(t, v, 3, "cluster-ca unknown: --old is of an address that is not known")
}

// A report is proof of what its audit looked at.
func TestReportLeftOut(t *testing.T) {
	oldCA, ca := issue(t, "ca", nil), issue(t, "ca", nil)
	address := (&kubeAPI{}).start(t, ca)
	today := entry(address, ca.pem, nil)
	row := func(role report.Role, p pair) report.Certificate {
		k := FromKubeconfig(t.Context(), entry(address, p.pem, nil)).cas[0]
		return report.Certificate{Cluster: "aks", Role: role, SHA256: k.sha256, NotAfter: k.notAfter}
	}
	serving, theCA := row(report.RoleAPIServer, issue(t, "apiserver", &oldCA)), row(report.RoleClusterCA, oldCA)
	apiServer := report.SourceStatus{Source: report.SourceAPIServer, Status: report.StatusOK}
	config := func(s report.Status) report.SourceStatus {
		return report.SourceStatus{Source: report.SourceKubeconfig, Status: s, Why: "because"}
	}
	for _, test := range []struct {
		name    string
		sources []report.SourceStatus
		rows    []report.Certificate
		code    int
		want    []string
	}{
		{"not asked", []report.SourceStatus{apiServer}, []report.Certificate{serving}, 3,
			[]string{"serving-certificate dead: no longer", "cluster-ca unknown: did not look into the kubeconfig", "client-certificate unknown: did not look"}},
		{"a CA from elsewhere", []report.SourceStatus{apiServer}, []report.Certificate{serving, theCA}, 3,
			[]string{"cluster-ca dead: does not trust it", "serving-certificate dead: no longer", "cluster-ca unknown: did not look", "client-certificate unknown: did not look"}},
		{"failed", []report.SourceStatus{config(report.StatusFailed), apiServer}, []report.Certificate{serving}, 3,
			[]string{"serving-certificate dead: no longer", "cluster-ca unknown: (failed): because", "client-certificate unknown: (failed)"}},
		{"partial", []report.SourceStatus{config(report.StatusPartial)}, []report.Certificate{theCA}, 3,
			[]string{"cluster-ca dead: does not trust it", "cluster-ca unknown: (partial)", "client-certificate unknown: (partial)"}},
		{"no CA", []report.SourceStatus{config(report.StatusOK), apiServer}, []report.Certificate{serving}, 3,
			[]string{"serving-certificate dead: no longer", "cluster-ca unknown: knows no CA", "client-certificate unknown: knows no CA"}},
		{"all", []report.SourceStatus{config(report.StatusOK), apiServer}, []report.Certificate{serving, theCA}, 0,
			[]string{"cluster-ca dead: does not trust it", "serving-certificate dead: no longer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := run(t, FromReport(&report.Report{Certificates: test.rows}, report.Cluster{ID: "aks", Server: "https://" + address, Sources: test.sources}), &today)
			wantChecks(t, v, test.code, test.want...)
		})
	}
}

// A serving certificate alone is renewed without a rotation: that it is gone is no
// proof of one.
func TestServingCertificateAlone(t *testing.T) {
	v := &report.Verification{Checks: []report.Check{{Check: report.CheckServingCertificate, Result: report.Dead}}}
	v.Conclude(0, true)
	if v.ExitCode != report.ExitIncomplete || v.Complete || v.Outcome != report.OutcomeIncomplete {
		t.Errorf("%+v", v)
	}
}

// One API server of several that still takes what is old is enough, and one that
// was not seen proves nothing.
func TestSeveralServers(t *testing.T) {
	oldCA, ca := issue(t, "ca", nil), issue(t, "ca", nil)
	admin := issue(t, "admin", &oldCA, masters)
	var asked atomic.Int32
	each := func(n int32, odd http.HandlerFunc) *kubeAPI {
		asked.Store(0)
		return &kubeAPI{instead: func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1)%connections == n {
				odd(w, r)
				return
			}
			status(w, 401, "Unauthorized")
		}}
	}
	verify := func(api *kubeAPI) *report.Verification {
		today := entry(api.start(t, ca), ca.pem, nil)
		return run(t, FromKubeconfig(t.Context(), was(today, oldCA.pem, both(admin))), &today)
	}
	for n := range int32(connections) {
		v := verify(each(n, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"kind":"Namespace"}`) }))
		wantChecks(t, v, 1, "cluster-ca dead: no longer", "client-certificate alive: (200) on 1 of 5 connections", "token alive: (200) on 1 of 5 connections")
		v = verify(each(n, func(w http.ResponseWriter, _ *http.Request) { status(w, 500, "etcd") }))
		wantChecks(t, v, 3, "cluster-ca dead: no longer", "client-certificate unknown: etcd on 1 of 5 connections", "token unknown: etcd on 1 of 5 connections")
	}
	v := verify(&kubeAPI{})
	wantChecks(t, v, 0, "cluster-ca dead: no longer", "client-certificate dead: (401) on each of 5 connections", "token dead: (401) on each of 5 connections")

	// One of them presents what the old CA signed, or nothing.
	old := issue(t, "apiserver", &oldCA, serves)
	v = verify(&kubeAPI{shakes: func(n int, _ *tls.ClientHelloInfo, config *tls.Config) {
		if n%connections == 0 {
			config.Certificates = []tls.Certificate{{Certificate: [][]byte{old.cert.Raw}, PrivateKey: old.key}}
		}
	}})
	wantChecks(t, v, 1, "cluster-ca alive: still verifies", "client-certificate unknown: does not verify that server either", "token unknown: not sent")
	wantNote(t, v, "presents 2 different chains")
	if v.ServerVerified {
		t.Error("each is verified")
	}
	var calls atomic.Int32
	today := entry((&kubeAPI{}).start(t, ca), ca.pem, nil)
	v = Verifier{Servers: apiserver.Collector{ConnectTimeout: patience, Proxy: func(*url.URL) (*url.URL, error) {
		if calls.Add(1) == 2 {
			return nil, errors.New("not this time")
		}
		return nil, nil
	}}, Door: kube.New(kube.Config{Timeout: patience}), AsOf: time.Now(), Now: time.Now()}.
			Verify(t.Context(), FromKubeconfig(t.Context(), was(today, oldCA.pem, both(admin))), &today)
	v.Conclude(0, false)
	wantChecks(t, v, 3, "cluster-ca unknown: but 1 of 5 connections saw nothing: connecting to ", "client-certificate dead: (401)", "token dead: (401)")
}
