package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
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
		"Entra":                 {user: target.User{Exec: exec, File: "listClusterUserCredential"}, arm: entra, bearer: "minted"},
		"token and an exec":     {user: target.User{Exec: exec, Token: target.NewSecret("abc")}, arm: entra, bearer: "abc"},
		"token, basic besides":  {user: target.User{Basic: true, Token: target.NewSecret("abc")}, bearer: "abc"},
		"certificate, and exec": {user: target.User{Exec: exec, ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(key))}, arm: entra, peer: "somebody"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ok, askForCertificate)
			at := to(server)
			at.User, at.ARM = &test.user, test.arm
			if test.user.File != "" {
				at.Cluster.File = test.user.File
			}
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

// Whoever writes a kubeconfig says where its cluster entry leads: by the real
// cluster's name, through a proxy of theirs, to a server that their CA and
// tls-server-name verify. The token that opens every cluster does not go there,
// unless Azure itself wrote the entry.
func TestTokenForAnotherServer(t *testing.T) {
	const fqdn, private = "prod-1.hcp.eastus.azmk8s.io", "prod-1.privatelink.eastus.azmk8s.io"
	for name, test := range map[string]struct {
		server string
		change func(*target.Target)
		sent   bool
	}{
		"the public name":       {fqdn, nil, false},
		"the private name":      {private, nil, false},
		"in capitals":           {strings.ToUpper(fqdn) + ".", nil, false},
		"no proxy, its address": {"", func(t *target.Target) { t.Cluster.ProxyURL, t.ARM.FQDN = "", "127.0.0.1" }, false},
		"the user is Azure's":   {fqdn, func(t *target.Target) { t.User.File = "listClusterUserCredential" }, false},
		"Azure's":               {fqdn, func(t *target.Target) { t.Cluster.File = "listClusterUserCredential" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			evil := serve(t, ok)
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				out, err := net.Dial("tcp", evil.address()) // whatever it was asked for
				if err != nil {
					panic(err)
				}
				in, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					panic(err)
				}
				_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
				go func() {
					_, _ = io.Copy(out, in)
					_ = out.Close()
				}()
				_, _ = io.Copy(in, out)
				_ = in.Close()
			}))
			t.Cleanup(proxy.Close)
			at := to(evil)
			at.ARM = &target.ARM{Entra: true, FQDN: fqdn, PrivateFQDN: private}
			at.Cluster.TLSServerName, at.Cluster.ProxyURL = "127.0.0.1", proxy.URL
			if test.server != "" {
				at.Cluster.Server = "https://" + test.server + ":443"
			}
			at.User = &target.User{Name: "u", File: "from-a-colleague.yaml", Exec: &target.Exec{Command: "kubelogin", APIVersion: "client.authentication.k8s.io/v1"}}
			if test.change != nil {
				test.change(&at)
			}
			minted := 0
			c, why := New(Config{Timeout: patience, Token: func(context.Context) (string, error) {
				minted++
				return secret, nil
			}}).Client(t.Context(), at)
			if c != nil {
				t.Cleanup(c.Close)
				_, _ = get(t, c, Request{})
			}
			sent := 0
			for _, q := range evil.asked() {
				if q.Header.Get("Authorization") != "" {
					sent++
				}
			}
			if (c != nil) != test.sent || (minted > 0) != test.sent || (sent > 0) != test.sent {
				t.Errorf("client %v (%s), minted %d, sent %d", c != nil, tell(why), minted, sent)
			}
			if !test.sent && (why.Skipped == nil || !strings.Contains(why.Skipped.Why, "kubelogin")) {
				t.Errorf("got %s", tell(why))
			}
		})
	}
}

// Where the plugin may run, it does, for the file's own credentials.
func TestPluginInsteadOfMinted(t *testing.T) {
	server := serve(t, ok)
	at := to(server)
	exec, _ := script(t, says(`{"token":"of-the-plugin"}`))
	at.ARM, at.User = &target.ARM{Entra: true, FQDN: "127.0.0.1"}, &target.User{File: "kc", Exec: exec}
	minted := func(context.Context) (string, error) { return secret, nil }
	if _, err := get(t, client(t, Config{AllowExec: true, Token: minted}, at), Request{}); err != nil || server.asked()[0].Header.Get("Authorization") != "Bearer of-the-plugin" {
		t.Errorf("got %+v", err)
	}
}

