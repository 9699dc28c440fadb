package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// script writes an exec plugin that notes each run in the file it also returns.
func script(t *testing.T, body string) (*target.Exec, func() int) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	path := filepath.Join(dir, "plugin")
	text := "#!/bin/sh\necho run >> '" + runs + "'\necho 'to sign in, say " + secret + "' >&2\n" + body
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return &target.Exec{Command: path, APIVersion: "client.authentication.k8s.io/v1beta1"}, func() int {
		data, _ := os.ReadFile(runs)
		return strings.Count(string(data), "run")
	}
}

func says(status string) string {
	return "cat <<'END'\n" + `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":` + status + "}\nEND\n"
}

// The plugin runs where that is allowed, once for all who would run it alike,
// with its arguments, its environment and no standard input.
func TestPlugin(t *testing.T) {
	server := serve(t, ok)
	at := to(server)
	exec, runs := script(t, `test "$1 $SETTING" = "get-token on" || exit 3
if read line; then exit 4; fi
case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*);; *) exit 5;; esac
case "$KUBERNETES_EXEC_INFO" in *"`+server.URL+`"*) exit 6;; esac
`+says(`{"token":"`+secret+`"}`))
	exec.Args, exec.Env = []string{"get-token"}, []target.Variable{{Name: "SETTING", Value: target.NewSecret("on")}}
	at.User = &target.User{File: "kc", Exec: exec}

	if c, _ := New(Config{}).Client(t.Context(), at); c != nil || runs() != 0 {
		t.Fatal("it ran, and nobody had allowed it")
	}
	door := New(Config{AllowExec: true})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			c, why := door.Client(t.Context(), at)
			if c == nil {
				t.Error(tell(why))
				return
			}
			defer c.Close()
			if _, err := get(t, c, Request{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := server.asked(); len(got) != 5 || got[0].Header.Get("Authorization") != "Bearer "+secret || runs() != 1 {
		t.Errorf("asked %d times, ran %d times", len(got), runs())
	}
}

func TestPluginClusterInfo(t *testing.T) {
	server := serve(t, ok)
	at := to(server)
	exec, _ := script(t, `case "$KUBERNETES_EXEC_INFO" in *'"server":"`+server.URL+`"'*certificate-authority-data*);; *) exit 5;; esac
`+says(`{"token":"x"}`))
	exec.ClusterInfo = true
	at.User = &target.User{File: "kc", Exec: exec}
	client(t, Config{AllowExec: true}, at)
}

// What it gave is asked for again once it has expired, and a certificate is
// used as well.
func TestPluginGives(t *testing.T) {
	server := serve(t, ok, askForCertificate)
	at := to(server)
	certificate, key := pair(t, "from-plugin")
	exec, runs := script(t, says(fmt.Sprintf(`{"token":"x","expirationTimestamp":"2020-01-01T00:00:00Z","clientCertificateData":%s,"clientKeyData":%s}`, quote(certificate), quote(key))))
	at.User = &target.User{File: "kc", Exec: exec}
	if _, err := get(t, client(t, Config{AllowExec: true}, at), Request{}); err != nil {
		t.Fatal(err)
	}
	q := server.asked()[0]
	if runs() != 2 || len(q.TLS.PeerCertificates) != 1 || q.TLS.PeerCertificates[0].Subject.CommonName != "from-plugin" || q.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("ran %d times; %v", runs(), q.Header)
	}
}

func quote(data []byte) string { return fmt.Sprintf("%q", data) }

// A plugin that fails is a gap, is not run again for the next cluster, and
// nothing that it said is quoted.
func TestPluginFails(t *testing.T) {
	for name, test := range map[string]struct {
		body    string
		change  func(*target.Exec)
		reason  report.Reason
		message string
		runs    int
	}{
		"exit code":     {body: "echo " + secret + "; exit 7", reason: report.ReasonUnauthenticated, message: "failed with exit code 7", runs: 1},
		"garbage":       {body: "echo " + secret, reason: report.ReasonMalformed, message: "did not answer as Kubernetes documents", runs: 1},
		"nothing":       {body: "", reason: report.ReasonMalformed, message: "did not answer as Kubernetes documents", runs: 1},
		"other version": {body: strings.Replace(says(`{"token":"x"}`), "v1beta1", "v1", 1), reason: report.ReasonMalformed, message: "did not answer as Kubernetes documents", runs: 1},
		"no token":      {body: says(`{}`), reason: report.ReasonMalformed, message: "neither a token nor a certificate", runs: 1},
		"half a pair":   {body: says(`{"clientKeyData":"` + secret + `"}`), reason: report.ReasonMalformed, message: "a certificate and key that cannot be used", runs: 1},
		"endless":       {body: "exec yes", reason: report.ReasonMalformed, message: "did not answer as Kubernetes documents", runs: 1},
		"hang":          {body: "exec sleep 600", reason: report.ReasonTimeout, message: "had not answered after 2s", runs: 1},
		"hanging child": {body: "sleep 5 & \n" + says(`{}`), reason: report.ReasonMalformed, message: "neither a token", runs: 1},
		"not installed": {change: func(e *target.Exec) { e.Command, e.InstallHint = "/nonexistent/plugin", "get it\n\x1b[2Jthere" }, reason: report.ReasonNotFound, message: "is not installed"},
		"v1alpha1":      {change: func(e *target.Exec) { e.APIVersion = "client.authentication.k8s.io/v1alpha1" }, reason: report.ReasonUnsupported, message: "which Kubernetes no longer has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, ok)
			at := to(server)
			exec, runs := script(t, test.body)
			if test.change != nil {
				test.change(exec)
			}
			at.User = &target.User{File: "kc", Exec: exec}
			door := New(Config{AllowExec: true})
			door.pluginTime = 2 * time.Second
			for range 2 {
				start := time.Now()
				c, why := door.Client(t.Context(), at)
				got := tell(why)
				if c != nil || why.Gap == nil || why.Gap.Reason != test.reason || !strings.Contains(got, test.message) || strings.ContainsAny(got, "\x1b\n") || strings.Contains(got, secret) {
					t.Errorf("got %s", got)
				}
				if why.Gap != nil && (why.Gap.Location != server.address() || !strings.HasPrefix(why.Gap.Message, "signing in to "+server.address()+": the exec plugin ")) {
					t.Errorf("got %s", got)
				}
				if took := time.Since(start); took > patience/2 {
					t.Errorf("took %s", took)
				}
			}
			if runs() != test.runs || len(server.asked()) != 0 {
				t.Errorf("ran %d times, asked %d times", runs(), len(server.asked()))
			}
		})
	}
}

