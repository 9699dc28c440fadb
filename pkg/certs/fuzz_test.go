package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzRead(f *testing.F) {
	bundle := pemA + pemB
	for _, s := range []string{
		"", pemA, bundle, strings.ReplaceAll(bundle, "\n", "\r"), string(utf16Bytes(pemA, true, false)), eachLine(pemA, "> "),
		pemA[:len(pemA)/2] + pemB, strings.TrimSpace(pemA) + pemB, string(derA), string(derA) + string(derB) + "\n" + pemA, string(derA[:90]),
		base64.StdEncoding.EncodeToString(derA), base64.StdEncoding.EncodeToString([]byte(bundle)),
		"-----BEGIN PRIVATE KEY-----\nAAAA\n" + pemA, "notAfter=Nov 23 10:59:00 2027 GMT\n" + pemA,
		string(encode(0x30, encode(tagOID, []byte(idPKCS7+"\x02")), encode(0xa0, encode(0x30, encode(0xa0, derA, derB))))),
		string(indefinite(0x30, encode(tagOID, []byte(idPKCS7+"\x02")), indefinite(0xa0, indefinite(0x30, indefinite(0xa0, derA, derB))))),
		"\xfe\xed\xfe\xed", `{"a":"` + strings.ReplaceAll(pemA, "\n", `\n`) + `"}`,
		strings.Replace(pemA, "-----\n", "-----\nA: b\n\n", 1),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		input := bytes.Clone(data)
		found, problems := Read(data)
		if !bytes.Equal(data, input) {
			t.Fatal("the input was changed")
		}
		sound(t, found, problems)
		// What the standard library finds, Read finds.
		have := map[string]bool{}
		for _, c := range found {
			have[string(c.DER)] = true
		}
		for rest := data; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" {
				continue
			}
			if c, err := x509.ParseCertificate(block.Bytes); err == nil && !have[string(c.Raw)] {
				t.Errorf("not found: serial %v", c.SerialNumber)
			}
		}
		if c, err := x509.ParseCertificate(data); err == nil && !have[string(c.Raw)] {
			t.Errorf("not found in DER: serial %v", c.SerialNumber)
		}
	})
}

// sound holds what is true of every result.
func sound(t *testing.T, found []Certificate, problems []Problem) {
	t.Helper()
	seen := map[int]bool{}
	last := -1
	for _, c := range found {
		if c.Index <= last || seen[c.Index] {
			t.Errorf("index %d after %d", c.Index, last)
		}
		last, seen[c.Index] = c.Index, true
		soundCertificate(t, c)
	}
	last = -1
	for _, p := range problems {
		if p.Index <= last || seen[p.Index] {
			t.Errorf("problem with index %d after %d", p.Index, last)
		}
		last, seen[p.Index] = p.Index, true
		if p.Message == "" || p.Reason == "" || p.Line < 0 || !utf8.ValidString(p.Message) {
			t.Errorf("problem %+v", p)
		}
	}
}

func soundCertificate(t *testing.T, c Certificate) {
	t.Helper()
	if c.Count < 1 {
		t.Errorf("count %d", c.Count)
	}
	for _, at := range []*time.Time{c.NotBefore, c.NotAfter} {
		if at != nil && (at.Year() < 0 || at.Year() > 9999 || at.Nanosecond() != 0 || at.Location() != time.UTC) {
			t.Errorf("date %v", at)
		}
	}
	if c.DER == nil {
		if c.NotBefore == nil && c.NotAfter == nil {
			t.Error("text without a date")
		}
		return
	}
	if c.NotAfter == nil || c.Fingerprint != fingerprint(c.DER) || c.Strict != nil && !bytes.Equal(c.Strict.Raw, c.DER) {
		t.Errorf("certificate %+v", c)
	}
	if c.Strict == nil && c.Malformed == "" {
		t.Error("refused without a reason")
	}
	if !utf8.ValidString(c.Subject) && c.Strict == nil || !utf8.ValidString(c.Malformed) {
		t.Errorf("subject %q, malformed %q", c.Subject, c.Malformed)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []sample{
		{}, {serial: []byte{0x80}}, {extensions: [][]byte{ipv5}}, {after: generalizedTime("99991231235959-0100")},
		{before: utcTime("2401010000+0100")}, {subject: indefinite(0x30)}, {subject: commonNameDER(tagBMPString, "abc")},
		{outer: func(a, b, c []byte) []byte { return indefinite(0x30, a, b, c) }},
		{outer: func(a, b, c []byte) []byte { return long(0x30, a, b, c) }},
	} {
		f.Add(s.der())
	}
	f.Add(rsaLeaf(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := Parse(der)
		strict, refused := x509.ParseCertificate(der)
		if err != nil {
			if p := asProblem(err); p.Message == "" || p.Reason == "" {
				t.Errorf("error %v", err)
			}
			if refused == nil && strict.NotAfter.UTC().Year() <= 9999 && strict.NotAfter.UTC().Year() >= 0 {
				t.Errorf("crypto/x509 reads it: %v", err)
			}
			return
		}
		soundCertificate(t, c)
		if refused == nil && len(strict.RawSubject) < longName && c.Subject != strict.Subject.String() {
			t.Errorf("subject %q, pkix: %q", c.Subject, strict.Subject.String())
		}
		if refused == nil && (!c.NotAfter.Equal(strict.NotAfter) || c.NotBefore != nil && !c.NotBefore.Equal(strict.NotBefore)) {
			t.Errorf("valid %v to %v, crypto/x509: %v to %v", c.NotBefore, c.NotAfter, strict.NotBefore, strict.NotAfter)
		}
		_ = c.SignedBy(c)
		// Its own DER is the same certificate.
		again, err := Parse(c.DER)
		if err != nil || again.Fingerprint != c.Fingerprint || !again.NotAfter.Equal(*c.NotAfter) || again.Serial != c.Serial {
			t.Errorf("read again: %v, %+v", err, again)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"notBefore=Nov 23 10:59:00 2024 GMT\nnotAfter=Nov 23 10:59:00 2027 GMT\nserial=0A\nsubject=C = US, CN = x\nissuer=/C=US/CN=x\n",
		"notBefore=   1-01-01 00:00:00Z\nnotAfter=9999-12-31 23:59:59.5Z\nsha256 Fingerprint=AB:CD\n",
		"Certificate:\n  Serial Number: -1 (-0x1)\n   Not Before: Nov 23 10:59:00 2024 GMT\n  Not After : Bad time value\n Subject: CN = x\n",
		"Certificate:\n  Serial Number:\n     (Negative)04:5f\n  Not After : Nov 23 10:59:00 2027 GMT\n X509v3 extensions:\n X509v3 Basic Constraints: \n CA:TRUE\n X509v3 Subject Alternative Name: \n DNS:a, IP Address:::1\n",
		"*  expire date: Nov 23 10:59:00 2027 GMT\n", "  v:NotBefore: Nov 23 10:59:00 2024 GMT; NotAfter: Nov 23 10:59:00 2027 GMT\n",
		"notAfter=Jun 30 23:59:59 2027 GMT\n" + pemA + "serial=0A\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, problems := Read([]byte(text))
		sound(t, found, problems)
		for _, c := range found {
			if strings.Trim(c.Serial, "-"+hexDigits) != "" || len(strings.TrimPrefix(c.Serial, "-"))%2 != 0 {
				t.Errorf("serial %q", c.Serial)
			}
			if c.Fingerprint != "" && len(c.Fingerprint) != 64 {
				t.Errorf("fingerprint %q", c.Fingerprint)
			}
		}
	})
}
