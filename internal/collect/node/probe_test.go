package node

import (
	"bytes"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// shells are those that may be /bin/sh on a node: dash on Ubuntu, bash on Azure
// Linux and Flatcar; busybox in a debug pod.
func shells(t *testing.T) [][]string {
	var found [][]string
	for _, shell := range [][]string{{"/bin/sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Logf("no %s here", shell[0])
			continue
		}
		found = append(found, shell)
	}
	return found
}

// run runs probe.sh, as posted: from a file, without arguments. PATH is that of
// the test where path is empty.
func run(t testing.TB, shell []string, root, path string) (stdout, stderr string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(script, []byte(Script("Linux")), 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := exec.LookPath(shell[0])
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(name, append(shell[1:], script)...)
	cmd.Env = append(os.Environ(), "AKSCERT_ROOT="+root)
	if path != "" {
		cmd.Env = append(cmd.Env, "PATH="+path)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", shell, err, errs.String())
	}
	return out.String(), errs.String()
}

// show is a readable line for each observation.
func show(seen []collect.Observation) []string {
	var lines []string
	for _, o := range seen {
		switch {
		case o.Certificate != nil:
			lines = append(lines, fmt.Sprintf("%s %s", o.Certificate.Role, o.Certificate.Location))
		case o.Gap != nil:
			lines = append(lines, fmt.Sprintf("%s %s: %s", o.Gap.Reason, o.Gap.Location, o.Gap.Message))
		case o.Node != nil:
			lines = append(lines, "node "+o.Node.Name)
		case o.Skipped != nil:
			lines = append(lines, "skipped: "+o.Skipped.Why)
		}
	}
	return lines
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestProbeReadsEveryFileInEveryShell(t *testing.T) {
	tr := fullNode(t)
	root := tr.write(t)
	for _, shell := range shells(t) {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			stdout, stderr := run(t, shell, root, "")
			if stderr != "" {
				t.Errorf("stderr %q", stderr)
			}
			facts, seen := Parse(stdout)
			same(t, show(seen), []string{
				"kubelet-client " + current,
				"kubelet-serving " + server,
				"kubelet-serving /etc/kubernetes/certs/kubeletserver.crt",
				"node-static-client " + static,
				"cluster-ca " + ca + "#0",
				"cluster-ca " + ca + "#1",
				"apiserver-copy /etc/kubernetes/certs/apiserver.crt",
			})
			if facts.RotateCertificates == nil || !*facts.RotateCertificates || facts.BootstrapMode != report.BootstrapSecure ||
				facts.BootstrapKubeconfig == nil || *facts.BootstrapKubeconfig != (report.BootstrapKubeconfig{Present: true, Path: token}) || facts.OS != "linux" {
				t.Errorf("facts %+v", facts)
			}
			client := seen[0].Certificate
			if client.Fingerprint != fingerprint(t, []byte(tr.files[tr.links[current]])) || client.NotBefore == nil || !client.NotBefore.Equal(notBefore) ||
				!client.NotAfter.Equal(notAfter) || len(client.Serial) != 40 || client.Issuer != "CN=ca" ||
				client.Subject != "CN=system:node:aks-nodepool1-12345678-vmss000000,O=system:nodes" ||
				client.IsCA == nil || *client.IsCA || *client.SelfSigned || client.DER != nil {
				t.Errorf("client certificate %+v", client)
			}
			if self := seen[2].Certificate; !*self.SelfSigned {
				t.Errorf("kubeletserver.crt %+v", self)
			}
			if authority := seen[4].Certificate; !*authority.IsCA || !*authority.SelfSigned {
				t.Errorf("ca.crt %+v", authority)
			}
		})
	}
}

// By hand: from standard input, with a directory as argument.
func TestProbeRootAsArgument(t *testing.T) {
	root := fullNode(t).write(t)
	cmd := exec.Command("/bin/sh", "-s", root)
	cmd.Stdin = strings.NewReader(Script("Linux")) // as in: ssh NODE sudo sh -s
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := run(t, []string{"/bin/sh"}, root, "")
	same(t, strings.Split(string(out), "\n"), strings.Split(want, "\n"))
}

func TestProbeSurvives(t *testing.T) {
	cert, _ := issue(t, pkix.Name{CommonName: "x"}, pkix.Name{CommonName: "ca"}, false)
	whole := string(cert)
	damaged := strings.Replace(whole, "MII", "AAA", 1)
	tests := []struct {
		name  string
		tree  tree
		want  []string
		facts string
	}{
		{"nothing", tree{}, []string{"not-found " + current + ": no client certificate of a kubelet is there"}, "unknown - absent"},
		{"damaged, then whole", tree{files: map[string]string{current: damaged + whole}},
			[]string{"kubelet-client " + current + "#1", "malformed " + current + "#0: this certificate cannot be read"}, "unknown - absent"},
		{"CRLF", tree{files: map[string]string{current: strings.ReplaceAll(whole, "\n", "\r\n")}}, []string{"kubelet-client " + current}, "unknown - absent"},
		{"no certificate", tree{files: map[string]string{current: "hello\n"}}, []string{"malformed " + current + ": holds no certificate"}, "unknown - absent"},
		{"empty", tree{files: map[string]string{current: ""}}, []string{"malformed " + current + ": holds no certificate"}, "unknown - absent"},
		{"the same twice", tree{files: map[string]string{current: whole + whole}}, []string{"kubelet-client " + current}, "unknown - absent"},
		{"many", tree{files: map[string]string{current: strings.Repeat(whole, 10)}},
			[]string{"kubelet-client " + current + "#0", "truncated " + current + "#8: 2 more certificates were not looked at"}, "unknown - absent"},
		{"a link that leads nowhere", tree{links: map[string]string{current: "/gone.pem"}},
			[]string{"not-found " + current + ": is a link to a file that is not there"}, "unknown - absent"},
		{"a folder", tree{files: map[string]string{current + "/x": "", ca: whole}},
			[]string{"malformed " + current + ": is there, and is no file", "cluster-ca " + ca}, "unknown - absent"},
		{"static", tree{files: map[string]string{static: whole, config: "    client-certificate: " + static + "\n", "/etc/default/kubelet": "KUBELET_FLAGS=--rotate-certificates=false\n"}},
			[]string{"node-static-client " + static}, "static false absent"},
		{"client.crt lies there, unused", tree{files: map[string]string{static: whole, current: whole, config: "    client-certificate: " + static + "\n"}},
			[]string{"kubelet-client " + current, "node-static-client " + static}, "unknown - absent"},
		{"token", tree{files: map[string]string{current: whole, token: "x", "/etc/default/kubelet": "# --rotate-certificates=false\nKUBELET_FLAGS=\"--rotate-certificates\"\n"}},
			[]string{"kubelet-client " + current}, "token true present"},
		{"the flag beats the file", tree{files: map[string]string{current: whole,
			"/etc/default/kubelet": "KUBELET_FLAGS=--rotate-certificates=true --rotate-certificates=false --rotate-server-certificates=true\n", "/etc/default/kubeletconfig.json": `{"rotateCertificates":true}`}},
			[]string{"kubelet-client " + current}, "unknown false absent"},
		{"elsewhere", tree{files: map[string]string{current: whole, config: "    client-certificate: /opt/x.pem\n"}},
			[]string{"kubelet-client " + current, "unsupported : the kubelet's kubeconfig has its client certificate in a place that the probe does not know"}, "unknown - absent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr := run(t, []string{"/bin/sh"}, tt.tree.write(t), "")
			facts, seen := Parse(stdout)
			same(t, show(seen), tt.want)
			rotate, there := "-", "-"
			if facts.RotateCertificates != nil {
				rotate = fmt.Sprint(*facts.RotateCertificates)
			}
			if b := facts.BootstrapKubeconfig; b != nil {
				there = map[bool]string{true: "present", false: "absent"}[b.Present]
			}
			if got := fmt.Sprintf("%s %s %s", facts.BootstrapMode, rotate, there); got != tt.facts {
				t.Errorf("facts %s, want %s", got, tt.facts)
			}
			if stderr != "" {
				t.Errorf("stderr %q", stderr)
			}
			if t.Failed() {
				t.Log(stdout)
			}
		})
	}
}

