package certs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenSSLFiles reads files of every kind as openssl makes them.
func TestOpenSSLFiles(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	openssl := func(args string) {
		t.Helper()
		cmd := exec.Command("openssl", strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "message"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /O=Example/CN=x -days 10 -set_serial 10")
	openssl("x509 -in cert.pem -outform DER -out cert.der")
	openssl("x509 -in cert.pem -trustout -addtrust serverAuth -setalias name -out trusted.pem")
	openssl("x509 -in cert.pem -text -out text.pem")
	const one = "0:0a"
	tests := []struct{ file, made, want string }{
		{"cert.pem", "", one}, {"cert.der", "", one}, {"text.pem", "", one},
		{"trusted.pem", "", "0:0a (trailing data)"},
		{"p7.pem", "crl2pkcs7 -nocrl -certfile cert.pem -out p7.pem", one},
		{"p7.der", "crl2pkcs7 -nocrl -certfile cert.pem -outform DER -out p7.der", one},
		{"cms.pem", "cms -sign -in message -signer cert.pem -inkey key.pem -outform PEM -out cms.pem", one},
		{"stream.pem", "cms -sign -in message -signer cert.pem -inkey key.pem -outform PEM -stream -nodetach -out stream.pem", one},
		{"stream.der", "cms -sign -in message -signer cert.pem -inkey key.pem -outform DER -stream -nodetach -out stream.der", one},
		{"smime.p7m", "smime -sign -in message -signer cert.pem -inkey key.pem -outform DER -out smime.p7m", one},
		{"cert.p12", "pkcs12 -export -in cert.pem -inkey key.pem -passout pass:x -out cert.p12", "0: line 0: unsupported: PKCS#12 is not read"},
		{"key.pem", "", ""},
		{"key.der", "pkey -in key.pem -outform DER -out key.der", ""},
		{"public.pem", "pkey -in key.pem -pubout -out public.pem", ""},
		{"public.der", "pkey -in key.pem -pubout -outform DER -out public.der", ""},
		{"encrypted.der", "pkcs8 -topk8 -in key.pem -passout pass:x -outform DER -out encrypted.der", ""},
		{"request.pem", "req -new -key key.pem -subj /CN=x -out request.pem", ""},
		{"request.der", "req -new -key key.pem -subj /CN=x -outform DER -out request.der", ""},
		{"request.txt", "req -new -key key.pem -subj /CN=x -text -out request.txt", ""},
		{"curve.pem", "ecparam -name prime256v1 -genkey -out curve.pem", ""},
		{"curve.der", "ecparam -name prime256v1 -param_enc explicit -outform DER -out curve.der", ""},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			if tt.made != "" {
				openssl(tt.made)
			}
			data, err := os.ReadFile(filepath.Join(dir, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(Read(data)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
