package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func fileOf(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a server sees of the user, by every way of signing in.
func TestSignIn(t *testing.T) {
	certificate, key := pair(t, "somebody")
	minted := func(context.Context) (string, error) { return "minted", nil }
	entra := &target.ARM{Entra: true, FQDN: "127.0.0.1"}
	exec := &target.Exec{Command: "kubelogin", APIVersion: "client.authentication.k8s.io/v1"}
	for name, test := range map[string]struct {
		user   target.User
		arm    *target.ARM
		bearer string
		peer   string
	}{
		"token":                 {user: target.User{Token: target.NewSecret("abc")}, bearer: "abc"},
		"token file":            {user: target.User{TokenFile: fileOf(t, " from-file\n")}, bearer: "from-file"},
		"token file wins":       {user: target.User{TokenFile: fileOf(t, "from-file"), Token: target.NewSecret("abc")}, bearer: "from-file"},
		"token for no file":     {user: target.User{TokenFile: filepath.Join(t.TempDir(), "none"), Token: target.NewSecret("abc")}, bearer: "abc"},
		"certificate":           {user: target.User{ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(key))}, peer: "somebody"},
		"certificate in files":  {user: target.User{ClientCertificate: target.Material{File: fileOf(t, string(certificate))}, ClientKeyFile: fileOf(t, string(key))}, peer: "somebody"},
		"both":                  {user: target.User{ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(key)), Token: target.NewSecret("abc")}, bearer: "abc", peer: "somebody"},
		"keyless certificate":   {user: target.User{ClientCertificate: target.Material{Data: certificate}, Token: target.NewSecret("abc")}, bearer: "abc"},
		"Entra":                 {user: target.User{Exec: exec}, arm: entra, bearer: "minted"},
		"token and an exec":     {user: target.User{Exec: exec, Token: target.NewSecret("abc")}, arm: entra, bearer: "abc"},
		"token, basic besides":  {user: target.User{Basic: true, Token: target.NewSecret("abc")}, bearer: "abc"},
		"certificate, and exec": {user: target.User{Exec: exec, ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(key))}, arm: entra, peer: "somebody"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ok, askForCertificate)
			at := to(server)
			at.User, at.ARM = &test.user, test.arm
			if _, err := get(t, client(t, Config{Token: minted, UserAgent: "akscert/test"}, at), Request{}); err != nil {
				t.Fatal(err)
			}
			q := server.asked()[0]
			bearer := strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer ")
			peer := ""
			if len(q.TLS.PeerCertificates) > 0 {
				peer = q.TLS.PeerCertificates[0].Subject.CommonName
			}
			if bearer != test.bearer || peer != test.peer || q.UserAgent() != "akscert/test" || q.Method != http.MethodGet {
				t.Errorf("got bearer %q, peer %q, agent %q", bearer, peer, q.UserAgent())
			}
		})
	}
}

func TestImpersonate(t *testing.T) {
	server := serve(t, ok)
	at := to(server)
	at.User.Impersonate = target.Impersonate{User: "jane", UID: "7", Groups: []string{"a", "b"}, Extra: map[string][]string{"why": {"audit"}}}
	if _, err := get(t, client(t, Config{}, at), Request{}); err != nil {
		t.Fatal(err)
	}
	h := server.asked()[0].Header
	if h.Get("Impersonate-User") != "jane" || h.Get("Impersonate-Uid") != "7" || h.Get("Impersonate-Extra-Why") != "audit" || !slices.Equal(h["Impersonate-Group"], []string{"a", "b"}) {
		t.Errorf("got %v", h)
	}
}

// A rotated token file is read again.
func TestTokenFileIsReadAgain(t *testing.T) {
	server := serve(t, ok)
	at := to(server)
	path := fileOf(t, "one")
	at.User = &target.User{TokenFile: path}
	c := client(t, Config{}, at)
	get(t, c, Request{})
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	get(t, c, Request{})
	if got := server.asked()[1].Header.Get("Authorization"); got != "Bearer two" {
		t.Errorf("got %q", got)
	}
}

