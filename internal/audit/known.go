package audit

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// known is what all sources together brought of one target, put side by side
// before anything is judged.
type known struct {
	nodes map[string]*report.Node // by key
	order []*report.Node          // as they were first seen
	api   collect.API

	current       map[string]certs.Certificate   // the kubelet's own, by role and node's key
	trusted       map[string][]certs.Certificate // a node's ca.crt, by its key
	kubeconfigCAs []certs.Certificate
	clientCAs     []certs.Certificate
	clients       []collect.Certificate // the kubeconfig user's
	chain         []certs.Certificate   // what the user presents with it
	handshake     *collect.Handshake
	expired       bool // a certificate that the cluster itself lives on has
	refused       bool // the API server did not accept the kubeconfig's credentials

	whole      map[report.Source]bool // these sources listed every node
	missed     map[string]bool        // nodes that a source could not look at
	clock      time.Duration          // by how much this machine's is off, as the kubelets show
	asleep     bool                   // there are stopped pools, whose nodes nobody lists
	askedNodes bool                   // the kubelet source was asked, and had something to say
}

// key is a node's name for comparing: Kubernetes has it in lower case, a Windows
// machine calls itself in upper case.
func key(node string) string { return strings.ToLower(node) }

func gather(batches []collect.Batch, asOf time.Time) known {
	var metrics []collect.Certificate
	k := known{whole: map[report.Source]bool{}, missed: map[string]bool{}, nodes: map[string]*report.Node{}, current: map[string]certs.Certificate{}, trusted: map[string][]certs.Certificate{}}
	for _, b := range batches {
		k.coverage(b)
		for _, o := range b.Observations {
			switch {
			case o.Node != nil:
				k.node(*o.Node)
				k.expired = k.expired || o.Node.Kubelet != nil && o.Node.Kubelet.NoClientCertificate
			case o.API != nil:
				k.api = *o.API
			case o.Handshake != nil:
				k.handshake = o.Handshake
			case o.Certificate != nil:
				k.certificate(b.Source, *o.Certificate)
				if o.Certificate.Approximate {
					metrics = append(metrics, *o.Certificate)
				}
				k.expired = k.expired || o.Certificate.NotAfter != nil && asOf.After(*o.Certificate.NotAfter) && lives(o.Certificate.Role)
			case o.Gap != nil:
				fromAPI := b.Source == report.SourceKubeAPI || b.Source == report.SourceKubelet
				k.refused = k.refused || fromAPI && o.Gap.Node == "" && o.Gap.Reason == report.ReasonUnauthenticated
			}
		}
	}
	k.clock = k.clockOff(metrics)
	return k
}

// coverage is how far a source that looks at nodes came. It is read from what the
// source said, not from the report's gaps, in which one may stand for another's.
func (k *known) coverage(b collect.Batch) {
	if b.Source != report.SourceNode && b.Source != report.SourceKubelet {
		return
	}
	nodes, whole := 0, true
	for _, o := range b.Observations {
		switch {
		case o.Node != nil:
			nodes++
		case o.Skipped != nil:
			whole = false
		case o.Gap != nil && o.Gap.Node != "":
			k.missed[key(o.Gap.Node)] = true
			nodes++
		case o.Gap != nil && o.Gap.Reason == report.ReasonNotRunning:
			k.asleep = true
		case o.Gap != nil:
			whole = false
		}
	}
	k.whole[b.Source] = whole && nodes > 0
	k.askedNodes = k.askedNodes || b.Source == report.SourceKubelet && nodes > 0
}

// lives reports whether a cluster lives on certificates of that role.
func lives(r report.Role) bool {
	return r == report.RoleAPIServer || r == report.RoleKubeletClient || r == report.RoleNodeStaticClient
}

