package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/akscert/akscert/pkg/report"
)

const (
	sub   = "00000000-0000-0000-0000-000000000000"
	group = "/subscriptions/" + sub + "/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/web"
	nodes = "/subscriptions/" + sub + "/resourceGroups/mc_rg_web/providers/Microsoft.Compute"
)

// reply is one answer. HOST in it becomes the server's address.
type reply struct {
	status int
	header map[string]string
	body   string
}

// endpoint is an HTTP endpoint over TLS that answers as it was told: each request
// takes the next reply of its method and path, and the last one stays.
type endpoint struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	replies map[string][]reply
	asked   []string
	bodies  []string
}

func serve(t *testing.T) *endpoint {
	a := &endpoint{t: t, replies: map[string][]reply{}}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

// on tells what to answer to "GET /path". Of the query only monitor and page
// tell requests apart, and paths are compared as ARM does, in any case.
func (a *endpoint) on(request string, replies ...reply) {
	a.replies[strings.ToLower(request)] = replies
}

func (a *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := r.Method + " " + r.URL.Path
	for _, name := range []string{"monitor", "page"} {
		if v := r.URL.Query().Get(name); v != "" {
			key += "?" + name + "=" + v
		}
	}
	body, _ := io.ReadAll(r.Body)
	a.asked, a.bodies = append(a.asked, key), append(a.bodies, string(body))
	key = strings.ToLower(key)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	todo := a.replies[key]
	if len(todo) == 0 {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"code":"ResourceNotFound","message":"the test has no answer to this"}}`)
		return
	}
	if len(todo) > 1 {
		a.replies[key] = todo[1:]
	}
	for name, v := range todo[0].header {
		w.Header().Set(name, strings.ReplaceAll(v, "HOST", a.URL))
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(todo[0].status)
	fmt.Fprint(w, strings.ReplaceAll(todo[0].body, "HOST", a.URL))
}

// count says how many requests began with prefix.
func (a *endpoint) count(prefix string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, asked := range a.asked {
		if strings.HasPrefix(strings.ToLower(asked), strings.ToLower(prefix)) {
			n++
		}
	}
	return n
}

// clock is a time that passes by sleeping alone.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
	sleep func(context.Context, time.Duration) // called in each sleep; may be nil
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.at, c.slept = c.at.Add(d), append(c.slept, d)
	c.mu.Unlock()
	if c.sleep != nil {
		c.sleep(ctx, d)
	}
	return ctx.Err()
}

// static hands out one token.
type static struct{ token string }

func (s static) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: s.token, ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

const secret = "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

func jwt(claims string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + secret
}

// client is the real client, at a test server and on a test clock.
func client(t *testing.T, a *endpoint, c *clock, cfg Config) (*Client, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	var mu sync.Mutex
	cfg.Log = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&log, format+"\n", args...)
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	cfg.Transport = a.Client()
	cfg.ResourceManagerEndpoint = a.URL
	where, err := resolveCloud(cfg)
	if err != nil {
		t.Fatal(err)
	}
	made, err := newClient(cfg, where, static{jwt(`{"tid":"11111111-1111-1111-1111-111111111111","upn":"ada@example.com","oid":"x"}`)}, c.now, c.pass)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "eyJ") {
			t.Errorf("the log holds a token: %s", log.String())
		}
	})
	return made, &log
}

// failed is err as an *Error with that reason, and without anything secret.
func failed(t *testing.T, err error, reason report.Reason) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %T %v, want an *Error", err, err)
	}
	if e.Reason != reason {
		t.Errorf("reason %q (%s), want %q", e.Reason, e.Message, reason)
	}
	for _, text := range []string{e.Message, e.Hint, e.Code} {
		if strings.Contains(text, secret) || strings.ContainsAny(text, "\n\r\x1b") {
			t.Errorf("not fit to be shown: %q", text)
		}
	}
	return e
}

// recording reads a recorded answer or flow.
func recording(t *testing.T, name string, into any) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", name))
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// body is one of the recorded bodies.
func body(t *testing.T, name string) reply {
	t.Helper()
	var bodies []struct {
		Name   string
		Status int
		Body   json.RawMessage
	}
	recording(t, "issue-bodies.json", &bodies)
	for _, b := range bodies {
		if b.Name == name {
			return reply{status: b.Status, body: string(b.Body)}
		}
	}
	t.Fatalf("no recorded body %q", name)
	return reply{}
}

func ok(body string) reply { return reply{status: http.StatusOK, body: body} }
