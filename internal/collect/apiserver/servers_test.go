package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
)

// patience is far more than anything here takes, on a slow machine too. A test
// that runs into it fails.
const patience = time.Minute

// brief is the connect timeout of tests whose server never finishes.
const brief = 300 * time.Millisecond

// dial runs c.Dial and sees to it that it comes back.
func dial(t *testing.T, c Collector, e Endpoint) ([][]byte, *collect.Gap) {
	t.Helper()
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = patience
	}
	type result struct {
		chain [][]byte
		gap   *collect.Gap
	}
	done := make(chan result, 1)
	go func() {
		chain, gap := c.Dial(context.Background(), e)
		done <- result{chain, gap}
	}()
	select {
	case r := <-done:
		if (len(r.chain) > 0) == (r.gap != nil) {
			t.Fatalf("Dial returned %d certificates and gap %v; want one or the other", len(r.chain), r.gap)
		}
		return r.chain, r.gap
	case <-time.After(2 * patience):
		t.Fatal("Dial did not come back")
		return nil, nil
	}
}

// issued is a certificate and its key.
type issued struct {
	der []byte
	key crypto.Signer
}

func (i issued) parsed(t *testing.T) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(i.der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue makes a certificate for localhost, signed by parent or, when that is
// nil, by itself.
func issue(t *testing.T, name string, parent *issued, change func(*x509.Certificate)) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if change != nil {
		change(template)
	}
	issuer, signer := template, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.parsed(t), parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return issued{der, key}
}

func authority(t *testing.T, name string, parent *issued) issued {
	return issue(t, name, parent, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
}

// negativeSerial makes a self-signed certificate with the serial number -5, as
// x509.CreateCertificate will not.
func negativeSerial(t *testing.T) issued {
	t.Helper()
	good := issue(t, "negative serial", nil, nil)
	tbs := good.parsed(t).RawTBSCertificate
	version3serial5 := []byte{0xa0, 3, 2, 1, 2, 2, 1, 5}
	if bytes.Count(tbs, version3serial5) != 1 {
		t.Fatal("the serial number is not where it is looked for")
	}
	tbs = bytes.Replace(tbs, version3serial5, []byte{0xa0, 3, 2, 1, 2, 2, 1, 0xfb}, 1)
	digest := sha256.Sum256(tbs)
	signature, err := good.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: tbs},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}, // ecdsa-with-SHA256
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParseCertificate(der); err == nil {
		t.Fatal("crypto/x509 reads a negative serial number; this test has lost its point")
	}
	return issued{der, good.key}
}

// serveOn answers each connection to l with handle, until the test ends.
func serveOn(t *testing.T, l net.Listener, handle func(net.Conn)) string {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	return serveOn(t, listen(t), handle)
}

// serveTLS presents chain, the leaf with its key first, as crypto/tls does.
func serveTLS(t *testing.T, config *tls.Config, leaf issued, others ...[]byte) string {
	t.Helper()
	return serve(t, tlsHandler(config, leaf, others...))
}

func tlsHandler(config *tls.Config, leaf issued, others ...[]byte) func(net.Conn) {
	config = config.Clone()
	config.Certificates = []tls.Certificate{{Certificate: append([][]byte{leaf.der}, others...), PrivateKey: leaf.key}}
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			io.Copy(io.Discard, server)
		}
	}
}

// openssl runs openssl in a folder of the test's own.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(opensslPath(t), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func opensslPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
		t.Skip("needs openssl")
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// opensslServer runs openssl s_server with dir's cert.pem and key.pem.
func opensslServer(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(opensslPath(t), append([]string{"s_server", "-accept", "127.0.0.1:0", "-www"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It ends by itself at the end of its output only if killed.
	stopped := make(chan struct{})
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-stopped
	})
	address := make(chan string, 1)
	go func() {
		defer close(stopped)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if a, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
				select {
				case address <- a:
				default:
				}
			}
		}
		cmd.Wait()
	}()
	select {
	case a := <-address:
		return a
	case <-stopped:
		t.Fatalf("openssl s_server %s:\n%s", strings.Join(args, " "), &stderr)
	case <-time.After(patience):
		t.Fatal("openssl s_server did not begin to listen")
	}
	return ""
}

// writePEM puts i into dir as cert.pem and key.pem.
func writePEM(t *testing.T, dir string, i issued) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: i.der},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readPEM(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s holds no PEM", file)
	}
	return block.Bytes
}