// node adds what one source says of a node to what the others have said.
func (k *known) node(n report.Node) {
	have := k.nodes[key(n.Name)]
	if have == nil || n.Name == "" {
		have = &report.Node{Name: n.Name}
		k.nodes[key(n.Name)] = have
		k.order = append(k.order, have)
	}
	have.Pool, have.OS, have.ResourceID = cmp.Or(have.Pool, n.Pool), cmp.Or(have.OS, n.OS), cmp.Or(have.ResourceID, n.ResourceID)
	have.ImageVersion, have.KubeletServingCA = cmp.Or(have.ImageVersion, n.ImageVersion), cmp.Or(have.KubeletServingCA, n.KubeletServingCA)
	have.BootstrapKubeconfig, have.CreatedAt = cmp.Or(have.BootstrapKubeconfig, n.BootstrapKubeconfig), cmp.Or(have.CreatedAt, n.CreatedAt)
	have.BootstrapMode = cmp.Or(have.BootstrapMode, n.BootstrapMode)
	have.Virtual = have.Virtual || n.Virtual
	// A file says how the kubelet was meant to start; its metrics say how it
	// runs, whichever was read first.
	if n.RotateCertificates != nil && (have.RotateCertificates == nil || n.Kubelet != nil) {
		have.RotateCertificates = n.RotateCertificates
	}
	have.Kubelet = cmp.Or(have.Kubelet, n.Kubelet)
	if have.ImageVersion != "" || have.CreatedAt != nil {
		have.Name = key(have.Name) // Kubernetes knows it by this
	}
}

func (k *known) certificate(source report.Source, c collect.Certificate) {
	switch {
	case source == report.SourceKubeconfig && c.Role == report.RoleClient:
		k.clients = append(k.clients, c)
	case source == report.SourceKubeconfig && c.Role == report.RoleOther:
		k.chain = append(k.chain, c.Certificate)
	case source == report.SourceKubeconfig && c.Role == report.RoleClusterCA:
		k.kubeconfigCAs = append(k.kubeconfigCAs, c.Certificate)
	case c.Role == report.RoleClientCA:
		k.clientCAs = append(k.clientCAs, c.Certificate)
	case source == report.SourceNode && c.Role == report.RoleClusterCA:
		k.trusted[key(c.Node)] = append(k.trusted[key(c.Node)], c.Certificate)
	case source == report.SourceNode && strings.Contains(c.Location, "-current.pem") && c.NotBefore != nil && c.NotAfter != nil:
		// The kubelet writes a new pair and points this name at it; the
		// certificate in use is the first in the file.
		if at := string(c.Role) + "/" + key(c.Node); k.current[at].NotAfter == nil {
			k.current[at] = c.Certificate
		}
	}
}

// of is what is known of a node; zero for nothing.
func (k known) of(node string) report.Node {
	if n := k.nodes[key(node)]; n != nil {
		return *n
	}
	return report.Node{}
}

// aks reports whether the cluster is known to be one of AKS, which alone rotates
// an API server's certificate as AKS promises.
func (a *Auditor) aks() bool {
	if a.target.ARM != nil {
		return true
	}
	for _, n := range a.known.order {
		if n.ImageVersion != "" { // a label that AKS gives
			return true
		}
	}
	if a.target.Cluster == nil {
		return false
	}
	host := hostOf(a.target.Cluster.Server)
	for _, suffix := range []string{".azmk8s.io", ".cx.prod.service.azk8s.cn", ".cx.aks.containerservice.azure.us"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// imageDate is when a node image was made, as year and month, from the end of
// its version: AKSUbuntu-2204gen2containerd-202501.12.0, before 2023
// AKSUbuntu-1804gen2containerd-2022.08.10, and on Windows
// AKSWindows-2022-containerd-20348.3207.250910.
func imageDate(version string) (year, month int, ok bool) {
	parts := strings.Split(version[strings.LastIndex(version, "-")+1:], ".")
	digits := parts[0]
	switch {
	case len(parts) == 3 && len(digits) == len("2022"):
		digits += parts[1]
	case len(parts) == 3 && len(digits) == len("20348"): // a Windows build; the date comes last
		digits = "20" + parts[2]
	}
	if len(digits) < len("202501") {
		return 0, 0, false
	}
	year, err := strconv.Atoi(digits[:4])
	month, errMonth := strconv.Atoi(digits[4:6])
	return year, month, err == nil && errMonth == nil && year >= 2017 && year < 2100 && month >= 1 && month <= 12
}
