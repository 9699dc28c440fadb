package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

// indefinite writes an element with an indefinite length.
func indefinite(identifier byte, parts ...[]byte) []byte {
	out := append([]byte{identifier, 0x80}, bytes.Join(parts, nil)...)
	return append(out, 0, 0)
}

// long writes a length with leading zeros, which BER allows and DER does not.
func long(identifier byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	n := len(content)
	return append([]byte{identifier, 0x84, 0, 0, byte(n >> 8), byte(n)}, content...)
}

// ipv5 is a subject alternative name with an address of five octets beside
// good ones.
var ipv5 = extensionDER(idSubjectAltName, encode(0x30,
	encode(0x82, []byte("a.example")), encode(0x87, []byte{1, 2, 3, 4, 5}), encode(0x87, []byte{10, 0, 0, 1})))

// TestParseLenient has certificates that crypto/x509 refuses and OpenSSL, in
// most cases, reads.
func TestParseLenient(t *testing.T) {
	isCA := extensionDER(idBasicConstraints, encode(0x30, encode(tagBoolean, []byte{0xff})))
	keyID := extensionDER(idSubjectKeyID, encode(tagOctetString, []byte("id")))
	tests := []struct {
		name      string
		der       []byte
		malformed string
		subject   string
		serial    string
		isCA      bool
	}{
		{"negative serial", sample{serial: []byte{0xff, 0x7f}}.der(), "negative serial number", "CN=sample", "-81", false},
		{"most negative serial", sample{serial: []byte{0x80}}.der(), "negative serial number", "CN=sample", "-80", false},
		{"padded serial", sample{serial: []byte{0, 0, 5}}.der(), "malformed serial number", "CN=sample", "05", false},
		{"empty serial", sample{serial: []byte{}}.der(), "malformed serial number", "CN=sample", "", false},
		{"malformed SAN", sample{extensions: [][]byte{ipv5, isCA}}.der(),
			"cannot parse IP address of length 5", "CN=sample", "1234", true},
		{"duplicate extension", sample{extensions: [][]byte{keyID, keyID}}.der(),
			`certificate contains duplicate extension with OID "2.5.29.14"`, "CN=sample", "1234", false},
		{"trailing data", append(sample{}.der(), "junk"...), "trailing data", "CN=sample", "1234", false},
		{"indefinite outer length", sample{outer: func(a, b, c []byte) []byte { return indefinite(0x30, a, b, c) }}.der(),
			"malformed certificate", "CN=sample", "1234", false},
		{"long outer length", sample{outer: func(a, b, c []byte) []byte { return long(0x30, a, b, c) }}.der(),
			"malformed certificate", "CN=sample", "1234", false},
		{"indefinite names", sample{subject: indefinite(0x30, encode(0x31, encode(0x30,
			encode(tagOID, []byte("\x55\x04\x03")), indefinite(0x20|tagUTF8String, encode(tagUTF8String, []byte("in ")), encode(tagUTF8String, []byte("parts"))))))}.der(),
			"malformed issuer", "CN=in parts", "1234", false},
		{"Latin-1 in UTF8String", sample{subject: commonNameDER(tagUTF8String, "Z\xfcrich")}.der(),
			"invalid RDNSequence: invalid attribute value: invalid UTF-8 string", "CN=Zürich", "1234", false},
		{"underscore in PrintableString", sample{subject: commonNameDER(19, "a_b")}.der(),
			"invalid RDNSequence: invalid attribute value: invalid PrintableString", "CN=a_b", "1234", false},
		{"UniversalString", sample{subject: commonNameDER(tagUniversalString, "\x00\x00\x00A\x00\x01\xf6\x00")}.der(),
			"invalid RDNSequence: invalid attribute value: unsupported string type: 28", "CN=A😀", "1234", false},
		{"odd BMPString", sample{subject: commonNameDER(tagBMPString, "abc")}.der(),
			"invalid RDNSequence: invalid attribute value: invalid BMPString", "CN=abc", "1234", false},
		{"version 5", sample{version: encode(0xa0, encode(tagInteger, []byte{4}))}.der(), "invalid version", "CN=sample", "1234", false},
		{"unsupported curve", sample{key: encode(0x30, encode(0x30, encode(tagOID, []byte(idEC)), encode(tagOID, []byte("\x2b\x81\x04\x00\x0a"))), encode(tagBitString, []byte{0, 4}))}.der(),
			"unsupported elliptic curve", "CN=sample", "1234", false},
		{"name without the constructed bit", sample{subject: append([]byte{0x10}, commonNameDER(tagUTF8String, "x")[1:]...)}.der(), "malformed issuer", "CN=x", "1234", false},
		{"no signature", sample{outer: func(a, b, _ []byte) []byte { return encode(0x30, a, b) }}.der(),
			"malformed signature", "CN=sample", "1234", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := x509.ParseCertificate(tt.der); err == nil {
				t.Fatal("crypto/x509 reads it; the test proves nothing")
			}
			c, err := Parse(tt.der)
			if err != nil {
				t.Fatal(err)
			}
			if c.Malformed != tt.malformed {
				t.Errorf("malformed %q, want %q", c.Malformed, tt.malformed)
			}
			if c.Subject != tt.subject || c.Serial != tt.serial {
				t.Errorf("subject %q, serial %q; want %q, %q", c.Subject, c.Serial, tt.subject, tt.serial)
			}
			if !c.NotBefore.Equal(sampleBefore) || !c.NotAfter.Equal(sampleAfter) {
				t.Errorf("valid %v to %v", c.NotBefore, c.NotAfter)
			}
			if c.IsCA == nil || *c.IsCA != tt.isCA {
				t.Errorf("IsCA %v, want %v", c.IsCA, tt.isCA)
			}
			if c.Count != 1 || c.Fingerprint != fingerprint(c.DER) {
				t.Errorf("count %d, fingerprint %s", c.Count, c.Fingerprint)
			}
		})
	}
}

