package breadth

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/certs"
)

// known is a certificate as OpenSSL reads it.
type known struct {
	notBefore, notAfter string // iso_8601, or "Bad time value"
	serial, fingerprint string
}

func TestZLint(t *testing.T) {
	// Not `go list -m`, which knows no folder before the module is there.
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(goOutput(t, "mod", "download", "-json", "github.com/zmap/zlint/v3")), &module); err != nil {
		t.Fatal(err)
	}
	compare(t, module.Dir, 1400)
}

// TestGoTree covers crypto/x509, its copy of NIST's PKITS, and crypto/tls.
func TestGoTree(t *testing.T) {
	compare(t, filepath.Join(goOutput(t, "env", "GOROOT"), "src", "crypto"), 400)
}

func goOutput(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// compare asks OpenSSL and certs.Read about every certificate under dir. Where
// OpenSSL reads one, so must we, and agree.
func compare(t *testing.T, dir string, atLeast int) {
	needOpenSSL(t)
	inputs := certificates(t, dir)
	var read, refusedByGo, refusedByAll, oursOnly atomic.Int32
	work := make(chan input)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for in := range work {
				want, ok := askOpenSSL(t, in.pem)
				block, _ := pem.Decode(in.pem)
				if block != nil {
					if _, err := x509.ParseCertificate(block.Bytes); err != nil && ok {
						refusedByGo.Add(1)
					}
				}
				found, problems := certs.Read(in.data)
				switch {
				case ok:
					read.Add(1)
					check(t, in.name, want, found, problems)
				case len(found) > 0:
					oursOnly.Add(1)
				case len(problems) == 0:
					t.Errorf("%s: OpenSSL refuses it, and we say nothing", in.name)
				default:
					refusedByAll.Add(1)
				}
			}
		})
	}
	for _, in := range inputs {
		work <- in
	}
	close(work)
	wg.Wait()
	t.Logf("%d certificates: %d read by OpenSSL and by us alike (crypto/x509 refuses %d of them), %d read by us alone, %d by neither",
		len(inputs), read.Load(), refusedByGo.Load(), oursOnly.Load(), refusedByAll.Load())
	if int(read.Load()) < atLeast {
		t.Errorf("OpenSSL read %d certificates under %s, want at least %d", read.Load(), dir, atLeast)
	}
}

func needOpenSSL(t *testing.T) {
	t.Helper()
	out, err := exec.Command("openssl", "version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("openssl is not installed")
	}
	if !regexp.MustCompile(`^OpenSSL ([3-9]|[1-9][0-9])\.`).Match(out) {
		t.Skipf("%s lacks -dateopt", bytes.TrimSpace(out))
	}
}

// input is one certificate: data as found for us, pem for OpenSSL.
type input struct {
	name      string
	data, pem []byte
}

var block = regexp.MustCompile(`(?s)-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----.*?-----END ((?:X509 |TRUSTED )?CERTIFICATE)-----`)

// certificates takes the files apart by their markers alone, so that no
// parser decides what is compared.
func certificates(t *testing.T, dir string) (all []input) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".pem", ".crt", ".cer", ".cert":
		default:
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(data) > 0 && data[0] == 0x30 && !bytes.Contains(data, []byte("-----BEGIN")) {
			coded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data})
			all = append(all, input{name, data, coded})
			return nil
		}
		for i, b := range block.FindAll(data, -1) {
			b = append(bytes.Clone(b), '\n')
			all = append(all, input{fmt.Sprintf("%s#%d", name, i), b, b})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func askOpenSSL(t *testing.T, pem []byte) (k known, ok bool) {
	cmd := exec.Command("openssl", "x509", "-noout", "-startdate", "-enddate", "-dateopt", "iso_8601", "-serial", "-fingerprint", "-sha256")
	cmd.Stdin = bytes.NewReader(pem)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("openssl: %v", err)
		}
		return k, false
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		switch key {
		case "notBefore":
			k.notBefore = value
		case "notAfter":
			k.notAfter = value
		case "serial":
			k.serial = strings.ToLower(value)
		case "sha256 Fingerprint", "SHA256 Fingerprint":
			k.fingerprint = strings.ToLower(strings.ReplaceAll(value, ":", ""))
		}
	}
	return k, true
}

const badTime = "Bad time value"

func check(t *testing.T, name string, want known, found []certs.Certificate, problems []certs.Problem) {
	if want.notAfter == badTime {
		if len(found) == 0 && len(problems) == 0 {
			t.Errorf("%s: a bad notAfter is passed over", name)
		}
		return
	}
	if len(found) != 1 || len(problems) != 0 {
		t.Errorf("%s: found %d certificates and problems %v", name, len(found), problems)
		return
	}
	got := known{badTime, iso(found[0].NotAfter), found[0].Serial, found[0].Fingerprint}
	if found[0].NotBefore != nil {
		got.notBefore = iso(found[0].NotBefore)
	}
	want.notBefore, want.notAfter = wholeSeconds(want.notBefore), wholeSeconds(want.notAfter)
	if got != want {
		t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
	}
}

// iso writes years as OpenSSL's %4d does.
func iso(t *time.Time) string {
	return fmt.Sprintf("%4d-%s", t.Year(), t.Format("01-02 15:04:05Z"))
}

var fraction = regexp.MustCompile(`\.[0-9]+`)

// wholeSeconds brings what OpenSSL prints to ours: it keeps fractions, and
// prints a Z only if the certificate has one.
func wholeSeconds(s string) string {
	s = fraction.ReplaceAllString(s, "")
	if s != badTime && !strings.HasSuffix(s, "Z") {
		s += "Z"
	}
	return s
}
