package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

const allowedScript = "echo begin\ncat \"$AKSCERT_ROOT/var/lib/kubelet/bootstrap-kubeconfig\" | wc -l\necho \"$1\" >&2\necho end\n"

// start is an estate and a client that trusts it and has its token.
func start(t *testing.T, o Options) (*Estate, *client) {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.AllowedScripts == nil {
		o.AllowedScripts, o.AllowedWindows = []string{allowedScript}, []string{allowedScript}
	}
	o.Dir = t.TempDir()
	o.Log = t.Logf
	e, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	pem, err := os.ReadFile(env(e, "SSL_CERT_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c := &client{t: t, e: e, http: &http.Client{Transport: transport}}
	c.token = c.login(env(e, "AZURE_CLIENT_SECRET"), e.address+"/.default").str("access_token")
	return e, c
}

func env(e *Estate, name string) string {
	for _, pair := range e.Environment() {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

type client struct {
	t     *testing.T
	e     *Estate
	http  *http.Client
	token string
}

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	body   any
}

func (c *client) login(secret, scope string) answer {
	c.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}, "scope": {scope}}
	r, _ := http.NewRequest(http.MethodPost, c.e.address+"/"+tenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(r)
}

func (c *client) do(method, path, body string) answer {
	c.t.Helper()
	if !strings.HasPrefix(path, "https://") {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		path = c.e.address + path + separator + "api-version=2025-01-01"
	}
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.send(r)
}

func (c *client) send(r *http.Request) answer {
	c.t.Helper()
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
	if len(content) > 0 {
		if err := json.Unmarshal(content, &a.body); err != nil {
			c.t.Fatalf("%s %s: not JSON: %q", r.Method, r.URL, content)
		}
	}
	return a
}

// all follows the pages of a list.
func (c *client) all(path string) (list []answer, pages int) {
	c.t.Helper()
	for path != "" {
		a := c.do(http.MethodGet, path, "")
		if a.status != http.StatusOK {
			c.t.Fatalf("GET %s: %d %s", path, a.status, a.text)
		}
		for _, item := range a.at("value").([]any) {
			list = append(list, answer{t: c.t, body: item})
		}
		path, pages = a.str("nextLink"), pages+1
	}
	return list, pages
}

// run posts a script and waits for what the operation says in the end.
func (c *client) run(id, command, script string) answer {
	c.t.Helper()
	a := c.post(id, command, script)
	if a.status != http.StatusAccepted {
		return a
	}
	return c.wait(a)
}

func (c *client) post(id, command, script string) answer {
	body, _ := json.Marshal(object{"commandId": command, "script": strings.Split(script, "\n"), "parameters": []any{}})
	return c.do(http.MethodPost, id+"/runCommand", string(body))
}

func (c *client) wait(a answer) answer {
	c.t.Helper()
	for range 600 {
		a = answer{t: c.t, header: a.header, body: c.do(http.MethodGet, a.header.Get("Azure-AsyncOperation"), "").body}
		if a.str("status") != "InProgress" {
			return a
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("the operation does not end")
	return a
}

// at walks into the body: names of fields.
func (a answer) at(path ...string) any {
	value := a.body
	for _, name := range path {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

func (a answer) str(path ...string) string {
	text, _ := a.at(path...).(string)
	return text
}

// message is the message of a run's n-th value.
func (a answer) message(n int) string {
	values, _ := a.at("properties", "output", "value").([]any)
	if n >= len(values) {
		return "(none)"
	}
	return answer{body: values[n]}.str("message")
}

func (e *Estate) machineOf(t *testing.T, cluster string, pool, n int) *machine {
	t.Helper()
	for _, c := range e.clusters {
		if c.name != cluster {
			continue
		}
		for _, m := range c.machines {
			if m.pool == &c.pools[pool] && m.number == n {
				return m
			}
		}
	}
	t.Fatalf("no machine %d in pool %d of %q", n, pool, cluster)
	return nil
}
