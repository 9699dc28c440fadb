package certs

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"
)

// rsaLeaf is a server certificate as clusters have them: RSA-2048, signed by
// another key.
func rsaLeaf(tb testing.TB) []byte {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234567890),
		Subject:      pkix.Name{CommonName: "apiserver", Organization: []string{"system:masters"}},
		NotBefore:    time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			"example-dns.hcp.westeurope.azmk8s.io"},
		IPAddresses:           []net.IP{net.IPv4(10, 0, 0, 1)},
		BasicConstraintsValid: true,
		AuthorityKeyId:        []byte("the signer's key id."),
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// BenchmarkStdlibParse and BenchmarkParse are the two sides of the aim: Parse
// within 1.5 times of x509.ParseCertificate alone.
func BenchmarkStdlibParse(b *testing.B) {
	der := rsaLeaf(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x509.ParseCertificate(der); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	der := rsaLeaf(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(der); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	der := rsaLeaf(b)
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var bundle bytes.Buffer
			for i := range n {
				// Another signature makes another certificate.
				d := bytes.Clone(der)
				d[len(d)-1], d[len(d)-2] = byte(i), byte(i>>8)
				if err := pem.Encode(&bundle, &pem.Block{Type: "CERTIFICATE", Bytes: d}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(bundle.Len()))
			b.ReportAllocs()
			for b.Loop() {
				found, problems := Read(bundle.Bytes())
				if len(found) != n || len(problems) != 0 {
					b.Fatalf("found %d certificates, problems %v", len(found), problems)
				}
			}
		})
	}
}
