package demo

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kubelet answers as the API server's proxy to a node's kubelet does. Of what a
// kubelet can be asked, the sample's know their metrics only.
func (e *Estate) kubelet(w http.ResponseWriter, r *http.Request, m *machine, user, path string) {
	switch {
	case m.fault.unproxied:
		status(w, http.StatusForbidden, "Forbidden", fmt.Sprintf("nodes %q is forbidden: User %q cannot get resource %q in API group %q at the cluster scope",
			m.name, user, "nodes/proxy", ""), object{"name": m.name, "kind": "nodes"})
	case m.fault.off: // which takes a real one half a minute to say
		status(w, http.StatusServiceUnavailable, "ServiceUnavailable", "error trying to reach service: dial tcp "+m.address()+":10250: i/o timeout", nil)
	case path != "metrics":
		http.Error(w, "404 page not found", http.StatusNotFound)
	default:
		e.metrics(w, r, m)
	}
}

// metrics is a kubelet's page: what all of them say, and in between, as names
// are sorted, what this one says of itself.
func (e *Estate) metrics(w http.ResponseWriter, r *http.Request, m *machine) {
	page := slices.Concat(e.common(), m.ownMetrics(e.options.Now, time.Now()))
	slices.SortFunc(page, func(a, b family) int { return strings.Compare(a.name, b.name) })
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if m.fault.hang {
		e.hang(w, r, page)
		return
	}
	out, done := e.compressed(w, r)
	defer done()
	for _, f := range page {
		if _, err := out.Write(f.text); err != nil {
			return
		}
	}
}

// hang is a page that stops before anything of interest, and does not end.
func (e *Estate) hang(w http.ResponseWriter, r *http.Request, page []family) {
	answer := http.NewResponseController(w)
	if err := answer.SetWriteDeadline(time.Time{}); err != nil {
		return
	}
	for _, f := range page {
		if f.name >= "kubelet_certificate_manager" {
			break
		}
		if _, err := w.Write(f.text); err != nil {
			return
		}
	}
	if err := answer.Flush(); err != nil {
		return
	}
	select {
	case <-r.Context().Done():
	case <-e.ctx.Done():
	}
}

// family is one metric, with its help and all its values.
type family struct {
	name string
	text []byte
}

func single(name, help, kind, labels string, value float64) family {
	return family{name, fmt.Appendf(nil, "# HELP %s [ALPHA] %s\n# TYPE %s %s\n%s%s %s\n", name, help, name, kind, name, labels, number(value))}
}

// number is as Prometheus writes it: 20736000 is 2.0736e+07.
func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }

// ownMetrics is what only this node's kubelet says. The certificate managers'
// are there where it rotates: names, help and the sums are those of Kubernetes
// 1.37, cmd/kubelet/app/server.go and pkg/kubelet/certificate/kubelet.go. The
// time to live is by the clock of now, as a certificate's dates are; the errors
// are those that there would be at the estate's instant.
func (m *machine) ownMetrics(estate, now time.Time) []family {
	own := []family{single("kubelet_node_name", "The node's name. The count is always 1.", "gauge", `{node="`+m.name+`"}`, 1)}
	if m.boot == staticClient {
		return own
	}
	client, server := math.Inf(1), math.Inf(1)
	if kept, err := m.issued(); err == nil {
		client, server = ttl(kept.client, now), ttl(kept.server, now)
	}
	const failed = "Counter of certificate renewal errors."
	own = append(own,
		single("kubelet_certificate_manager_client_expiration_renew_errors", failed, "counter", "", m.client.renewErrors(estate, m.cluster.pki.now)),
		single("kubelet_certificate_manager_client_ttl_seconds", "Gauge of the TTL (time-to-live) of the Kubelet's client certificate. "+
			"The value is in seconds until certificate expiry (negative if already expired). "+
			"If client certificate is invalid or unused, the value will be +INF.", "gauge", "", client))
	if m.server == (span{}) {
		return own
	}
	return append(own,
		single("kubelet_certificate_manager_server_ttl_seconds", "Gauge of the shortest TTL (time-to-live) of the Kubelet's serving certificate. "+
			"The value is in seconds until certificate expiry (negative if already expired). "+
			"If serving certificate is invalid or unused, the value will be +INF.", "gauge", "", server),
		single("kubelet_server_expiration_renew_errors", failed, "counter", "", m.server.renewErrors(estate, m.cluster.pki.now)))
}

