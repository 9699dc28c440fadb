package certs

import (
	"bytes"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
)

// TestReadIsBounded feeds inputs of a few megabytes that are made to be slow or
// big. A quadratic scan of one does not end within the test binary's own time;
// what is allocated is bounded here.
func TestReadIsBounded(t *testing.T) {
	const size, most = 4 << 20, 100
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	nested := func(open string) string {
		return strings.Repeat(open, size/len(open))
	}
	set := string(encode(0x31, encode(0x30, encode(tagOID, []byte("\x55\x04\x0b")), encode(tagUTF8String, []byte("x")))))
	smallText := "serial=0A\nnotBefore=Jan  1 00:00:00 2024 GMT\nnotAfter=Jun 30 23:59:59 2026 GMT\n"
	emptyExtension := string(encode(0x30, encode(tagOID, []byte(idSubjectAltName)), encode(tagOctetString)))
	tests := []struct{ name, input string }{
		{"BEGIN", fill("-----BEGIN CERTIFICATE-----\n")},
		{"BEGIN and half a body", fill("-----BEGIN CERTIFICATE-----\nMIIB")},
		{"END", fill("-----END CERTIFICATE-----\n")},
		{"BEGIN END", fill("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")},
		{"END BEGIN", fill("-----END CERTIFICATE----------BEGIN CERTIFICATE-----")},
		{"dashes", fill("-")},
		{"words without dashes", fill("BEGIN END ")},
		{"base64", fill("A")},
		{"base64 lines", fill("AAAA\n")},
		{"base64 lines, then END", fill("AAAA\n") + "-----END CERTIFICATE-----"},
		{"one block", "-----BEGIN CERTIFICATE-----\n" + fill("AAAA*") + "\n-----END CERTIFICATE-----"},
		{"headers", "-----BEGIN CERTIFICATE-----\n" + fill("A: b\n")},
		{"escapes", "-----BEGIN CERTIFICATE-----\n" + fill(`\n`)},
		{"empty sequences", fill("\x30\x00")},
		{"nested sequences", nested("\x30\x84\x00\x3f\xff\xf0")},
		{"nested indefinite", nested("\x30\x80")},
		{"indefinite and ended", nested("\x30\x80\x30\x80\x00\x00\x00\x00")},
		{"nested PKCS#7", nested("\x30\x80\x06\x09" + idPKCS7 + "\x02\xa0\x80\x30\x80\xa0\x80")},
		{"constructed string", string(sample{subject: indefinite(0x30, indefinite(0x31, indefinite(0x30, encode(tagOID, []byte("\x55\x04\x03")), []byte(nested("\x2c\x80")))))}.der())},
		{"long name", string(sample{serial: []byte{0x80}, subject: encode(0x30, []byte(fill(set)))}.der())},
		{"empty extensions", string(sample{serial: []byte{0x80}, extensions: [][]byte{[]byte(fill(emptyExtension))}}.der())},
		{"long serial", string(sample{serial: append([]byte{0x80}, fill("x")...)}.der())},
		{"records", fill(smallText)},
		{"records and their certificate", fill(smallText) + pemA},
		{"one certificate again and again", fill(pemA)},
		{"certificates with records", fill(pemA + smallText)},
		{"line breaks", fill("\r")},
		{"base64 of base64", base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(fill(pemA)))))},
		{"subjects", fill("subject="+strings.Repeat("CN", 4000)+"\n") + "notAfter=Jun 30 23:59:59 2026 GMT\n"},
		{"commas", "-----BEGIN CERTIFICATE-----\n" + fill(" , , ") + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			found, problems := Read([]byte(tt.input))
			runtime.ReadMemStats(&after)
			times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(tt.input))
			t.Logf("%d found, %d problems, allocated %.1f times the input", len(found), len(problems), times)
			if times > most {
				t.Errorf("allocated %.1f times the input, want at most %d times", times, most)
			}
		})
	}
}

// TestReadManyProblems: places are right however many there are, and the rest
// is counted.
func TestReadManyProblems(t *testing.T) {
	var b bytes.Buffer
	for range 20_000 {
		b.WriteString("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n")
	}
	_, problems := Read(b.Bytes())
	if len(problems) != mostProblems+1 {
		t.Fatalf("%d problems", len(problems))
	}
	last := problems[mostProblems]
	if last.Message != "19000 more places look like certificates and cannot be read" || last.Index != mostProblems {
		t.Errorf("the last problem is %+v", last)
	}
	for i, p := range problems[:mostProblems] {
		if p.Line != 3*i+1 || p.Index != i {
			t.Fatalf("problem %d has line %d, index %d", i, p.Line, p.Index)
		}
	}
}
