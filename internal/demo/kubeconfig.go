package demo

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// localAccount is who the certificate of local accounts is for, and the token.
const localAccount = "masterclient"

// kubeconfig is what AKS hands out: for local accounts a client certificate and
// a token, for Entra ID a call of kubelogin.
func (c *cluster) kubeconfig(user string) (string, error) {
	name := fmt.Sprintf("%s_%s_%s", user, c.group, c.name)
	var credential string
	if c.entra && user == "clusterUser" {
		credential = kubelogin()
	} else {
		certificate, err := c.account()
		if err != nil {
			return "", err
		}
		credential = fmt.Sprintf("    client-certificate-data: %s\n    client-key-data: %s\n    token: %s\n", b64(certificate), b64(c.pki.leafPEM), c.token)
	}
	context := c.name
	if user == "clusterAdmin" {
		context += "-admin"
	}
	return fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: %[1]s
    server: %[2]s%[7]s
  name: %[3]s
contexts:
- context:
    cluster: %[3]s
    user: %[4]s
  name: %[6]s
current-context: %[6]s
kind: Config
preferences: {}
users:
- name: %[4]s
  user:
%[5]s`, b64(c.pki.pem), c.server, c.name, name, credential, context, c.tunnelled()), nil
}

// tunnelled tells the server's real name, as a kubeconfig does that goes
// through a tunnel: on loopback all servers are the same host.
func (c *cluster) tunnelled() string {
	if c.powerState() == stopped {
		return ""
	}
	return "\n    tls-server-name: " + c.dns()
}

func kubelogin() string {
	var b strings.Builder
	b.WriteString("    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      args:\n")
	for _, arg := range []string{"get-token", "--environment", "AzurePublicCloud", "--server-id", aksServerApplication,
		"--client-id", "80faf920-1908-4b52-b5ef-a8e7bedfc67a", "--tenant-id", tenantID, "--login", "devicecode"} {
		fmt.Fprintf(&b, "      - %s\n", arg)
	}
	b.WriteString("      command: kubelogin\n      env: null\n      provideClusterInfo: false\n")
	return b.String()
}

// nodeKubeconfig is the kubelet's own; the static one names a key beside it.
func nodeKubeconfig(c *cluster, certificate string) string {
	key := strings.TrimSuffix(certificate, ".crt")
	if key != certificate {
		key += ".key"
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: localcluster
  cluster:
    server: https://%s:443
users:
- name: client
  user:
    client-certificate: %s
    client-key: %s
contexts:
- name: localclustercontext
  context:
    cluster: localcluster
    user: client
current-context: localclustercontext
`, c.dns(), certificate, key)
}

func bootstrapKubeconfig(c *cluster, ca string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: localcluster
  cluster:
    certificate-authority: %s
    server: https://%s:443
users:
- name: kubelet-bootstrap
  user:
    token: "%s"
contexts:
- name: bootstrap-context
  context:
    cluster: localcluster
    user: kubelet-bootstrap
current-context: bootstrap-context
`, ca, c.dns(), c.token[:6]+"."+c.token[6:22])
}

func b64(content []byte) string { return base64.StdEncoding.EncodeToString(content) }