// ttl is the whole seconds that the first certificate of a file has left.
func ttl(file []byte, now time.Time) float64 {
	block, _ := pem.Decode(file)
	if block == nil {
		return math.Inf(1)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return math.Inf(1)
	}
	return math.Trunc(certificate.NotAfter.Sub(now).Seconds())
}

// renewErrors is how often a kubelet has failed to renew a certificate that is
// past 90 % of its life, which is when it tried at the latest. A try whose
// request nobody signs takes 15 minutes, and 32 seconds later comes the next.
func (s span) renewErrors(now, dated time.Time) float64 {
	late := now.Sub(dated) + s.age - s.life*9/10
	return float64(max(0, late/(15*time.Minute+32*time.Second)))
}

// certificates are what a kubelet that rotates has, each with its key.
type certificates struct{ client, server []byte }

// issue makes them, once: for the node's disk, and for what its kubelet says.
func (m *machine) issue() (certificates, error) {
	user := "system:node:" + m.name
	client, err := m.cluster.pki.client(user, "system:nodes", m.client)
	if err != nil {
		return certificates{}, err
	}
	kept := certificates{client: append(client, m.cluster.pki.leafPEM...)}
	if m.server == (span{}) {
		return kept, nil
	}
	server, err := m.cluster.pki.server(pkix.Name{CommonName: user, Organization: []string{"system:nodes"}}, []string{m.name}, m.server)
	if err != nil {
		return certificates{}, err
	}
	kept.server = append(certificatePEM(server), m.cluster.pki.leafPEM...)
	return kept, nil
}

