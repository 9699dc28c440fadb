package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// The kubelet's metrics about its certificates.
const (
	clientTTL   = "kubelet_certificate_manager_client_ttl_seconds"
	renewErrors = "kubelet_certificate_manager_client_expiration_renew_errors"
	servingTTL  = "kubelet_certificate_manager_server_ttl_seconds"
)

// file is what a file of the node holds.
func (r *nodeRig) file(t *testing.T, path string) []byte {
	t.Helper()
	data, err := r.node.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// agree checks that the metrics say of the kubelet's certificates what openssl
// says of their files, to within two seconds and the time it took to ask.
func (r *nodeRig) agree(t *testing.T) {
	t.Helper()
	for name, path := range map[string]string{clientTTL: cluster.ClientCertificate, servingTTL: cluster.ServingCertificate} {
		eventually(t, time.Minute, func() error {
			file := r.file(t, path)
			asked := time.Now()
			page := r.viaKubectl(t)
			answered := time.Now()
			if !bytes.Equal(file, r.file(t, path)) {
				return errors.New("the kubelet replaced its certificate meanwhile")
			}
			left := metric(t, page, name)
			notAfter := opensslFacts(t, file).notAfter
			most, least := notAfter.Sub(asked).Seconds()+2, notAfter.Sub(answered).Seconds()-2
			if left > most || left < least {
				t.Errorf("%s is %v, the file says between %v and %v", name, left, least, most)
			}
			return nil
		})
	}
}

// proxied asks a node's kubelet for its metrics, through the API server.
func (r *nodeRig) proxied(login cluster.Login, node string) (status int, answer string, err error) {
	status, body, err := r.server.Do(r.ctx, login, http.MethodGet, metricsPath(node), nil)
	return status, string(body), err
}

// metrics is the kubelet's page. It tries for a while: a kubelet listens before
// it has a serving certificate.
func (r *nodeRig) metrics(t *testing.T) string {
	t.Helper()
	var page string
	eventually(t, time.Minute, func() error {
		status, answer, err := r.proxied(cluster.Login{Client: &r.cluster.Admin}, cluster.NodeName)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", status, answer)
		}
		page = answer
		return err
	})
	return page
}

// viaKubectl is the page as a person reads it, with "kubectl get --raw", or ours
// where there is no kubectl.
func (r *nodeRig) viaKubectl(t *testing.T) string {
	t.Helper()
	page := r.metrics(t) // it can be had now
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Log("no kubectl here: the metrics are asked for without it")
		return page
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := r.kubeconfig(r.server).Write(kubeconfig); err != nil {
		t.Fatal(err)
	}
	return string(r.output(t, nil, kubectl, "--kubeconfig", kubeconfig, "get", "--raw", metricsPath(cluster.NodeName)))
}

func metricsPath(node string) string { return "/api/v1/nodes/" + node + "/proxy/metrics" }

// metric is the value of a metric without labels.
func metric(t *testing.T, page, name string) float64 {
	t.Helper()
	for line := range strings.Lines(page) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("the page lacks %s:\n%s", name, page)
	return math.NaN()
}

// eventually tries until there is no error, or the limit is reached.
func eventually(t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", limit, err)
		}
	}
}

// forbidden: a user who may list nodes, and not ask their kubelets.
func (r *nodeRig) forbidden(t *testing.T) {
	from := time.Now().Add(-cluster.Day)
	lister := r.issue(t, cluster.Spec{CommonName: "lister", NotBefore: from, NotAfter: from.Add(long)})
	for kind, rest := range map[string]string{
		"ClusterRole": `"rules":[{"apiGroups":[""],"resources":["nodes"],"verbs":["list"]}]`,
		"ClusterRoleBinding": `"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"lister"},
			"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"lister"}]`,
	} {
		object := fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":%q,"metadata":{"name":"lister"},%s}`, kind, rest)
		path := "/apis/rbac.authorization.k8s.io/v1/" + strings.ToLower(kind) + "s"
		if status, answer, err := r.server.Do(r.ctx, cluster.Login{Client: &r.cluster.Admin}, http.MethodPost, path, []byte(object)); err != nil || status != http.StatusCreated {
			t.Fatalf("making the %s: %d: %s %v", kind, status, answer, err)
		}
	}
	r.wantRefusal(t, cluster.Login{Client: &lister}, cluster.NodeName, http.StatusForbidden,
		`User \"lister\" cannot get resource \"nodes/proxy\"`)
	k := r.kubeconfig(r.server)
	k.Cert, k.Key = lister.CertPEM, lister.KeyPEM
	rep, _ := r.audit(t, 3, k)
	r.wantKubeletGap(t, rep, report.ReasonForbidden)
}

// unknownNode: a node that is gone since it was listed.
func (r *nodeRig) unknownNode(t *testing.T) {
	r.wantRefusal(t, cluster.Login{Client: &r.cluster.Admin}, "nosuch", http.StatusNotFound, `nodes \"nosuch\" not found`)
}

// down: a node whose kubelet does not run.
func (r *nodeRig) down(t *testing.T) {
	r.node.StopKubelet()
	r.wantRefusal(t, cluster.Login{Client: &r.cluster.Admin}, cluster.NodeName, http.StatusServiceUnavailable, "connection refused")
	rep, _ := r.audit(t, 3, r.kubeconfig(r.server))
	r.wantKubeletGap(t, rep, report.ReasonUnreachable)
}

// wantKubeletGap checks that the node's kubelet could not be asked, and why.
func (r *nodeRig) wantKubeletGap(t *testing.T, rep report.Report, reason report.Reason) {
	t.Helper()
	for _, gap := range rep.Gaps {
		if gap.Source == report.SourceKubelet && gap.Node == cluster.NodeName && gap.Reason == reason {
			return
		}
	}
	t.Errorf("gaps %+v, want the kubelet's: %s", rep.Gaps, reason)
}

// wantRefusal checks what the API server answers for a node's metrics.
func (r *nodeRig) wantRefusal(t *testing.T, login cluster.Login, node string, wantStatus int, want string) {
	t.Helper()
	status, answer, err := r.proxied(login, node)
	if err != nil {
		t.Fatal(err)
	}
	if status != wantStatus || !strings.Contains(answer, want) {
		t.Errorf("status %d: %s, want %d with %q", status, answer, wantStatus, want)
	}
}
