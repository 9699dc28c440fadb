package certs

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/certs anew")

// TestFixtures reads testdata/certs, which script tests use too. Each file is
// named for what is wrong with it, and is made here, so that it can be told
// what it is made of; `go test -run TestFixtures -update` writes them.
func TestFixtures(t *testing.T) {
	negative := sample{serial: []byte{0xff, 0x7f}}.der()
	curve := encode(0x30, encode(0x30, encode(tagOID, []byte(idEC)), encode(tagOID, []byte("\x2b\x81\x04\x00\x0a"))), encode(tagBitString, []byte{0, 4}))
	keyID := extensionDER(idSubjectKeyID, encode(tagOctetString, []byte("id")))
	pkcs7 := encode(0x30, encode(tagOID, []byte(idPKCS7+"\x02")), encode(0xa0, encode(0x30,
		encode(tagInteger, []byte{1}), encode(0x31), encode(0x30, encode(tagOID, []byte(idPKCS7+"\x01"))), encode(0xa0, derA, derB), encode(0x31))))
	damaged := strings.Replace(pemA, body64(pemA)[200:204], "****", 1)
	alias := encode(0x30, encode(tagUTF8String, []byte("alias")))
	const reads = "; its notAfter reads 2027-06-30T23:59:59Z"
	tests := []struct {
		name string
		made []byte
		want string
	}{
		{"sound.pem", []byte(pemA), "0:0a"},
		{"sound.der", derA, "0:0a"},
		{"two.pem", []byte(pemA + pemB), "0:0a\n1:0b"},
		{"two.p7b", pkcs7, "0:0a\n1:0b"},
		{"two-of-three-alike.pem", []byte(pemA + pemB + pemA), "0:0a×2\n1:0b"},
		{"negative-serial.pem", pemOf("CERTIFICATE", negative), "0:-81 (negative serial number)"},
		{"malformed-san.pem", pemOf("CERTIFICATE", sample{extensions: [][]byte{ipv5}}.der()), "0:1234 (cannot parse IP address of length 5)"},
		{"duplicate-extension.pem", pemOf("CERTIFICATE", sample{extensions: [][]byte{keyID, keyID}}.der()),
			`0:1234 (certificate contains duplicate extension with OID "2.5.29.14")`},
		{"unsupported-curve.pem", pemOf("CERTIFICATE", sample{key: curve}.der()), "0:1234 (unsupported elliptic curve)"},
		{"trailing-data.pem", pemOf("CERTIFICATE", append(bytes.Clone(derA), 0, 0)), "0:0a (trailing data)"},
		{"trust-settings.pem", pemOf("TRUSTED CERTIFICATE", append(bytes.Clone(derA), alias...)), "0:0a (trailing data)"},
		{"indefinite-length.der", sample{outer: func(a, b, c []byte) []byte { return indefinite(0x30, a, b, c) }}.der(), "0:1234 (malformed certificate)"},
		{"year-1-to-9999.pem", pemOf("CERTIFICATE", sample{before: generalizedTime("00010101000000Z"), after: generalizedTime("99991231235959Z")}.der()), "0:1234"},
		{"inverted-validity.pem", pemOf("CERTIFICATE", sample{before: utcTime("270630235959Z"), after: utcTime("240101000000Z")}.der()), "0:1234"},
		{"bad-not-after.pem", pemOf("CERTIFICATE", sample{after: utcTime("20270630235959Z")}.der()),
			`0: line 1: malformed: certificate whose notAfter cannot be read; it is written "20270630235959Z"`},
		{"bad-not-before.pem", pemOf("CERTIFICATE", sample{before: utcTime("20240101000000Z")}.der()),
			`0:1234 (notBefore cannot be read; it is written "20240101000000Z")`},
		{"invalid-base64.pem", []byte(damaged), "0: line 1: malformed: invalid base64 on line 5" + reads},
		{"invalid-base64-between-two.pem", []byte(pemA + damaged + pemB), "0:0a\n2:0b\n1: line 8: malformed: invalid base64 on line 12" + reads},
		{"no-end-line.pem", []byte(strings.TrimSuffix(pemA, "-----END CERTIFICATE-----\n")), "0:0a (no END line)"},
		{"no-newline-between.pem", []byte(strings.TrimSpace(pemA) + pemB), "0:0a\n1:0b"},
		{"cut-off.der", derA[:len(derA)-20], "0: line 0: truncated: certificate ends before it is complete" + reads},
		{"byte-order-mark.pem", []byte("\ufeff" + pemA), "0:0a"},
		{"utf-16.pem", utf16Bytes(strings.ReplaceAll(pemA, "\n", "\r\n"), true, false), "0:0a"},
		{"carriage-returns.pem", []byte(strings.ReplaceAll(pemA, "\n", "\r")), "0:0a"},
		{"indented.pem", []byte("    ca: |\n" + eachLine(pemA, "      ")), "0:0a"},
		{"java.jks", []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x00"), "0: line 0: unsupported: a Java key store (JKS) is not read"},
		{"dates.txt", []byte("notBefore=Jan  1 00:00:00 2024 GMT\nnotAfter=Jun 30 23:59:59 2027 GMT\n"), "0: text"},
		{"bad-date.txt", []byte("notBefore=Jan  1 00:00:00 2024 GMT\nnotAfter=Bad time value\n"),
			"0: line 1: malformed: text about a certificate whose notAfter is no date"},
		{"no-certificate.txt", []byte("Renew the certificates before they expire.\n"), ""},
	}
	folder := filepath.Join("..", "..", "testdata", "certs")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(folder, tt.name)
			if *update {
				if err := os.WriteFile(file, tt.made, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, tt.made) {
				t.Error("the file is not what is made here; -update writes it")
			}
			if got := summary(Read(data)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
