package demo

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// caller asks one cluster's API server, with whatever it has been given.
type caller struct {
	t      *testing.T
	http   *http.Client
	server string
	token  string
	accept string
}

// ask is a caller that trusts the cluster's CA, as its kubeconfig says.
func (c *cluster) ask(t *testing.T, token string, certificates ...tls.Certificate) *caller {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(c.pki.cert)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{t: t, http: &http.Client{Transport: transport}, server: c.server, token: token}
}

func (c *caller) get(path string) answer {
	c.t.Helper()
	return c.request(http.MethodGet, path)
}

func (c *caller) request(method, path string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.accept != "" {
		r.Header.Set("Accept", c.accept)
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{t: c.t, status: response.StatusCode, header: response.Header, text: string(content)}
	if response.Header.Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(content, &a.body); err != nil {
			c.t.Fatalf("%s: not JSON: %q", path, content)
		}
	}
	return a
}

func (e *Estate) clusterOf(t *testing.T, name string) *cluster {
	t.Helper()
	for _, c := range e.clusters {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("no cluster %q", name)
	return nil
}

// pair is a client certificate with its key, as a kubeconfig holds them.
func (c *cluster) pair(t *testing.T, by *authority, s span) tls.Certificate {
	t.Helper()
	certificate, err := by.client("somebody", "system:masters", s)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, by.leafPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// What a kubeconfig holds lets its holder in, and nothing else does.
func TestAPIServerCredentials(t *testing.T) {
	e, c := start(t, Options{})
	healthy, legacy, rotating, entra := e.clusterOf(t, "healthy"), e.clusterOf(t, "legacy"), e.clusterOf(t, "rotating"), e.clusterOf(t, "entra")
	a := c.do(http.MethodPost, healthy.id()+"/listClusterUserCredential", "")
	text, _ := base64.StdEncoding.DecodeString(a.at("kubeconfigs").([]any)[0].(map[string]any)["value"].(string))
	var config struct {
		Users []struct {
			User struct {
				Certificate string `yaml:"client-certificate-data"`
				Key         string `yaml:"client-key-data"`
				Token       string `yaml:"token"`
			} `yaml:"user"`
		} `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	user := config.Users[0].User
	certificate, _ := base64.StdEncoding.DecodeString(user.Certificate)
	key, _ := base64.StdEncoding.DecodeString(user.Key)
	given, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	login := c.login(e.secret, aksServerApplication+"/.default").str("access_token")
	valid, expired := days(10, oneYear), days(oneYear+10, oneYear)
	for _, test := range []struct {
		name   string
		caller *caller
		want   int
	}{
		{"nothing", healthy.ask(t, ""), 401},
		{"the kubeconfig's certificate", healthy.ask(t, "", given), 200},
		{"the kubeconfig's token", healthy.ask(t, user.Token), 200},
		{"both", healthy.ask(t, user.Token, given), 200},
		{"a wrong token", healthy.ask(t, user.Token+"x"), 401},
		{"another cluster's token", healthy.ask(t, legacy.token), 401},
		{"another CA's certificate", healthy.ask(t, "", healthy.pair(t, legacy.pki, valid)), 401},
		{"an expired certificate", healthy.ask(t, "", healthy.pair(t, healthy.pki, expired)), 401},
		{"one that is not valid yet", healthy.ask(t, "", healthy.pair(t, healthy.pki, days(-2, oneYear))), 401},
		{"an expired certificate beside a token", healthy.ask(t, user.Token, healthy.pair(t, healthy.pki, expired)), 200},
		{"the server's own certificate", healthy.ask(t, "", func() tls.Certificate {
			der, err := healthy.serving(valid)
			if err != nil {
				t.Fatal(err)
			}
			return healthy.pki.keyPair(der)
		}()), 401},
		{"the next CA's, while it rotates", rotating.ask(t, "", rotating.pair(t, rotating.next, days(0, oneYear))), 200},
		{"Entra's token", entra.ask(t, login), 200},
		{"Entra's token for ARM", entra.ask(t, c.token), 401},
		{"Entra's token where it is not asked", healthy.ask(t, login), 401},
		{"a static token where local accounts are off", entra.ask(t, entra.token), 401},
	} {
		for _, path := range []string{"/version", "/apis", trustPath, nodesPath, nodesPath + "/" + healthy.machines[0].name + "/proxy/metrics"} {
			if test.caller.server != healthy.server && strings.HasPrefix(path, nodesPath+"/") {
				continue
			}
			a := test.caller.get(path)
			if a.status != test.want {
				t.Errorf("%s: %s: %d, want %d: %.200s", test.name, path, a.status, test.want, a.text)
			}
			if a.status == 401 && (a.str("kind") != "Status" || a.str("reason") != "Unauthorized") {
				t.Errorf("%s: %s: %s", test.name, path, a.text)
			}
		}
	}
}

// Each running cluster says its version, its groups and whom it trusts.
func TestAPIServerFacts(t *testing.T) {
	e, c := start(t, Options{})
	login := c.login(e.secret, aksServerApplication+"/.default").str("access_token")
	for _, c := range e.clusters {
		if c.powerState() == stopped {
			continue
		}
		token := c.token
		if c.entra {
			token = login
		}
		api := c.ask(t, token)
		if a := api.get("/version"); a.str("gitVersion") != "v"+c.kubernetes || a.str("major") != "1" {
			t.Errorf("%s: %s", c.name, a.text)
		}
		a := api.get("/apis")
		if a.str("kind") != "APIGroupList" || !strings.Contains(a.text, `"name":"rbac.authorization.k8s.io"`) || !strings.Contains(a.text, `"name":"apps"`) {
			t.Errorf("%s: %s", c.name, a.text)
		}
		if a := api.get(rolePath); (a.str("kind") == "ClusterRole") == c.noRBAC {
			t.Errorf("%s: %s", c.name, a.text)
		}
		a = api.get(trustPath)
		clientCAs, front := parse(t, a.str("data", "client-ca-file")), parse(t, a.str("data", "requestheader-client-ca-file"))
		want := 1
		if c.name == "rotating" {
			want = 2
		}
		if len(clientCAs) != want || !clientCAs[0].Equal(c.pki.cert) {
			t.Errorf("%s: %d client CAs, want %d", c.name, len(clientCAs), want)
		}
		if len(front) != 1 || front[0].Equal(c.pki.cert) || !front[0].IsCA {
			t.Errorf("%s: the aggregator's: %v", c.name, a.text)
		}
	}
}

// The next CA is the same everywhere while a cluster rotates.
func TestRotatingTrust(t *testing.T) {
	e, _ := start(t, Options{})
	c := e.clusterOf(t, "rotating")
	for _, m := range c.machines {
		dir, err := m.disk()
		if err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(filepath.Join(dir, "etc/kubernetes/certs/ca.crt"))
		if trusted := c.ask(t, c.token).get(trustPath).str("data", "client-ca-file"); string(content) != trusted {
			t.Errorf("%s: ca.crt and client-ca-file differ", m.name)
		}
	}
}

func parse(t *testing.T, text string) (list []*x509.Certificate) {
	t.Helper()
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, certificate)
	}
}

func TestAPIServerErrors(t *testing.T) {
	e, _ := start(t, Options{})
	healthy, faulty := e.clusterOf(t, "healthy"), e.clusterOf(t, "faulty")
	node := func(n int) string { return nodesPath + "/" + e.machineOf(t, "faulty", 0, n).name }
	off := e.machineOf(t, "faulty", 0, 2)
	for _, test := range []struct {
		cluster              *cluster
		path, reason, method string
		message              string
		want                 int
	}{
		{healthy, "/", "NotFound", "", "the server could not find the requested resource", 404},
		{healthy, "/api/v1/secrets", "NotFound", "", "the server could not find the requested resource", 404},
		{healthy, "/apis/nothing/v1", "NotFound", "", "the server could not find the requested resource", 404},
		{healthy, nodesPath + "/nobody/proxy/metrics", "NotFound", "", `nodes "nobody" not found`, 404},
		{healthy, nodesPath + "/nobody", "NotFound", "", `nodes "nobody" not found`, 404},
		{healthy, nodesPath, "MethodNotAllowed", http.MethodPost, "the server does not allow this method on the requested resource", 405},
		{healthy, nodesPath + "?limit=x", "BadRequest", "", `unable to decode "x" as a limit`, 400},
		{healthy, nodesPath + "?watch=true", "BadRequest", "", "the sample estate does not know watch", 400},
		{faulty, node(1) + "/proxy/metrics", "Forbidden", "", `nodes "` + e.machineOf(t, "faulty", 0, 1).name +
			`" is forbidden: User "masterclient" cannot get resource "nodes/proxy" in API group "" at the cluster scope`, 403},
		{faulty, node(2) + "/proxy/metrics", "ServiceUnavailable", "", "error trying to reach service: dial tcp " + off.address() + ":10250: i/o timeout", 503},
		{faulty, node(11) + "/proxy/metrics", "NotFound", "", `nodes "` + e.machineOf(t, "faulty", 0, 11).name + `" not found`, 404},
	} {
		if test.method == "" {
			test.method = http.MethodGet
		}
		a := test.cluster.ask(t, test.cluster.token).request(test.method, test.path)
		if a.status != test.want || a.str("kind") != "Status" || a.at("code") != float64(test.want) || a.str("reason") != test.reason || a.str("message") != test.message {
			t.Errorf("%s: %d %s", test.path, a.status, a.text)
		}
	}
	if a := faulty.ask(t, faulty.token).get(node(0) + "/proxy/pods"); a.status != 404 || a.text != "404 page not found\n" {
		t.Errorf("what a kubelet does not answer here: %d %s", a.status, a.text)
	}
	// All other faults are run-command's own.
	for n := range faulty.machines {
		a := faulty.ask(t, faulty.token).get(node(n) + "/proxy/metrics")
		if want := !slices.Contains([]int{1, 2, 11}, n); (a.status == 200) != want {
			t.Errorf("%s: %d", e.machineOf(t, "faulty", 0, n).fault.what, a.status)
		}
	}
	locked := e.clusterOf(t, "locked-down")
	for _, m := range locked.machines {
		if a := locked.ask(t, locked.token).get(nodesPath + "/" + m.name + "/proxy/metrics"); a.status != 200 {
			t.Errorf("%s: %d", m.name, a.status)
		}
	}
}

// names follows the pages of a list.
func (c *caller) names(limit int) (names []string, pages int) {
	c.t.Helper()
	for next := ""; ; {
		a := c.get(fmt.Sprintf("%s?limit=%d&continue=%s", nodesPath, limit, next))
		if a.status != 200 {
			c.t.Fatalf("%d %s", a.status, a.text)
		}
		for _, item := range a.at("items").([]any) {
			names = append(names, answer{body: item}.str("metadata", "name"))
		}
		pages++
		next = a.str("metadata", "continue")
		left, _ := a.at("metadata", "remainingItemCount").(float64)
		if (next == "") != (left == 0) {
			c.t.Errorf("page %d: continue %q, %v left", pages, next, left)
		}
		if next == "" {
			return names, pages
		}
	}
}

func TestNodes(t *testing.T) {
	e, _ := start(t, Options{})
	faulty := e.clusterOf(t, "faulty")
	api := faulty.ask(t, faulty.token)
	api.accept = metadataOnly
	for limit, want := range map[int]int{0: 1, 3: 5, 5: 3, 13: 1, 500: 1} {
		names, pages := api.names(limit)
		if pages != want || len(names) != 13 || !slices.IsSorted(names) || slices.Contains(names, e.machineOf(t, "faulty", 0, 11).name) {
			t.Errorf("limit %d: %d pages: %v", limit, pages, names)
		}
	}
	for _, bad := range []string{"x", "%21", base64.RawURLEncoding.EncodeToString([]byte("{}"))} {
		if a := api.get(nodesPath + "?continue=" + bad); a.status != 400 || !strings.HasPrefix(a.str("message"), "continue key is not valid: ") {
			t.Errorf("continue=%s: %d %s", bad, a.status, a.text)
		}
	}

	mixed := e.clusterOf(t, "mixed")
	api = mixed.ask(t, mixed.token)
	api.accept = metadataOnly
	a := api.get(nodesPath)
	if a.str("kind") != "PartialObjectMetadataList" || a.str("apiVersion") != "meta.k8s.io/v1" || strings.Contains(a.text, "nodeInfo") {
		t.Errorf("%s", a.text)
	}
	seen := map[string]answer{}
	for _, item := range a.at("items").([]any) {
		node := answer{t: t, body: item}
		labels := answer{body: node.at("metadata", "labels")}
		seen[labels.str("agentpool")+labels.str("karpenter.sh/nodepool")] = labels
		created, err := time.Parse(time.RFC3339, node.str("metadata", "creationTimestamp"))
		if err != nil || created.After(time.Now()) || created.Before(time.Now().AddDate(0, 0, -mixed.age-1)) {
			t.Errorf("created %s: %v", node.str("metadata", "creationTimestamp"), err)
		}
		if labels.str("kubernetes.azure.com/cluster") != "MC_media_mixed_swedencentral" || labels.str("kubernetes.azure.com/kubelet-serving-ca") != "cluster" {
			t.Errorf("labels %v", labels.body)
		}
	}
	if len(seen) != 4 || seen["night"].body != nil {
		t.Errorf("pools %v; a stopped pool has no nodes", seen)
	}
	if win := seen["win22"]; win.str("kubernetes.io/os") != "windows" || !strings.HasPrefix(win.str("kubernetes.azure.com/node-image-version"), "AKSWindows-") {
		t.Errorf("labels %v", win.body)
	}
	overdue := e.clusterOf(t, "overdue")
	for _, m := range overdue.machines {
		a := overdue.ask(t, overdue.token).get(nodesPath + "/" + m.name)
		label, _ := answer{body: a.at("metadata", "labels")}.body.(map[string]any)["kubernetes.azure.com/kubelet-serving-ca"].(string)
		if a.str("kind") != "Node" || a.str("status", "nodeInfo", "kubeletVersion") != "v1.29.4" || (label == "cluster") != (m.server != span{}) {
			t.Errorf("%s: %s", m.name, a.text)
		}
	}
}

func TestAccept(t *testing.T) {
	e, _ := start(t, Options{})
	healthy := e.clusterOf(t, "healthy")
	api := healthy.ask(t, healthy.token)
	for accept, want := range map[string]string{
		"": "NodeList", "application/json": "NodeList", "*/*": "NodeList",
		metadataOnly:                                                    "PartialObjectMetadataList",
		metadataOnly + ",application/json":                              "PartialObjectMetadataList",
		"application/json, " + metadataOnly:                             "NodeList",
		"application/vnd.kubernetes.protobuf":                           "Status",
		"application/json;as=Table;v=v1;g=meta.k8s.io,application/json": "NodeList",
		"application/json;as=Table;v=v1;g=meta.k8s.io":                  "Status",
	} {
		api.accept = accept
		if a := api.get(nodesPath); a.str("kind") != want || (want == "Status") != (a.status == 406) {
			t.Errorf("%s: %d %.100s", accept, a.status, a.text)
		}
	}
}

// sample is the value of a metric without labels, and its family's two lines.
func sample(t *testing.T, page, name string) (value float64, head string, found bool) {
	t.Helper()
	lines := strings.Split(page, "\n")
	for i, line := range lines {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value, lines[i-2] + "\n" + lines[i-1], true
		}
	}
	return 0, "", false
}

