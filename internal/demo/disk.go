package demo

import (
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const secureUnit = "etc/systemd/system/secure-tls-bootstrap.service"

// files is the files of one node, by their path below its root.
type files map[string][]byte

// disk makes the machine's directory when it is first looked at, so that an
// estate of a thousand nodes starts at once.
func (m *machine) disk() (string, error) {
	m.made.Do(func() { m.madeErr = m.write() })
	return m.dir, m.madeErr
}

func (m *machine) write() error {
	files, err := m.files()
	if err != nil {
		return err
	}
	made := map[string]bool{}
	for path, content := range files {
		path = filepath.Join(m.dir, filepath.FromSlash(path))
		if dir := filepath.Dir(path); !made[dir] {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return fmt.Errorf("writing node %q: %w", m.name, err)
			}
			made[dir] = true
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing node %q: %w", m.name, err)
		}
	}
	// The kubelet's current certificate is a link to one with a date in its name.
	for _, kind := range []string{"client", "server"} {
		dated := filepath.Join(m.dir, filepath.FromSlash(m.pki(kind)))
		if _, err := os.Lstat(dated); err != nil {
			continue
		}
		if err := os.Symlink(filepath.Base(dated), filepath.Join(filepath.Dir(dated), "kubelet-"+kind+"-current.pem")); err != nil {
			return fmt.Errorf("writing node %q: %w", m.name, err)
		}
	}
	return nil
}

// pki is where the kubelet keeps its certificate of this kind, client or server.
func (m *machine) pki(kind string) string {
	s := m.client
	if kind == "server" {
		s = m.server
	}
	name := "kubelet-" + kind + "-" + m.cluster.pki.now.Add(-s.age).UTC().Format("2006-01-02-15-04-05") + ".pem"
	if m.pool.osType() == "Windows" {
		return "k/pki/" + name
	}
	return "var/lib/kubelet/pki/" + name
}

func (m *machine) files() (files, error) {
	if m.pool.osType() == "Windows" {
		return m.windowsFiles()
	}
	return m.linuxFiles()
}

func (m *machine) linuxFiles() (files, error) {
	d := files{}
	flags, config := "--node-labels=agentpool="+m.pool.name, `{"kind":"KubeletConfiguration","apiVersion":"kubelet.config.k8s.io/v1beta1","rotateCertificates":false}`
	kubelet := "/var/lib/kubelet/pki/kubelet-client-current.pem"
	if m.boot == staticClient {
		kubelet = "/etc/kubernetes/certs/client.crt"
		client, err := m.cluster.pki.client("client", "system:masters", m.client)
		if err != nil {
			return nil, err
		}
		d["etc/kubernetes/certs/client.crt"] = client
		d["etc/kubernetes/certs/client.key"] = m.cluster.pki.leafPEM
	} else {
		flags += " --rotate-certificates=true"
		config = `{"kind":"KubeletConfiguration","apiVersion":"kubelet.config.k8s.io/v1beta1","rotateCertificates":true,"serverTLSBootstrap":` +
			fmt.Sprint(m.server != span{}) + `}`
		// The unit is part of newer images, used or not; its drop-in is what says that it is.
		d[secureUnit] = []byte("[Unit]\nDescription=Secure TLS bootstrapping\n[Service]\nType=oneshot\nExecStart=/opt/bin/aks-secure-tls-bootstrap-client\n")
		if err := m.rotated(d); err != nil {
			return nil, err
		}
	}
	switch m.boot {
	case staticClient:
	case tokenBootstrap:
		d["var/lib/kubelet/bootstrap-kubeconfig"] = []byte(bootstrapKubeconfig(m.cluster, "/etc/kubernetes/certs/ca.crt"))
	case secureBootstrap:
		d[secureUnit+".d/10-securetlsbootstrap.conf"] = []byte("[Unit]\nBefore=kubelet.service\n[Service]\nEnvironmentFile=/etc/default/secure-tls-bootstrap\n")
	}
	d["var/lib/kubelet/kubeconfig"] = []byte(nodeKubeconfig(m.cluster, kubelet))
	d["etc/default/kubelet"] = []byte("KUBELET_FLAGS=" + flags + "\nKUBELET_REGISTER_SCHEDULABLE=true\n")
	d["etc/default/kubeletconfig.json"] = []byte(config + "\n")
	return d, m.common(d, "etc/kubernetes/certs/", "kubeletserver.crt", selfSigned)
}

func (m *machine) windowsFiles() (files, error) {
	d := files{
		"k/bootstrap-config": []byte(bootstrapKubeconfig(m.cluster, `c:\k\ca.crt`)),
		"k/config":           []byte(nodeKubeconfig(m.cluster, `c:\k\pki\kubelet-client-current.pem`)),
	}
	if err := m.rotated(d); err != nil {
		return nil, err
	}
	return d, m.common(d, "k/", "pki/kubelet.crt", oneYear)
}

// rotated adds what a kubelet that renews its certificates keeps: each with its
// private key in the same file.
func (m *machine) rotated(d files) error {
	kept, err := m.issued()
	if err != nil {
		return err
	}
	d[m.pki("client")] = kept.client
	if kept.server != nil {
		d[m.pki("server")] = kept.server
	}
	return nil
}

// common adds the CA, the copy of the API server's certificate, and the
// certificate the kubelet signed itself where the cluster signs none.
func (m *machine) common(d files, dir, own string, life int) error {
	d[dir+"ca.crt"] = m.cluster.pki.pem
	if m.twoCAs {
		d[dir+"ca.crt"] = m.cluster.trusted()
	}
	if m.copy != (span{}) {
		der, err := m.cluster.serving(m.copy)
		if err != nil {
			return err
		}
		d[dir+"apiserver.crt"] = certificatePEM(der)
	}
	if m.server != (span{}) {
		return nil
	}
	self, err := m.cluster.pki.alone(m.name, span{m.client.age, time.Duration(life) * day})
	d[dir+own] = self
	return err
}

// serving is a certificate for the cluster's API server.
func (c *cluster) serving(s span) ([]byte, error) {
	return c.pki.server(pkix.Name{CommonName: "apiserver"}, []string{
		c.dns(), "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "10.0.0.1", "127.0.0.1", "localhost"}, s)
}
