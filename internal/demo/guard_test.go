package demo

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Everything but finding the way to a token needs a token of this run.
func TestToken(t *testing.T) {
	e, c := start(t, Options{})
	for secret, want := range map[string]int{e.secret: 200, "": 401, e.secret + "x": 401, e.secret[1:]: 401} {
		if a := c.login(secret, e.address+"/.default"); a.status != want {
			t.Errorf("a secret of %d characters: %d, want %d", len(secret), a.status, want)
		}
	}
	if a := c.login(e.secret, "https://graph.microsoft.com/.default"); a.status != 400 {
		t.Errorf("a token for another: %d", a.status)
	}
	other, _ := start(t, Options{})
	good := c.token
	for name, token := range map[string]string{
		"none":           "",
		"garbage":        "x.y.z",
		"cut":            good[:len(good)-2],
		"of another run": other.grant(e.address)["access_token"].(string),
		"for AKS":        e.grant(aksServerApplication)["access_token"].(string),
		"expired":        e.signToken(object{"aud": e.address, "exp": time.Now().Add(-time.Minute).Unix()}),
		"unsigned":       good[:strings.LastIndex(good, ".")+1],
	} {
		c.token = token
		for _, path := range []string{"/subscriptions", e.clusters[0].id(), e.machineOf(t, "healthy", 0, 0).id()} {
			if a := c.do(http.MethodGet, path, ""); a.status != 401 || a.str("error", "code") != "AuthenticationFailed" || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("token %s: %d %s", name, a.status, a.text)
			}
		}
		if a := c.post(e.machineOf(t, "healthy", 0, 0).id(), "RunShellScript", allowedScript); a.status != 401 {
			t.Errorf("token %s: a script: %d %s", name, a.status, a.text)
		}
	}
}

func TestDiscovery(t *testing.T) {
	e, c := start(t, Options{})
	c.token = ""
	for path, token := range map[string]string{
		"/" + tenantID + "/v2.0/.well-known/openid-configuration": "/" + tenantID + "/oauth2/v2.0/token",
		"/" + tenantID + "/.well-known/openid-configuration":      "/" + tenantID + "/oauth2/token",
		"/adfs/.well-known/openid-configuration":                  "/adfs/oauth2/token",
	} {
		if a := c.do(http.MethodGet, path, ""); a.str("token_endpoint") != e.address+token {
			t.Errorf("%s: %s", path, a.text)
		}
	}
	if a := c.do(http.MethodGet, e.address+"/metadata/endpoints?api-version=2015-01-01", ""); a.str("authentication", "loginEndpoint") != e.address+"/adfs" {
		t.Errorf("metadata: %s", a.text)
	}
}

// A page in a browser reaches loopback under its own name, if that resolves so.
func TestHost(t *testing.T) {
	e, c := start(t, Options{})
	port := e.address[strings.LastIndex(e.address, ":"):]
	for host, ok := range map[string]bool{
		"127.0.0.1" + port: true, "localhost" + port: true, "LOCALHOST": true, "[::1]" + port: true, "127.8.9.1": true,
		"evil.example" + port: false, "127.0.0.1.evil.example": false, "localhost.evil.example" + port: false, "10.0.0.1": false, "0.0.0.0" + port: false,
	} {
		for _, base := range []string{e.address, e.clusters[0].server} {
			r, _ := http.NewRequest(http.MethodGet, base+"/metadata/endpoints?api-version=2015-01-01", nil)
			r.Host = host
			transport := c.http.Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.InsecureSkipVerify = true
			a := (&client{t: t, e: e, http: &http.Client{Transport: transport}}).send(r)
			transport.CloseIdleConnections()
			if (a.str("error", "code") != "HostNotLoopback") != ok {
				t.Errorf("%s: %d %s", host, a.status, a.text)
			}
		}
	}
}

// A script that is allowed on Windows, where it is not executed, is not on Linux.
func TestScriptsOfTheOtherSystemAreRefused(t *testing.T) {
	e, c := start(t, Options{AllowedScripts: []string{allowedScript}, AllowedWindows: []string{"id"}})
	if a := c.post(e.machineOf(t, "healthy", 0, 0).id(), "RunShellScript", "id"); a.status != 403 {
		t.Errorf("%d, want 403", a.status)
	}
}