// What each kubelet says of its certificates is what its disk has.
func TestMetrics(t *testing.T) {
	e, c := start(t, Options{})
	login := c.login(e.secret, aksServerApplication+"/.default").str("access_token")
	const manager = "kubelet_certificate_manager_"
	for _, c := range e.clusters {
		if c.powerState() == stopped || c.stuck || c.name == "faulty" {
			continue
		}
		token := c.token
		if c.entra {
			token = login
		}
		api := c.ask(t, token)
		for _, m := range c.sorted {
			a := api.get(nodesPath + "/" + m.name + "/proxy/metrics")
			if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain; version=0.0.4") || len(a.text) < 100_000 || len(a.text) > 1_000_000 {
				t.Fatalf("%s: %d %v, %d bytes", m.name, a.status, a.header, len(a.text))
			}
			for name, file := range map[string]string{manager + "client_ttl_seconds": "client", manager + "server_ttl_seconds": "server"} {
				want, there := m.left(t, file)
				got, head, found := sample(t, a.text, name)
				if found != there || math.Abs(got-want) > 2 || got != math.Trunc(got) {
					t.Errorf("%s: %s is %v (%v), its file has %v (%v)", m.name, name, got, found, want, there)
				}
				if found && (!strings.HasPrefix(head, "# HELP "+name+" [ALPHA] Gauge of the ") || !strings.HasSuffix(head, "\n# TYPE "+name+" gauge")) {
					t.Errorf("%s", head)
				}
			}
			late := c.name == "overdue" && m.number == 1
			for name, there := range map[string]bool{manager + "client_expiration_renew_errors": m.boot != staticClient, "kubelet_server_expiration_renew_errors": m.server != span{}} {
				got, head, found := sample(t, a.text, name)
				if found != there || (got > 0) != (late && strings.Contains(name, "client")) {
					t.Errorf("%s: %s is %v (%v)", m.name, name, got, found)
				}
				if found && head != "# HELP "+name+" [ALPHA] Counter of certificate renewal errors.\n# TYPE "+name+" counter" {
					t.Errorf("%s", head)
				}
			}
			if !strings.Contains(a.text, `kubelet_node_name{node="`+m.name+`"} 1`) {
				t.Errorf("%s does not say its name", m.name)
			}
			sortedNames(t, a.text)
		}
	}
}

