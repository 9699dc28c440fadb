package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// facts are what openssl says of a certificate.
type facts struct {
	notBefore, notAfter time.Time
	serial, sha256      string // in lower case, without colons
}

// opensslFacts asks openssl about the first certificate of a PEM text.
func opensslFacts(t *testing.T, certPEM []byte) facts {
	t.Helper()
	out := openssl(t, certPEM, "x509", "-noout", "-dates", "-dateopt", "iso_8601", "-serial", "-fingerprint", "-sha256")
	said := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		said[strings.ToLower(name)] = value
	}
	return facts{
		notBefore: opensslTime(t, said["notbefore"]),
		notAfter:  opensslTime(t, said["notafter"]),
		serial:    strings.ToLower(said["serial"]),
		sha256:    strings.ToLower(strings.ReplaceAll(said["sha256 fingerprint"], ":", "")),
	}
}

func opensslTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05Z", s)
	if err != nil {
		t.Fatalf("reading openssl's date: %v", err)
	}
	return at
}

func openssl(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running openssl %s: %v\n%s", args[0], err, stderr.String())
	}
	return string(out)
}

// presented is the chain that openssl sees in a handshake, each as PEM.
func presented(t *testing.T, addr string) [][]byte {
	t.Helper()
	rest := []byte(openssl(t, nil, "s_client", "-connect", addr, "-showcerts"))
	var chain [][]byte
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return chain
		}
		if block.Type == "CERTIFICATE" { // a session may follow
			chain = append(chain, pem.EncodeToMemory(block))
		}
	}
}

// viaKubectl is a field of the kubeconfig as a person reads it,
// with "kubectl config view --raw", or ours where there is no kubectl.
func viaKubectl(t *testing.T, kubeconfig, jsonpath string, ours []byte) []byte {
	t.Helper()
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Log("no kubectl here: openssl gets the certificate without it")
		return ours
	}
	out, err := exec.CommandContext(t.Context(), kubectl, "config", "view", "--raw",
		"--kubeconfig", kubeconfig, "-o", "jsonpath={"+jsonpath+"}").Output()
	if err != nil {
		t.Fatalf("running kubectl config view: %v", err)
	}
	data, err := base64.StdEncoding.DecodeString(string(out))
	if err != nil {
		t.Fatalf("decoding %s: %v", jsonpath, err)
	}
	return data
}

// wantFacts compares a row with what openssl says of the certificate, to the
// second.
func wantFacts(t *testing.T, got report.Certificate, certPEM []byte) {
	t.Helper()
	want := opensslFacts(t, certPEM)
	if got.NotBefore == nil || got.NotAfter == nil {
		t.Fatalf("the %s row has no dates: %+v", got.Role, got)
	}
	if !got.NotBefore.Equal(want.notBefore) {
		t.Errorf("notBefore of the %s row: %v, openssl says %v", got.Role, got.NotBefore, want.notBefore)
	}
	if !got.NotAfter.Equal(want.notAfter) {
		t.Errorf("notAfter of the %s row: %v, openssl says %v", got.Role, got.NotAfter, want.notAfter)
	}
	if got.Serial != want.serial {
		t.Errorf("serial of the %s row: %q, openssl says %q", got.Role, got.Serial, want.serial)
	}
	if got.SHA256 != want.sha256 {
		t.Errorf("sha256 of the %s row: %q, openssl says %q", got.Role, got.SHA256, want.sha256)
	}
}