// The end of the run ends a plugin, and it is the run's gap, not the plugin's.
func TestPluginEnd(t *testing.T) {
	at := to(serve(t, ok))
	exec, _ := script(t, "exec sleep 600")
	at.User = &target.User{File: "kc", Exec: exec}
	ctx, cancel := context.WithTimeout(t.Context(), brief)
	defer cancel()
	c, why := New(Config{AllowExec: true}).Client(ctx, at)
	if c != nil || why.Gap == nil || why.Gap.Reason != report.ReasonTimeout || !strings.Contains(why.Gap.Message, "the run's time was up") {
		t.Errorf("got %s", tell(why))
	}
}

// azureError is an error as package azure has them.
type azureError struct{}

func (azureError) Error() string { return "sign in" }
func (azureError) Gap() (report.Reason, string, string, bool) {
	return report.ReasonThrottled, "Entra is busy", "az login", true
}

// A token that cannot be minted is one gap about the whole server, in the words
// of who tried.
func TestNotMinted(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"explained": {azureError{}, "throttled ADDRESS: signing in to ADDRESS: Entra is busy (az login)"},
		"bare":      {errors.New("no\nluck"), `unauthenticated ADDRESS: signing in to ADDRESS: no\nluck (` + signInAgain + ")"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ok)
			at := to(server)
			at.ARM, at.User = &target.ARM{Entra: true}, &target.User{File: "listClusterUserCredential", Exec: &target.Exec{Command: "kubelogin"}}
			at.Cluster.File = "listClusterUserCredential"
			c := client(t, Config{Token: func(context.Context) (string, error) { return "", test.err }}, at)
			_, err := get(t, c, Request{})
			if err == nil || !err.Whole || len(server.asked()) != 0 {
				t.Fatalf("got %+v", err)
			}
			g := err.Gap()
			if got := fmt.Sprintf("%s %s: %s (%s)", g.Reason, g.Location, g.Message, g.Hint); got != strings.ReplaceAll(test.want, "ADDRESS", server.address()) {
				t.Errorf("got %s", got)
			}
		})
	}
}
