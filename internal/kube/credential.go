package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// credential is what signs in: a client certificate, a token, or both.
type credential struct {
	what             string // how messages call it
	again            string // the hint where it is refused
	certificate, key []byte
	token            func(context.Context) (string, error) // nil for none
}

// credentialOf settles how the user of t signs in at a server. The order is
// client-go's: an exec plugin is only for those who have nothing else.
func (d *Door) credentialOf(ctx context.Context, t target.Target, at server, ca []byte) (credential, *collect.Observation) {
	u := *t.User
	c := credential{what: "the kubeconfig's credentials", again: fetchAgain}
	location := u.File + "#users/" + u.Name
	hasCertificate, hasToken := !u.ClientCertificate.IsZero(), !u.Token.IsZero() || u.TokenFile != ""
	if hasCertificate && u.ClientKey.IsZero() && u.ClientKeyFile == "" {
		if !hasToken {
			return c, missing(&collect.Gap{Location: location, Reason: report.ReasonMalformed,
				Message: "the user has a client certificate and no key to it", Hint: fetchAgain})
		}
		hasCertificate = false // as in client-go
	}
	switch {
	case hasCertificate, hasToken, u.Exec != nil:
	case u.Basic, u.AuthProvider != "":
		kind := "a user name and password"
		if u.AuthProvider != "" {
			kind = fmt.Sprintf("the auth provider %q", collect.Cut(u.AuthProvider))
		}
		return c, missing(&collect.Gap{Location: location, Reason: report.ReasonUnsupported,
			Message: "the user signs in by " + kind + ", which Kubernetes no longer has",
			Hint:    "for Entra convert it with: kubelogin convert-kubeconfig -l azurecli; or " + fetchAgain})
	default:
		return c, skipped("the user has no credentials")
	}
	if t.Cluster.InsecureSkipTLSVerify && !hasCertificate {
		return c, skipped("insecure-skip-tls-verify: whoever answers would be believed, so no token is sent there")
	}
	if hasCertificate {
		var gap *collect.Gap
		if c.certificate, c.key, gap = readPair(ctx, u, location); gap != nil {
			return c, missing(gap)
		}
	}
	switch {
	case t.Cluster.InsecureSkipTLSVerify: // the certificate alone: its key never leaves
	case hasToken:
		c.token = fileOrToken(u.TokenFile, u.Token)
		if _, err := c.token(ctx); err != nil {
			return c, missing(collect.Unread(ctx, err, location, "token file", u.TokenFile))
		}
	case !hasCertificate:
		return d.delegated(ctx, t, at, ca)
	}
	return c, nil
}

// delegated settles who speaks for a user that has an exec plugin and nothing
// else: ourselves, the plugin, or nobody.
func (d *Door) delegated(ctx context.Context, t target.Target, at server, ca []byte) (credential, *collect.Observation) {
	name := collect.Cut(t.User.Exec.Command)
	mints := d.cfg.Token != nil && t.ARM != nil && t.ARM.Entra
	switch {
	case mints && fromARM(t.Cluster.File):
		return credential{what: "the Entra token that akscert got", again: signInAgain, token: d.cfg.Token}, nil
	case t.ARM != nil && fromARM(t.User.File):
		return credential{}, skipped(fmt.Sprintf("the kubeconfig that Azure handed out signs in by the exec plugin %q, which is never run from there", name))
	case mints && !d.cfg.AllowExec:
		// A token for one Entra cluster opens them all. Where it goes is
		// settled by the server's name, its CA, the proxy and tls-server-name
		// together, and whoever wrote the file wrote them all: that the name
		// is the one that Azure has for the cluster says nothing of the rest.
		return credential{}, skipped(fmt.Sprintf("the user signs in by the exec plugin %q, and akscert's own Entra token, which opens other clusters too, goes only where "+
			"Azure's kubeconfig says, not where the file %q does: name the cluster with -g and -n, without a context, or let the plugin run with --allow-exec", name, collect.Cut(t.Cluster.File)))
	case !d.cfg.AllowExec:
		return credential{}, skipped(fmt.Sprintf("the user signs in by the exec plugin %q, which an audit runs only with --allow-exec", name))
	}
	p := d.plugin(*t.User.Exec, *t.Cluster, ca)
	signed, err := p.get(ctx)
	if err != nil {
		return credential{}, missing(notSigned(ctx, at, fetchAgain, err).Gap())
	}
	c := credential{what: fmt.Sprintf("what the exec plugin %q gave", name), again: signInAgain, certificate: signed.certificate, key: signed.key}
	if signed.token != "" {
		c.token = p.token
	}
	return c, nil
}

// fromARM reports whether a kubeconfig entry's origin is ARM, as package
// discover names it, and not a file. discover.Join sees to it that no file is
// called that.
func fromARM(file string) bool {
	return file == "listClusterUserCredential" || file == "listClusterAdminCredential"
}

// readPair reads a client certificate and its key.
func readPair(ctx context.Context, u target.User, location string) (certificate, key []byte, gap *collect.Gap) {
	certificate, err := read(ctx, u.ClientCertificate)
	if err != nil {
		return nil, nil, collect.Unread(ctx, err, location, "client certificate", u.ClientCertificate.File)
	}
	if key, err = read(ctx, target.Material{Data: []byte(u.ClientKey.Reveal()), File: u.ClientKeyFile}); err != nil {
		return nil, nil, collect.Unread(ctx, err, location, "client key", u.ClientKeyFile)
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		return nil, nil, &collect.Gap{Location: location, Reason: report.ReasonMalformed,
			Message: "the client certificate and its key cannot be used: " + collect.Clean(err.Error()), Hint: fetchAgain}
	}
	return certificate, key, nil
}

// fileOrToken is the token in file, which may be replaced while we run, or else
// fixed: the order is client-go's.
func fileOrToken(file string, fixed target.Secret) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if file == "" {
			return fixed.Reveal(), nil
		}
		data, err := collect.ReadFile(ctx, file)
		token := strings.TrimSpace(string(data))
		switch {
		case err == nil && token != "":
			return token, nil
		case !fixed.IsZero():
			return fixed.Reveal(), nil
		case err == nil:
			err = errors.New("the file is empty")
		}
		return "", err
	}
}
