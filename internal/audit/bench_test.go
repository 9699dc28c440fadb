package audit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"testing"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// leaf is an RSA-2048 certificate as AKS issues them: signed by a CA.
func leaf(b *testing.B) []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: asOf.AddDate(-1, 0, 0), NotAfter: asOf.AddDate(1, 0, 0),
		Subject: pkix.Name{CommonName: "masterclient", Organization: []string{"system:masters"}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	ca := template
	ca.Subject = pkix.Name{CommonName: "ca"}
	der, err := x509.CreateCertificate(rand.Reader, &template, &ca, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	return der
}

// BenchmarkX509 is what BenchmarkParseAndJudge is measured against: no more
// than 1.5 times this.
func BenchmarkX509(b *testing.B) {
	der := leaf(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x509.ParseCertificate(der); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndJudge(b *testing.B) {
	der := leaf(b)
	p, _ := lifetime.NewPolicy("", "")
	b.ReportAllocs()
	for b.Loop() {
		c, err := certs.Parse(der)
		if err != nil {
			b.Fatal(err)
		}
		lifetime.Judge(lifetime.Validity{NotBefore: c.NotBefore, NotAfter: c.NotAfter}, p, false, asOf)
	}
}

func BenchmarkAudit(b *testing.B) {
	c, err := certs.Parse(leaf(b))
	if err != nil {
		b.Fatal(err)
	}
	p, _ := lifetime.NewPolicy("", "")
	for _, n := range []int{1, 100, 10_000} {
		var seen []collect.Observation
		for i := range n {
			seen = append(seen, collect.Observation{Certificate: &collect.Certificate{Certificate: c, Role: report.RoleClient, Location: fmt.Sprint("kubeconfig#users/", i)}})
		}
		in := Input{Batches: []collect.Batch{batch("c", report.SourceKubeconfig, seen...)}, Policy: p, FailOn: report.SeverityWarning, AsOf: asOf}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Audit(in)
			}
		})
	}
}
