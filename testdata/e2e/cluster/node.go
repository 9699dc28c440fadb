package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/akscert/akscert/testdata/e2e/build"
)

// NodeName is what AKS calls its first node.
const NodeName = "aks-nodepool1-12345678-vmss000000"

// The files of a node, at the paths of AKS.
const (
	ClientCertificate   = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	ServingCertificate  = "/var/lib/kubelet/pki/kubelet-server-current.pem"
	ClusterCA           = "/etc/kubernetes/certs/ca.crt"
	apiserverCopy       = "/etc/kubernetes/certs/apiserver.crt"
	BootstrapKubeconfig = "/var/lib/kubelet/bootstrap-kubeconfig"
	kubeletFlags        = "/etc/default/kubelet"
	kubeletConfig       = "/etc/default/kubeletconfig.json"
	containerdConfig    = "/etc/containerd/config.toml"
)

// nodeLabels are what a node of AKS is known by.
const nodeLabels = "agentpool=nodepool1,kubernetes.azure.com/node-image-version=AKSUbuntu-2204gen2containerd-202601.13.0"

// Node is a machine with a containerd and a kubelet, laid out as one of AKS.
// No pod ever runs on it.
type Node struct {
	Name string
	Root string // where its files are
	Addr net.IP
	Host net.IP // the address at which it reaches this host

	cluster *Cluster
	machine *machine
	kubelet *process
}

// StartNode makes a machine and starts its containerd.
func (c *Cluster) StartNode(ctx context.Context, name string) (*Node, error) {
	kubelet, err := build.Binary(ctx, c.root, build.Kubelet, c.log)
	if err != nil {
		return nil, err
	}
	containerd, err := build.Binary(ctx, c.root, build.Containerd, c.log)
	if err != nil {
		return nil, err
	}
	m, err := c.startMachine(ctx, name, kubelet, containerd)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: name, Root: m.root, Addr: m.addr, Host: m.host, cluster: c, machine: m}
	// Without what needs a network, a disk of its own or other programs.
	config := "version = 3\ndisabled_plugins = ['io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.btrfs', " +
		"'io.containerd.snapshotter.v1.devmapper', 'io.containerd.snapshotter.v1.erofs', 'io.containerd.snapshotter.v1.zfs', 'io.containerd.nri.v1.nri']\n"
	if err := n.write(containerdConfig, config); err != nil {
		return nil, err
	}
	p, err := n.start("containerd", "/opt/bin/containerd", "--config="+containerdConfig)
	if err != nil {
		return nil, err
	}
	err = c.wait(ctx, p, func() error {
		_, err := os.Stat(n.Path("/run/containerd/containerd.sock"))
		return err
	})
	return n, err
}

// StartWithNode starts one node and, where it can be reached from there and
// with a certificate for two years, an API server. The node has not joined yet.
func (c *Cluster) StartWithNode(ctx context.Context) (*Node, *APIServer, error) {
	n, err := c.StartNode(ctx, NodeName)
	if err != nil {
		return nil, nil, err
	}
	from := time.Now().Add(-30 * Day)
	serving, err := c.CA.Issue(Spec{
		CommonName: "apiserver", Names: append(Names(), n.Host.String()),
		NotBefore: from, NotAfter: from.Add(2 * 365 * Day),
	})
	if err != nil {
		return nil, nil, err
	}
	server, err := c.StartAPIServerAt(ctx, n.Host, serving, c.CA)
	return n, server, err
}