// left is the seconds that the current certificate on a node's disk has left.
func (m *machine) left(t *testing.T, kind string) (float64, bool) {
	t.Helper()
	dir, err := m.disk()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, filepath.Dir(m.pki(kind)), "kubelet-"+kind+"-current.pem"))
	if err != nil {
		return 0, false
	}
	return time.Until(parse(t, string(content[:bytes.Index(content, []byte("-----BEGIN EC"))]))[0].NotAfter).Seconds(), true
}

func sortedNames(t *testing.T, page string) {
	t.Helper()
	var names []string
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			names = append(names, name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names are not in order: %v", names)
	}
}

// A certificate that has expired has less than nothing left.
func TestTTL(t *testing.T) {
	now := time.Now()
	a, err := newAuthority(now, "ca", days(0, 10))
	if err != nil {
		t.Fatal(err)
	}
	expired, err := a.client("x", "y", days(11, 10))
	if err != nil {
		t.Fatal(err)
	}
	if got := ttl(expired, now); math.Abs(got+86400) > 1 {
		t.Errorf("a day after: %v", got)
	}
	if got := number(ttl([]byte("nothing"), now)); got != "+Inf" {
		t.Errorf("no certificate: %v", got)
	}
	for value, want := range map[float64]string{20736000: "2.0736e+07", 123: "123", -1: "-1", 0: "0", 30963602: "3.0963602e+07"} {
		if got := number(value); got != want {
			t.Errorf("%v: %s, want %s", value, got, want)
		}
	}
}

