package certs

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
)

// The two certificates most inputs here are made of.
var (
	derA = sample{serial: []byte{0x0a}}.der()
	derB = sample{serial: []byte{0x0b}}.der()
	pemA = string(pemOf("CERTIFICATE", derA))
	pemB = string(pemOf("CERTIFICATE", derB))
)

// summary writes down a result so that a table can hold it: serial numbers
// with their index, count and note, then the problems.
func summary(found []Certificate, problems []Problem) string {
	var out []string
	for _, c := range found {
		s := fmt.Sprintf("%d:%s", c.Index, c.Serial)
		if c.Count != 1 {
			s += fmt.Sprintf("×%d", c.Count)
		}
		if c.DER == nil {
			s += " text"
		}
		if c.Malformed != "" {
			s += " (" + c.Malformed + ")"
		}
		out = append(out, s)
	}
	for _, p := range problems {
		out = append(out, fmt.Sprintf("%d: line %d: %s: %s", p.Index, p.Line, p.Reason, p.Message))
	}
	return strings.Join(out, "\n")
}

func utf16Bytes(s string, mark bool, big bool) []byte {
	if mark {
		s = "\ufeff" + s
	}
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

func eachLine(s, prefix string) string {
	return prefix + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+prefix) + "\n"
}

// body64 is the base64 between the markers.
func body64(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[1:len(lines)-1], "\n")
}

// TestReadTolerates has inputs that a person or tool made out of two sound
// certificates; nothing about them is worth a note.
func TestReadTolerates(t *testing.T) {
	both := pemA + pemB
	key := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n"
	tests := []struct{ name, input string }{
		{"PEM", both},
		{"byte order mark", "\ufeff" + both},
		{"byte order mark on each", "\ufeff" + pemA + "\ufeff" + pemB},
		{"UTF-16 LE", string(utf16Bytes(both, true, false))},
		{"UTF-16 BE", string(utf16Bytes(both, true, true))},
		{"UTF-16 LE without mark", string(utf16Bytes(both, false, false))},
		{"UTF-16 BE without mark", string(utf16Bytes(both, false, true))},
		{"CR LF", strings.ReplaceAll(both, "\n", "\r\n")},
		{"CR", strings.ReplaceAll(both, "\n", "\r")},
		{"indented", eachLine(both, "    ")},
		{"indented with tabs", eachLine(both, "\t")},
		{"quoted mail", eachLine(both, "> ")},
		{"commented", eachLine(both, "# ")},
		{"diff", eachLine(both, "+")},
		{"trailing spaces", strings.ReplaceAll(both, "\n", "  \t\n")},
		{"blank lines", strings.ReplaceAll(both, "\n", "\n\n")},
		{"no newline between blocks", strings.TrimSpace(pemA) + pemB},
		{"no final newline", strings.TrimSpace(both)},
		{"no newlines", strings.ReplaceAll(both, "\n", "")},
		{"spaces for newlines", strings.ReplaceAll(both, "\n", " ")},
		{"base64 on one line", "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(derA) + "\n-----END CERTIFICATE-----\n" + pemB},
		{"no padding", "-----BEGIN CERTIFICATE-----\n" + base64.RawStdEncoding.EncodeToString(derA) + "\n-----END CERTIFICATE-----\n" + pemB},
		{"JSON", fmt.Sprintf(`{"bundle":%q}`, both)},
		{"JSON with CR LF", fmt.Sprintf(`{"bundle":%q}`, strings.ReplaceAll(both, "\n", "\r\n"))},
		{"JSON escapes", strings.NewReplacer("/", `\/`, "+", `\u002B`, "=", `\u003d`, "\n", `\n`).Replace(`{"a":"` + both + `"}`)},
		{"source code", `s := "` + strings.ReplaceAll(strings.TrimSpace(both), "\n", "\\n\" +\n\t\"") + `"`},
		{"zero-width spaces", strings.ReplaceAll(both, "\n", "\u200b\n")},
		{"RFC 1421 headers", strings.Replace(both, "-----\n", "-----\nX-Note: one\n  two\nX-Other: three\n\n", 1)},
		{"other labels", string(pemOf("X509 CERTIFICATE", derA)) + string(pemOf("TRUSTED CERTIFICATE", derB))},
		{"text around", "first\n" + pemA + "then the second:\n" + pemB + "the end\n"},
		{"keys around", key + pemA + key + pemB + key},
		{"unfinished key before", strings.Replace(key, "-----END PRIVATE KEY-----\n", "", 1) + both},
		{"unfinished key between", pemA + key[:60] + pemB},
		{"DER", string(derA) + string(derB)},
		{"DER and newline", string(derA) + string(derB) + "\r\n"},
		{"DER then PEM", string(derA) + pemB},
		{"DER, newline, PEM", string(derA) + "\n" + pemB},
		{"two in one block", string(pemOf("CERTIFICATE", append(bytes.Clone(derA), derB...)))},
		{"base64 of DER", base64.StdEncoding.EncodeToString(append(bytes.Clone(derA), derB...))},
		{"base64 of DER in lines", body64(string(pemOf("X", append(bytes.Clone(derA), derB...))))},
		{"base64, each with padding", base64.StdEncoding.EncodeToString(derA) + "\n" + base64.StdEncoding.EncodeToString(derB) + "\n"},
		{"base64 after a byte order mark", "\ufeff" + base64.StdEncoding.EncodeToString(append(bytes.Clone(derA), derB...))},
		{"URL-safe base64", base64.RawURLEncoding.EncodeToString(append(bytes.Clone(derA), derB...))},
		{"base64 of PEM", base64.StdEncoding.EncodeToString([]byte(both))},
		{"base64 of base64", base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(both))))},
		{"quoted base64", `"` + base64.StdEncoding.EncodeToString([]byte(both)) + `"`},
		{"PEM of base64 of PEM", string(pemOf("CERTIFICATE", []byte(both)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, problems := Read([]byte(tt.input))
			if got, want := summary(found, problems), "0:0a\n1:0b"; got != want {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
			if !bytes.Equal(found[0].DER, derA) || !bytes.Equal(found[1].DER, derB) {
				t.Error("the bytes are not those that went in")
			}
		})
	}
}

