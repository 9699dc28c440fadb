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
	"strings"

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

// tries is how often it is asked where the connection breaks off. A server that
// refuses a certificate closes at once, and whoever still writes to it, as the
// HTTP/2 client does, may never come to read its alert: on loopback that is
// every other time.
const tries = 10

// ask shows the credentials of user to the API server of cluster.
func (v *verification) ask(ctx context.Context, cluster target.Cluster, user target.User) answer {
	user.Exec, user.AuthProvider, user.Basic = nil, "", false
	user.Impersonate = target.Impersonate{} // who may not act as another is somebody all the same
	var said answer
	for range tries {
		var again bool
		if said, again = v.once(ctx, target.Target{Cluster: &cluster, User: &user}); !again {
			break
		}
	}
	return said
}

// once asks on a connection of its own. again says that it broke off.
func (v *verification) once(ctx context.Context, t target.Target) (said answer, again bool) {
	client, none := v.Door.Client(ctx, t)
	if none != nil {
		if none.Gap != nil {
			return answer{said: none.Gap.Message, hint: none.Gap.Hint}, false
		}
		return answer{said: none.Skipped.Why}, false
	}
	defer client.Close()
	err := client.Get(ctx, kube.Request{Path: path, What: "showing it to the API server", Needs: "to read namespaces", Location: v.address}, namespace)
	if err == nil {
		return answer{verdict: accepted, said: "the API server let it read a namespace (200)"}, false
	}
	var failure *kube.Error
	if !errors.As(err, &failure) { // each is
		return answer{said: err.Error()}, false
	}
	said = read(*failure)
	broke := failure.Code == 0 && (failure.Reason == report.ReasonUnreachable || failure.Reason == report.ReasonMalformed)
	return said, broke && said.verdict == unclear
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
	_, alert, alerted := strings.Cut(failure.Message, "with the alert ")
	alert = strings.Trim(alert, `"`)
	switch {
	case failure.Code == http.StatusUnauthorized:
		return answer{verdict: refused, said: "the API server refused it (401)"}
	case failure.Code == 0 && alerted && refusing(alert):
		return answer{verdict: refused, said: fmt.Sprintf("the API server refused it in the TLS handshake (%s)", alert)}
	case failure.Code == 0 && alerted:
		return answer{said: fmt.Sprintf("the server ended the handshake with the alert %q, which says nothing about it", alert), hint: failure.Hint}
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
