package cluster

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// ContextName and UserName are the names a Kubeconfig has for what is in it;
// the cluster is named as the context.
const (
	ContextName = "e2e"
	UserName    = "clusterUser_rg_e2e"
)

// Kubeconfig is what a test wants a kubeconfig to say. What is empty is left
// out.
type Kubeconfig struct {
	Server        string
	CA            []byte // PEM, as are the next two
	Cert, Key     []byte
	Token         string
	TLSServerName string
	Insecure      bool // insecure-skip-tls-verify
	// Contexts are the names of all contexts, when they are not ContextName
	// alone. The first is the current one. Each has a cluster of its own: akscert
	// takes two that share theirs, and the user, for one.
	Contexts []string
}

// Write saves it the way az aks get-credentials does: all data inline.
func (k Kubeconfig) Write(path string) error {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "    %s: %s\n", name, value)
		}
	}
	data := func(name string, value []byte) { field(name, base64.StdEncoding.EncodeToString(value)) }

	contexts := k.Contexts
	if len(contexts) == 0 {
		contexts = []string{ContextName}
	}
	b.WriteString("apiVersion: v1\nkind: Config\nclusters:\n")
	for _, name := range contexts {
		b.WriteString("- name: " + name + "\n  cluster:\n")
		field("server", k.Server)
		data("certificate-authority-data", k.CA)
		field("tls-server-name", k.TLSServerName)
		if k.Insecure {
			field("insecure-skip-tls-verify", "true")
		}
	}
	b.WriteString("users:\n- name: " + UserName + "\n  user:\n")
	data("client-certificate-data", k.Cert)
	data("client-key-data", k.Key)
	field("token", k.Token)
	b.WriteString("contexts:\n")
	for _, name := range contexts {
		b.WriteString("- name: " + name + "\n  context:\n")
		field("cluster", name)
		field("user", UserName)
	}
	b.WriteString("current-context: " + contexts[0] + "\n")
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
