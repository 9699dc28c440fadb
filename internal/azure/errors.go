package azure

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/akscert/akscert/pkg/report"
)

// Error is a failure, as a gap will tell it.
type Error struct {
	Reason    report.Reason
	Code      string // Azure's own word, where it gave one
	Message   string
	Hint      string
	Retryable bool // whether trying again may help
	// Subscription is the one that it concerns, where it concerns one.
	Subscription string

	answered bool // Azure said so itself
}

func (e *Error) Error() string { return e.Message }

// In is the subscription that it concerns; empty for none or several.
func (e *Error) In() string { return e.Subscription }

// UsageError is something that the person who typed the command has to change.
type UsageError struct{ Message, Hint string }

func (e *UsageError) Error() string { return e.Message }

// asking is what a request is for: it words the failure and names what is
// missing when it is refused.
type asking struct{ what, permission, role string }

// fail makes an *Error of whatever came instead of an answer. The SDK's errors
// print whole answers, and net/url's the signed address of an operation, so
// nothing of theirs is passed on but codes and bounded messages.
func (c *Client) fail(ctx context.Context, a asking, err error) error {
	var ours *Error
	var usage *UsageError
	var answer *azcore.ResponseError
	switch {
	case errors.As(err, &usage):
		return usage
	case errors.As(err, &ours):
		e := *ours
		if !strings.HasPrefix(e.Message, a.what) {
			e.Message = a.what + ": " + e.Message
		}
		return &e
	case errors.As(err, &answer):
		return fromAnswer(a, answer)
	case ctx.Err() != nil:
		return ended(ctx, a.what)
	}
	return fromTransport(a, err)
}

// ended is the failure of something that ctx did not let finish.
func ended(ctx context.Context, what string) *Error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &Error{Reason: report.ReasonTimeout, Message: what + ": the time was up before Azure had answered",
			Hint: moreTime(ctx), Retryable: true}
	}
	return &Error{Reason: report.ReasonInterrupted, Message: what + ": interrupted", Hint: "run it again", Retryable: true}
}

// moreTime is how to give ctx more, as whoever bounded it says.
func moreTime(ctx context.Context) string {
	var bound interface{ Hint() string }
	if errors.As(context.Cause(ctx), &bound) {
		return bound.Hint()
	}
	return "give the run more time with --timeout"
}

func fromTransport(a asking, err error) *Error {
	e := &Error{Retryable: true}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err // without the address
	}
	var dns *net.DNSError
	var op *net.OpError
	var syntax *json.SyntaxError
	var unmarshal *json.UnmarshalTypeError
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case untrusted(err):
		e.Reason, e.Retryable = report.ReasonUnreachable, false
		e.Message = fmt.Sprintf("%s: the certificate Azure's address presents is not trusted: %s", a.what, clean(err.Error(), 200))
		e.Hint = "if a proxy stands in between, name its CA with SSL_CERT_FILE"
	case errors.As(err, &dns):
		e.Reason, e.Message = report.ReasonUnreachable, fmt.Sprintf("%s: the name %s cannot be resolved", a.what, clean(dns.Name, 120))
	case errors.Is(err, context.DeadlineExceeded), timeout != nil && timeout.Timeout():
		e.Reason, e.Message = report.ReasonTimeout, a.what+": Azure did not answer in time"
	case errors.As(err, &syntax), errors.As(err, &unmarshal), errors.As(err, new(tls.RecordHeaderError)):
		e.Reason, e.Message = report.ReasonMalformed, a.what+": the answer is not what Azure documents"
		e.Hint = "is a proxy or a portal page in between?"
	case errors.As(err, &op), inURL != nil:
		e.Reason, e.Message = report.ReasonUnreachable, fmt.Sprintf("%s: %s", a.what, clean(err.Error(), 200))
	default:
		// The SDK's own words about an answer it could not use quote that answer.
		e.Reason, e.Message = report.ReasonMalformed, a.what+": the answer is not what Azure documents"
	}
	return e
}

// untrusted reports whether the connection failed on the certificate: asking
// again will not help.
func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}

func fromAnswer(a asking, answer *azcore.ResponseError) *Error {
	var body []byte
	if answer.RawResponse != nil {
		body, _ = runtime.Payload(answer.RawResponse)
	}
	codes, message := failure(body)
	if len(codes) == 0 && answer.ErrorCode != "" {
		codes = []string{clean(answer.ErrorCode, 80)}
	}
	e := &Error{Message: fmt.Sprintf("%s: Azure answered %d", a.what, answer.StatusCode), answered: true}
	if len(codes) > 0 {
		e.Code = codes[0]
		e.Message = a.what + ": " + strings.Join(slices.Compact(codes), ", ")
	}
	if message != "" {
		e.Message += ": " + message
	}
	e.Reason, e.Retryable = classify(answer.StatusCode, codes, message)
	e.Hint = hint(e, a)
	return e
}

