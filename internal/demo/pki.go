package demo

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
	"time"
)

// authority is a CA, and the one key that everything it signs has: keys are
// what costs time, and nobody looks at them.
type authority struct {
	now  time.Time
	cert *x509.Certificate
	pem  []byte
	key  *ecdsa.PrivateKey

	leaf    *ecdsa.PrivateKey
	leafPEM []byte
}

func newAuthority(now time.Time, name string, s span) (*authority, error) {
	a := &authority{now: now}
	for _, key := range []**ecdsa.PrivateKey{&a.key, &a.leaf} {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("making a key for %q: %w", name, err)
		}
		*key = made
	}
	der, err := x509.MarshalECPrivateKey(a.leaf)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of %q: %w", name, err)
	}
	a.leafPEM = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
	}
	der, err = sign(template, template, a.key, a.key, now, s)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("reading the certificate of %q: %w", name, err)
	}
	a.pem = certificatePEM(der)
	return a, nil
}

// issue signs a certificate for the authority's one key.
func (a *authority) issue(template *x509.Certificate, s span) ([]byte, error) {
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	return sign(template, a.cert, a.leaf, a.key, a.now, s)
}

func (a *authority) client(commonName, organization string, s span) ([]byte, error) {
	der, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName, Organization: []string{organization}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, s)
	return certificatePEM(der), err
}

func (a *authority) server(subject pkix.Name, names []string, s span) ([]byte, error) {
	template := &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return a.issue(template, s)
}

// alone is a certificate that signs itself, with the authority's one key.
func (a *authority) alone(commonName string, s span) ([]byte, error) {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: commonName}, DNSNames: []string{commonName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	der, err := sign(template, template, a.leaf, a.leaf, a.now, s)
	return certificatePEM(der), err
}

func (a *authority) keyPair(der []byte) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leaf}
}

func sign(template, parent *x509.Certificate, subject, signer *ecdsa.PrivateKey, now time.Time, s span) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore = now.Add(-s.age).UTC().Truncate(time.Second)
	template.NotAfter = template.NotBefore.Add(s.life)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &subject.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("signing %q: %w", template.Subject, err)
	}
	return der, nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
