package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// refused tells an answer other than 200 OK.
func (a *attempt) refused(answer *http.Response) *Error {
	r, code := a.request, answer.StatusCode
	said, isStatus := a.words(answer.Body)
	e := &Error{Location: r.Location, Code: code, Status: isStatus, Reason: report.ReasonUnsupported,
		Message: fmt.Sprintf("%s: the API server answered %d", r.What, code)}
	if said != "" {
		e.Message += ": " + said
	}
	switch {
	case code == http.StatusUnauthorized:
		e.Reason, e.Whole, e.Location, e.Hint = report.ReasonUnauthenticated, true, a.client.server.address, a.client.credential.again
		e.Message = "the API server refused " + a.client.credential.what + " (401)"
	case code == http.StatusForbidden:
		e.Reason, e.Hint = report.ReasonForbidden, "the user needs "+r.Needs
	case code == http.StatusNotFound, code == http.StatusGone:
		e.Reason = report.ReasonNotFound
	case code == http.StatusTooManyRequests:
		e.Reason, e.Retryable, e.Hint = report.ReasonThrottled, true, "the API server is busy: ask for fewer things at once with --parallel, or later"
	case code == http.StatusRequestTimeout, code == http.StatusGatewayTimeout:
		e.Reason, e.Retryable, e.Hint = report.ReasonTimeout, true, "try again"
	case code >= 500:
		e.Reason, e.Retryable, e.Hint = report.ReasonUnreachable, true, "try again; if it stays so, look at it with: kubectl get --raw "+r.Path
	case code >= 300 && code < 400:
		e.Reason, e.Hint = report.ReasonMalformed, "correct the cluster entry's server: an API server does not redirect"
		e.Message = fmt.Sprintf("%s: the server redirects elsewhere (%d), where nobody is signed in to", r.What, code)
	case code < 300:
		e.Reason = report.ReasonMalformed
	}
	return e
}

// words are what a refusal says, if it says it as Kubernetes does (a Status). It
// is untrusted: a server can send back what it was sent.
func (a *attempt) words(body io.Reader) (said string, isStatus bool) {
	data, _ := io.ReadAll(io.LimitReader(body, maxRefusal))
	var status struct{ Kind, Message string }
	if json.Unmarshal(data, &status) != nil || status.Kind != "Status" {
		return "", false
	}
	said = status.Message
	if a.token != "" {
		said = strings.ReplaceAll(said, a.token, "REDACTED")
	}
	return collect.Clean(said), true
}