// In a debug pod the tools may be busybox's.
func TestProbeWithBusybox(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip(err)
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(err)
	}
	bin := t.TempDir()
	for _, tool := range tools() {
		if err := os.Symlink(busybox, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(openssl, filepath.Join(bin, "openssl")); err != nil {
		t.Fatal(err)
	}
	root := fullNode(t).write(t)
	got, _ := run(t, []string{"busybox", "sh"}, root, bin)
	want, _ := run(t, []string{"/bin/sh"}, root, "")
	same(t, strings.Split(got, "\n"), strings.Split(want, "\n"))
}

// tools are all that the probe runs but openssl.
func tools() []string {
	return []string{"awk", "sed", "grep", "head", "tail", "tr", "cut", "readlink", "uname"}
}

// Without openssl the probe still says what there is, and there is one gap.
func TestProbeWithoutOpenssl(t *testing.T) {
	bin := t.TempDir()
	for _, tool := range tools() {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	stdout, _ := run(t, []string{"/bin/sh"}, fullNode(t).write(t), bin)
	facts, seen := Parse(stdout)
	same(t, show(seen), []string{"unsupported : openssl is not installed where the probe ran: certificates are there and cannot be read"})
	if facts.BootstrapMode != report.BootstrapSecure || facts.RotateCertificates == nil || seen[0].Gap.Hint == "" {
		t.Errorf("facts %+v, hint %q", facts, seen[0].Gap.Hint)
	}
}

func TestProbeDenied(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	root := fullNode(t).write(t)
	if err := os.Chmod(filepath.Join(root, ca), 0); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(root, "/var/lib/kubelet")
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o755) })
	stdout, _ := run(t, []string{"/bin/sh"}, root, "")
	for _, path := range []string{ca, current, server, token, config} {
		if !strings.Contains(stdout, "\nfail "+path+" denied\n") {
			t.Errorf("%s is not denied:\n%s", path, stdout)
		}
	}
}