// TestReadDamaged has inputs with something wrong, and what is said about it.
func TestReadDamaged(t *testing.T) {
	bodyA := body64(pemA)
	lines := strings.SplitAfter(pemA, "\n")
	const (
		begin = "-----BEGIN CERTIFICATE-----\n"
		end   = "-----END CERTIFICATE-----\n"
		reads = "its notAfter reads 2027-06-30T23:59:59Z"
	)
	tests := []struct{ name, input, want string }{
		{"no END line", begin + bodyA + "\n", "0:0a (no END line)"},
		{"no END line, another follows", begin + bodyA + "\n" + pemB, "0:0a (no END line)\n1:0b"},
		{"no END line, text follows", begin + bodyA + "\nand some text, with: a colon\n" + pemB, "0:0a (no END line)\n1:0b"},
		{"half an END line", begin + bodyA + "\n-----EN", "0:0a (no END line)"},
		{"unfinished END line", begin + bodyA + "\n-----END CERTIFICATE", "0:0a (damaged BEGIN or END line)"},
		{"four dashes", "----BEGIN CERTIFICATE----\n" + bodyA + "\n----END CERTIFICATE----\n", "0:0a (damaged BEGIN or END line)"},
		{"en dashes", strings.ReplaceAll(pemA, "-----", "–––––"), "0:0a (damaged BEGIN or END line)"},
		{"wrong END line", begin + bodyA + "\n-----END RSA PRIVATE KEY-----\n" + pemB,
			"0:0a (the END line does not match the BEGIN line)\n1:0b"},
		{"no BEGIN line", "some text\n" + bodyA + "\n" + end + pemB, "0:0a (no BEGIN line)\n1:0b"},
		{"END line alone", "text\n" + end, "0: line 2: malformed: END line without a BEGIN line"},
		{"BEGIN line alone", "text\n" + begin, "0: line 2: truncated: PEM block has no END line; empty PEM block"},
		{"empty block", "\n\n" + begin + end + pemB, "1:0b\n0: line 3: malformed: empty PEM block"},
		{"last line lost", strings.Join(lines[:3], "") + end + pemB,
			"1:0b\n0: line 1: truncated: certificate ends before it is complete; " + reads},
		{"cut off", pemB + strings.Join(lines[:3], ""),
			"0:0b\n1: line 8: truncated: PEM block has no END line; certificate ends before it is complete; " + reads},
		{"cut before the dates", begin + bodyA[:60] + "\n" + pemB,
			"1:0b\n0: line 1: truncated: PEM block has no END line; certificate ends before it is complete"},
		{"one character lost to a star", begin + bodyA[:200] + "*" + bodyA[201:] + "\n" + end + pemB,
			"1:0b\n0: line 1: malformed: invalid base64 on line 5; " + reads},
		{"a star too many", begin + bodyA[:200] + "*" + bodyA[200:] + "\n" + end, "0:0a (invalid base64 on line 5)"},
		{"junk behind", begin + bodyA + "\n<br>\n" + end, "0:0a (invalid base64 on line 7)"},
		{"CR lines", strings.ReplaceAll("a\n\n"+begin+bodyA[:200]+"*"+bodyA[201:]+"\n"+end, "\n", "\r"),
			"0: line 3: malformed: invalid base64 on line 7; " + reads},
		{"CR LF lines", strings.ReplaceAll("a\n\n"+begin+bodyA[:200]+"*"+bodyA[201:]+"\n"+end, "\n", "\r\n"),
			"0: line 3: malformed: invalid base64 on line 7; " + reads},
		{"placeholder", begin + "(your certificate here)\n" + end, "0: line 1: malformed: invalid base64 on line 2"},
		{"wrong contents", begin + base64.StdEncoding.EncodeToString([]byte("this is no certificate at all")) + "\n" + end,
			"0: line 1: malformed: no certificate in the PEM block"},
		{"trailing data in the block", string(pemOf("CERTIFICATE", append(bytes.Clone(derA), 0, 0))), "0:0a (trailing data)"},
		{"trust settings", string(pemOf("TRUSTED CERTIFICATE", append(bytes.Clone(derA), encode(0x30, encode(tagUTF8String, []byte("alias")))...))),
			"0:0a (trailing data)"},
		{"attribute certificate", string(pemOf("ATTRIBUTE CERTIFICATE", encode(0x30, encode(0x30, encode(tagInteger, []byte{1}), encode(0x30), encode(0xa0))))),
			"0: line 1: malformed: no certificate in the PEM block but a key, a request or a revocation list"},
		{"DER cut off", string(derA[:len(derA)-9]), "0: line 0: truncated: certificate ends before it is complete; " + reads},
		{"DER and junk", string(derA) + "\x01\x02junk", "0:0a (trailing data)"},
		{"DER, the second cut off", string(derA) + string(derB[:40]), "0:0a\n1: line 0: truncated: certificate ends before it is complete"},
		{"DER cut off, then PEM", string(derA[:60]) + "\n" + pemB, "1:0b\n0: line 0: malformed: certificate whose notAfter cannot be read"},
		{"DER with too great a length, then PEM", "\x30\x82\x7f\xff" + string(derA[3:]) + pemB,
			"1:0b\n0: line 0: truncated: certificate ends before it is complete; " + reads},
		{"garbage like DER", "\x30\x82\x01\x00\x30\x82\x00\xfa" + strings.Repeat("\xff\x84\xff\xff", 70), "0: line 0: malformed: starts like a certificate and is none"},
		{"base64 cut off", bodyA[:len(bodyA)-30], "0: line 0: truncated: certificate ends before it is complete; " + reads},
		{"base64 with a star", bodyA[:200] + "*" + bodyA[201:], "0: line 1: malformed: invalid base64 on line 4; " + reads},
		{"duplicates", pemA + pemB + pemA + begin + end + pemA + pemB, "0:0a×3\n1:0b×2\n3: line 22: malformed: empty PEM block"},
		{"bad notAfter", pemA + string(pemOf("CERTIFICATE", sample{after: utcTime("x")}.der())),
			"0:0a\n1: line 8: malformed: certificate whose notAfter cannot be read"},
		{"JKS", "\xfe\xed\xfe\xed\x00\x00\x00\x02", "0: line 0: unsupported: a Java key store (JKS) is not read"},
		{"JCEKS", "\xce\xce\xce\xce\x00\x00\x00\x02", "0: line 0: unsupported: a Java key store (JCEKS) is not read"},
		{"BKS", "\x00\x00\x00\x02\x00\x00\x00\x14" + strings.Repeat("\x55", 40), "0: line 0: unsupported: a Bouncy Castle key store (BKS) is not read"},
		{"base64 of JKS", base64.StdEncoding.EncodeToString(append([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), make([]byte, 40)...)),
			"0: line 0: unsupported: a Java key store (JKS) is not read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(Read([]byte(tt.input))); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// TestReadPassesOver has inputs without a certificate, about which there is
// nothing to say.
func TestReadPassesOver(t *testing.T) {
	tests := []struct{ name, input string }{
		{"nothing", ""},
		{"blank", " \n\n"},
		{"text", "Renew the certificates before they expire.\n"},
		{"a mention", "The file must start with -----BEGIN CERTIFICATE----- and end with -----END CERTIFICATE-----.\n"},
		{"half a mention", "Paste everything from `-----BEGIN CERTIFICATE-----` on.\n"},
		{"source code", "if pem.Type != \"CERTIFICATE\" { notAfter=cert.NotAfter }\nNot After: see below\n"},
		{"private key", string(pemOf("PRIVATE KEY", []byte{0x30, 3, 2, 1, 0}))},
		{"damaged private key", "-----BEGIN EC PRIVATE KEY-----\n*!*\n-----END EC PRIVATE KEY-----\n"},
		{"unfinished private key", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n"},
		{"encrypted private key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"},
		{"request", string(pemOf("CERTIFICATE REQUEST", []byte{0x30, 0}))},
		{"new request", string(pemOf("NEW CERTIFICATE REQUEST", []byte{0x30, 0}))},
		{"revocation list", string(pemOf("X509 CRL", []byte{0x30, 0}))},
		{"parameters", string(pemOf("DH PARAMETERS", []byte{0x30, 0})) + string(pemOf("EC PARAMETERS", []byte{6, 0}))},
		{"SSH key", "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"},
		{"unknown block", string(pemOf("SOMETHING ELSE", derA))},
		{"key in DER", string(encode(0x30, encode(tagInteger, []byte{0}), ed25519ID, encode(tagOctetString, make([]byte, 200))))},
		{"encrypted key in DER", string(encode(0x30, ed25519ID, encode(tagOctetString, make([]byte, 200))))},
		{"public key in DER", string(encode(0x30, ed25519ID, encode(tagBitString, make([]byte, 33))))},
		{"request in DER", string(encode(0x30, encode(0x30, encode(tagInteger, []byte{0}), encode(0x30), encode(0x30, ed25519ID, encode(tagBitString, make([]byte, 200))), encode(0xa0))))},
		{"revocation list in DER", string(encode(0x30, encode(0x30, encode(tagInteger, []byte{1}), ed25519ID, commonNameDER(12, "ca"), utcTime("240101000000Z")), ed25519ID, make([]byte, 200)))},
		{"base64 of text", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("hello, world ", 10)))},
		{"a number in hexadecimal", strings.Repeat("0123456789abcdef", 10)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(Read([]byte(tt.input))); got != "" {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestReadPKCS12(t *testing.T) {
	pfx := encode(0x30, encode(tagInteger, []byte{3}), encode(0x30, encode(tagOID, []byte(idPKCS7+"\x01")), encode(0xa0, make([]byte, 300))))
	want := Problem{Reason: Unsupported, Message: "PKCS#12 is not read", Hint: "openssl pkcs12 -in FILE -nokeys | akscert inspect -"}
	for name, input := range map[string][]byte{
		"DER": pfx, "cut off": pfx[:200], "base64": []byte(base64.StdEncoding.EncodeToString(pfx)),
	} {
		found, problems := Read(input)
		if len(found) != 0 || !reflect.DeepEqual(problems, []Problem{want}) {
			t.Errorf("%s: found %d, problems %+v", name, len(found), problems)
		}
	}
}

// TestReadPKCS7 covers RFC 2315's SignedData in DER and in BER.
func TestReadPKCS7(t *testing.T) {
	make7 := func(seq func(byte, ...[]byte) []byte) []byte {
		return seq(0x30, encode(tagOID, []byte(idPKCS7+"\x02")), seq(0xa0, seq(0x30,
			encode(tagInteger, []byte{1}), encode(0x31), seq(0x30, encode(tagOID, []byte(idPKCS7+"\x01"))),
			seq(0xa0, derA, derB), encode(0x31))))
	}
	der, ber := make7(encode), make7(indefinite)
	netscape := encode(0x30, encode(tagOID, []byte(idNetscapeCertificates)), encode(0xa0, encode(0x30, derA, derB)))
	tests := []struct {
		name  string
		input []byte
		want  string
	}{
		{"DER", der, "0:0a\n1:0b"},
		{"BER", ber, "0:0a\n1:0b"},
		{"long lengths", make7(long), "0:0a\n1:0b"},
		{"PKCS7", pemOf("PKCS7", der), "0:0a\n1:0b"},
		{"CMS", pemOf("CMS", ber), "0:0a\n1:0b"},
		{"PKCS #7 SIGNED DATA", pemOf("PKCS #7 SIGNED DATA", der), "0:0a\n1:0b"},
		{"CERTIFICATE", pemOf("CERTIFICATE", der), "0:0a\n1:0b"},
		{"base64", []byte(base64.StdEncoding.EncodeToString(ber)), "0:0a\n1:0b"},
		{"Netscape", netscape, "0:0a\n1:0b"},
		{"cut off in the second", der[:len(der)-50], "0:0a\n1: line 0: truncated: certificate ends before it is complete; its notAfter reads 2027-06-30T23:59:59Z\n2: line 0: truncated: PKCS#7 ends before it is complete"},
		{"cut off at once", der[:20], "0: line 0: truncated: PKCS#7 ends before it is complete"},
		{"cut off in BER", ber[:len(ber)-3], "0:0a\n1:0b\n2: line 0: truncated: PKCS#7 ends before it is complete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(Read(tt.input)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
