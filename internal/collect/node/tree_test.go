package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	current = "/var/lib/kubelet/pki/kubelet-client-current.pem"
	server  = "/var/lib/kubelet/pki/kubelet-server-current.pem"
	token   = "/var/lib/kubelet/bootstrap-kubeconfig"
	dropIn  = "/etc/systemd/system/secure-tls-bootstrap.service.d/10-securetlsbootstrap.conf"
	static  = "/etc/kubernetes/certs/client.crt"
	ca      = "/etc/kubernetes/certs/ca.crt"
	config  = "/var/lib/kubelet/kubeconfig"
)

// bootstrapToken stands in bootstrap-kubeconfig and must not leave the node.
const bootstrapToken = "abcdef.0123456789abcdef"

var (
	notBefore = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	notAfter  = time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
)

// issue makes a certificate with a 20-byte serial number, signed by itself
// where issuer is nil, and its key.
func issue(t testing.TB, name, issuer pkix.Name, isCA bool) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial := new(big.Int).SetBytes(append([]byte{0x7f}, make([]byte, 19)...))
	serial.Add(serial, new(big.Int).SetBytes(elliptic.MarshalCompressed(private.Curve, private.X, private.Y)[:8]))
	template := &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: notBefore, NotAfter: notAfter,
		IsCA: isCA, BasicConstraintsValid: true}
	parent := &x509.Certificate{Subject: issuer}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// largeCA is a CA certificate as AKS makes them: RSA, 4096 bits.
func largeCA(t testing.TB, name pkix.Name) []byte {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		t.Fatal(err)
	}
	serial := new(big.Int).SetBytes([]byte(strings.Repeat("\x7f", 20)))
	template := &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: notBefore, NotAfter: notBefore.AddDate(30, 0, 0),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func fingerprint(t testing.TB, cert []byte) string {
	t.Helper()
	block, _ := pem.Decode(cert)
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// tree is a node's files by path, and what must not leave it.
type tree struct {
	files map[string]string
	links map[string]string
	keys  []string
}

// fullNode has every file, as a node has them in the midst of all changes: two
// CAs, serving certificates of both kinds, and the links that the kubelet makes.
func fullNode(t testing.TB) tree {
	t.Helper()
	authority := pkix.Name{CommonName: "ca"}
	kubelet := pkix.Name{Organization: []string{"system:nodes"}, CommonName: "system:node:aks-nodepool1-12345678-vmss000000"}
	tr := tree{files: map[string]string{}, links: map[string]string{}}
	pair := func(name, issuer pkix.Name, isCA bool) (string, string) {
		c, k := issue(t, name, issuer, isCA)
		tr.keys = append(tr.keys, string(k))
		return string(c), string(k)
	}
	cert, key := pair(kubelet, authority, false)
	tr.files["/var/lib/kubelet/pki/kubelet-client-2026-01-02-03-04-05.pem"] = cert + key
	tr.links[current] = "/var/lib/kubelet/pki/kubelet-client-2026-01-02-03-04-05.pem"
	cert, key = pair(kubelet, authority, false)
	tr.files["/var/lib/kubelet/pki/kubelet-server-2026-01-02-03-04-05.pem"] = key + cert // the key first
	tr.links[server] = "/var/lib/kubelet/pki/kubelet-server-2026-01-02-03-04-05.pem"
	own := pkix.Name{CommonName: "aks-nodepool1-12345678-vmss000000"}
	tr.files["/etc/kubernetes/certs/kubeletserver.crt"], _ = pair(own, own, false)
	tr.files[static], _ = pair(pkix.Name{Organization: []string{"system:masters"}, CommonName: "client"}, authority, false)
	first, _ := pair(authority, authority, true)
	second, _ := pair(authority, authority, true)
	tr.files[ca] = first + second
	tr.files["/etc/kubernetes/certs/apiserver.crt"], _ = pair(pkix.Name{CommonName: "apiserver"}, authority, false)
	tr.files[token] = "users:\n- name: kubelet-bootstrap\n  user:\n    token: \"" + bootstrapToken + "\"\n"
	tr.files[dropIn] = "[Unit]\nBefore=kubelet.service\n"
	tr.files["/etc/default/kubelet"] = "KUBELET_FLAGS=--node-ip=10.0.0.4 --rotate-certificates=true --max-pods=110\nKUBELET_REGISTER_SCHEDULABLE=true\n"
	tr.files["/etc/default/kubeletconfig.json"] = "{\n  \"rotateCertificates\": true,\n  \"serverTLSBootstrap\": true\n}\n"
	tr.files[config] = "users:\n- name: default-auth\n  user:\n    client-certificate: " + current + "\n    client-key: " + current + "\n"
	return tr
}

// write puts the files below a new directory.
func (tr tree) write(t testing.TB) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a node's files")
	put := func(path string) string {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		return full
	}
	for path, data := range tr.files {
		if err := os.WriteFile(put(path), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, to := range tr.links {
		if err := os.Symlink(to, put(path)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
