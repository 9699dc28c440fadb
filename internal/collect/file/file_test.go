package file

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// one PEM certificate of the Go tree's kind, so that this package needs no key.
func fixture(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "healthy.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lines is what was seen, a line each, for tables.
func lines(seen []collect.Observation) string {
	var b strings.Builder
	for _, o := range seen {
		switch {
		case o.Certificate != nil:
			fmt.Fprintf(&b, "%s %s\n", o.Certificate.Role, o.Certificate.Location)
		case o.Gap != nil:
			fmt.Fprintf(&b, "%s %s\n", o.Gap.Reason, o.Gap.Location)
		}
	}
	return b.String()
}

func TestContents(t *testing.T) {
	cert := string(fixture(t))
	data := base64.StdEncoding.EncodeToString([]byte(cert))
	indented := strings.ReplaceAll(strings.TrimSpace(cert), "\n", "\n      ")
	tests := []struct{ name, content, want string }{
		{"PEM", cert, "other F\n"},
		{"two in one file", cert + strings.Replace(cert, "MII", "MII", 1), "other F\n"},
		{"a kubeconfig", "kind: Config\nclusters:\n- name: c\n  cluster: {certificate-authority-data: " + data + "}\nusers:\n- name: u\n  user: {client-certificate-data: " + data + ", token: abc}\n",
			"cluster-ca F#clusters/c\nclient F#users/u\n"},
		{"a kubeconfig with two users of one name", "kind: Config\nusers:\n- name: u\n  user: {client-certificate-data: " + data + "}\n- name: u\n  user: {client-certificate-data: " + data + "}\n",
			"client F#users/u\nclient F#users/u\n"},
		{"data wins over a file", "kind: Config\nclusters:\n- name: c\n  cluster: {certificate-authority: gone.pem, certificate-authority-data: " + data + "}\n", "cluster-ca F#clusters/c\n"},
		{"a relative path that leads nowhere", "kind: Config\nclusters:\n- name: c\n  cluster: {certificate-authority: gone.pem}\n", "not-found F#clusters/c\n"},
		{"a Secret", "kind: Secret\nmetadata: {name: s, namespace: n}\ndata: {tls.crt: " + data + ", password: aHVudGVyMg==}\n", "other F#Secret/n/s/tls.crt\n"},
		{"a Secret as kubectl -o json prints it", `{"kind":"Secret","metadata":{"name":"s","namespace":"n"},"data":{"tls.crt":"` + data + `"}}`, "other F#Secret/n/s/tls.crt\n"},
		{"a List", "kind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: a}\n  data:\n    ca.crt: |\n      " + indented + "\n", "other F#ConfigMap/a/ca.crt\n"},
		{"a webhook's caBundle", "kind: ValidatingWebhookConfiguration\nmetadata: {name: w}\nwebhooks:\n- name: x\n  clientConfig: {caBundle: " + data + "}\n",
			"other F#ValidatingWebhookConfiguration/w/webhooks/x/clientConfig/caBundle\n"},
		{"a broken document among good ones", "kind: Secret\nmetadata: {name: a}\ndata: {x: " + data + "}\n---\n{{ template }}: [\n---\nkind: Secret\nmetadata: {name: b}\ndata: {x: " + data + "}\n",
			"other F#Secret/a/x\nother F#Secret/b/x\n"},
		{"a damaged certificate in a Secret", "kind: Secret\nmetadata: {name: a}\nstringData:\n  x: |\n    -----BEGIN CERTIFICATE-----\n    !!!!\n    -----END CERTIFICATE-----\n  y: |\n    " + strings.ReplaceAll(indented, "\n  ", "\n") + "\n",
			"malformed F#Secret/a/x\nother F#Secret/a/y\n"},
		{"a template that is no YAML, with a certificate in it", "data: {{ .Values }}\n  ca: |\n    " + strings.ReplaceAll(indented, "\n  ", "\n") + "\n{{- end }}\n", "other F\n"},
		{"anchors and aliases", "a: &a {x: " + data + "}\nb: *a\nc: [*a, *a]\n", "other F#a/x\n"},
		{"nothing", "kind: Secret\nmetadata: {name: s}\ndata: {password: aHVudGVyMg==}\n", ""},
		{"prose", "nothing to see here\n", ""},
		{"empty", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := lines(contents(t.Context(), "F", t.TempDir(), []byte(test.content))); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestOperands(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), data, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("a.pem", fixture(t), 0o600)
	write("denied.pem", fixture(t), 0o000)
	if err := os.Symlink("a.pem", filepath.Join(dir, "link.pem")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone", filepath.Join(dir, "nowhere.pem")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(lines(Collector{}.Collect(t.Context(), target.Target{Operand: dir})), dir, "D")
	want := "other D/a.pem\nforbidden D/denied.pem\nother D/link.pem\nnot-found D/nowhere.pem\n"
	if os.Getuid() == 0 { // root may read everything
		want = strings.Replace(want, "forbidden", "other", 1)
	}
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A named pipe that nobody writes to must not hold an inspection.
func TestPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no named pipes in the file system")
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if got := lines(Collector{}.Collect(ctx, target.Target{Operand: pipe})); got != string(report.ReasonTimeout)+" "+pipe+"\n" {
		t.Errorf("got %s", got)
	}
	// Let the reader that is still waiting go.
	if f, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		f.Close()
	}
}

func TestEndpoint(t *testing.T) {
	tests := map[string]string{
		"example.com:443": "example.com:443", "127.0.0.1:6443": "127.0.0.1:6443", "[::1]:443": "[::1]:443",
		"https://example.com": "example.com:443", "https://example.com/x/y": "example.com:443", "https://[::1]:8443/x": "[::1]:8443", "https://[::1]": "[::1]:443",
		"example.com": "", "example.com:http": "", "dir/file:1": "", ":443": "", "a:0": "", "a:70000": "", `C:\k\ca.crt`: "", "::1": "",
	}
	for in, want := range tests {
		if got, ok := endpoint(in); ok != (want != "") || ok && got != want {
			t.Errorf("endpoint(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
}

// Whatever the file, nothing panics, and no value of it but a certificate's own
// fields comes out.
func FuzzContents(f *testing.F) {
	data := base64.StdEncoding.EncodeToString(fixture(f))
	f.Add("kind: Config\nusers:\n- name: u\n  user: {client-certificate-data: " + data + "}\n")
	f.Add("a: &a [*a, &b {c: *b}]\n---\n{\"x\": \"" + data + "\"}\n")
	f.Add(string(fixture(f)))
	f.Add("kind: Secret\nmetadata: {name: [], namespace: {}}\ndata: [x]\n---\n- - - kind: x\n")
	f.Fuzz(func(t *testing.T, content string) {
		const canary = "hunter2canary"
		seen := contents(t.Context(), "F", "", []byte(content+"\n---\nkind: Secret\ndata: {password: "+canary+", x: '-----BEGIN CERTIFICATE-----"+canary+"-----END CERTIFICATE-----'}\n"))
		for _, o := range seen {
			if o.Gap != nil && (strings.Contains(o.Gap.Message+o.Gap.Hint, canary) || o.Gap.Reason == "") {
				t.Errorf("gap %+v", o.Gap)
			}
		}
	})
}