func TestOtherScriptsAreRefused(t *testing.T) {
	e, c := start(t, Options{})
	id := e.machineOf(t, "healthy", 0, 0).id()
	for script, want := range map[string]int{
		allowedScript:          202,
		"id":                   403,
		allowedScript + "id":   403,
		"id\n" + allowedScript: 403,
		"":                     403,
	} {
		a := c.post(id, "RunShellScript", strings.TrimSuffix(script, "\n"))
		if a.status != want {
			t.Errorf("%q: %d, want %d", script, a.status, want)
		}
		if a.status == http.StatusAccepted {
			c.wait(a)
		} else if a.str("error", "code") != "ScriptNotAllowed" {
			t.Errorf("%q: %s", script, a.text)
		}
	}
	body := `{"commandId":"RunShellScript","script":["id"],"parameters":[{"name":"a","value":"b"}]}`
	if a := c.do(http.MethodPost, id+"/runCommand", body); a.status != http.StatusBadRequest {
		t.Errorf("parameters: %d", a.status)
	}
	large := `{"commandId":"RunShellScript","script":["` + strings.Repeat("x", maxBody) + `"]}`
	if a := c.do(http.MethodPost, id+"/runCommand", large); a.status != http.StatusBadRequest {
		t.Errorf("a large body: %d", a.status)
	}
	free, c := start(t, Options{AllowAnyScript: true})
	if a := c.run(free.machineOf(t, "healthy", 0, 0).id(), "RunShellScript", "pwd"); !strings.Contains(a.message(0), free.machineOf(t, "healthy", 0, 0).dir) {
		t.Errorf("with any script allowed: %v", a.body)
	}
}

func TestErrorsAreARMs(t *testing.T) {
	e, c := start(t, Options{})
	for path, want := range map[string]string{
		"/subscriptions/00000000-0000-0000-0000-000000000000/resources": "404 SubscriptionNotFound",
		group + "nowhere" + aks:                                                         "404 ResourceGroupNotFound",
		group + "shop" + aks + "/nothing":                                               "404 ResourceNotFound",
		group + "nowhere" + aks + "/healthy":                                            "404 ResourceGroupNotFound",
		e.clusters[0].id() + "/agentPools/none":                                         "404 NotFound",
		group + e.clusters[0].nodeGroup() + compute + "/virtualMachines/x":              "404 ResourceNotFound",
		group + "shop/providers/Microsoft.Storage/storageAccounts":                      "404 InvalidResourceType",
		"https" + strings.TrimPrefix(e.address, "https") + "/subscriptions":             "400 MissingApiVersionParameter",
		"/subscriptions/" + subscriptionID + compute + "/locations/westus/operations/x": "404 NotFound",
	} {
		a := c.do(http.MethodGet, path, "")
		if got := fmt.Sprint(a.status, " ", a.str("error", "code")); got != want {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.text, want)
		}
	}
}

func TestBucket(t *testing.T) {
	var b bucket
	now := time.Now()
	if _, ok := b.take(now); !ok {
		t.Error("the zero bucket refuses")
	}
	b.fill(3, 60)
	for i := range 3 {
		if _, ok := b.take(now); !ok {
			t.Errorf("refused token %d", i)
		}
	}
	if wait, ok := b.take(now); ok || wait != time.Second {
		t.Errorf("the fourth: %v, %v", wait, ok)
	}
	if wait, ok := b.take(now.Add(time.Second / 4)); ok || wait != 3*time.Second/4 {
		t.Errorf("too early: %v, %v", wait, ok)
	}
	if _, ok := b.take(now.Add(time.Second)); !ok {
		t.Error("refused after the wait it told")
	}
	if _, ok := b.take(now.Add(time.Hour)); !ok {
		t.Error("refused after an hour")
	}
}

// A subscription's reads and a VM's runs have their limits, and say how long to
// wait. Another subscription has its own.
func TestLimits(t *testing.T) {
	e, c := start(t, Options{Limits: true})
	own := e.allowances[subscriptionID]
	if own.reads.burst != 250 || own.writes.burst != 200 || own.runs.burst != 1500 || e.clusters[0].machines[0].polls.burst != 45 {
		t.Error("these are not Azure's limits")
	}
	own.reads.fill(3, 1)
	for i := range 5 {
		a := c.do(http.MethodGet, "/subscriptions/"+strings.ToUpper(subscriptionID), "")
		if want := i >= 3; (a.status == http.StatusTooManyRequests) != want || want && (a.header.Get("Retry-After") != "60" || a.str("error", "code") != "TooManyRequests") {
			t.Errorf("request %d: %d %v %s", i, a.status, a.header, a.text)
		}
	}
	if a := c.do(http.MethodGet, "/subscriptions/"+secondID, ""); a.status != http.StatusOK {
		t.Errorf("the other subscription: %d %s", a.status, a.text)
	}
	if e.Throttled() != 2 {
		t.Errorf("%d throttled", e.Throttled())
	}
	m := e.machineOf(t, "locked-down", 0, 0)
	m.runs.fill(1, 4)
	c.post(m.id(), "RunShellScript", allowedScript)
	if a := c.post(m.id(), "RunShellScript", allowedScript); a.status != 429 || a.header.Get("Retry-After") != "15" {
		t.Errorf("a VM's runs: %d %s %s", a.status, a.header.Get("Retry-After"), a.text)
	}
}
