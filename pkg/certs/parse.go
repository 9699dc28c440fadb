package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
)

// Parse reads one certificate in DER: strictly, as crypto/x509 does, and if
// that refuses, leniently. Bytes after the certificate are noted in Malformed.
// An error is always a [Problem]. The result may share memory with der.
func Parse(der []byte) (Certificate, error) {
	c, why := strictly(der)
	if why == nil {
		return c, nil
	}
	outer, _, ok := readElement(der)
	if !ok || !outer.isSequence() {
		return Certificate{}, Problem{Reason: Malformed, Message: "no certificate: it is not an ASN.1 sequence"}
	}
	return parseElement(outer, len(outer.full) < len(der), why)
}

// parseElement reads a certificate that has been cut out of its input, where
// more followed it or not, and that crypto/x509 has refused because of why, if
// it was asked already.
func parseElement(outer element, followed bool, why error) (Certificate, error) {
	reason := ""
	if followed {
		reason = "trailing data"
	}
	if why == nil || followed && !outer.truncated {
		c, err := strictly(outer.full)
		if err == nil {
			c.Malformed = reason
			return c, nil
		}
		why = err
	}
	p := split(outer)
	if refused := refusal(why); reason == "" || refused != reason {
		reason = refused
	}
	if der := p.der(); !bytes.Equal(der, outer.full) {
		// BER around a sound signed part: what is left may be strict DER.
		if c, err := strictly(der); err == nil {
			c.Malformed = reason
			return c, nil
		}
	}
	return lenient(p, reason)
}

// refusal is an error of crypto/x509 as a note. It can quote the certificate,
// so its length is bounded.
func refusal(err error) string {
	const most = 200
	s := strings.TrimPrefix(err.Error(), "x509: ")
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func strictly(der []byte) (Certificate, error) {
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, err
	}
	c := fromStrict(x)
	if c.NotBefore == nil || c.NotAfter == nil {
		// crypto/x509 allows a zone offset, which can lead out of the years.
		return Certificate{}, errors.New("validity outside the years 0 to 9999")
	}
	return c, nil
}

// fromStrict is on the path of every sound certificate and costs little beside
// crypto/x509: see BenchmarkParse.
func fromStrict(x *x509.Certificate) Certificate {
	// One allocation for the four values that are pointed to.
	known := &struct{ isCA, selfSigned bool }{isCA: x.BasicConstraintsValid && x.IsCA}
	c := Certificate{
		DER: x.Raw, Count: 1,
		Subject: name(&x.Subject, x.RawSubject), Issuer: name(&x.Issuer, x.RawIssuer),
		Serial:    serialOf(x.SerialNumber),
		NotBefore: instant(x.NotBefore), NotAfter: instant(x.NotAfter),
		IsCA: &known.isCA, SelfSigned: &known.selfSigned,
		DNSNames: x.DNSNames, IPs: x.IPAddresses,
		Fingerprint: fingerprint(x.Raw),
		Strict:      x,
	}
	if bytes.Equal(x.RawIssuer, x.RawSubject) {
		outer, _, _ := readElement(x.Raw)
		known.selfSigned = split(outer).selfSigned()
	}
	return c
}

func serialOf(n *big.Int) string {
	if n.Sign() == 0 {
		return "00"
	}
	return hex.EncodeToString(n.Bytes())
}

// Error makes a Problem the error of [Parse].
func (p Problem) Error() string { return p.Message }

// asProblem is the Problem in an error of Parse.
func asProblem(err error) Problem {
	var p Problem
	if !errors.As(err, &p) {
		p = Problem{Reason: Malformed, Message: "certificate cannot be read"}
	}
	return p
}
