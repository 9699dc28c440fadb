package demo

import (
	"compress/gzip"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	nodesPath = "/api/v1/nodes"
	rolePath  = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:discovery" // RBAC's group is always served, its roles only where it is on
	trustPath = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

	// From here on an API server compresses, for those who accept it; a kubelet always does.
	compressFrom = 128 << 10
)

// apiServer is a cluster's API server, as far as an audit looks: its handshake,
// that it knows who is asking, and what it says of trust, of nodes, and for
// their kubelets. It only reads.
func (e *Estate) apiServer(c *cluster) http.Handler {
	roots := c.clientCAs()
	return e.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache, private")
		user := e.caller(c, r, roots)
		node, isNode := strings.CutPrefix(r.URL.Path, nodesPath+"/")
		group, isGroup := strings.CutPrefix(r.URL.Path, "/apis/")
		switch path := r.URL.Path; {
		case user == "":
			status(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized", nil)
		case r.Method != http.MethodGet:
			status(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "the server does not allow this method on the requested resource", object{})
		case path == "/healthz" || path == "/livez" || path == "/readyz":
			_, _ = io.WriteString(w, "ok")
		case path == "/version":
			e.answer(w, r, c.version())
		case path == "/api":
			e.answer(w, r, object{"kind": "APIVersions", "versions": []string{"v1"}, "serverAddressByClientCIDRs": []object{}})
		case path == "/api/v1":
			e.answer(w, r, resourceList("v1", object{"name": "nodes", "singularName": "node", "namespaced": false, "kind": "Node",
				"verbs": []string{"get", "list"}, "shortNames": []string{"no"}},
				object{"name": "configmaps", "singularName": "configmap", "namespaced": true, "kind": "ConfigMap", "verbs": []string{"get"}, "shortNames": []string{"cm"}}))
		case path == rolePath && !c.noRBAC:
			e.answer(w, r, object{"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "rules": []object{},
				"metadata": object{"name": "system:discovery", "labels": object{"kubernetes.io/bootstrapping": "rbac-defaults"}}})
		case path == "/apis":
			e.answer(w, r, c.groups())
		case isGroup && c.hasGroup(group):
			e.answer(w, r, resourceList(group))
		case path == trustPath:
			e.answer(w, r, c.trust(e.options.Now))
		case path == nodesPath:
			e.listNodes(w, r, c)
		case isNode:
			e.node(w, r, c, user, node)
		default:
			notThere(w)
		}
	}))
}

// clientCAs is who may sign a client's certificate.
func (c *cluster) clientCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.trusted())
	return pool
}

// caller is who is asking, or empty: the owner of a client certificate of the
// cluster that is still valid, of the static token of local accounts, or of an
// Entra token. As in Kubernetes, a certificate that is no good does not spoil a
// token that is.
func (e *Estate) caller(c *cluster, r *http.Request, roots *x509.CertPool) string {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		leaf := r.TLS.PeerCertificates[0]
		if _, err := leaf.Verify(x509.VerifyOptions{
			Roots: roots, CurrentTime: e.options.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
			return leaf.Subject.CommonName
		}
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if c.entra && e.checkToken(token, aksServerApplication) == "" {
		return clientID
	}
	if !c.noLocal && subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) == 1 {
		return localAccount
	}
	return ""
}

func (c *cluster) version() object {
	major, rest, _ := strings.Cut(c.kubernetes, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return object{"major": major, "minor": minor, "gitVersion": "v" + c.kubernetes, "gitTreeState": "clean", "compiler": "gc", "platform": "linux/amd64"}
}

// apiGroups is what a cluster of today has, in its order of preference.
func (c *cluster) apiGroups() []string {
	groups := []string{"apiregistration.k8s.io/v1", "apps/v1", "events.k8s.io/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1",
		"autoscaling/v2", "batch/v1", "certificates.k8s.io/v1", "networking.k8s.io/v1", "policy/v1"}
	return append(groups, "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1", "admissionregistration.k8s.io/v1", "apiextensions.k8s.io/v1", "scheduling.k8s.io/v1",
		"coordination.k8s.io/v1", "node.k8s.io/v1", "discovery.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1", "metrics.k8s.io/v1beta1")
}

func (c *cluster) hasGroup(groupVersion string) bool {
	for _, known := range c.apiGroups() {
		if known == groupVersion {
			return true
		}
	}
	return false
}

func (c *cluster) groups() object {
	list := []object{}
	for _, groupVersion := range c.apiGroups() {
		name, version, _ := strings.Cut(groupVersion, "/")
		preferred := object{"groupVersion": groupVersion, "version": version}
		list = append(list, object{"name": name, "versions": []object{preferred}, "preferredVersion": preferred})
	}
	return object{"kind": "APIGroupList", "apiVersion": "v1", "groups": list}
}

func resourceList(groupVersion string, resources ...object) object {
	return object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": append([]object{}, resources...)}
}

// trust is the ConfigMap that tells other API servers whom to believe. On AKS
// the aggregator may have any name:
// https://github.com/kubevirt/containerized-data-importer/pull/1300
func (c *cluster) trust(now time.Time) object {
	return object{"kind": "ConfigMap", "apiVersion": "v1",
		"metadata": object{"name": "extension-apiserver-authentication", "namespace": "kube-system", "resourceVersion": resourceVersion,
			"creationTimestamp": now.Add(-time.Duration(c.age) * day).UTC().Format(time.RFC3339)},
		"data": object{
			"client-ca-file":                     string(c.trusted()),
			"requestheader-client-ca-file":       string(c.front.pem),
			"requestheader-allowed-names":        `[]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
			"requestheader-group-headers":        `["X-Remote-Group"]`,
			"requestheader-username-headers":     `["X-Remote-User"]`,
		}}
}

// answer is 200 and JSON, compressed where the real one would be.
func (e *Estate) answer(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status(w, http.StatusInternalServerError, "InternalError", err.Error(), nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out, done := io.Writer(w), func() {}
	if len(body) > compressFrom {
		out, done = e.compressed(w, r)
	}
	_, _ = out.Write(append(body, '\n'))
	done()
}

// compressed is where to write a body to, as gzip if that is accepted, and what
// to do in the end.
func (e *Estate) compressed(w http.ResponseWriter, r *http.Request) (io.Writer, func()) {
	w.Header().Add("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return w, func() {}
	}
	w.Header().Set("Content-Encoding", "gzip")
	zip, ok := e.zips.Get().(*gzip.Writer)
	if !ok {
		zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	}
	zip.Reset(w)
	return zip, func() { _ = zip.Close(); e.zips.Put(zip) }
}

func notThere(w http.ResponseWriter) {
	status(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource", object{})
}

func status(w http.ResponseWriter, code int, reason, message string, details object) {
	body := object{"kind": "Status", "apiVersion": "v1", "metadata": object{}, "status": "Failure", "message": message, "reason": reason, "code": code}
	if details != nil {
		body["details"] = details
	}
	encoded, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(encoded, '\n'))
}
