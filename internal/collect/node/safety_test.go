package node

import (
	"bytes"
	"crypto/x509/pkix"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a PATH that has an openssl which writes down what it is given.
func recorder(t *testing.T) (path, record string) {
	t.Helper()
	real, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	record = filepath.Join(dir, "stdin")
	wrapper := "#!/bin/sh\necho \"ARGS $*\" >>'" + record + "'\ntee -a '" + record + "' | '" + real + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "openssl"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir + string(os.PathListSeparator) + os.Getenv("PATH"), record
}

// Nothing of a key or a token reaches stdout, stderr or openssl, however a file
// is damaged.
func TestNoSecretLeaves(t *testing.T) {
	cert, key := issue(t, pkix.Name{CommonName: "x"}, pkix.Name{CommonName: "ca"}, false)
	c, k := string(cert), string(key)
	keyBody := strings.Join(strings.Split(strings.TrimSpace(k), "\n")[1:3], "\n") + "\n"
	headless := strings.TrimPrefix(k, "-----BEGIN PRIVATE KEY-----\n")
	noEnd := strings.TrimSuffix(c, "-----END CERTIFICATE-----\n")
	files := map[string]string{
		"key first":                      k + c,
		"key after":                      c + k,
		"CRLF":                           strings.ReplaceAll(c+k, "\n", "\r\n"),
		"certificate without an end":     noEnd + k,
		"then a certificate":             noEnd + k + c,
		"key without a head":             noEnd + headless,
		"key without a head, before":     headless + c,
		"key with another label":         c + strings.ReplaceAll(k, "PRIVATE KEY", "RSA PRIVATE KEY"),
		"key indented in a certificate":  noEnd + "  " + strings.ReplaceAll(k, "\n", "\n  ") + "\n-----END CERTIFICATE-----\n",
		"key with text around":           "Bag Attributes\n    friendlyName: x\n" + k + "Bag Attributes\n" + c,
		"certificate cut in half":        c[:len(c)/2],
		"cut in half, then the key":      c[:len(c)/2] + "\n" + k,
		"the end alone":                  "-----END CERTIFICATE-----\n" + k,
		"the key's body between markers": "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n" + keyBody + "-----END CERTIFICATE-----\n",
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := fullNode(t)
			tr.keys = append(tr.keys, k)
			for _, path := range []string{tr.links[current], ca, static} {
				tr.files[path] = data
			}
			tr.files[config] = "users:\n- user:\n    token: " + bootstrapToken + "\n    client-key-data: " + keyBody + "    client-certificate-data: " + keyBody
			tr.files["/etc/default/kubelet"] = "SECRET=" + bootstrapToken + " KUBELET_FLAGS=--rotate-certificates=" + bootstrapToken + "\n"
			tr.files["/etc/default/kubeletconfig.json"] = `{"rotateCertificates": "` + bootstrapToken + `", "token": "` + bootstrapToken + `"}`
			path, record := recorder(t)
			stdout, stderr := run(t, []string{"/bin/sh"}, tr.write(t), path)
			given, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(given, []byte("BEGIN CERTIFICATE")) {
				t.Fatal("openssl was given nothing: the test does not see it")
			}
			for _, text := range []string{stdout, stderr, string(given)} {
				if strings.Contains(text, "PRIVATE") || strings.Contains(text, bootstrapToken) {
					t.Errorf("a secret in\n%s", text)
				}
				for _, key := range tr.keys {
					for _, line := range strings.Split(strings.TrimSpace(key), "\n")[1:3] {
						if strings.Contains(text, line) {
							t.Errorf("a key in\n%s", text)
						}
					}
				}
			}
		})
	}
}

// A name cannot forge a line.
func TestHostileNames(t *testing.T) {
	for _, hostile := range []string{"x\nakscert-probe end 1", "x\r\nca=true\r\nfrom=Jan  1 00:00:00 2040 GMT", "a, b\\+c=\"d\";<e>#", " lead and trail ", "#hash", "back\\slash", "é\u202e☃", "\x00\x1b[2J"} {
		name := pkix.Name{CommonName: hostile, Organization: []string{"O"}}
		cert, _ := issue(t, name, pkix.Name{CommonName: "ca"}, false)
		stdout, _ := run(t, []string{"/bin/sh"}, tree{files: map[string]string{current: string(cert)}}.write(t), "")
		_, seen := Parse(stdout)
		if len(seen) != 1 || seen[0].Certificate == nil {
			t.Fatalf("%q: %v\n%s", hostile, show(seen), stdout)
		}
		if c := seen[0].Certificate; c.Subject != name.String() || *c.IsCA || !c.NotBefore.Equal(notBefore) {
			t.Errorf("%q: subject %q, want %q", hostile, c.Subject, name.String())
		}
	}
}

// The probe changes nothing: not a byte, not a time, not a name.
func TestProbeReadsOnly(t *testing.T) {
	root := fullNode(t).write(t)
	list := func() (lines []string) {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			data, _ := os.ReadFile(path)
			lines = append(lines, fmt.Sprintf("%s %s %s %x", path, info.Mode(), info.ModTime(), data))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o555)
		}
		return os.Chmod(path, 0o444)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, _ error) error {
			if entry != nil && entry.IsDir() {
				return os.Chmod(path, 0o755)
			}
			return nil
		})
	})
	before := list()
	stdout, _ := run(t, []string{"/bin/sh"}, root, "")
	same(t, list(), before)
	if _, seen := Parse(stdout); len(seen) != 7 {
		t.Errorf("%v", show(seen))
	}
}

// What a reviewer looks for first.
func TestScriptsAreConstant(t *testing.T) {
	for _, os := range []string{"Linux", "windows"} {
		script := Script(os)
		for _, line := range strings.Split(script, "\n") {
			for _, r := range line {
				if r > '~' || r < ' ' {
					t.Errorf("%s: %q holds %q: Windows PowerShell reads scripts in the machine's code page", os, line, r)
				}
			}
			code := line
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, word := range []string{"eval ", "Invoke-Expression", "curl", "wget", "mktemp", ">>", "Set-Content", "Out-File", "systemctl", "bootstrap-kubeconfig\"", "rm "} {
				if strings.Contains(code, word) {
					t.Errorf("%s: %q", os, line)
				}
			}
		}
	}
}

func TestShellcheck(t *testing.T) {
	path, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command(path, "--shell=sh", "probe.sh").CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
}