// What is on the wire is compressed for those who accept it, and only for them.
func TestCompression(t *testing.T) {
	e, _ := start(t, Options{Nodes: 600})
	many := e.clusterOf(t, "many")
	for path, want := range map[string]bool{nodesPath + "/" + many.sorted[0].name + "/proxy/metrics": true, nodesPath: true, "/version": false} {
		for _, accept := range []string{"gzip", "identity"} {
			transport := many.ask(t, "").http.Transport.(*http.Transport)
			r, _ := http.NewRequest(http.MethodGet, many.server+path, nil)
			r.Header.Set("Authorization", "Bearer "+many.token)
			r.Header.Set("Accept-Encoding", accept)
			response, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			content, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if got := bytes.HasPrefix(content, []byte{0x1f, 0x8b}); got != (want && accept == "gzip") || got != (response.Header.Get("Content-Encoding") == "gzip") {
				t.Errorf("%s, accepting %s: %v, %d bytes", path, accept, response.Header, len(content))
			}
		}
	}
}

// One kubelet of the stuck cluster begins its page, and does not end it.
func TestMetricsThatHang(t *testing.T) {
	e, _ := start(t, Options{})
	stuck := e.clusterOf(t, "stuck")
	api := stuck.ask(t, stuck.token)
	for _, n := range []int{0, 2} {
		if a := api.get(nodesPath + "/" + e.machineOf(t, "stuck", 0, n).name + "/proxy/metrics"); a.status != 200 || !strings.Contains(a.text, "client_ttl_seconds ") {
			t.Errorf("node %d: %d", n, a.status)
		}
	}
	r, _ := http.NewRequest(http.MethodGet, stuck.server+nodesPath+"/"+e.machineOf(t, "stuck", 0, 1).name+"/proxy/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+stuck.token)
	read := make(chan string)
	go func() {
		response, err := api.http.Do(r)
		if err != nil {
			read <- err.Error()
			return
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		read <- fmt.Sprint(string(content), err)
	}()
	select {
	case text := <-read:
		t.Errorf("it ended: %.300s", text)
	case <-time.After(500 * time.Millisecond):
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if text := <-read; strings.Contains(text, "kubelet_certificate_manager") || !strings.Contains(text, "apiserver_audit_event_total") {
		t.Errorf("%.300s", text)
	}
}

// A thousand nodes are listed, and their kubelets asked, in little time.
func TestManyNodes(t *testing.T) {
	e, _ := start(t, Options{Nodes: 1000})
	many := e.clusterOf(t, "many")
	api := many.ask(t, many.token)
	api.accept = metadataOnly
	began := time.Now()
	names, pages := api.names(500)
	if len(names) != 1000 || pages != 2 {
		t.Fatalf("%d names on %d pages", len(names), pages)
	}
	listed := time.Since(began)
	for _, name := range names[:100] {
		if a := api.get(nodesPath + "/" + name + "/proxy/metrics"); a.status != 200 {
			t.Fatalf("%s: %d", name, a.status)
		}
	}
	t.Logf("listed in %s, then a hundred pages of metrics in %s", listed, time.Since(began)-listed)
}

func BenchmarkMetrics(b *testing.B) {
	e, err := Start(b.Context(), Options{Now: time.Now(), Nodes: 1, Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	m := e.clusters[len(e.clusters)-1].machines[0]
	for _, accept := range []string{"gzip", ""} {
		b.Run("accepting "+accept, func(b *testing.B) {
			r, _ := http.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", accept)
			b.ReportAllocs()
			var bytes int64
			for b.Loop() {
				w := &counting{header: http.Header{}}
				e.metrics(w, r, m)
				bytes = w.bytes
			}
			b.ReportMetric(float64(bytes), "bytes/page")
		})
	}
}

type counting struct {
	header http.Header
	bytes  int64
}

func (c *counting) Header() http.Header         { return c.header }
func (c *counting) WriteHeader(int)             {}
func (c *counting) Write(p []byte) (int, error) { c.bytes += int64(len(p)); return len(p), nil }