// Nothing is asked of anybody, and the words say why.
func TestNoClient(t *testing.T) {
	server := serve(t, ok)
	certificate, key := pair(t, "somebody")
	_, another := pair(t, "another")
	exec := &target.Exec{Command: "kubelogin", APIVersion: "client.authentication.k8s.io/v1"}
	minted := func(context.Context) (string, error) {
		t.Error("a token was minted")
		return secret, nil
	}
	for name, test := range map[string]struct {
		change func(*target.Target)
		want   string
	}{
		"no cluster":      {func(t *target.Target) { t.Cluster = nil }, "skipped: no API server address"},
		"no user":         {func(t *target.Target) { t.User = nil }, "skipped: no kubeconfig user"},
		"stopped":         {func(t *target.Target) { t.ARM = &target.ARM{PowerState: "Stopped"} }, "skipped: the cluster is stopped"},
		"CA not known":    {func(t *target.Target) { t.Cluster.CAUnknown = true }, "skipped: no CA"},
		"anonymous":       {func(t *target.Target) { t.User.Token = target.Secret{} }, "skipped: the user has no credentials"},
		"exec":            {func(t *target.Target) { t.User = &target.User{Exec: exec} }, `skipped: the user signs in by the exec plugin "kubelogin", which an audit runs only with --allow-exec`},
		"exec, not Entra": {func(t *target.Target) { t.User, t.ARM = &target.User{Exec: exec}, &target.ARM{FQDN: "127.0.0.1"} }, "--allow-exec"},
		"Entra elsewhere": {func(t *target.Target) {
			t.User, t.ARM = &target.User{Exec: exec}, &target.ARM{Entra: true, FQDN: "c.azmk8s.io"}
		}, "--allow-exec"},
		"insecure, token": {func(t *target.Target) { t.Cluster.InsecureSkipTLSVerify = true }, "skipped: insecure-skip-tls-verify"},
		"insecure, Entra": {func(t *target.Target) {
			t.Cluster.InsecureSkipTLSVerify, t.User, t.ARM = true, &target.User{Exec: exec}, &target.ARM{Entra: true, FQDN: "127.0.0.1"}
		}, "skipped: insecure-skip-tls-verify"},
		"basic":         {func(t *target.Target) { t.User = &target.User{Basic: true} }, "unsupported kc#users/: the user signs in by a user name and password"},
		"auth provider": {func(t *target.Target) { t.User = &target.User{AuthProvider: "azure"} }, `the auth provider "azure", which Kubernetes no longer has (for Entra convert it with: kubelogin`},
		"no server":     {func(t *target.Target) { t.Cluster.Server = "" }, "malformed kc#clusters/c: the cluster entry names no server"},
		"plain http":    {func(t *target.Target) { t.Cluster.Server = "http://u:" + secret + "@h:80" }, "unsupported kc#clusters/c: server h:80 is not https"},
		"no URL":        {func(t *target.Target) { t.Cluster.Server = "https://u:" + secret + "@[h" }, "not a URL with a host"},
		"bad proxy":     {func(t *target.Target) { t.Cluster.ProxyURL = "http://u:" + secret + "@[h" }, "the kubeconfig's proxy-url is not a URL with a host"},
		"odd proxy":     {func(t *target.Target) { t.Cluster.ProxyURL = "ftp://u:" + secret + "@h" }, `the kubeconfig's proxy-url has the scheme "ftp"`},
		"no CA file":    {func(t *target.Target) { t.Cluster.CA = target.Material{File: "/nonexistent/ca"} }, `not-found kc#clusters/c: reading certificate authority "/nonexistent/ca"`},
		"empty CA":      {func(t *target.Target) { t.Cluster.CA = target.Material{Data: []byte("x")} }, "malformed kc#clusters/c: reading certificate authority: holds no certificate"},
		"no token file": {func(t *target.Target) { t.User = &target.User{TokenFile: "/nonexistent/t"} }, `not-found kc#users/: reading token file "/nonexistent/t"`},
		"no key":        {func(t *target.Target) { t.User = &target.User{ClientCertificate: target.Material{Data: certificate}} }, "a client certificate and no key"},
		"another's key": {func(t *target.Target) {
			t.User = &target.User{ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(another))}
		}, "the client certificate and its key cannot be used"},
		"no key file": {func(t *target.Target) {
			t.User = &target.User{ClientCertificate: target.Material{Data: certificate}, ClientKeyFile: "/nonexistent/k"}
		}, `not-found kc#users/: reading client key "/nonexistent/k"`},
		"no certificate": {func(t *target.Target) {
			t.User = &target.User{ClientCertificate: target.Material{File: "/nonexistent/c"}, ClientKey: target.NewSecret(string(key))}
		}, `not-found kc#users/: reading client certificate "/nonexistent/c"`},
		"an empty token": {func(t *target.Target) { t.User = &target.User{TokenFile: os.DevNull} }, "reading token file"},
		"certificate of ARM": {func(t *target.Target) {
			t.User, t.ARM = &target.User{File: "listClusterUserCredential", Exec: exec}, &target.ARM{}
		}, "which is never run from there"},
	} {
		t.Run(name, func(t *testing.T) {
			at := to(server)
			if at.User.File = "kc"; test.change != nil {
				test.change(&at)
			}
			if at.User != nil && at.User.File == "" {
				at.User.File = "kc"
			}
			c, why := New(Config{Token: minted}).Client(t.Context(), at)
			if got := tell(why); c != nil || !strings.Contains(got, test.want) || strings.Contains(got, secret) || strings.Contains(got, "PRIVATE") {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
	if n := len(server.asked()); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// A plugin that Azure's answer names does not run, whatever is allowed.
func TestPluginFromARM(t *testing.T) {
	at := to(serve(t, ok))
	mark := filepath.Join(t.TempDir(), "ran")
	at.ARM, at.User = &target.ARM{}, &target.User{File: "listClusterAdminCredential", Exec: &target.Exec{Command: "touch", Args: []string{mark}, APIVersion: "client.authentication.k8s.io/v1"}}
	c, why := New(Config{AllowExec: true}).Client(t.Context(), at)
	if _, err := os.Stat(mark); c != nil || err == nil || !strings.Contains(tell(why), "never run") {
		t.Errorf("got %s; file: %v", tell(why), err)
	}
}

// With insecure-skip-tls-verify a client certificate is used and no token is.
func TestInsecure(t *testing.T) {
	server := serve(t, ok, askForCertificate)
	certificate, key := pair(t, "somebody")
	at := to(server)
	at.Cluster.InsecureSkipTLSVerify = true
	at.User.ClientCertificate, at.User.ClientKey = target.Material{Data: certificate}, target.NewSecret(string(key))
	if _, err := get(t, client(t, Config{}, at), Request{}); err != nil {
		t.Fatal(err)
	}
	q := server.asked()[0]
	if q.Header.Get("Authorization") != "" || len(q.TLS.PeerCertificates) != 1 {
		t.Errorf("got %v", q.Header)
	}
}

// A kubeconfig without a CA trusts the system's roots, which do not know ours;
// a kubeconfig without a scheme has https, as it has a CA; a prefix stays.
func TestServer(t *testing.T) {
	server := serve(t, ok)
	for name, test := range map[string]struct {
		change func(*target.Cluster)
		path   string
	}{
		"roots":      {func(c *target.Cluster) { c.CA = target.Material{} }, ""},
		"CA file":    {func(c *target.Cluster) { c.CA = target.Material{File: fileOf(t, string(c.CA.Data))} }, "/version"},
		"no scheme":  {func(c *target.Cluster) { c.Server = strings.TrimPrefix(c.Server, "https://") }, "/version"},
		"prefix":     {func(c *target.Cluster) { c.Server += "/k8s/clusters/c-1/" }, "/k8s/clusters/c-1/version"},
		"password":   {func(c *target.Cluster) { c.Server = strings.Replace(c.Server, "://", "://u:"+secret+"@", 1) }, "/version"},
		"other name": {func(c *target.Cluster) { c.TLSServerName = "example.com" }, "/version"},
		"wrong name": {func(c *target.Cluster) { c.TLSServerName = "example.org" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			at := to(server)
			test.change(at.Cluster)
			before := len(server.asked())
			_, err := get(t, client(t, Config{}, at), Request{})
			switch asked := server.asked()[before:]; {
			case test.path == "":
				if err == nil || len(asked) != 0 || !strings.Contains(err.Message, "could not be verified with the kubeconfig's CA, so nothing was asked") || err.Location != server.address() || !err.Whole {
					t.Errorf("got %+v, asked %d", err, len(asked))
				}
			case err != nil || len(asked) != 1 || asked[0].URL.Path != test.path || asked[0].Header.Get("Authorization") != "Bearer "+secret:
				t.Errorf("got %v, asked %d", err, len(asked))
			}
		})
	}
}

// A server that refuses a client certificate in the handshake refuses who we are.
func TestAlert(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ok, func(s *httptest.Server) {
				s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool(), MaxVersion: version}
			})
			certificate, key := pair(t, "somebody")
			at := to(server)
			at.User = &target.User{ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(key))}
			_, err := get(t, client(t, Config{}, at), Request{})
			if err == nil || err.Reason != report.ReasonUnauthenticated || !err.Whole || !strings.HasPrefix(err.Message, "the API server refused the kubeconfig's credentials with the alert ") {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// HTTPS_PROXY in the environment is Config's to name, and nobody else's.
func TestNoProxyOfItsOwn(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	at := to(serve(t, ok))
	at.Cluster.Server = "https://none.invalid" // loopback never has a proxy
	if _, err := get(t, client(t, Config{}, at), Request{}); err == nil || !strings.Contains(err.Message, "looking up") {
		t.Errorf("got %+v", err)
	}
}

// Close leaves no connection behind.
func TestClose(t *testing.T) {
	closed := make(chan struct{})
	var once sync.Once
	server := serve(t, ok, http2, func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				once.Do(func() { close(closed) })
			}
		}
	})
	c := client(t, Config{}, to(server))
	if _, err := get(t, c, Request{}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection is still open")
	}
}