// A node with every file and long names stays within what run-command returns.
func TestProbeSize(t *testing.T) {
	long := func(s string) pkix.Name {
		return pkix.Name{CommonName: strings.Repeat(s, 64), Organization: []string{strings.Repeat("é", 32)}}
	}
	tr := fullNode(t)
	authority := long("c")
	for path := range tr.files {
		if strings.Contains(tr.files[path], "BEGIN CERTIFICATE") {
			cert, key := issue(t, long("n"), authority, false)
			tr.files[path] = string(cert) + string(key)
		}
	}
	tr.files[ca] = string(largeCA(t, authority)) + string(largeCA(t, long("d")))
	stdout, _ := run(t, []string{"/bin/sh"}, tr.write(t), "")
	_, seen := Parse(stdout)
	if len(seen) != 7 {
		t.Fatalf("%v", show(seen))
	}
	if authority := seen[4].Certificate; authority.SelfSigned != nil || !strings.HasSuffix(authority.Subject, "...") {
		t.Errorf("a name that was cut: %+v", authority)
	}
	// The machine's own name may be as long as 63.
	if size := len(stdout) + 63; size > 4096 {
		t.Errorf("%d bytes:\n%s", size, stdout)
	} else {
		t.Logf("%d bytes at most", size)
	}
	usual, _ := run(t, []string{"/bin/sh"}, fullNode(t).write(t), "")
	t.Logf("%d bytes with the names AKS gives", len(usual))
}
