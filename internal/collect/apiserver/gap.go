package apiserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// Which step failed: reaching the server, reaching it through a proxy, or the
// handshake with it.
type (
	connectError   struct{ err error }
	proxyError     struct{ err error }
	handshakeError struct {
		err  error
		head []byte // how the server's answer began
	}
)

func (e *connectError) Error() string   { return e.err.Error() }
func (e *connectError) Unwrap() error   { return e.err }
func (e *proxyError) Error() string     { return e.err.Error() }
func (e *proxyError) Unwrap() error     { return e.err }
func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// explain tells a failure as a gap. limited is the context that timeout, if
// there is one, bounded.
func explain(limited context.Context, timeout time.Duration, r route, err error) *collect.Gap {
	gap := &collect.Gap{Location: r.address}
	doing := "connecting to " + r.String()
	var failed *handshakeError
	var atProxy *proxyError
	inHandshake, inProxy := errors.As(err, &failed), errors.As(err, &atProxy)
	if inHandshake {
		doing = "shaking hands with " + r.String()
	}
	deadline, bounded := limited.Deadline()
	switch {
	case collect.TimedOut(err) && bounded && !time.Now().Before(deadline):
		gap.Reason, gap.Retryable = report.ReasonTimeout, true
		gap.Message = fmt.Sprintf("not done within %s", timeout)
		gap.Hint = "a firewall, authorized IP ranges or a stopped cluster may swallow the connection; for a slow network raise --connect-timeout"
	case inProxy:
		explainProxy(gap, atProxy.err)
	case inHandshake:
		explainHandshake(gap, failed)
	default:
		explainConnect(gap, err)
	}
	gap.Message = doing + ": " + gap.Message
	return gap
}

func explainConnect(gap *collect.Gap, err error) {
	gap.Reason, gap.Message, gap.Retryable = report.ReasonUnreachable, collect.Plain(err), true
	gap.Hint = "check that the server is running and that its address and port are right"
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		gap.Retryable = !dns.IsNotFound
		gap.Hint = "a private or stopped cluster has no name outside its network: check the cluster's power state, or run this from inside"
	case collect.TimedOut(err): // the kernel's, before ours
		gap.Reason = report.ReasonTimeout
		gap.Hint = "a firewall, authorized IP ranges or a stopped cluster may swallow the connection"
	}
}

func explainProxy(gap *collect.Gap, err error) {
	// x/net's SOCKS client calls what the proxy told it an unknown error.
	said := strings.TrimPrefix(collect.Plain(err), "unknown error ")
	gap.Reason, gap.Message, gap.Retryable = report.ReasonUnreachable, "the proxy failed: "+said, true
	gap.Hint = "check proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY in the environment"
	var refused statusError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused):
		gap.Retryable = refused.code >= http.StatusInternalServerError
		if refused.code == http.StatusProxyAuthRequired {
			gap.Hint = "the proxy wants a user and password: put them into proxy-url or HTTPS_PROXY"
		}
	case errors.As(err, &untrusted):
		gap.Retryable = false
		gap.Hint = "an HTTPS proxy has to show a certificate that this machine trusts"
	case strings.Contains(err.Error(), "authentication"): // x/net's SOCKS client has no error values
		gap.Retryable = false
		gap.Hint = "the proxy wants another user and password: check proxy-url or HTTPS_PROXY"
	}
}

func explainHandshake(gap *collect.Gap, failed *handshakeError) {
	var notTLS tls.RecordHeaderError
	var op *net.OpError
	err := failed.err
	switch {
	case errors.Is(err, errNoCertificate), errors.Is(err, errFlood), errors.Is(err, errMalformed):
		gap.Reason, gap.Message = report.ReasonMalformed, collect.Plain(err)
		gap.Hint = "look at it with: openssl s_client -connect " + gap.Location
	case errors.As(err, &notTLS) && bytes.HasPrefix(failed.head, []byte("HTTP/")):
		gap.Reason, gap.Message = report.ReasonMalformed, "it answered in plain HTTP: "+quoteLine(failed.head)
		gap.Hint = "check the port: this one does not speak TLS"
	case errors.As(err, &notTLS):
		gap.Reason, gap.Message = report.ReasonMalformed, "its answer is not TLS: "+quoteLine(failed.head)
		gap.Hint = "check the port: this one does not speak TLS"
	case errors.As(err, &op) && op.Op == "remote error": // so crypto/tls calls an alert
		gap.Reason = report.ReasonUnsupported
		gap.Message = "the server refused with the alert " + strconv.Quote(collect.Cut(strings.TrimPrefix(op.Err.Error(), "tls: ")))
		gap.Hint = "no TLS version, cipher suite or server name suits both sides: check tls-server-name, or look at it with: openssl s_client -connect " + gap.Location
	case collect.Closed(err), errors.As(err, &op) && op.Op != "local error":
		gap.Reason, gap.Message, gap.Retryable = report.ReasonUnreachable, collect.Plain(err), true
		gap.Hint = "something between here and the server, or the server itself, cuts the connection: check firewalls and authorized IP ranges"
	case collect.TimedOut(err):
		gap.Reason, gap.Message, gap.Retryable = report.ReasonTimeout, collect.Plain(err), true
		gap.Hint = "the network to the server is slow or broken"
	default: // what crypto/tls refused, and the second way could not read either
		gap.Reason, gap.Message = report.ReasonUnsupported, collect.Plain(err)
		gap.Hint = "look at it with: openssl s_client -connect " + gap.Location
	}
}

// quoteLine quotes the first line of what a peer said.
func quoteLine(head []byte) string {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return strconv.QuoteToASCII(string(bytes.TrimRight(line, "\r")))
}
