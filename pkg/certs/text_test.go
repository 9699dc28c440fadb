package certs

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestReadText has what openssl and curl print, one option or version each.
func TestReadText(t *testing.T) {
	const from, to = "2024-11-23T10:59:00Z", "2027-11-23T10:59:00Z"
	tests := []struct {
		name, input string
		want        Certificate // dates aside
		from, to    string
	}{
		{name: "-dates", input: "notBefore=Nov 23 10:59:00 2024 GMT\nnotAfter=Nov 23 10:59:00 2027 GMT\n", from: from, to: to},
		{name: "-enddate", input: "notAfter=Nov 23 10:59:00 2027 GMT", from: "unknown", to: to},
		{name: "-startdate", input: "notBefore=Nov 23 10:59:00 2024 GMT", from: from, to: "unknown"},
		{name: "CR LF", input: "notBefore=Nov 23 10:59:00 2024 GMT\r\nnotAfter=Nov 23 10:59:00 2027 GMT\r\n", from: from, to: to},
		{name: "UTF-16", input: string(utf16Bytes("notAfter=Nov 23 10:59:00 2027 GMT\r\n", true, false)), from: "unknown", to: to},
		{name: "-dateopt iso_8601", input: "notBefore=2024-11-23 10:59:00Z\nnotAfter=2027-11-23 10:59:00Z\n", from: from, to: to},
		{name: "one digit day", input: "notAfter=Nov  3 01:02:03 2027 GMT", from: "unknown", to: "2027-11-03T01:02:03Z"},
		{name: "far years", input: "notBefore=Jan  1 00:00:00 1 GMT\nnotAfter=Dec 31 23:59:59 9999 GMT\n", from: "0001-01-01T00:00:00Z", to: "9999-12-31T23:59:59Z"},
		{name: "far years in ISO", input: "notBefore=   0-01-01 00:00:00Z\nnotAfter=9999-12-31 23:59:59Z\n", from: "0000-01-01T00:00:00Z", to: "9999-12-31T23:59:59Z"},
		{name: "fraction", input: "notAfter=Nov 23 10:59:00.75 2027 GMT", from: "unknown", to: to},
		{name: "offset in the certificate", input: "notAfter=Nov 23 10:59:00 2027", from: "unknown", to: to},
		{name: "1.1.1", input: "subject=C = US, O = Example, CN = x\nissuer=CN = ca\nserial=0A\nnotAfter=Nov 23 10:59:00 2027 GMT\nSHA256 Fingerprint=" + strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\n",
			want: Certificate{Subject: "CN=x,O=Example,C=US", Issuer: "CN=ca", Serial: "0a", Fingerprint: strings.Repeat("ab", 32)}, from: "unknown", to: to},
		{name: "3", input: "subject=C=US, O=Example, CN=x\nissuer=CN=ca\nserial=-80\nnotAfter=Nov 23 10:59:00 2027 GMT\nsha256 Fingerprint=" + strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\n",
			want: Certificate{Subject: "CN=x,O=Example,C=US", Issuer: "CN=ca", Serial: "-80", Fingerprint: strings.Repeat("ab", 32)}, from: "unknown", to: to},
		{name: "0.9.8 names", input: "subject= /C=US/O=Example/CN=x\nnotAfter=Nov 23 10:59:00 2027 GMT\n",
			want: Certificate{Subject: "CN=x,O=Example,C=US"}, from: "unknown", to: to},
		{name: "curl", input: "* Server certificate:\n*  subject: C=US; O=Example; CN=x\n*  start date: Nov 23 10:59:00 2024 GMT\n*  expire date: Nov 23 10:59:00 2027 GMT\n*  subjectAltName: host \"x\" matched cert's \"x\"\n*  issuer: CN=ca\n*  SSL certificate verify ok.\n",
			want: Certificate{Subject: "CN=x,O=Example,C=US", Issuer: "CN=ca"}, from: from, to: to},
		{name: "s_client chain", input: "Certificate chain\n 0 s:CN = x\n   i:CN = ca\n   a:PKEY: rsaEncryption, 2048 (bit); sigalg: RSA-SHA256\n   v:NotBefore: Nov 23 10:59:00 2024 GMT; NotAfter: Nov 23 10:59:00 2027 GMT\n",
			want: Certificate{Subject: "CN=x", Issuer: "CN=ca"}, from: from, to: to},
		{name: "-text, small serial", input: "Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number: 10 (0xa)\n        Signature Algorithm: ED25519\n        Issuer: CN = ca\n        Validity\n            Not Before: Nov 23 10:59:00 2024 GMT\n            Not After : Nov 23 10:59:00 2027 GMT\n        Subject: CN = x\n        Subject Public Key Info:\n",
			want: Certificate{Subject: "CN=x", Issuer: "CN=ca", Serial: "0a"}, from: from, to: to},
		{name: "-text, long negative serial", input: "Certificate:\n        Serial Number:\n             (Negative)04:5f:00\n        Issuer: CN = ca\n            Not After : Nov 23 10:59:00 2027 GMT\n",
			want: Certificate{Issuer: "CN=ca", Serial: "-045f00"}, from: "unknown", to: to},
		{name: "-text, small negative serial", input: "Certificate:\n        Serial Number: -129 (-0x81)\n            Not After : Nov 23 10:59:00 2027 GMT\n",
			want: Certificate{Serial: "-81"}, from: "unknown", to: to},
		{name: "-text, key usage period", input: "Certificate:\n            Not Before: Nov 23 10:59:00 2024 GMT\n            Not After : Nov 23 10:59:00 2027 GMT\n        X509v3 extensions:\n            X509v3 Private Key Usage Period: \n                Not Before: Nov 23 10:59:00 2000 GMT, Not After: Nov 23 10:59:00 2001 GMT\n",
			from: from, to: to},
		{name: "bad notBefore", input: "notBefore=Bad time value\nnotAfter=Nov 23 10:59:00 2027 GMT\n", want: Certificate{Malformed: "notBefore is no date"}, from: "unknown", to: to},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, problems := Read([]byte(tt.input))
			if len(found) != 1 || len(problems) != 0 {
				t.Fatalf("found %d, problems %v", len(found), problems)
			}
			c := found[0]
			if when(c.NotBefore) != tt.from || when(c.NotAfter) != tt.to {
				t.Errorf("valid %s to %s, want %s to %s", when(c.NotBefore), when(c.NotAfter), tt.from, tt.to)
			}
			if c.Subject != tt.want.Subject || c.Issuer != tt.want.Issuer || c.Serial != tt.want.Serial ||
				c.Fingerprint != tt.want.Fingerprint || c.Malformed != tt.want.Malformed {
				t.Errorf("got  %+v\nwant %+v", c, tt.want)
			}
			if c.DER != nil || c.Strict != nil || c.Count != 1 || c.SelfSigned != nil {
				t.Errorf("a text row claims more than the text said: %+v", c)
			}
		})
	}
}

