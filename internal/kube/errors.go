package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// Error is a failure, as a gap will tell it.
type Error struct {
	Location  string
	Reason    report.Reason
	Message   string
	Hint      string
	Retryable bool // whether trying again may help
	// Whole says that it is about the server, or the way to it, and not about
	// what it was asked for: whatever else it is asked for fails alike.
	Whole bool
	// Code is the status that was answered; 0 without an answer. Status says
	// that the answer was in the API server's own words, and not passed on by
	// it from a node.
	Code   int
	Status bool
	// Alert is the TLS alert by which the server ended the connection, in
	// crypto/tls's words: "bad certificate"; empty for none.
	Alert string
}

func (e *Error) Error() string { return e.Message }

// Gap is what a collector makes of the error.
func (e *Error) Gap() *collect.Gap {
	return &collect.Gap{Location: e.Location, Reason: e.Reason, Message: e.Message, Hint: e.Hint, Retryable: e.Retryable}
}

// ended is the failure of something that ctx, the whole run, did not let
// finish.
func ended(ctx context.Context, at server) *Error {
	gap := collect.Ended(ctx, at.address)
	return &Error{Location: gap.Location, Reason: gap.Reason, Message: gap.Message, Hint: gap.Hint, Retryable: gap.Retryable, Whole: true}
}

// over reports whether ctx has ended. A socket's deadline can fire a moment
// before its context's.
func over(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// explained is an error of a Config.Token that knows why.
type explained interface {
	error
	Gap() (reason report.Reason, message, hint string, retryable bool)
}

// notSigned is the failure to get what signs in. hint is for one that has none of
// its own.
func notSigned(ctx context.Context, at server, hint string, err error) *Error {
	if over(ctx) {
		return ended(ctx, at)
	}
	e := &Error{Reason: report.ReasonUnauthenticated, Message: collect.Clean(err.Error()), Hint: hint}
	var why explained
	var ours *Error
	switch {
	case errors.As(err, &ours):
		*e = *ours // a plugin's, which others may be handed too
	case errors.As(err, &why):
		e.Reason, e.Message, e.Hint, e.Retryable = why.Gap()
	}
	e.Location, e.Whole, e.Message = at.address, true, "signing in to "+at.address+": "+e.Message
	return e
}

// unanswered tells why no answer came. The words for what the apiserver source
// meets too are the same, so that audit folds them.
func (a *attempt) unanswered(err error) *Error {
	if over(a.ctx) {
		return ended(a.ctx, a.client.server)
	}
	step, at := a.step.Load(), a.client.server
	e := &Error{Location: at.address, Whole: true, Reason: report.ReasonUnreachable, Message: collect.Plain(err), Retryable: true}
	doing := map[int32]string{connecting: "connecting to ", shaking: "shaking hands with ", asking: "asking "}[step] + at.String()
	e.Alert = alertIn(err)
	if step == asking && a.request.Proxied && e.Alert == "" {
		e.Location, e.Whole, doing = a.request.Location, false, a.request.What
	}
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &untrusted):
		e.Message = "the API server could not be verified with " + a.client.verifies + " so nothing was asked of it: " + collect.Clean(untrusted.Err.Error())
		e.Retryable, e.Hint = false, "if the cluster's certificates were rotated, "+fetchAgain+"; if a proxy stands in between, it must not look into this connection"
		return e
	case over(a.limited), collect.TimedOut(err):
		e.Reason = report.ReasonTimeout
		if over(a.limited) { // else it was the kernel, or client-go's ten seconds for a handshake
			e.Message = fmt.Sprintf("not done within %s", a.client.door.cfg.Timeout)
		}
		e.Hint = "a firewall, authorized IP ranges or a stopped cluster may swallow the connection; for a slow network raise --connect-timeout"
	case strings.Contains(e.Alert, "certificate"):
		e.Reason, e.Retryable, e.Hint = report.ReasonUnauthenticated, false, a.client.credential.again
		e.Message = fmt.Sprintf("the API server refused %s with the alert %q", a.client.credential.what, e.Alert)
		return e
	case e.Alert != "":
		e.Reason, e.Retryable, e.Hint = report.ReasonUnsupported, false, "look at it with: openssl s_client -connect "+at.address
		e.Message = fmt.Sprintf("the server refused with the alert %q", e.Alert)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &notTLS):
		e.Reason, e.Message, e.Retryable = report.ReasonMalformed, "its answer is not TLS", false
		e.Hint = "check the port: this one does not speak TLS"
	case errors.As(err, &dns):
		e.Retryable = !dns.IsNotFound
		e.Hint = "a private or stopped cluster has no name outside its network: check the cluster's power state, or run this from inside"
	case at.proxy != nil && step == connecting:
		e.Hint = "check proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY in the environment"
	case step == connecting:
		e.Hint = "check that the server is running and that its address and port are right"
	case collect.Closed(err), errors.As(err, &op):
		e.Hint = "something between here and the server, or the server itself, cuts the connection: check firewalls and authorized IP ranges"
	default: // the text may quote what came
		e.Reason, e.Message, e.Retryable = report.ReasonMalformed, "its answer is not HTTP", false
		e.Hint = "check the port: this one does not answer as an API server does"
	}
	e.Message = doing + ": " + e.Message
	return e
}

// alertIn is the TLS alert that err is about; empty for none.
func alertIn(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" { // so crypto/tls calls an alert
		return ""
	}
	return collect.Cut(strings.TrimPrefix(op.Err.Error(), "tls: "))
}