// TestParseAltNames: the good names beside a bad one are kept.
func TestParseAltNames(t *testing.T) {
	c, err := Parse(sample{extensions: [][]byte{ipv5}}.der())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.DNSNames) != 1 || c.DNSNames[0] != "a.example" || len(c.IPs) != 1 || c.IPs[0].String() != "10.0.0.1" {
		t.Errorf("names %q, addresses %v", c.DNSNames, c.IPs)
	}
}

// TestParseRestoresDER: lengths that are only too long around the signed part
// make the certificate no other one, for its fingerprint or for crypto/x509.
func TestParseRestoresDER(t *testing.T) {
	want := sample{}.der()
	for name, outer := range map[string]func(a, b, c []byte) []byte{
		"indefinite": func(a, b, c []byte) []byte { return indefinite(0x30, a, indefinite(0x30, b[2:]), c) },
		"long":       func(a, b, c []byte) []byte { return long(0x30, a, long(0x30, b[2:]), long(tagBitString, c[2:])) },
		"trailing":   func(a, b, c []byte) []byte { return append(encode(0x30, a, b, c), 1, 2, 3) },
	} {
		c, err := Parse(sample{outer: outer}.der())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(c.DER, want) || c.Strict == nil || c.Malformed == "" {
			t.Errorf("%s: DER restored %v, strict %v, malformed %q", name, bytes.Equal(c.DER, want), c.Strict != nil, c.Malformed)
		}
	}
}

// TestParseUnusedBits: OpenSSL's fingerprint is that of unused bits at zero.
func TestParseUnusedBits(t *testing.T) {
	c, err := Parse(sample{outer: func(a, b, c []byte) []byte {
		c = bytes.Clone(c)
		c[2], c[len(c)-1] = 3, 0xff
		return encode(0x30, a, b, c)
	}}.der())
	if err != nil {
		t.Fatal(err)
	}
	if last := c.DER[len(c.DER)-1]; last != 0xf8 || c.Malformed != "malformed signature" {
		t.Errorf("last octet %#x, malformed %q", last, c.Malformed)
	}
}

// TestParseStrict: a sound certificate, field by field.
func TestParseStrict(t *testing.T) {
	der := sample{}.der()
	c, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if c.Malformed != "" || c.Strict == nil || c.Subject != "CN=sample" || c.Issuer != "CN=sample" || c.Serial != "1234" ||
		*c.IsCA || !*c.SelfSigned || !bytes.Equal(c.DER, der) || when(c.NotAfter) != "2027-06-30T23:59:59Z" {
		t.Errorf("%+v", c)
	}
	c, err = Parse(sample{before: generalizedTime("00010101000000Z"), after: generalizedTime("99991231235959Z"), serial: []byte{0}}.der())
	if err != nil {
		t.Fatal(err)
	}
	if when(c.NotBefore) != "0001-01-01T00:00:00Z" || when(c.NotAfter) != "9999-12-31T23:59:59Z" || c.Serial != "00" {
		t.Errorf("valid %v to %v, serial %q", c.NotBefore, c.NotAfter, c.Serial)
	}
}

func TestParseErrors(t *testing.T) {
	whole := sample{serial: []byte{0x80}}.der()
	tests := []struct {
		name    string
		der     []byte
		reason  Reason
		message string
	}{
		{"empty", nil, Malformed, "no certificate: it is not an ASN.1 sequence"},
		{"text", []byte("hello"), Malformed, "no certificate: it is not an ASN.1 sequence"},
		{"cut after the dates", whole[:len(whole)-70], Truncated, "certificate ends before it is complete; its notAfter reads 2027-06-30T23:59:59Z"},
		{"cut before the dates", whole[:40], Truncated, "certificate ends before it is complete"},
		{"bad notAfter", sample{after: utcTime("20270630235959Z")}.der(), Malformed,
			`certificate whose notAfter cannot be read; it is written "20270630235959Z"`},
		{"notAfter of letters", sample{after: utcTime("secretsecret")}.der(), Malformed, "certificate whose notAfter cannot be read"},
		{"no validity", sample{validity: encode(0x30)}.der(), Malformed, "certificate whose notAfter cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(tt.der)
			var p Problem
			if !errors.As(err, &p) {
				t.Fatalf("error %v is no Problem", err)
			}
			if p.Reason != tt.reason || p.Message != tt.message {
				t.Errorf("%s: %s; want %s: %s", p.Reason, p.Message, tt.reason, tt.message)
			}
		})
	}
}

// TestParseBadNotBefore: the date that matters is kept.
func TestParseBadNotBefore(t *testing.T) {
	c, err := Parse(sample{before: utcTime("2401010000")}.der())
	if err != nil {
		t.Fatal(err)
	}
	if c.NotBefore != nil || when(c.NotAfter) != "2027-06-30T23:59:59Z" || !strings.HasPrefix(c.Malformed, "notBefore cannot be read") {
		t.Errorf("valid %v to %v, malformed %q", c.NotBefore, c.NotAfter, c.Malformed)
	}
}

// TestParseLongName: a name of many attributes takes no quadratic time, and
// its certificate is still read.
func TestParseLongName(t *testing.T) {
	set := encode(0x31, encode(0x30, encode(tagOID, []byte("\x55\x04\x0b")), encode(tagUTF8String, []byte("x"))))
	name := encode(0x30, bytes.Repeat(set, 100_000))
	c, err := Parse(sample{subject: name}.der())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Subject) == 0 || len(c.Subject) > longName {
		t.Errorf("subject of %d bytes", len(c.Subject))
	}
}
