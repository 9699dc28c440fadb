package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"
)

// signed makes a CA and a leaf with the CA's key and algorithm.
func signed(t *testing.T, key crypto.Signer, algorithm x509.SignatureAlgorithm) (ca, leaf Certificate) {
	t.Helper()
	make1 := func(name string) Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, SignatureAlgorithm: algorithm,
			NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return make1("ca"), make1("leaf")
}

func TestSignedBy(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	otherCA, _ := signed(t, ec(elliptic.P256()), x509.ECDSAWithSHA256)
	for _, tt := range []struct {
		key       crypto.Signer
		algorithm x509.SignatureAlgorithm
	}{
		{rsaKey, x509.SHA256WithRSA}, {rsaKey, x509.SHA384WithRSA}, {rsaKey, x509.SHA512WithRSA}, {rsaKey, x509.SHA1WithRSA},
		{rsaKey, x509.SHA256WithRSAPSS}, {rsaKey, x509.SHA384WithRSAPSS}, {rsaKey, x509.SHA512WithRSAPSS},
		{ec(elliptic.P224()), x509.ECDSAWithSHA1}, {ec(elliptic.P256()), x509.ECDSAWithSHA256},
		{ec(elliptic.P384()), x509.ECDSAWithSHA384}, {ec(elliptic.P521()), x509.ECDSAWithSHA512},
		{sampleKey, x509.PureEd25519},
	} {
		t.Run(tt.algorithm.String(), func(t *testing.T) {
			ca, leaf := signed(t, tt.key, tt.algorithm)
			if err := leaf.SignedBy(ca); err != nil {
				t.Errorf("its own signer: %v", err)
			}
			if !*ca.SelfSigned || *leaf.SelfSigned {
				t.Errorf("self-signed: CA %v, leaf %v", *ca.SelfSigned, *leaf.SelfSigned)
			}
			if err := leaf.SignedBy(otherCA); err == nil || errors.Is(err, ErrUncheckable) {
				t.Errorf("another signer: %v", err)
			}
			wrong := leaf
			wrong.DER = append([]byte(nil), leaf.DER...)
			wrong.DER[len(wrong.DER)-1] ^= 1
			if err := wrong.SignedBy(ca); err == nil || errors.Is(err, ErrUncheckable) {
				t.Errorf("a damaged signature: %v", err)
			}
		})
	}
}

// TestSignedByRefused: neither side need be one that crypto/x509 reads.
func TestSignedByRefused(t *testing.T) {
	parent, err1 := Parse(sample{serial: []byte{0x80}}.der())
	child, err2 := Parse(sample{serial: []byte{0xff, 0x01}, subject: commonNameDER(19, "a_b")}.der())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if parent.Strict != nil || child.Strict != nil {
		t.Fatal("crypto/x509 reads them; the test proves nothing")
	}
	if err := child.SignedBy(parent); err != nil {
		t.Error(err)
	}
	if !*parent.SelfSigned || *child.SelfSigned {
		t.Errorf("self-signed: parent %v, child %v", *parent.SelfSigned, *child.SelfSigned)
	}
}

