package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestKeysStayInside puts private keys into inputs in every damaged way there
// is a name for, and looks for their bytes in everything that comes out.
func TestKeysStayInside(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err1 := x509.MarshalPKCS8PrivateKey(key)
	sec1, err2 := x509.MarshalECPrivateKey(key)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name, der := range map[string][]byte{"PRIVATE KEY": pkcs8, "EC PRIVATE KEY": sec1} {
		for _, input := range withKey(name, der) {
			found, problems := Read([]byte(input))
			var out strings.Builder
			for _, c := range found {
				c.DER, c.Strict = nil, nil // bytes of the input, never printed
				fmt.Fprintf(&out, "%+v\n", c)
			}
			for _, p := range problems {
				fmt.Fprintf(&out, "%+v %v\n", p, p)
			}
			if _, err := Parse([]byte(input)); err != nil {
				fmt.Fprintln(&out, err)
			}
			if leak := leaked(out.String(), der); leak != "" {
				t.Errorf("%q is in\n%s\nof the input\n%s", leak, out.String(), input)
			}
		}
	}
}

// withKey makes the inputs. Every one holds key material.
func withKey(label string, der []byte) (inputs []string) {
	block := string(pemOf(label, der))
	inside := body64(block)
	half := len(inside) / 2
	bodies := []string{
		inside, inside[:half], inside[half:], inside[:half] + "*" + inside[half:], inside[:half] + "*" + inside[half+1:],
		"junk" + inside, "Key: " + inside, base64.StdEncoding.EncodeToString([]byte(block)), hex.EncodeToString(der),
		base64.StdEncoding.EncodeToString(append([]byte{0x30, 0x82, 1, 0, 0x30, 0x82, 0, 0xf0}, der...)),
	}
	for _, b := range bodies {
		for _, begin := range []string{"", "-----BEGIN " + label + "-----\n", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN PKCS7-----\n"} {
			for _, end := range []string{"", "\n-----END " + label + "-----\n", "\n-----END CERTIFICATE-----\n", "\n-----END PKCS7-----\n", "\n-----EN", "\n" + pemA} {
				inputs = append(inputs, begin+b+end)
			}
		}
		inputs = append(inputs, "-----BEGIN "+b+"-----\n", "-----BEGIN CERTIFICATE "+b+"\n", "-----END CERTIFICATE "+b,
			"notAfter="+b, "notBefore="+b+"\nnotAfter=1:"+b, "serial="+b+"\nnotAfter=Bad time value", "subject="+b+"\nnotAfter=Bad time value")
	}
	// Where a certificate has its dates, its extensions and its end.
	inputs = append(inputs, string(der), string(der[:len(der)/2]),
		string(sample{after: encode(tagUTCTime, der[len(der)-20:])}.der()),
		string(sample{after: encode(tagUTCTime, []byte(hex.EncodeToString(der[len(der)-10:])))}.der()),
		string(sample{before: encode(tagUTCTime, der[len(der)-20:])}.der()),
		string(sample{extensions: [][]byte{extensionDER(idBasicConstraints, der)}}.der()),
		string(sample{extensions: [][]byte{extensionDER(idSubjectAltName, der)}}.der()),
		string(sample{key: der}.der()),
		string(append(sample{}.der(), der...)))
	return inputs
}

// leaked finds a piece of the secret in text: eight octets as they are, in
// hexadecimal or in base64.
func leaked(text string, der []byte) string {
	const piece = 8
	// The first octets are the same in every key.
	for i := 36; i+piece <= len(der); i++ {
		part := der[i : i+piece]
		for _, s := range []string{
			string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)), fmt.Sprintf("%d", part),
			base64.RawStdEncoding.EncodeToString(part[:6]),
		} {
			if strings.Contains(text, strings.Trim(s, "[]")) {
				return s
			}
		}
	}
	return ""
}

// TestLeaked: the search above finds what it is for.
func TestLeaked(t *testing.T) {
	der := bytes.Repeat([]byte("0123456789abcdef"), 6)
	for _, text := range []string{"x89abcdefx", hex.EncodeToString(der[40:50]), base64.StdEncoding.EncodeToString(der[48:60])} {
		if leaked(text, der) == "" {
			t.Errorf("nothing found in %q", text)
		}
	}
}
