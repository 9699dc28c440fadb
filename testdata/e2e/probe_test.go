package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// probed runs the real probe on the node, and from this host as from a debug
// pod that has the node's files elsewhere.
func (r *nodeRig) probed(t *testing.T) {
	script := r.output(t, nil, r.akscert, "node-script")
	onNode := r.node.Command("/bin/sh", "-s")
	said := r.output(t, script, onNode[0], onNode[1:]...)
	from := r.output(t, script, "/bin/sh", "-s", r.node.Root)
	if got, want := withoutHost(from), withoutHost(said); got != want {
		t.Errorf("from outside the probe says\n%s\nand on the node\n%s", got, want)
	}
	for _, secret := range r.nodeSecrets(t) {
		if bytes.Contains(said, []byte(secret)) {
			t.Fatal("the probe printed the bootstrap token or a line of a private key (not shown here)")
		}
	}

	rep := decode(t, string(r.output(t, said, r.akscert, "inspect", "-o", "json", "-")))
	for role, path := range map[report.Role]string{
		report.RoleKubeletClient: cluster.ClientCertificate, report.RoleKubeletServing: cluster.ServingCertificate,
		report.RoleClusterCA: cluster.ClusterCA,
	} {
		wantFacts(t, row(t, rep, role), r.file(t, path))
	}
	if len(rep.Nodes) != 1 {
		t.Fatalf("nodes %+v, want one", rep.Nodes)
	}
	n := rep.Nodes[0]
	if n.Name != cluster.NodeName || n.RotateCertificates == nil || !*n.RotateCertificates || n.BootstrapMode != report.BootstrapToken {
		t.Errorf("node %+v, want %q bootstrapped by a token, and rotating", n, cluster.NodeName)
	}
}

// nodeSecrets are the lines of the client certificate's key, and the token.
func (r *nodeRig) nodeSecrets(t *testing.T) []string {
	t.Helper()
	_, token, _ := strings.Cut(string(r.file(t, cluster.BootstrapKubeconfig)), "token: ")
	token, _, _ = strings.Cut(token, "\n")
	_, key, _ := strings.Cut(string(r.file(t, cluster.ClientCertificate)), "PRIVATE KEY-----\n")
	key, _, found := strings.Cut(key, "\n-----END")
	if !found || token == "" {
		t.Fatal("the node has no key or no token")
	}
	return append(strings.Split(key, "\n"), strings.Trim(token, `"`))
}

// withoutHost leaves out the line with the hostname of where it ran.
func withoutHost(said []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(said)) {
		if !strings.HasPrefix(line, "host ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// output runs a program that has to succeed, and silently.
func (r *rig) output(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(r.ctx, name, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), shapesOutput)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("running %s: %v\n%s", name, err, stderr.String())
	}
	return stdout.Bytes()
}