// TestSmallRSA: crypto/rsa works with no key below 1024 bits, and the answer is
// still right.
func TestSmallRSA(t *testing.T) {
	// A key of 768 bits made of two primes found here.
	e := big.NewInt(65537)
	var n, d *big.Int
	for d == nil {
		p, err1 := rand.Prime(rand.Reader, 384)
		q, err2 := rand.Prime(rand.Reader, 384)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		one := big.NewInt(1)
		n = new(big.Int).Mul(p, q)
		d = new(big.Int).ModInverse(e, new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)))
	}
	public, err := asn1.Marshal(struct {
		N *big.Int
		E int
	}{n, 65537})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(tamper byte) Certificate {
		algorithm := encode(0x30, encode(tagOID, []byte(idPKCS1+"\x0b")), []byte{5, 0})
		s := sample{key: encode(0x30, encode(0x30, encode(tagOID, []byte(idRSA)), []byte{5, 0}), encode(tagBitString, []byte{0}, public))}
		s.outer = func(tbs, _, _ []byte) []byte {
			tbs = replaceOnce(t, tbs, ed25519ID, algorithm)
			h := crypto.SHA256.New()
			h.Write(tbs)
			info := append([]byte(digestInfo(crypto.SHA256)), h.Sum(nil)...)
			padded := []byte{0, 1}
			for len(padded) < 96-1-len(info) {
				padded = append(padded, 0xff)
			}
			padded = append(append(padded, 0), info...)
			m := new(big.Int).SetBytes(padded)
			signature := m.Exp(m, d, n).FillBytes(make([]byte, 96))
			signature[5] ^= tamper
			return encode(0x30, tbs, algorithm, encode(tagBitString, []byte{0}, signature))
		}
		c, err := Parse(s.der())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	good, bad := sign(0), sign(1)
	if err := good.SignedBy(good); err != nil || !*good.SelfSigned {
		t.Errorf("good signature: %v, self-signed %v", err, *good.SelfSigned)
	}
	if err := bad.SignedBy(good); err == nil || errors.Is(err, ErrUncheckable) || *bad.SelfSigned {
		t.Errorf("bad signature: %v, self-signed %v", err, *bad.SelfSigned)
	}
}

// replaceOnce swaps the first algorithm inside a SEQUENCE and mends its length.
func replaceOnce(t *testing.T, tbs, from, to []byte) []byte {
	t.Helper()
	e, _, ok := readElement(tbs)
	if !ok {
		t.Fatal("no element")
	}
	c := cursor{e.content}
	var parts [][]byte
	swapped := false
	for len(c.rest) > 0 {
		part, ok := c.next()
		if !ok {
			t.Fatal("no element")
		}
		if !swapped && string(part.full) == string(from) {
			part.full, swapped = to, true
		}
		parts = append(parts, part.full)
	}
	return encode(0x30, parts...)
}

func TestSignedByUncheckable(t *testing.T) {
	sound, err := Parse(sample{}.der())
	if err != nil {
		t.Fatal(err)
	}
	parse := func(s sample) Certificate {
		c, err := Parse(s.der())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	dsa := encode(0x30, encode(tagOID, []byte("\x2a\x86\x48\xce\x38\x04\x03")))
	unknown := parse(sample{outer: func(a, _, c []byte) []byte { return encode(0x30, a, dsa, c) }})
	curve := parse(sample{key: encode(0x30, encode(0x30, encode(tagOID, []byte(idEC)), encode(tagOID, []byte("\x2b\x81\x04\x00\x0a"))), encode(tagBitString, []byte{0, 4}))})
	noKey := parse(sample{key: encode(0x30)})
	for name, pair := range map[string][2]Certificate{
		"unknown algorithm": {unknown, sound}, "unsupported curve": {sound, curve}, "no key": {sound, noKey},
		"text": {sound, {}}, "text too": {{}, sound},
	} {
		if err := pair[0].SignedBy(pair[1]); !errors.Is(err, ErrUncheckable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Names and key identifiers then decide who signed itself.
	if !*unknown.SelfSigned {
		t.Error("uncheckable, same names: not self-signed")
	}
	ids := func(authority string) [][]byte {
		return [][]byte{extensionDER(idSubjectKeyID, encode(tagOctetString, []byte("id"))),
			extensionDER(idAuthorityKeyID, encode(0x30, encode(0x80, []byte(authority))))}
	}
	swap := func(a, _, c []byte) []byte { return encode(0x30, a, dsa, c) }
	if !*parse(sample{extensions: ids("id"), outer: swap}).SelfSigned {
		t.Error("uncheckable, same key identifiers: not self-signed")
	}
	if *parse(sample{extensions: ids("other"), outer: swap}).SelfSigned {
		t.Error("uncheckable, other key identifier: self-signed")
	}
}
