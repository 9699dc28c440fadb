package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"

	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// answer is what an API server makes of a credential.
type answer struct {
	verdict verdict
	said    string // what was seen, as half a sentence
	hint    string
}

type verdict int

const (
	unclear  verdict = iota
	accepted         // whoever holds it is somebody
	refused          // by TLS or with 401
)

// path is what is asked for with an old credential: it takes a right that nobody
// has without signing in, not even by the bindings that old clusters keep from
// before Kubernetes 1.14, and it only reads. Who may not read it is refused by
// name, and that name tells that the credential works.
const path = "/api/v1/namespaces/kube-system"

// once shows the credentials of t's user to its API server, on a connection of
// its own. again says that it broke off.
func (v *verification) once(ctx context.Context, t target.Target) (said answer, again bool) {
	client, none := v.Door.Client(ctx, t)
	if none != nil {
		if none.Gap != nil {
			return answer{said: none.Gap.Message, hint: none.Gap.Hint}, false
		}
		return answer{said: none.Skipped.Why}, false
	}
	defer client.Close()
	shown := client.Shown()
	err := client.Get(ctx, kube.Request{Path: path, What: "showing it to the API server", Needs: "to read namespaces", Location: v.address}, namespace)
	var failure *kube.Error
	switch {
	case err == nil:
		said = answer{verdict: accepted, said: "the API server let it read a namespace (200)"}
	case errors.As(err, &failure): // each is
		said = read(*failure)
		again = said.verdict == unclear && failure.Code == 0 && failure.Alert == "" && failure.Retryable && failure.Reason != report.ReasonTimeout
	default:
		said = answer{said: err.Error()}
	}
	isToken := t.User.ClientCertificate.IsZero()
	switch {
	case said.verdict == unclear:
	case isToken && failure != nil && failure.Code == 0: // TLS comes before any token
		said = answer{said: "the server ended the handshake before it saw it: " + failure.Message, hint: failure.Hint}
	case !isToken && !shown():
		said = answer{said: "the server did not ask for a client certificate, so it was not shown (" + said.said + ")",
			hint: "does something end TLS in front of the API server? Then name the API server's own address"}
	}
	return said, again
}

// namespace is nil for the answer of an API server: a portal's page is no
// acceptance.
func namespace(r io.Reader) error {
	var body struct{ Kind string }
	if err := json.NewDecoder(r).Decode(&body); err != nil {
		return err
	}
	if body.Kind != "Namespace" {
		return errors.New("not a namespace")
	}
	return nil
}

// asUser is who a refusal says one is
// (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters, forbiddenMessage).
// A long name may be cut before its closing quote.
var asUser = regexp.MustCompile(`User "((?:[^"\\]|\\.)*)`)

// refusing are the alerts by which TLS refuses a client's certificate, in crypto/tls's
// words. "certificate required" is none of them: then none was seen.
func refusing(alert string) bool {
	return slices.Contains([]string{"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate",
		"unknown certificate", "unknown certificate authority", "access denied"}, alert)
}

// read tells refused from forbidden. kube-apiserver answers 401 to a certificate
// or token that it does not know, and does not take its bearer for anonymous
// instead (k8s.io/apiserver/pkg/authentication/request/x509, and the union that
// puts anonymous last).
func read(failure kube.Error) answer {
	switch {
	case failure.Code == http.StatusUnauthorized && !failure.Status:
		return answer{said: "whoever answered refused it (401), and not in an API server's words", hint: "is a proxy or a portal in between?"}
	case failure.Code == http.StatusUnauthorized:
		return answer{verdict: refused, said: "the API server refused it (401)"}
	case refusing(failure.Alert):
		return answer{verdict: refused, said: fmt.Sprintf("the API server refused it in the TLS handshake (%s)", failure.Alert)}
	case failure.Alert != "":
		return answer{said: fmt.Sprintf("the server ended the handshake with the alert %q, which says nothing about it", failure.Alert), hint: failure.Hint}
	case failure.Code == http.StatusForbidden && failure.Status:
		who := asUser.FindStringSubmatch(failure.Message)
		switch {
		case who == nil:
			return answer{said: failure.Message + ", and does not say whom", hint: "try it by hand: kubectl --kubeconfig OLD auth whoami"}
		case who[1] == "system:anonymous":
			return answer{said: "the API server took it for nobody's (403 for system:anonymous), which an API server that had seen it does not do",
				hint: "does a proxy end TLS in between? Then what it hides was not tried"}
		}
		return answer{verdict: accepted, said: fmt.Sprintf(`the API server knows it as user "%s", who may not read a namespace (403)`, who[1])}
	case failure.Code == http.StatusNotFound && failure.Status:
		return answer{verdict: accepted, said: "the API server let it look for a namespace (404)"}
	}
	return answer{said: failure.Message, hint: failure.Hint}
}
