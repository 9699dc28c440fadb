package kubeapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
)

// secret is the token that signs in: no gap may show it.
const secret = "s3cret-t0ken-value"

const configMap = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

func authority(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func text(code int, s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, s)
	}
}

func status(code int, message string) http.HandlerFunc {
	return text(code, fmt.Sprintf(`{"kind":"Status","message":%q}`, message))
}

func published(data map[string]string) http.HandlerFunc {
	encoded, _ := json.Marshal(map[string]any{"kind": "ConfigMap", "data": data})
	return text(200, string(encoded))
}

// paths is an API server.
type paths map[string]http.HandlerFunc

// good is one where all is well; with changes.
func good(t *testing.T, change paths) paths {
	t.Helper()
	p := paths{
		"/version": text(200, `{"major":"1","minor":"33","gitVersion":"v1.33.5"}`),
		"/apis":    text(200, `{"kind":"APIGroupList","groups":[{"name":"apps"},{"name":"rbac.authorization.k8s.io"}]}`),
		builtIn:    text(200, `{"kind":"ClusterRole","metadata":{"name":"system:discovery"}}`),
		configMap:  published(map[string]string{"client-ca-file": authority(t, "old") + authority(t, "new"), "requestheader-client-ca-file": authority(t, "aggregator"), "requestheader-allowed-names": "[]"}),
		"/api/v1/nodes": text(200, `{"kind":"PartialObjectMetadataList","items":[{"metadata":{"name":"aks-a-1","creationTimestamp":"2024-05-01T10:00:00Z","labels":{"agentpool":"a",`+
			`"kubernetes.io/os":"linux","kubernetes.azure.com/node-image-version":"AKSUbuntu-202501.12.0","kubernetes.azure.com/kubelet-serving-ca":"cluster"}}},{"metadata":{"name":"v","labels":{"type":"virtual-kubelet"}}}]}`),
	}
	maps.Copy(p, change)
	return p
}