// TestReadTextRecords is about where one record ends and the next starts.
func TestReadTextRecords(t *testing.T) {
	date := func(s string) string { return s + "=Nov 23 10:59:00 2027 GMT\n" }
	tests := []struct {
		name, input, want string
	}{
		{"two of -dates, all alike", date("notBefore") + date("notAfter") + date("notBefore") + date("notAfter"), "0: text\n1: text"},
		{"three of -enddate", date("notAfter") + date("notAfter") + date("notAfter"), "0: text\n1: text\n2: text"},
		{"serials", "serial=0A\n" + date("notAfter") + "serial=0B\n" + date("notAfter"), "0:0a text\n1:0b text"},
		{"no date", "subject=CN = x\nissuer=CN = ca\nserial=0A\n", ""},
		{"bad date", "\nserial=0A\nnotAfter=Bad time value\nserial=0B\n" + date("notAfter"),
			"1:0b text\n0: line 2: malformed: text about a certificate whose notAfter is no date"},
		{"bad start date", "notBefore=Bad time value\n", "0: line 1: malformed: text about a certificate whose notBefore is no date"},
		{"no such day", "notAfter=Feb 29 10:59:00 2027 GMT", "0: line 1: malformed: text about a certificate whose notAfter is no date"},
		{"another zone", "notAfter=Nov 23 10:59:00 2027 CET", "0: line 1: malformed: text about a certificate whose notAfter is no date"},
		{"cut off", "notAfter=Nov 23", "0: line 1: malformed: text about a certificate whose notAfter is no date"},
		{"text, then an unrelated PEM", "serial=0C\nnotAfter=Jun 30 23:59:59 2027 GMT\n" + pemA, "0:0c text\n1:0a"},
		{"text with other dates, then PEM", date("notAfter") + pemA, "0: text\n1:0a"},
		{"its own text, then PEM", "notBefore=Jan  1 00:00:00 2024 GMT\nnotAfter=Jun 30 23:59:59 2027 GMT\n" + pemA, "0:0a"},
		{"PEM, then its own text", pemA + "serial=0A\nnotAfter=Jun 30 23:59:59 2027 GMT\n", "0:0a"},
		{"another name with the same dates", "subject=CN = other\nnotAfter=Jun 30 23:59:59 2027 GMT\n" + pemA, "0: text\n1:0a"},
		{"far from its PEM", pemA + pemB + "subject=CN = sample\nserial=0A\nnotAfter=Jun 30 23:59:59 2027 GMT\n", "0:0a\n1:0b"},
		{"inside an unfinished key", "-----BEGIN PRIVATE KEY-----\nAAAA\n" + date("notAfter"), "0: text"},
		{"after an unfinished certificate", "-----BEGIN CERTIFICATE-----\n" + body64(pemA) + "\nserial=0C\n" + date("notAfter"), "0:0a (no END line)\n1:0c text"},
		{"Mozilla bundle", "# Issuer: CN=sample\n# Subject: CN=sample\n# Label: \"sample\"\n# Serial: 10\n# SHA256 Fingerprint: eb:d4\n" + pemA, "0:0a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(Read([]byte(tt.input))); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// TestTextAsOpenSSL gives openssl's own output back: each form must say what
// the certificate says.
func TestTextAsOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); errors.Is(err, exec.ErrNotFound) {
		t.Skip("openssl is not installed")
	}
	ders := map[string][]byte{
		"sound":           derA,
		"negative serial": sample{serial: []byte{0xff, 0x7f}}.der(),
		"long serial":     sample{serial: bytes.Repeat([]byte{0x71}, 20)}.der(),
		"long negative":   sample{serial: bytes.Repeat([]byte{0x91}, 20)}.der(),
		"years":           sample{before: generalizedTime("00010101000000Z"), after: generalizedTime("99991231235959Z")}.der(),
		"fraction":        sample{after: generalizedTime("20270630235959.75Z")}.der(),
		"offset":          sample{after: utcTime("270630235959+0100")}.der(),
		"names": sample{extensions: [][]byte{extensionDER(idSubjectAltName, encode(0x30, encode(0x82, []byte("a.example")), encode(0x87, []byte{10, 0, 0, 1}))),
			extensionDER(idBasicConstraints, encode(0x30, encode(tagBoolean, []byte{0xff})))}}.der(),
	}
	options := []string{
		"-noout -text", "-noout -dates -serial -subject -issuer -fingerprint -sha256", "-noout -serial -text", "-noout -text -dates -serial", "-noout -dates -text",
		"-noout -dates -dateopt iso_8601 -serial", "-noout -text -nameopt RFC2253", "-text", "-dates", "-text -serial",
	}
	for name, der := range ders {
		want, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		for _, option := range options {
			cmd := exec.Command("openssl", append([]string{"x509"}, strings.Fields(option)...)...)
			cmd.Stdin = bytes.NewReader(pemOf("CERTIFICATE", der))
			out, err := cmd.Output()
			if err != nil {
				continue // an option this version does not have
			}
			found, problems := Read(out)
			if len(found) != 1 || len(problems) != 0 {
				t.Errorf("%s, %s: found %d, problems %v in\n%s", name, option, len(found), problems, out)
				continue
			}
			got := found[0]
			if !got.NotBefore.Equal(*want.NotBefore) || !got.NotAfter.Equal(*want.NotAfter) || got.Serial != want.Serial && strings.Contains(option, "-serial") ||
				got.Subject != "" && got.Subject != want.Subject || got.Fingerprint != "" && got.Fingerprint != want.Fingerprint {
				t.Errorf("%s, %s: got\n%+v\nwant\n%+v", name, option, got, want)
			}
			if strings.Contains(option, "-text") && (*got.NotAfter != *want.NotAfter || len(got.DNSNames) != len(want.DNSNames) || len(got.IPs) != len(want.IPs)) {
				t.Errorf("%s, %s: names %q, addresses %v", name, option, got.DNSNames, got.IPs)
			}
		}
	}
}
