package node

import (
	"strconv"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// layout is where an operating system's nodes keep what a verdict rests on.
type layout struct {
	current   string // the kubelet's client certificate, where it renews itself
	static    string // where it does not
	bootstrap string // kubeconfig with a bootstrap token
	secure    string // written only where secure TLS bootstrapping is configured
}

func layoutOf(os string) layout {
	if os == "windows" {
		return layout{current: `C:\k\pki\kubelet-client-current.pem`, static: `C:\k\config`,
			bootstrap: `C:\k\bootstrap-config`, secure: `C:\k\aks-secure-tls-bootstrap-client.exe`}
	}
	return layout{current: "/var/lib/kubelet/pki/kubelet-client-current.pem", static: "/etc/kubernetes/certs/client.crt",
		bootstrap: "/var/lib/kubelet/bootstrap-kubeconfig",
		secure:    "/etc/systemd/system/secure-tls-bootstrap.service.d/10-securetlsbootstrap.conf"}
}

// roleOf says what the certificates of a file are for.
func roleOf(path string) report.Role {
	switch strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:]) {
	case "kubelet-client-current.pem":
		return report.RoleKubeletClient
	case "kubelet-server-current.pem", "kubeletserver.crt", "kubelet.crt":
		return report.RoleKubeletServing
	case "client.crt", "config":
		return report.RoleNodeStaticClient
	case "ca.crt":
		return report.RoleClusterCA
	case "apiserver.crt":
		return report.RoleAPIServerCopy
	}
	return report.RoleOther
}

// node is what the files say of the node.
func (p *parser) node() report.Node {
	n := report.Node{Name: p.host, OS: p.os, BootstrapMode: p.mode(), RotateCertificates: p.rotates()}
	token := layoutOf(p.os).bootstrap
	if s := p.files[token]; s == there || s == absent {
		n.BootstrapKubeconfig = &report.BootstrapKubeconfig{Present: s == there, Path: token}
	}
	return n
}

// mode is how the kubelet came by its first certificate. Where secure TLS
// bootstrapping is configured the token's file may be there too: it is then the
// fallback (AgentBaker, configureAndEnableSecureTLSBootstrapping).
func (p *parser) mode() report.BootstrapMode {
	l := layoutOf(p.os)
	switch uses := p.facts["kubelet-uses"]; {
	case p.files[l.secure] == there:
		return report.BootstrapSecure
	case p.files[l.bootstrap] == there:
		return report.BootstrapToken
	// A kubelet that was started with client.crt and told to renew keeps what
	// it gets as kubelet-client-current.pem: that one renews itself.
	case (uses == "client.crt" || uses == "embedded") && p.files[l.current] == absent:
		return report.BootstrapStatic
	}
	return report.BootstrapUnknown
}

// rotates is nil where neither the flag nor the file says anything. The kubelet
// takes a flag over its configuration file.
func (p *parser) rotates() *bool {
	for _, fact := range []string{"rotate-flag", "rotate-config"} {
		if on, err := strconv.ParseBool(p.facts[fact]); err == nil {
			return &on
		}
	}
	return nil
}

// missing adds a gap for what a whole answer did not bring: openssl, and the
// certificate that the kubelet lives on.
func (p *parser) missing() {
	if p.withoutOpenssl > 0 {
		p.gap(collect.Gap{Reason: report.ReasonUnsupported,
			Message: "openssl is not installed where the probe ran: certificates are there and cannot be read",
			Hint:    "install openssl on the node; in a debug pod, run the probe as: chroot /host sh"})
		return
	}
	l := layoutOf(p.os)
	switch uses := p.facts["kubelet-uses"]; {
	case uses == "other", uses == "embedded" && p.files[l.static] != there:
		p.gap(collect.Gap{Reason: report.ReasonUnsupported,
			Message: "the kubelet's kubeconfig has its client certificate in a place that the probe does not know", Hint: "see client-certificate in the kubelet's kubeconfig on the node"})
	case p.files[l.current] == absent && p.files[l.static] != there && p.files[l.static] != failed:
		p.gap(collect.Gap{Location: l.current, Reason: report.ReasonNotFound,
			Message: "no client certificate of a kubelet is there", Hint: "run the probe on a node of an AKS cluster, once it has joined"})
	}
}