// failure reads the codes, outermost first, and the message of an error body,
// with or without the "error" wrapper, however deep its details go.
func failure(body []byte) (codes []string, message string) {
	var found any
	if json.Unmarshal(body, &found) != nil {
		return nil, ""
	}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		object, ok := v.(map[string]any)
		if !ok || depth > 5 {
			return
		}
		if inner, ok := object["error"].(map[string]any); ok {
			object = inner
		}
		if code, _ := object["code"].(string); code != "" {
			codes = append(codes, clean(code, 80))
		}
		if text, _ := object["message"].(string); text != "" && message == "" {
			message = clean(text, 400)
		}
		details, _ := object["details"].([]any)
		for _, detail := range details[:min(len(details), 10)] {
			walk(detail, depth+1)
		}
	}
	walk(found, 0)
	return codes, message
}

// classify puts an answer into the closed list. A failed long-running operation
// comes with status 200, so the codes are asked first.
func classify(status int, codes []string, message string) (reason report.Reason, retryable bool) {
	is := func(names ...string) bool {
		return slices.ContainsFunc(codes, func(code string) bool { return slices.Contains(names, code) })
	}
	agent := slices.ContainsFunc(codes, func(code string) bool {
		return strings.HasPrefix(code, "VMExtension") || strings.HasPrefix(code, "VMAgent")
	})
	switch {
	case agent:
		return report.ReasonAgentNotReady, true
	case is("DenyAssignmentAuthorizationFailed", "ScopeLocked"), status == http.StatusForbidden && strings.Contains(strings.ToLower(message), "deny assignment"):
		return report.ReasonLockedDown, false
	case status == http.StatusUnauthorized:
		return report.ReasonUnauthenticated, false
	case status == http.StatusForbidden, is("AuthorizationFailed", "LinkedAuthorizationFailed", "ReadOnlyDisabledSubscription"),
		status == http.StatusBadRequest && strings.Contains(message, "disable local accounts"):
		return report.ReasonForbidden, false
	case status == http.StatusTooManyRequests, is("TooManyRequests"):
		return report.ReasonThrottled, true
	case status == http.StatusNotFound, status == http.StatusGone, is("ResourceNotFound", "NotFound"):
		return report.ReasonNotFound, false
	case status == http.StatusConflict && strings.Contains(strings.ToLower(message), "in progress"):
		return report.ReasonBusy, true // also under OperationNotAllowed, as while a cluster or a scale set is being updated
	case is("OperationNotAllowed"):
		return report.ReasonNotRunning, true
	case status == http.StatusConflict, is("Conflict"):
		return report.ReasonBusy, true
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return report.ReasonTimeout, true
	case status >= 500:
		return report.ReasonUnreachable, true
	case status < 300: // an operation that failed for a reason of its own
		return report.ReasonAgentNotReady, true
	}
	return report.ReasonUnsupported, false
}

func hint(e *Error, a asking) string {
	switch e.Reason {
	case report.ReasonLockedDown:
		if e.Code == "ScopeLocked" {
			return "a lock on the resource or its group refuses this: az lock list"
		}
		return "the node resource group is locked down (nodeResourceGroupProfile.restrictionLevel ReadOnly), which no role overrides"
	case report.ReasonForbidden:
		if e.Code == "ReadOnlyDisabledSubscription" {
			return "the subscription is disabled: az account list --all -o table"
		}
		if strings.Contains(e.Message, "disable local accounts") {
			return "local accounts are disabled on this cluster: sign in through Entra"
		}
		if a.permission != "" {
			return fmt.Sprintf("the identity needs %s, which the role %q has", a.permission, a.role)
		}
	case report.ReasonUnauthenticated:
		return "az login"
	case report.ReasonNotRunning:
		if a.what != runningScript {
			return "start it: az aks start"
		}
		return "start the machine, or leave it: its certificates cannot be read while it is stopped"
	case report.ReasonBusy:
		return "another operation holds it: try again when that is done"
	case report.ReasonAgentNotReady:
		return "the machine's Azure agent does not answer properly: az vm get-instance-view tells its status"
	case report.ReasonNotFound:
		if a.what == runningScript {
			return "the node may be gone since it was listed: run it again"
		}
		return "check the name, the resource group and the subscription"
	case report.ReasonUnreachable, report.ReasonMalformed:
		return "try again; if it stays so, look at it with az, and at what stands between: a proxy, a firewall"
	case report.ReasonThrottled:
		return "Azure is throttling this subscription: ask for fewer clusters at once, or later"
	}
	return ""
}

// clean makes text fit for one line: no control characters, at most limit
// runes, and nothing that looks like a credential.
func clean(text string, limit int) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	})
	for i, word := range words {
		lower := strings.ToLower(word)
		before := i > 0 && strings.EqualFold(strings.Trim(words[i-1], `":`), "bearer")
		if before || strings.Contains(word, "eyJ") || strings.Contains(word, "LS0tLS1") ||
			strings.Contains(lower, "sig=") || strings.Contains(lower, "secret=") || strings.Contains(lower, "password=") {
			words[i] = "REDACTED"
		}
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return string(runes)
}
