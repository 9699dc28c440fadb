package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// leastRights: what the service account sees with nothing, with
// deploy/rbac-kubeapi, and with deploy/rbac-kubelet as well.
func (r *rig) leastRights(t *testing.T) {
	token, err := r.server.TokenFor(r.ctx, r.cluster.Admin, "akscert", "akscert")
	if err != nil {
		t.Fatal(err)
	}
	k := cluster.Kubeconfig{Server: r.server.URL(), CA: r.cluster.CA.CertPEM, Token: token}
	all := *r
	all.sources = "kubeconfig,apiserver,kubelet,kubeapi"

	rep, _ := all.audit(t, 3, k)
	wantSources(t, rep, map[report.Source]report.Status{report.SourceKubeAPI: report.StatusPartial, report.SourceKubelet: report.StatusFailed})

	r.apply(t, "rbac-kubeapi")
	r.granted(t, token, "/api/v1/nodes", authentication)
	rep, _ = all.audit(t, 3, k)
	wantSources(t, rep, map[report.Source]report.Status{report.SourceKubeAPI: report.StatusOK, report.SourceKubelet: report.StatusFailed})
	wantGap(t, rep, report.ReasonForbidden)
	if g := rep.Gaps[0]; g.Source != report.SourceKubelet || g.Count != nodes || !strings.Contains(g.Message+g.Hint, "nodes/proxy") {
		t.Errorf("gap %+v, want %d kubelets' that names nodes/proxy", g, nodes)
	}
	wantFacts(t, row(t, rep, report.RoleClientCA), r.cluster.CA.CertPEM)

	r.apply(t, "rbac-kubelet")
	r.granted(t, token, metricsPath(nodeName(0)))
	rep, _ = all.audit(t, 0, k)
	wantSources(t, rep, map[report.Source]report.Status{report.SourceKubeAPI: report.StatusOK, report.SourceKubelet: report.StatusOK})
	if len(rep.Gaps) != 0 || rep.Summary.Nodes != nodes {
		t.Errorf("%d nodes, gaps %+v, want %d and none", rep.Summary.Nodes, rep.Gaps, nodes)
	}
	if got := rep.Clusters[0].Rotation; got == nil || got.Verdict != report.RotationAutomatic {
		t.Errorf("rotation %+v, want automatic", got)
	}

	// And no more than that.
	for _, path := range []string{"/api/v1/secrets", "/api/v1/pods", "/api/v1/namespaces/kube-system/configmaps", "/apis/rbac.authorization.k8s.io/v1/clusterroles"} {
		if status, _, err := r.server.Do(r.ctx, cluster.Login{Token: token}, http.MethodGet, path, nil); err != nil || status != http.StatusForbidden {
			t.Errorf("%s: status %d, %v, want %d", path, status, err, http.StatusForbidden)
		}
	}
}

// inCluster: akscert on a node of its own cluster, with no more than a pod of
// the service account has there.
func (r *nodeRig) inCluster(t *testing.T) {
	for _, folder := range []string{"base", "rbac-kubeapi", "rbac-kubelet"} {
		r.apply(t, folder)
	}
	token, err := r.server.TokenFor(r.ctx, r.cluster.Admin, "akscert", "akscert")
	if err != nil {
		t.Fatal(err)
	}
	r.granted(t, token, "/api/v1/nodes", authentication, metricsPath(cluster.NodeName))
	program, err := os.ReadFile(r.akscert)
	if err != nil {
		t.Fatal(err)
	}
	const mounted = "/var/run/secrets/kubernetes.io/serviceaccount/"
	if err := os.MkdirAll(r.node.Path(mounted), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{mounted + "token": []byte(token), mounted + "ca.crt": r.cluster.CA.CertPEM, "/opt/akscert": program} {
		if err := os.WriteFile(r.node.Path(path), data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	host, port, err := net.SplitHostPort(r.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	command := r.node.Command("/usr/bin/env", "HOME=/root", "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port,
		"/opt/akscert", "audit", "-q", "-o", "json")
	rep := decode(t, string(r.output(t, nil, command[0], command[1:]...)))
	wantOnly(t, rep)
	wantSources(t, rep, map[report.Source]report.Status{report.SourceKubeAPI: report.StatusOK, report.SourceKubelet: report.StatusOK})
	if len(rep.Clusters) != 1 || rep.Clusters[0].ID != "in-cluster" || len(rep.Gaps) != 0 {
		t.Errorf("clusters %+v, gaps %+v, want the node's own cluster and no gaps", rep.Clusters, rep.Gaps)
	}
	wantFacts(t, row(t, rep, report.RoleAPIServer), presented(t, r.server.Addr)[0])
}

// authentication is where an API server publishes the CAs of its clients.
const authentication = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

// granted waits until a token may get the paths: the API server learns of roles
// a moment after they are made.
func (r *rig) granted(t *testing.T, token string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		eventually(t, 10*time.Second, func() error {
			status, answer, err := r.server.Do(r.ctx, cluster.Login{Token: token}, http.MethodGet, path, nil)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("status %d: %s", status, answer)
			}
			return err
		})
	}
}

// wantSources checks how these sources of the one cluster fared.
func wantSources(t *testing.T, rep report.Report, want map[report.Source]report.Status) {
	t.Helper()
	got := map[report.Source]report.Status{}
	for _, s := range rep.Clusters[0].Sources {
		got[s.Source] = s.Status
	}
	for source, status := range want {
		if got[source] != status {
			t.Errorf("source %s is %q, want %q\n%+v", source, got[source], status, rep.Gaps)
		}
	}
}