// commonMetrics is the bulk of a kubelet's page, some three hundred kilobytes: real names, and numbers that mean nothing.
func commonMetrics() []family {
	operations := strings.Fields("container_status create_container exec_sync image_fs_info image_status list_containers list_images list_podsandbox " +
		"podsandbox_status pull_image remove_container remove_podsandbox run_podsandbox start_container status stop_container stop_podsandbox update_runtime_config version")
	paths := strings.Fields("attach configz containerLogs debug exec healthz metrics metrics/cadvisor metrics/probes metrics/resource pods portForward run runningpods stats/summary")
	verbs := strings.Fields("DELETE GET LIST PATCH POST PUT WATCH")
	hosts := strings.Fields("configmaps csinodes events leases nodes nodes/status pods pods/status runtimeclasses secrets serviceaccounts/token services")
	features := strings.Fields("APIListChunking AllAlpha AllBeta CPUManager ContainerCheckpoint DisableNodeKubeProxyVersion InPlacePodVerticalScaling " +
		"KubeletSeparateDiskGC MemoryManager NodeLogQuery NodeSwap RotateKubeletServerCertificate SidecarContainers TopologyManager UserNamespacesSupport")
	seconds := strings.Fields("0.005 0.025 0.1 0.25 0.5 1 2.5 5 15 60 120 600")
	page := []family{}
	for _, f := range []struct {
		name, help, kind string
		label            string
		values           []string
		label2           string
		values2          []string
	}{
		{"apiserver_audit_event_total", "Counter of audit events generated and sent to the audit backend.", "counter", "", nil, "", nil},
		{"apiserver_client_certificate_expiration_seconds", "Distribution of the remaining lifetime on the certificate used to authenticate a request.", "histogram", "", nil, "", nil},
		{"authentication_token_cache_request_duration_seconds", "", "histogram", "status", []string{"hit", "miss"}, "", nil},
		{"authorization_attempts_total", "Counter of authorization attempts broken down by result.", "counter", "result", []string{"allowed", "denied"}, "", nil},
		{"csi_operations_seconds", "Container Storage Interface operation duration with gRPC error code status total", "histogram", "driver_name", []string{"disk.csi.azure.com", "file.csi.azure.com"}, "method_name", operations},
		{"go_goroutines", "Number of goroutines that currently exist.", "gauge", "", nil, "", nil},
		{"go_memstats_alloc_bytes", "Number of bytes allocated and still in use.", "gauge", "", nil, "", nil},
		{"go_threads", "Number of OS threads created.", "gauge", "", nil, "", nil},
		{"kubelet_active_pods", "The number of pods the kubelet considers active and which are being considered when admitting new pods.", "gauge", "static", []string{"", "true"}, "", nil},
		{"kubelet_cgroup_manager_duration_seconds", "Duration in seconds for cgroup manager operations. Broken down by method.", "histogram", "operation_type", []string{"create", "destroy", "update"}, "", nil},
		{"kubelet_http_requests_duration_seconds", "Duration in seconds to serve http requests", "histogram", "method", []string{"GET", "POST"}, "path", paths},
		{"kubelet_http_requests_total", "Number of the http requests received since the server started", "counter", "method", []string{"GET", "POST"}, "path", paths},
		{"kubelet_pleg_relist_duration_seconds", "Duration in seconds for relisting pods in PLEG.", "histogram", "", nil, "", nil},
		{"kubelet_pod_worker_duration_seconds", "Duration in seconds to sync a single pod. Broken down by operation type: create, update, or sync", "histogram", "operation_type", []string{"create", "sync", "update"}, "", nil},
		{"kubelet_running_pods", "Number of pods that have a running pod sandbox", "gauge", "", nil, "", nil},
		{"kubelet_runtime_operations_duration_seconds", "Duration in seconds of runtime operations. Broken down by operation type.", "histogram", "operation_type", operations, "", nil},
		{"kubelet_runtime_operations_errors_total", "Cumulative number of runtime operation errors by operation type.", "counter", "operation_type", operations, "", nil},
		{"kubelet_runtime_operations_total", "Cumulative number of runtime operations by operation type.", "counter", "operation_type", operations, "", nil},
		{"kubernetes_feature_enabled", "This metric records the data about the stage and enablement of a k8s feature.", "gauge", "name", features, "stage", []string{"", "ALPHA", "BETA"}},
		{"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter", "", nil, "", nil},
		{"process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "gauge", "", nil, "", nil},
		{"rest_client_request_duration_seconds", "Request latency in seconds. Broken down by verb, and host.", "histogram", "resource", hosts, "verb", verbs},
		{"rest_client_requests_total", "Number of HTTP requests, partitioned by status code, method, and host.", "counter", "resource", hosts, "verb", verbs},
		{"storage_operation_duration_seconds", "Storage operation duration", "histogram", "operation_name", operations, "status", []string{"fail-unknown", "success"}},
		{"volume_manager_total_volumes", "Number of volumes in Volume Manager", "gauge", "state", []string{"actual_state_of_world", "desired_state_of_world"}, "", nil},
		{"workqueue_depth", "Current depth of workqueue", "gauge", "name", []string{"DynamicServingCertificateController"}, "", nil},
	} {
		var text bytes.Buffer
		stability := "[ALPHA] "
		if strings.HasPrefix(f.name, "go_") || strings.HasPrefix(f.name, "process_") {
			stability = "" // not Kubernetes' own
		}
		fmt.Fprintf(&text, "# HELP %s %s%s\n# TYPE %s %s\n", f.name, stability, f.help, f.name, f.kind)
		for i, labels := range product(f.label, f.values, f.label2, f.values2) {
			if f.kind == "histogram" {
				histogram(&text, f.name, labels, seconds, i)
				continue
			}
			if labels != "" {
				labels = "{" + labels + "}"
			}
			fmt.Fprintf(&text, "%s%s %d\n", f.name, labels, (i*7919)%997)
		}
		page = append(page, family{f.name, text.Bytes()})
	}
	return page
}

// product is every pair of labels, as they stand between braces.
func product(label string, values []string, label2 string, values2 []string) []string {
	if label == "" {
		return []string{""}
	}
	var all []string
	for _, value := range values {
		one := label + `="` + value + `"`
		if label2 == "" {
			all = append(all, one)
		}
		for _, value2 := range values2 {
			all = append(all, one+","+label2+`="`+value2+`"`)
		}
	}
	return all
}

func histogram(text io.Writer, name, labels string, limits []string, seed int) {
	before, alone := "", ""
	if labels != "" {
		before, alone = labels+",", "{"+labels+"}"
	}
	count := 0
	for i, limit := range limits {
		count += (seed*31 + i*17) % 23
		fmt.Fprintf(text, "%s_bucket{%sle=\"%s\"} %d\n", name, before, limit, count)
	}
	fmt.Fprintf(text, "%s_bucket{%sle=\"+Inf\"} %d\n%s_sum%s %s\n%s_count%s %d\n",
		name, before, count, name, alone, number(float64(count)*0.0137), name, alone, count)
}
