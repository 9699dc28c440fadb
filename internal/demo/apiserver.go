package demo

import (
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"strings"
)

// apiServer is a cluster's API server, as far as an audit looks: its handshake,
// and that it knows who is asking.
func (e *Estate) apiServer(c *cluster) http.Handler {
	roots := x509.NewCertPool()
	roots.AddCert(c.pki.cert)
	return e.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !e.known(c, r, roots):
			status(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		case r.URL.Path == "/healthz" || r.URL.Path == "/livez" || r.URL.Path == "/readyz":
			_, _ = w.Write([]byte("ok"))
		case r.URL.Path == "/version":
			major, rest, _ := strings.Cut(c.kubernetes, ".")
			minor, _, _ := strings.Cut(rest, ".")
			reply(w, http.StatusOK, object{"major": major, "minor": minor, "gitVersion": "v" + c.kubernetes, "platform": "linux/amd64"})
		default:
			status(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
		}
	}))
}

// known says whether the caller has a client certificate of the cluster that is
// still valid, the static token of local accounts, or an Entra token.
func (e *Estate) known(c *cluster, r *http.Request, roots *x509.CertPool) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if c.entra && e.checkToken(token, aksServerApplication) == "" {
		return true
	}
	if !c.noLocal && subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) == 1 {
		return true
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	_, err := r.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: e.options.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

func status(w http.ResponseWriter, code int, reason, message string) {
	reply(w, code, object{"kind": "Status", "apiVersion": "v1", "metadata": object{}, "status": "Failure",
		"message": message, "reason": reason, "code": code})
}