// run serves p, and gives back what the collector brought, a line each, and how
// often the server was asked.
func run(t *testing.T, p paths) (got string, asked int) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++ // one after another
		if r.Header.Get("Authorization") != "Bearer "+secret || r.Method != http.MethodGet {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		handle := p[r.URL.Path]
		if handle == nil {
			handle = status(404, "no such path")
		}
		handle(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	at := target.Target{ID: "c", Cluster: &target.Cluster{Name: "c", File: "kc", Server: server.URL, CA: target.Material{Data: ca}},
		User: &target.User{Name: "u", File: "kc", Token: target.NewSecret(secret)}}
	c := Collector{Door: kube.New(kube.Config{Timeout: time.Minute})}
	var b strings.Builder
	for _, o := range c.Collect(t.Context(), at) {
		b.WriteString(tell(o) + "\n")
	}
	got = strings.ReplaceAll(b.String(), server.Listener.Addr().String(), "ADDRESS")
	if strings.Contains(got, secret) {
		t.Errorf("the token is shown: %s", got)
	}
	return got, asked
}

func tell(o collect.Observation) string {
	switch {
	case o.API != nil:
		rbac := "unknown"
		if o.API.RBAC != nil {
			rbac = fmt.Sprint(*o.API.RBAC)
		}
		return fmt.Sprintf("api %q rbac %s", o.API.Version, rbac)
	case o.Certificate != nil:
		return fmt.Sprintf("certificate %s %s@%s", o.Certificate.Role, o.Certificate.Subject, o.Certificate.Location)
	case o.Node != nil:
		created := ""
		if o.Node.CreatedAt != nil {
			created = o.Node.CreatedAt.Format(time.RFC3339)
		}
		return fmt.Sprintf("node %s %s/%s %s %s %s %v", o.Node.Name, o.Node.Pool, o.Node.OS, created, o.Node.ImageVersion, o.Node.KubeletServingCA, o.Node.Virtual)
	case o.Gap != nil:
		return fmt.Sprintf("gap %s %s: %s (%s)", o.Gap.Reason, o.Gap.Location, o.Gap.Message, o.Gap.Hint)
	case o.Skipped != nil:
		return "skipped: " + o.Skipped.Why
	}
	return "something else"
}

const (
	api    = "api \"1.33.5\" rbac true\n"
	cas    = "certificate client-ca CN=old@configmap/kube-system/extension-apiserver-authentication#client-ca-file#0\ncertificate client-ca CN=new@configmap/kube-system/extension-apiserver-authentication#client-ca-file#1\n"
	front  = "certificate requestheader-ca CN=aggregator@configmap/kube-system/extension-apiserver-authentication#requestheader-client-ca-file\n"
	nodes2 = "node aks-a-1 a/linux 2024-05-01T10:00:00Z AKSUbuntu-202501.12.0 cluster false\nnode v /    true\n"
)

// Each of the four questions fails by itself, and a server that is out of reach
// is one gap.
func TestCollect(t *testing.T) {
	const at = "configmap/kube-system/extension-apiserver-authentication"
	const look = "(look at it with: kubectl -n kube-system get configmap extension-apiserver-authentication -o yaml)\n"
	for name, test := range map[string]struct {
		change paths
		want   string
		asked  int
	}{
		"good":               {nil, api + cas + front + nodes2, 5},
		"no RBAC":            {paths{"/apis": text(200, `{"kind":"APIGroupList","groups":[{"name":"rbac.authorization.k8s.io.example"}]}`)}, "api \"1.33.5\" rbac false\n" + cas + front + nodes2, 4},
		"RBAC only served":   {paths{builtIn: status(404, "no")}, "api \"1.33.5\" rbac false\n" + cas + front + nodes2, 5},
		"an authorizer":      {paths{builtIn: status(403, "no")}, api + cas + front + nodes2, 5},
		"roles out of order": {paths{builtIn: status(500, "no")}, "api \"1.33.5\" rbac unknown\ngap unreachable " + builtIn + ": looking for RBAC's built-in roles: the API server answered 500: no (", 5},
		"no aggregator":      {paths{configMap: published(map[string]string{"client-ca-file": authority(t, "one")})}, api + "certificate client-ca CN=one@" + at + "#client-ca-file\n" + nodes2, 5},
		"no client CA":       {paths{configMap: published(nil)}, api + "gap not-found " + at + "#client-ca-file: the API server publishes no CA for client certificates " + look + nodes2, 5},
		"empty CA":           {paths{configMap: published(map[string]string{"client-ca-file": "x"})}, api + "gap malformed " + at + "#client-ca-file: reading client-ca-file: holds no certificate " + look + nodes2, 5},
		"damaged CA": {paths{configMap: published(map[string]string{"client-ca-file": authority(t, "one") + "-----BEGIN CERTIFICATE-----\nMIIB\n"})},
			api + "certificate client-ca CN=one@" + at + "#client-ca-file#0\ngap truncated " + at + "#client-ca-file#1: ", 5},
		"version forbidden": {paths{"/version": status(403, "no")}, "api \"\" rbac true\n" +
			"gap forbidden /version: reading the server's version: the API server answered 403: no (the user needs get on the path /version: the built-in ClusterRole system:public-info-viewer has it)\n" + cas + front + nodes2, 5},
		"version odd": {paths{"/version": text(200, `{"gitVersion":"v1.\u001b[2J"}`)}, "api \"\" rbac true\ngap malformed /version: reading the server's version: the answer is not what Kubernetes documents (", 5},
		"groups forbidden": {paths{"/apis": status(403, "no")}, "api \"1.33.5\" rbac unknown\n" +
			"gap forbidden /apis: listing the API groups: the API server answered 403: no (the user needs get on the path /apis: the built-in ClusterRole system:discovery has it)\n" + cas + front + nodes2, 4},
		"groups of something": {paths{"/apis": text(200, `{}`)}, "api \"1.33.5\" rbac unknown\ngap malformed /apis: listing the API groups: the answer is not what Kubernetes documents (", 4},
		"CAs forbidden": {paths{configMap: status(403, "no")}, api + "gap forbidden " + at + ": reading the API server's client CAs: the API server answered 403: no " +
			"(the user needs get on configmaps/extension-apiserver-authentication in kube-system: the built-in Role extension-apiserver-authentication-reader there has it)\n" + nodes2, 5},
		"CAs of something": {paths{configMap: text(200, `{"kind":"Secret"}`)}, api + "gap malformed " + at + ": reading the API server's client CAs: the answer is not what Kubernetes documents (", 5},
		"nodes forbidden":  {paths{"/api/v1/nodes": status(403, "no")}, api + cas + front + "gap forbidden nodes: listing nodes: the API server answered 403: no (the user needs list on nodes, at the cluster scope)\n", 5},
		"all forbidden":    {paths{"/version": status(403, "no"), "/apis": status(403, "no"), configMap: status(403, "no"), "/api/v1/nodes": status(403, "no")}, "gap forbidden /version", 4},
		"signed out":       {paths{"/version": status(401, "no")}, "gap unauthenticated ADDRESS: the API server refused the kubeconfig's credentials (401) (fetch the kubeconfig again: az aks get-credentials --overwrite-existing)\n", 1},
		"signed out later": {paths{configMap: status(401, "no")}, api + "gap unauthenticated ADDRESS: the API server refused the kubeconfig's credentials (401) (", 4},
	} {
		t.Run(name, func(t *testing.T) {
			got, asked := run(t, good(t, test.change))
			if !strings.HasPrefix(got, test.want) || strings.HasSuffix(test.want, "\n") && got != test.want || asked != test.asked {
				t.Errorf("asked %d times, got\n%swant\n%s", asked, got, test.want)
			}
		})
	}
}

func TestSkipped(t *testing.T) {
	seen := Collector{Door: kube.New(kube.Config{})}.Collect(t.Context(), target.Target{})
	if len(seen) != 1 || tell(seen[0]) != "skipped: no API server address is known" {
		t.Errorf("got %v", seen)
	}
	// A stopped cluster is no clean one.
	seen = Collector{Door: kube.New(kube.Config{})}.Collect(t.Context(), target.Target{Cluster: &target.Cluster{Server: "https://c"}, ARM: &target.ARM{PowerState: "Stopped"}})
	if len(seen) != 1 || !strings.HasPrefix(tell(seen[0]), "gap not-running : the cluster is stopped (") {
		t.Errorf("got %v", seen)
	}
}