// Join configures the kubelet for the cluster behind the server and starts it
// with nothing but a bootstrap token. Serving certificates are approved until
// ctx ends.
func (n *Node) Join(ctx context.Context, server *APIServer) error {
	token, err := server.AllowBootstrap(ctx, n.cluster.Admin)
	if err != nil {
		return err
	}
	files := map[string]string{
		ClusterCA:     string(n.cluster.CA.CertPEM),
		apiserverCopy: string(server.serving.CertPEM),
		BootstrapKubeconfig: "apiVersion: v1\nkind: Config\n" +
			"clusters:\n- name: localcluster\n  cluster:\n    certificate-authority: " + ClusterCA + "\n    server: " + server.URL() + "\n" +
			"users:\n- name: kubelet-bootstrap\n  user:\n    token: \"" + token + "\"\n" +
			"contexts:\n- name: bootstrap-context\n  context:\n    cluster: localcluster\n    user: kubelet-bootstrap\n" +
			"current-context: bootstrap-context\n",
		kubeletFlags: "KUBELET_FLAGS=--config=" + kubeletConfig + " --kubeconfig=/var/lib/kubelet/kubeconfig" +
			" --bootstrap-kubeconfig=" + BootstrapKubeconfig + " --node-ip=" + n.Addr.String() + " --node-labels=" + nodeLabels + " --v=2\n",
	}
	config, err := json.MarshalIndent(kubeletConfiguration(), "", "    ")
	if err != nil {
		return err
	}
	files[kubeletConfig] = string(config)
	for path, text := range files {
		if err := n.write(path, text); err != nil {
			return err
		}
	}
	go server.approveServing(ctx, n.cluster.Admin)
	return n.StartKubelet(ctx)
}

// kubeletConfiguration is AKS's where certificates are concerned. The rest lets
// a kubelet run on any machine and leave no trace on it.
func kubeletConfiguration() map[string]any {
	return map[string]any{
		"apiVersion":         "kubelet.config.k8s.io/v1beta1",
		"kind":               "KubeletConfiguration",
		"rotateCertificates": true,
		"serverTLSBootstrap": true,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": ClusterCA},
		},
		"authorization": map[string]any{"mode": "Webhook"},

		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"volumePluginDir":          "/etc/kubernetes/volumeplugins", // the default is below /usr
		"resolvConf":               "",
		"cgroupDriver":             "cgroupfs",
		// No cgroups are made: there is nothing to put into them.
		"cgroupsPerQOS":          false,
		"enforceNodeAllocatable": []string{},
		"failCgroupV1":           false,
		"failSwapOn":             false,
		"makeIPTablesUtilChains": false,
		// A full disk or little memory is no reason to taint the node.
		"evictionHard": map[string]any{"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%"},
	}
}

// StartKubelet starts the kubelet the way its systemd unit does, with the flags
// of its environment file, in place of the one that ran. It waits until the
// kubelet has its certificates and listens.
func (n *Node) StartKubelet(ctx context.Context) error {
	n.StopKubelet()
	n.cluster.kubelets++
	p, err := n.start(fmt.Sprintf("kubelet-%d", n.cluster.kubelets), "/bin/sh", "-c",
		"exec /opt/bin/kubelet $(sed -n 's/^KUBELET_FLAGS=//p' "+kubeletFlags+")")
	if err != nil {
		return err
	}
	n.kubelet = p
	return n.cluster.wait(ctx, p, func() error {
		for _, path := range []string{ClientCertificate, ServingCertificate} {
			if _, err := n.ReadFile(path); err != nil {
				return err
			}
		}
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(n.Addr.String(), "10250"))
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

// StopKubelet ends the kubelet, if it runs.
func (n *Node) StopKubelet() { n.kubelet.kill() }

// Forget stops the kubelet and removes the certificates that it got, as a new
// image of the node would.
func (n *Node) Forget() error {
	n.StopKubelet()
	if err := os.RemoveAll(n.Path(filepath.Dir(ClientCertificate))); err != nil {
		return err
	}
	return os.Remove(n.Path("/var/lib/kubelet/kubeconfig"))
}

// Path is where a file of the node is on this host.
func (n *Node) Path(path string) string { return filepath.Join(n.Root, path) }

// ReadFile reads a file of the node. Links are followed as the node does: the
// kubelet's are absolute.
func (n *Node) ReadFile(path string) ([]byte, error) {
	if to, err := os.Readlink(n.Path(path)); err == nil && filepath.IsAbs(to) {
		path = to
	}
	return os.ReadFile(n.Path(path))
}

// Command is how a program is run on the node.
func (n *Node) Command(args ...string) []string { return n.machine.command(args...) }

func (n *Node) start(name string, args ...string) (*process, error) {
	command := n.machine.command(args...)
	p, err := start(n.cluster.Dir, name, command[0], command[1:]...)
	if err == nil {
		n.cluster.processes = append(n.cluster.processes, p)
	}
	return p, err
}

func (n *Node) write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(n.Path(path)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(n.Path(path), []byte(text), 0o600)
}
