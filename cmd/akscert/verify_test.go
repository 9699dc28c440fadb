package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// rotating is an API server whose credentials can be replaced while it runs: it
// answers as kube-apiserver does to who asks for a namespace.
type rotating struct {
	config atomic.Pointer[tls.Config] // whose ClientCAs are taken above TLS
	token  atomic.Pointer[string]
	pairs  map[string]rotatingPair
}

type rotatingPair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// rotation starts such a server, at $SERVER, and writes before.yaml and
// after.yaml, kubeconfigs from before and after its rotation; or rotates it:
// rotation half for the serving certificate alone, rotation whole for all. One
// script at a time can use it.
func (r *rotating) rotation(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		r.start(ts)
		return
	}
	r.serve("new")
	if args[0] == "whole" {
		config := r.config.Load().Clone()
		config.ClientCAs = r.pool("new-ca")
		r.config.Store(config)
		token := "the-new-secret"
		r.token.Store(&token)
	}
}

func (r *rotating) pool(names ...string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, name := range names {
		pool.AddCert(r.pairs[name].cert)
	}
	return pool
}

// serve presents the serving certificate of that age, and takes all clients.
func (r *rotating) serve(age string) {
	p := r.pairs[age+"-serving"]
	r.config.Store(&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}},
		ClientAuth: tls.RequestClientCert, ClientCAs: r.pool("old-ca", "new-ca"), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
}

func (r *rotating) start(ts *testscript.TestScript) {
	r.pairs = map[string]rotatingPair{}
	files := map[string]string{}
	for _, age := range []string{"old", "new"} {
		r.issue(ts, files, age+"-ca", "", x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true})
		r.issue(ts, files, age+"-serving", age+"-ca", x509.Certificate{Subject: pkix.Name{CommonName: "apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		r.issue(ts, files, age+"-client", age+"-ca", x509.Certificate{Subject: pkix.Name{CommonName: "masterclient"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	r.serve("old")
	token := "the-old-secret"
	r.token.Store(&token)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &http.Server{Handler: http.HandlerFunc(r.answer), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.config.Load(), nil }}}
	ts.Defer(func() { _ = s.Close() })
	serving := r.pairs["old-serving"]
	s.TLSConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{serving.cert.Raw}, PrivateKey: serving.key}}
	go func() { _ = s.ServeTLS(l, "", "") }()
	ts.Setenv("SERVER", l.Addr().String())
	for file, age := range map[string]string{"before.yaml": "old", "after.yaml": "new"} {
		kubeconfig := fmt.Sprintf(`kind: Config
current-context: aks
contexts: [{name: aks, context: {cluster: aks, user: admin}}]
clusters: [{name: aks, cluster: {server: "https://%s", certificate-authority-data: %s}}]
users: [{name: admin, user: {client-certificate-data: %s, client-key-data: %s, token: the-%s-secret}}]
`, l.Addr(), files[age+"-ca"], files[age+"-client"], files[age+"-client.key"], age)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(kubeconfig), 0o600))
	}
}

func (r *rotating) issue(ts *testscript.TestScript, files map[string]string, name, by string, template x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template.SerialNumber = big.NewInt(int64(len(r.pairs) + 1))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*365*2*time.Hour)
	parent, signer := &template, key
	if by != "" {
		parent, signer = r.pairs[by].cert, r.pairs[by].key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	r.pairs[name] = rotatingPair{cert, key}
	inline := func(kind string, data []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	files[name], files[name+".key"] = inline("CERTIFICATE", der), inline("PRIVATE KEY", secret)
}

func (r *rotating) answer(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	known := q.Header.Get("Authorization") == "Bearer "+*r.token.Load()
	for _, c := range q.TLS.PeerCertificates {
		_, err := c.Verify(x509.VerifyOptions{Roots: r.config.Load().ClientCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		known = err == nil
	}
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
		return
	}
	_, _ = io.WriteString(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system"}}`)
}

// A name that several clusters of a report have is none.
func TestOneCluster(t *testing.T) {
	r := &report.Report{Clusters: []report.Cluster{
		{ID: "/a/web", Name: "web", Server: "https://a.example:443"},
		{ID: "/b/web", Name: "web", Server: "https://b.example:443"},
		{ID: "web", Name: "shop", Context: "shop-admin", Server: "https://c.example:443"},
		{ID: "/d/twin", Name: "twin"},
		{ID: "/e/twin", Name: "twin"},
		{ID: "one", Name: "one", Server: "https://f.example:443"},
		{ID: "two", Name: "two", Server: "https://f.example:443"},
	}}
	at := func(server string) *target.Target { return &target.Target{Cluster: &target.Cluster{Server: server}} }
	for _, test := range []struct {
		name     string
		today    *target.Target
		id, says string
	}{
		{name: "web", id: "web"}, // whose id it is, and not the first of its name
		{name: "/b/web", id: "/b/web"},
		{name: "shop-admin", id: "web"},
		{name: "twin", says: `2 clusters of the report are called "twin": name one by its id with --old-context: /d/twin, /e/twin`},
		{name: "twin", today: at("https://a.example"), says: "/d/twin, /e/twin"},
		{name: "one", today: at("https://a.example"), id: "one"},
		{today: at("https://B.example"), id: "/b/web"},
		{today: at("https://f.example"), says: "2 clusters of the report are at f.example:443: name one by its id with --old-context: one, two"},
		{today: at("https://z.example"), says: "the report is about 7 clusters"},
		{says: "the report is about 7 clusters"},
		{name: "nope", says: `cluster "nope" is not in the report`},
	} {
		c, err := oneCluster(r, test.name, test.today)
		said := ""
		if h := (hinted{}); errors.As(err, &h) {
			said = h.Error() + ": " + h.hint
		}
		if c.ID != test.id || !strings.Contains(said, test.says) || (err == nil) != (test.says == "") {
			t.Errorf("%q at %+v: cluster %q, error %q", test.name, test.today, c.ID, said)
		}
	}
	// Of two names the one at today's server.
	r.Clusters[2].ID = "shop"
	if c, err := oneCluster(r, "web", at("https://b.example")); err != nil || c.ID != "/b/web" {
		t.Errorf("cluster %q, %v", c.ID, err)
	}
	if _, err := oneCluster(r, "web", nil); err == nil {
		t.Error("the first of two was taken")
	}
}
