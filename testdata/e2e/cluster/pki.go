package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Day is the unit of certificates' lifetimes.
const Day = 24 * time.Hour

// Pair is a certificate and its key.
type Pair struct {
	Cert    *x509.Certificate
	CertPEM []byte
	KeyPEM  []byte
	key     *ecdsa.PrivateKey
}

// Spec is what a certificate should say. A name that is an IP address becomes
// an IP SAN.
type Spec struct {
	CommonName   string
	Organization string
	Names        []string
	NotBefore    time.Time
	NotAfter     time.Time
}

// NewCA makes a certificate authority that signs itself.
func NewCA(commonName string, notBefore, notAfter time.Time) (Pair, error) {
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	return sign(tmpl, nil)
}

// Issue makes a certificate that serves or, without names, one of a client.
func (ca Pair) Issue(spec Spec) (Pair, error) {
	tmpl := &x509.Certificate{
		Subject:     pkix.Name{CommonName: spec.CommonName},
		NotBefore:   spec.NotBefore,
		NotAfter:    spec.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if spec.Organization != "" {
		tmpl.Subject.Organization = []string{spec.Organization}
	}
	for _, name := range spec.Names {
		tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(name); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, name)
		}
	}
	return sign(tmpl, &ca)
}

// sign makes a key and has ca, or the key itself, sign for it.
func sign(tmpl *x509.Certificate, ca *Pair) (Pair, error) {
	fail := func(err error) (Pair, error) {
		return Pair{}, fmt.Errorf("making certificate %q: %w", tmpl.Subject.CommonName, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	tmpl.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fail(err)
	}
	parent, signer := tmpl, key
	if ca != nil {
		parent, signer = ca.Cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		return fail(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fail(err)
	}
	return Pair{
		Cert:    cert,
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
		key:     key,
	}, nil
}

// tls is the pair as a TLS client shows it.
func (p Pair) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.key}
}

// write puts the pair into dir as NAME.crt and NAME.key, the certificate
// followed by the rest of its chain.
func (p Pair) write(dir, name string, chain ...Pair) (crt, key string, err error) {
	crt, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	bundle := append([]byte(nil), p.CertPEM...)
	for _, c := range chain {
		bundle = append(bundle, c.CertPEM...)
	}
	if err := os.WriteFile(crt, bundle, 0o644); err != nil {
		return "", "", err
	}
	return crt, key, os.WriteFile(key, p.KeyPEM, 0o600)
}
