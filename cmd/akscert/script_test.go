package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/akscert/akscert/internal/collect/node"
	"github.com/akscert/akscert/internal/demo"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"akscert": main})
}

// TestScripts runs testdata/script: what a user could type, against
// certificates, keys and TLS listeners made for this run. The scripts judge as
// of 2026-06-01, whatever the day.
func TestScripts(t *testing.T) {
	estate := newEstate(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("..", "..", "testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Defer(func() {
				if err := savedAsSchema(e.WorkDir); err != nil {
					t.Error(err)
				}
			})
			for name, data := range estate.files {
				if err := os.WriteFile(filepath.Join(e.WorkDir, name), data, 0o600); err != nil {
					return err
				}
			}
			kube, err := os.ReadFile(filepath.Join("..", "..", "testdata", "kube.yaml"))
			if err != nil {
				return err
			}
			e.Vars = append(e.Vars, "NOW=2026-06-01T00:00:00Z", "HOME="+e.WorkDir, "HEALTHY="+estate.healthy, "EXPIRED="+estate.expired,
				"HANG="+estate.hang, "PLAIN="+estate.plain, "REFUSED="+estate.refused, "JWT="+jwt,
				"CLIENT_DATA="+base64.StdEncoding.EncodeToString(estate.files["client.pem"]), "KEY_DATA="+base64.StdEncoding.EncodeToString(estate.files["client.key"]),
				"KUBECONFIG="+filepath.Join(e.WorkDir, "kube.yaml"))
			return os.WriteFile(filepath.Join(e.WorkDir, "kube.yaml"), []byte(os.Expand(string(kube), e.Getenv)), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand": expand, "exits": exits, "interrupt": interrupt, "estate": startEstate, "rotation": new(rotating).rotation,
			"schema": schemaOf, "examples": runExamples,
		},
	})
}

// expand replaces $NAME in files by the script's variables: listeners have a
// new port every run.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		data := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(data), 0o600))
	}
}

// exits runs akscert and requires the exit code: exits 3 audit …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARGS…")
	}
	err := ts.Exec("akscert", args[1:]...)
	got := 0
	if err != nil {
		code, ok := strings.CutPrefix(err.Error(), "exit status ")
		if !ok {
			ts.Fatalf("akscert: %v", err)
		}
		got, _ = strconv.Atoi(code)
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
	_, err = asSchema([]byte(ts.ReadFile("stdout"))) // every report of every script
	ts.Check(err)
}

// interrupt sends the signal to the script's background akscert.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}
	time.Sleep(1500 * time.Millisecond) // until it hangs at the hanging server
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(signals[args[0]]))
	}
}

// jwt is a token whose exp is 2026-05-01.
var jwt = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." +
	base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x","exp":1777593600}`)) + ".c2VjcmV0LXNpZ25hdHVyZQ"

// startEstate starts the sample of Azure and points the script's environment at
// it: estate, or estate NODES for one more cluster of so many nodes under
// Azure's real limits.
func startEstate(ts *testscript.TestScript, neg bool, args []string) {
	o := demo.Options{Now: time.Now(), AllowedScripts: []string{node.Script("linux")}, AllowedWindows: []string{node.Script("windows")}, WindowsAnswer: windowsAnswer}
	if len(args) == 1 {
		nodes, err := strconv.Atoi(args[0])
		ts.Check(err)
		o.Nodes, o.Limits = nodes, true
	}
	e, err := demo.Start(context.Background(), o)
	ts.Check(err)
	ts.Defer(func() {
		if n := e.Throttled(); n > 0 && !neg {
			ts.Logf("throttled %d times", n)
		}
		ts.Check(e.Close())
	})
	for _, variable := range e.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		ts.Setenv(name, value)
	}
}

// estate is the files and listeners that scripts use.
type estate struct {
	files                                  map[string][]byte
	healthy, expired, hang, plain, refused string
}

type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newEstate(t *testing.T) estate {
	e := estate{files: map[string][]byte{}}
	key := newKey(t)
	issue := func(name string, template x509.Certificate, by *issuer) []byte {
		template.SerialNumber = big.NewInt(int64(0x1000 + len(e.files)))
		parent, signer := &template, key
		if by != nil {
			parent, signer = by.cert, by.key
		}
		der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		e.files[name+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		return der
	}
	ca := func(name string) *issuer {
		der := issue(name, x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: date(2025, 1, 1), NotAfter: date(2055, 1, 1), IsCA: true, BasicConstraintsValid: true}, nil)
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return &issuer{cert, key}
	}
	authority := ca("ca")
	key = newKey(t)
	ca("other-ca")
	key = newKey(t)

	client := func(name string, from, until time.Time) {
		issue(name, x509.Certificate{Subject: pkix.Name{CommonName: "masterclient", Organization: []string{"system:masters"}}, NotBefore: from, NotAfter: until}, authority)
	}
	client("client", date(2026, 1, 1), date(2028, 1, 1))
	client("client-expired", date(2024, 5, 20), date(2026, 5, 20))
	client("client-warning", date(2024, 10, 1), date(2026, 10, 1))
	client("client-critical", date(2024, 6, 15), date(2026, 6, 15))
	client("client-future", date(2026, 7, 1), date(2028, 7, 1))
	client("client-skewed", date(2026, 6, 1).Add(time.Minute), date(2028, 7, 1))

	serving := func(name string, from, until time.Time) string {
		der := issue(name, x509.Certificate{Subject: pkix.Name{CommonName: "apiserver"}, NotBefore: from, NotAfter: until,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, authority)
		return listen(t, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, e.files["ca.pem"])
	}
	e.healthy = serving("server", date(2026, 1, 1), date(2028, 1, 1))
	e.expired = serving("server-expired", date(2024, 5, 1), date(2026, 5, 1))
	e.hang = accept(t, func(conn net.Conn) { time.Sleep(time.Minute) })
	e.plain = accept(t, func(conn net.Conn) {
		_, _ = conn.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"))
	})
	e.refused = closedPort(t)

	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	e.files["client.key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	e.files["with-key.pem"] = append(bytes.Clone(e.files["client.key"]), e.files["client.pem"]...)
	return e
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// listen is an API server with that certificate, of a cluster without nodes that
// accepts client certificates of ca.
func listen(t *testing.T, cert tls.Certificate, ca []byte) string {
	api := http.NewServeMux()
	answer := func(path, body string) {
		api.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
	}
	answer("/version", `{"major":"1","minor":"33","gitVersion":"v1.33.5"}`)
	answer("/apis", `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"rbac.authorization.k8s.io"}]}`)
	answer("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:discovery", `{"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"system:discovery"}}`)
	answer("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication", `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"extension-apiserver-authentication"},"data":{"client-ca-file":`+strconv.Quote(string(ca))+`}}`)
	answer("/api/v1/nodes", `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},"items":[]}`)
	server := &http.Server{Handler: api, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.ServeTLS(l, "", "") }()
	return l.Addr().String()
}

// accept serves every connection to a new port of loopback.
func accept(t *testing.T, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
