package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/akscert/akscert/pkg/report"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestResolveCloud(t *testing.T) {
	for name, test := range map[string]struct {
		cfg                           Config
		endpoint, audience, authority string
		unlisted                      bool
	}{
		"public": {Config{Getenv: env()}, "https://management.azure.com", "https://management.core.windows.net/", "https://login.microsoftonline.com/", false},
		"az's spelling": {Config{Cloud: "azurechinacloud", Getenv: env("AZURE_CLOUD", "nonsense")},
			"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/", "https://login.chinacloudapi.cn/", false},
		"azidentity's spelling": {Config{Getenv: env("AZURE_ENVIRONMENT", "AzureGovernment")},
			"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/", "https://login.microsoftonline.us/", false},
		"a flag beats endpoints of the environment": {Config{Cloud: "AzureCloud", Getenv: env("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://arm.example")},
			"https://management.azure.com", "https://management.core.windows.net/", "https://login.microsoftonline.com/", false},
		"an endpoint alone": {Config{ResourceManagerEndpoint: "https://arm.example", Getenv: env()},
			"https://arm.example", "https://arm.example", "https://login.microsoftonline.com/", true},
		"endpoints": {Config{Cloud: "Hidden", ResourceManagerEndpoint: "https://arm.example/", AuthorityHost: "https://login.example", Getenv: env()},
			"https://arm.example", "https://arm.example", "https://login.example", true},
		"endpoints of the environment": {Config{Getenv: env("AZURE_RESOURCE_MANAGER_ENDPOINT", "https://arm.example", "AZURE_RESOURCE_MANAGER_AUDIENCE", "https://aud.example", "AZURE_AUTHORITY_HOST", "https://login.example")},
			"https://arm.example", "https://aud.example", "https://login.example", true},
	} {
		t.Run(name, func(t *testing.T) {
			where, err := resolveCloud(test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			arm := where.Services[cloud.ResourceManager]
			if arm.Endpoint != test.endpoint || arm.Audience != test.audience || where.ActiveDirectoryAuthorityHost != test.authority || where.unlisted != test.unlisted {
				t.Errorf("got %+v", where)
			}
		})
	}
}

func TestNewUsageErrors(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  Config
		says string
	}{
		"cloud":              {Config{Cloud: "AzureMoon"}, "AzureChinaCloud"},
		"cloud, environment": {Config{Getenv: env("AZURE_CLOUD", "AzureMoon")}, "AZURE_CLOUD"},
		"plain endpoint":     {Config{ResourceManagerEndpoint: "http://arm.example"}, "https"},
		"endpoint password":  {Config{ResourceManagerEndpoint: "https://u:" + secret + "@arm.example"}, "https"},
		"authority":          {Config{AuthorityHost: "login.example"}, "authority host"},
		"credential":         {Config{Auth: "magic"}, "managed-identity"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.cfg.Getenv == nil {
				test.cfg.Getenv = env()
			}
			_, err := New(test.cfg)
			usage, ok := errors.AsType[*UsageError](err)
			if !ok {
				t.Fatalf("error %T %v", err, err)
			}
			if said := usage.Message + " " + usage.Hint; !strings.Contains(said, test.says) || strings.Contains(said, secret) {
				t.Errorf("said %q", said)
			}
		})
	}
}

// tokens is a token endpoint, of which azidentity first asks its metadata.
func tokens(t *testing.T, status int, answer string) *httptest.Server {
	mux := http.NewServeMux()
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("GET /tenant/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"token_endpoint": s.URL + "/tenant/oauth2/v2.0/token",
			"authorization_endpoint": s.URL + "/tenant/oauth2/v2.0/authorize", "issuer": s.URL + "/tenant/v2.0"})
	})
	mux.HandleFunc("POST /tenant/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_secret") != secret || r.FormValue("scope") == "" {
			t.Errorf("asked with %v", r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After-Ms", "1")
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	})
	return s
}

// The whole way: azidentity's own credential, found by its default chain, and
// a token endpoint in a cloud of its own.
func TestClientSecret(t *testing.T) {
	for name, test := range map[string]struct {
		auth   string
		status int
		answer string
		reason report.Reason
		says   string
	}{
		"default chain": {status: 200, answer: `{"token_type":"Bearer","expires_in":3600,"access_token":"` + jwt(`{"tid":"t","appid":"app"}`) + `"}`},
		"environment":   {auth: "environment", status: 200, answer: `{"token_type":"Bearer","expires_in":3600,"access_token":"` + jwt(`{"tid":"t","appid":"app"}`) + `"}`},
		"refused": {auth: "environment", status: 401, reason: report.ReasonUnauthenticated, says: "invalid_client: AADSTS7000215: Invalid client secret provided.",
			answer: `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: 1","debug":"` + secret + `"}`},
		"throttled": {auth: "environment", status: 429, reason: report.ReasonThrottled, answer: `{"error":"temporarily_unavailable","error_description":"slow down"}`},
	} {
		t.Run(name, func(t *testing.T) {
			entra := tokens(t, test.status, test.answer)
			a := serve(t)
			a.on("GET /subscriptions", ok(`{"value":[{"subscriptionId":"`+sub+`","displayName":"Prod"}]}`))
			for variable, v := range map[string]string{"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": secret, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"} {
				t.Setenv(variable, v)
			}
			var log strings.Builder
			c, err := New(Config{Auth: test.auth, ResourceManagerEndpoint: a.URL, AuthorityHost: entra.URL, Getenv: env(),
				Transport: a.Client(), Log: func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) }})
			if err != nil {
				t.Fatal(err)
			}
			// The two test servers present the same certificate, so one client trusts both.
			id, err := c.Subscription(t.Context(), "prod")
			if test.reason != "" {
				if e := failed(t, err, test.reason); !strings.Contains(e.Message, test.says) {
					t.Errorf("message %q", e.Message)
				}
				return
			}
			if err != nil || id != sub {
				t.Fatalf("subscription %q, error %v", id, err)
			}
			if want := "signed in as application app, tenant t\nsubscription " + sub + " (from --subscription)\n"; log.String() != want {
				t.Errorf("log %q, want %q", log.String(), want)
			}
			if token, err := c.ServerToken(t.Context()); err != nil || !strings.HasPrefix(token, "eyJ") {
				t.Errorf("server token: %v", err)
			}
		})
	}
}

