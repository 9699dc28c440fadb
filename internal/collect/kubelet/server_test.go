package kubelet

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
)

// secret is the token that signs in: no gap may show it.
const secret = "s3cret-t0ken-value"

// cluster is an API server with nodes, and what is behind their proxies.
type cluster struct {
	nodes   []string                    // as JSON, or just a name
	metrics map[string]http.HandlerFunc // by node
	others  http.HandlerFunc            // for nodes that are not in metrics
	list    http.HandlerFunc            // instead of nodes
	gone    map[string]http.HandlerFunc // what there is to say of a node itself; the others are there
	change  func(server *httptest.Server)

	mu    sync.Mutex
	asked []string // nodes
}

// start runs the cluster and gives back a target for it.
func (c *cluster) start(t *testing.T) target.Target {
	t.Helper()
	server := httptest.NewUnstartedServer(c)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if c.change != nil {
		c.change(server)
	}
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return target.Target{ID: "c", Name: "c", Cluster: &target.Cluster{Name: "c", File: "kc", Server: server.URL, CA: target.Material{Data: ca}},
		User: &target.User{Name: "u", File: "kc", Token: target.NewSecret(secret)}}
}

// count is how many nodes were asked so far, also by requests that were given up.
func (c *cluster) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+secret {
		status(401, "Unauthorized")(w, r)
		return
	}
	if r.URL.Path == "/api/v1/nodes" {
		if c.list != nil {
			c.list(w, r)
			return
		}
		var items []string
		for _, n := range c.nodes {
			if !strings.HasPrefix(n, "{") {
				n = fmt.Sprintf(`{"metadata":{"name":%q}}`, n)
			}
			items = append(items, n)
		}
		_, _ = fmt.Fprintf(w, `{"kind":"PartialObjectMetadataList","items":[%s]}`, strings.Join(items, ","))
		return
	}
	node, isMetrics := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/nodes/"), "/proxy/metrics")
	if !isMetrics {
		if r.Header.Get("Accept") != "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json" {
			status(406, "all of a node was asked for")(w, r)
		} else if handle := c.gone[node]; handle != nil {
			handle(w, r)
		} else {
			_, _ = fmt.Fprintf(w, `{"kind":"PartialObjectMetadata","metadata":{"name":%q}}`, node)
		}
		return
	}
	c.mu.Lock()
	c.asked = append(c.asked, node)
	c.mu.Unlock()
	handle := c.metrics[node]
	if handle == nil {
		handle = c.others
	}
	handle(w, r)
}

func status(code int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","status":"Failure","message":%q,"code":%d}`, message, code)
	}
}

func text(code int, s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, s)
	}
}

// realistic is a page as a kubelet writes it: sorted by name, with histograms,
// and where they are not empty the four lines that matter.
func realistic(pods int, values map[string]string) string {
	var b strings.Builder
	metric := func(name, kind string, lines ...string) {
		fmt.Fprintf(&b, "# HELP %s [ALPHA] What %s counts.\n# TYPE %s %s\n", name, name, name, kind)
		for _, l := range lines {
			b.WriteString(name + l + "\n")
		}
	}
	ours := func(name, kind string) {
		if v, ok := values[name]; ok {
			metric(name, kind, " "+v)
		}
	}
	histogram := func(name string, series int) {
		var lines []string
		for s := range series {
			for _, le := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"} {
				lines = append(lines, fmt.Sprintf(`_bucket{operation_type="op-%d",le="%s"} %d`, s, le, s*7))
			}
			lines = append(lines, fmt.Sprintf(`_sum{operation_type="op-%d"} %g`, s, float64(s)*1.5), fmt.Sprintf(`_count{operation_type="op-%d"} %d`, s, s*7))
		}
		metric(name, "histogram", lines...)
	}
	histogram("aggregator_discovery_aggregation_duration_seconds", pods)
	histogram("apiserver_webhooks_x509_missing_san_seconds", pods)
	metric("go_goroutines", "gauge", " 532")
	ours(clientErrors, "counter")
	ours(clientTTL, "gauge")
	ours(servingTTL, "gauge")
	histogram("kubelet_cgroup_manager_duration_seconds", pods)
	histogram("kubelet_http_requests_duration_seconds", pods)
	metric("kubelet_node_name", "gauge", `{node="aks-a-1"} 1`)
	histogram("kubelet_pod_worker_duration_seconds", pods)
	ours(servingErrors, "counter")
	histogram("kubelet_volume_metric_collection_duration_seconds", pods)
	histogram("rest_client_request_duration_seconds", pods)
	histogram("storage_operation_duration_seconds", pods)
	return b.String()
}

func all(client, serving string) map[string]string {
	return map[string]string{clientErrors: "0", clientTTL: client, servingTTL: serving, servingErrors: "0"}
}

// noon is when every line is received.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 700e6, time.UTC)

func run(t *testing.T, at target.Target, cfg kube.Config) []collect.Observation {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	c := Collector{Door: kube.New(cfg), Now: func() time.Time { return noon }}
	seen := c.Collect(t.Context(), at)
	for _, o := range seen {
		if told := tell(o); strings.Contains(told, secret) {
			t.Errorf("the token is shown: %s", told)
		}
	}
	return seen
}

// tell is an observation in one line.
func tell(o collect.Observation) string {
	number := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	switch {
	case o.Skipped != nil:
		return "skipped: " + o.Skipped.Why
	case o.Gap != nil:
		return fmt.Sprintf("gap %s %s@%s: %s (%s) %v", o.Gap.Reason, o.Gap.Node, o.Gap.Location, o.Gap.Message, o.Gap.Hint, o.Gap.Retryable)
	case o.Certificate != nil:
		c := o.Certificate
		return fmt.Sprintf("certificate %s %s@%s %s %d %v", c.Role, c.Node, c.Location, c.NotAfter.Format(time.RFC3339Nano), c.Count, c.Approximate)
	case o.Node != nil:
		rotates := "unknown"
		if o.Node.RotateCertificates != nil {
			rotates = fmt.Sprint(*o.Node.RotateCertificates)
		}
		k := o.Node.Kubelet
		return fmt.Sprintf("node %s %s/%s rotates %s at %s: %s %s %s %s", o.Node.Name, o.Node.Pool, o.Node.OS, rotates, k.ReadAt.Format(time.RFC3339Nano),
			number(k.ClientTTLSeconds), number(k.RenewErrors), number(k.ServingTTLSeconds), number(k.ServingRenewErrors))
	}
	return "something else"
}

func lines(seen []collect.Observation) string {
	var b strings.Builder
	for _, o := range seen {
		b.WriteString(tell(o) + "\n")
	}
	return b.String()
}