// A token that is refused is to be had again from whoever gave it.
func TestRefusedHint(t *testing.T) {
	server := serve(t, status(401, "Unauthorized"))
	exec, _ := script(t, says(`{"token":"x"}`))
	entra := &target.Exec{Command: "kubelogin", APIVersion: "client.authentication.k8s.io/v1"}
	for name, test := range map[string]struct {
		user  target.User
		cfg   Config
		hint  string
		whose string
	}{
		"its own":  {target.User{Token: target.NewSecret(secret)}, Config{}, fetchAgain, "the kubeconfig's credentials"},
		"a plugin": {target.User{Exec: exec}, Config{AllowExec: true}, signInAgain, "what the exec plugin "},
		"minted":   {target.User{Exec: entra}, Config{Token: func(context.Context) (string, error) { return secret, nil }}, signInAgain, "the Entra token that akscert got"},
	} {
		t.Run(name, func(t *testing.T) {
			at := to(server)
			at.User, at.ARM = &test.user, &target.ARM{Entra: true}
			if test.cfg.Token != nil {
				at.Cluster.File = "listClusterUserCredential"
			}
			_, err := get(t, client(t, test.cfg, at), Request{})
			if err == nil || err.Hint != test.hint || !strings.HasPrefix(err.Message, "the API server refused "+test.whose) {
				t.Errorf("got %+v", err)
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
		"stopped":         {func(t *target.Target) { t.ARM = &target.ARM{PowerState: "Stopped"} }, "not-running : the cluster is stopped (az aks start "},
		"CA not known":    {func(t *target.Target) { t.Cluster.CAUnknown = true }, "skipped: no CA"},
		"anonymous":       {func(t *target.Target) { t.User.Token = target.Secret{} }, "skipped: the user has no credentials"},
		"exec":            {func(t *target.Target) { t.User = &target.User{Exec: exec} }, `skipped: the user signs in by the exec plugin "kubelogin", which an audit runs only with --allow-exec`},
		"exec, not Entra": {func(t *target.Target) { t.User, t.ARM = &target.User{Exec: exec}, &target.ARM{FQDN: "127.0.0.1"} }, "--allow-exec"},
		"Entra elsewhere": {func(t *target.Target) {
			t.User, t.ARM = &target.User{Exec: exec}, &target.ARM{Entra: true, FQDN: "c.azmk8s.io"}
		}, `goes only where Azure's kubeconfig says, not where the file "kc" does: name the cluster with -g and -n, without a context, or let the plugin run with --allow-exec`},
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
		path   string // empty for a server that is not verified
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
				with := map[bool]string{true: "the system's roots, as the kubeconfig names no CA", false: "the kubeconfig's CA"}[name == "roots"]
				if err == nil || len(asked) != 0 || !strings.Contains(err.Message, "could not be verified with "+with+", so nothing was asked") || err.Location != server.address() || !err.Whole {
					t.Errorf("got %+v, asked %d", err, len(asked))
				}
			case err != nil || len(asked) != 1 || asked[0].URL.Path != test.path || asked[0].Header.Get("Authorization") != "Bearer "+secret:
				t.Errorf("got %v, asked %d", err, len(asked))
			}
		})
	}
}

// A server that refuses a client certificate in the handshake refuses who we
// are, and is heard also where we were writing to it already: whether it speaks
// HTTP/2 or not, always.
func TestAlert(t *testing.T) {
	certificate, key := pair(t, "somebody")
	signed := target.User{ClientCertificate: target.Material{Data: certificate}, ClientKey: target.NewSecret(string(key))}
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for _, protocol := range []string{"1", "2"} {
			for _, user := range []target.User{signed, {Token: target.NewSecret(secret)}} {
				alert, what := "unknown certificate authority", "certificate"
				if !user.Token.IsZero() {
					alert, what = "certificate required", "token"
					if version == tls.VersionTLS12 {
						continue // which has no such alert
					}
				}
				t.Run(name+", HTTP/"+protocol+", "+what, func(t *testing.T) {
					t.Parallel()
					server := serve(t, ok, func(s *httptest.Server) {
						s.EnableHTTP2 = protocol == "2"
						s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool(), MaxVersion: version}
					})
					at := to(server)
					at.User = &user
					for range 25 {
						_, err := get(t, client(t, Config{}, at), Request{Proxied: true})
						if err == nil || err.Alert != alert || err.Reason != report.ReasonUnauthenticated || !err.Whole || err.Location != server.address() ||
							!strings.HasPrefix(err.Message, "the API server refused the kubeconfig's credentials with the alert ") || err.Hint != fetchAgain {
							t.Fatalf("got %+v", err)
						}
					}
				})
			}
		}
	}
}

// An HTTP/2 connection that breaks at once is made again, by HTTP/1.1, and what is
// answered there counts.
func TestHTTP2BreaksAtOnce(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			panic(http.ErrAbortHandler)
		}
		ok(w, r)
	}, http2)
	c := client(t, Config{}, to(server))
	if _, err := get(t, c, Request{}); err != nil || len(server.asked()) != 2 {
		t.Errorf("got %+v, asked %d times", err, len(server.asked()))
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