// counted counts how often a token or a refusal is asked for.
type counted struct {
	static
	err error
	n   int
}

func (c *counted) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.n++
	if c.err != nil {
		return azcore.AccessToken{}, c.err
	}
	return c.static.GetToken(ctx, o)
}

func TestIdentityAsksOnce(t *testing.T) {
	for name, inner := range map[string]*counted{"token": {static: static{jwt(`{}`)}}, "refusal": {err: fmt.Errorf("ERROR: Please run 'az login' token=eyJx")}} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			i := newIdentity(inner, "", func(string, ...any) {}, clock.now)
			for range 3 {
				_, err := i.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"a"}})
				if inner.err != nil {
					if e := failed(t, err, report.ReasonUnauthenticated); strings.Contains(e.Message, "eyJ") || !strings.Contains(e.Hint, "az login") {
						t.Errorf("message %q, hint %q", e.Message, e.Hint)
					}
				}
			}
			if inner.n != 1 {
				t.Errorf("asked %d times", inner.n)
			}
		})
	}
}

// one has tokens of one kind alone.
type one struct {
	static
	scope string
}

func (o one) GetToken(ctx context.Context, asked policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if asked.Scopes[0] != o.scope {
		return azcore.AccessToken{}, errors.New("AADSTS65001: consent is missing")
	}
	return o.static.GetToken(ctx, asked)
}

// Who may not have a token for API servers may have ARM's, and at once.
func TestIdentityRefusesOneKind(t *testing.T) {
	i := newIdentity(one{static{jwt(`{}`)}, "arm"}, "", func(string, ...any) {}, newClock().now)
	for range 2 {
		if _, err := i.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"servers"}}); err == nil {
			t.Error("a token for API servers")
		}
		if _, err := i.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"arm"}}); err != nil {
			t.Errorf("no token for ARM: %v", err)
		}
	}
}

func TestIdentityOfAnotherTenant(t *testing.T) {
	i := newIdentity(static{jwt(`{"tid":"22222222-2222-2222-2222-222222222222"}`)}, "11111111-1111-1111-1111-111111111111", func(string, ...any) {}, time.Now)
	_, err := i.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"a"}})
	if e := failed(t, err, report.ReasonUnauthenticated); !strings.Contains(e.Hint, "--tenant") {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestSubscription(t *testing.T) {
	const other = "33333333-3333-3333-3333-333333333333"
	folder := t.TempDir()
	profile := "\xef\xbb\xbf" + `{"installationId":"x","subscriptions":[
		{"id":"44444444-4444-4444-4444-444444444444","name":"Prod","isDefault":true,"environmentName":"AzureChinaCloud"},
		{"id":"` + sub + `","name":"Mine","isDefault":true,"environmentName":"Loopback"},
		{"id":"` + other + `","name":"Twice","environmentName":"Loopback"},{"id":"` + sub + `","name":"twice","environmentName":"Loopback"}]}`
	if err := os.WriteFile(filepath.Join(folder, "azureProfile.json"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	a := serve(t)
	a.on("GET /subscriptions", ok(`{"value":[],"nextLink":"HOST/subscriptions?page=2"}`))
	a.on("GET /subscriptions?page=2", ok(`{"value":[{"id":"/subscriptions/`+other+`","subscriptionId":"`+other+`","displayName":"Prod"}]}`))
	for name, test := range map[string]struct {
		flag string
		env  []string
		want string // an id, or what the usage error says
	}{
		"flag":                    {other, []string{"AKSCERT_SUBSCRIPTION", sub}, other},
		"our variable":            {"", []string{"AKSCERT_SUBSCRIPTION", other, "AZURE_SUBSCRIPTION_ID", sub}, other},
		"azure's variable":        {"", []string{"AZURE_SUBSCRIPTION_ID", other}, other},
		"az's default here":       {"", nil, sub},
		"name in az's profile":    {"mine", nil, sub},
		"name in ARM, paged":      {"PROD", nil, other},
		"ambiguous":               {"Twice", nil, "more than one"},
		"unknown":                 {"Nope", nil, "no subscription is called"},
		"no default, no profile":  {"", []string{"AZURE_CONFIG_DIR", t.TempDir()}, "no subscription is named"},
		"name without a profile":  {"Prod", []string{"AZURE_CONFIG_DIR", t.TempDir()}, other},
		"home without an az file": {"", []string{"AZURE_CONFIG_DIR", "", "HOME", t.TempDir()}, "no subscription is named"},
	} {
		t.Run(name, func(t *testing.T) {
			getenv := env(append(test.env, "AZURE_CONFIG_DIR", folder)...)
			c, log := client(t, a, newClock(), Config{Getenv: getenv})
			id, err := c.Subscription(t.Context(), test.flag)
			if usage, ok := errors.AsType[*UsageError](err); ok {
				if !strings.Contains(usage.Message, test.want) || usage.Hint == "" {
					t.Errorf("%q, hint %q", usage.Message, usage.Hint)
				}
			} else if err != nil || id != test.want || !strings.Contains(log.String(), "subscription "+id) {
				t.Errorf("subscription %q, error %v, log %q", id, err, log)
			}
		})
	}
}
