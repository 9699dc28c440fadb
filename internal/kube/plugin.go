package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// pluginTime is how long an exec plugin may take: longer than az needs to come
// up, shorter than a person needs to sign in.
const pluginTime = 30 * time.Second

// maxPlugin bounds what is read of an exec plugin.
const maxPlugin = 1 << 20

// plugin is an exec plugin, run by ourselves in client-go's place
// (plugin/pkg/client/auth/exec): there it cannot be ended, so that one which
// waits for a person holds the audit for ever, and its standard error goes
// straight to ours. Here it has no standard input, what it says on standard error
// is dropped (it may say anything, a secret too), and it is killed in time. It
// is run once, for all clusters and collectors that would run it alike, and again
// when what it gave has expired.
type plugin struct {
	exec    target.Exec
	request []byte // what it is told in KUBERNETES_EXEC_INFO
	limit   time.Duration

	turn  chan struct{} // one who may run it
	given signed
	err   *Error // it failed: it is not run again
}

// signed is what a plugin gave.
type signed struct {
	token            string
	certificate, key []byte
	until            time.Time // zero for ever
}

func (d *Door) plugin(e target.Exec, cluster target.Cluster, ca []byte) *plugin {
	var info clientauthentication.ExecCredential
	info.Kind, info.APIVersion = "ExecCredential", e.APIVersion
	if e.ClusterInfo {
		info.Spec.Cluster = &clientauthentication.Cluster{Server: cluster.Server, TLSServerName: cluster.TLSServerName,
			InsecureSkipTLSVerify: cluster.InsecureSkipTLSVerify, CertificateAuthorityData: ca, ProxyURL: cluster.ProxyURL}
	}
	request, _ := json.Marshal(info) // strings and bytes: it cannot fail
	key := fmt.Sprintf("%q %q %s", e.Command, e.Args, request)
	for _, v := range e.Env {
		key += fmt.Sprintf(" %q=%q", v.Name, v.Value.Reveal())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.plugins[key]
	if p == nil {
		p = &plugin{exec: e, request: request, limit: d.pluginTime, turn: make(chan struct{}, 1)}
		d.plugins[key] = p
	}
	return p
}

// token is what the plugin gives, for a Client's requests.
func (p *plugin) token(ctx context.Context) (string, error) {
	given, err := p.get(ctx)
	if err != nil {
		return "", err
	}
	return given.token, nil
}

// get runs the plugin unless what it gave is still good. A nil *Error is
// success.
func (p *plugin) get(ctx context.Context) (signed, *Error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return signed{}, &Error{} // whoever asked sees that ctx has ended
	}
	ran := p.given.token != "" || p.given.certificate != nil
	if p.err != nil || ran && (p.given.until.IsZero() || time.Now().Before(p.given.until)) {
		return p.given, p.err
	}
	given, err := p.run(ctx)
	switch {
	case err == nil:
		p.given = given
	case ctx.Err() != nil:
		return signed{}, &Error{} // whoever asked sees that ctx has ended
	default:
		p.err = err
	}
	return given, err
}

func (p *plugin) run(ctx context.Context) (signed, *Error) {
	name := fmt.Sprintf("the exec plugin %q", collect.Cut(p.exec.Command))
	fail := func(reason report.Reason, message string) (signed, *Error) {
		return signed{}, &Error{Reason: reason, Message: name + " " + message,
			Hint: "see what it says with: kubectl version; or sign in first, as with: az login and kubelogin convert-kubeconfig -l azurecli"}
	}
	version, ok := strings.CutPrefix(p.exec.APIVersion, "client.authentication.k8s.io/")
	if !ok || version != "v1" && version != "v1beta1" {
		return fail(report.ReasonUnsupported, fmt.Sprintf("speaks %q, which Kubernetes no longer has", collect.Cut(p.exec.APIVersion)))
	}
	limited, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	command := exec.CommandContext(limited, p.exec.Command, p.exec.Args...) //nolint:gosec // G204: only where --allow-exec says so
	command.Env = os.Environ()
	for _, v := range p.exec.Env {
		command.Env = append(command.Env, v.Name+"="+v.Value.Reveal())
	}
	command.Env = append(command.Env, "KUBERNETES_EXEC_INFO="+string(p.request))
	command.WaitDelay = time.Second // for what it started and left behind with our pipe
	out := &atMost{left: maxPlugin, full: cancel}
	command.Stdout = out
	err := command.Run()
	var notFound *exec.Error
	var status *exec.ExitError
	switch {
	case out.left < 0:
		return fail(report.ReasonMalformed, "did not answer as Kubernetes documents")
	case limited.Err() != nil:
		return fail(report.ReasonTimeout, fmt.Sprintf("had not answered after %s; nobody is there to answer it", p.limit))
	case errors.As(err, &notFound), errors.Is(err, fs.ErrNotExist):
		_, e := fail(report.ReasonNotFound, "is not installed")
		if p.exec.InstallHint != "" {
			e.Hint = collect.Clean(strings.Join(strings.Fields(p.exec.InstallHint), " "))
		}
		return signed{}, e
	case errors.As(err, &status):
		return fail(report.ReasonUnauthenticated, fmt.Sprintf("failed with exit code %d", status.ExitCode()))
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return fail(report.ReasonUnauthenticated, "could not be run: "+collect.Clean(err.Error()))
	}
	var answer clientauthentication.ExecCredential
	if json.Unmarshal(out.kept.Bytes(), &answer) != nil || answer.Kind != "ExecCredential" || answer.APIVersion != p.exec.APIVersion || answer.Status == nil {
		return fail(report.ReasonMalformed, "did not answer as Kubernetes documents")
	}
	given := signed{token: answer.Status.Token, certificate: []byte(answer.Status.ClientCertificateData), key: []byte(answer.Status.ClientKeyData)}
	if at := answer.Status.ExpirationTimestamp; at != nil {
		given.until = at.Time
	}
	if len(given.certificate)+len(given.key) == 0 {
		given.certificate, given.key = nil, nil
	} else if _, err := tls.X509KeyPair(given.certificate, given.key); err != nil {
		return fail(report.ReasonMalformed, "gave a certificate and key that cannot be used")
	}
	if given.token == "" && given.certificate == nil {
		return fail(report.ReasonMalformed, "gave neither a token nor a certificate")
	}
	return given, nil
}

// atMost keeps what is written to it, and calls full when that is too much.
// The buffer has a name because its ReadFrom would get past the bound.
type atMost struct {
	kept bytes.Buffer
	left int
	full func()
}

func (a *atMost) Write(p []byte) (int, error) {
	if a.left -= len(p); a.left < 0 {
		a.full()
		return 0, errors.New("too much output")
	}
	return a.kept.Write(p)
}
