package azure

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

const managed = `{"id":"` + group + `","name":"Web","location":"westeurope","systemData":null,"properties":{"provisioningState":"Upgrading","powerState":{"code":"Running"},
	"kubernetesVersion":"1.31","currentKubernetesVersion":"1.31.2","fqdn":"web.hcp.example","enableRBAC":true,"aadProfile":{"managed":true},"disableLocalAccounts":true,
	"nodeResourceGroup":"mc_rg_web","nodeResourceGroupProfile":{"restrictionLevel":"ReadOnly"},"agentPoolProfiles":[{"name":"inline","count":1,"osType":"Linux"}]}}`

func TestCluster(t *testing.T) {
	pool := func(name string) string {
		return `{"name":"` + name + `","properties":{"type":"VirtualMachineScaleSets","osType":"Linux","count":3,"powerState":{"code":"Running"},"provisioningState":"Succeeded","currentOrchestratorVersion":"1.31.2","nodeImageVersion":"AKSUbuntu-2204gen2containerd-202501.12.0"}}`
	}
	a := serve(t)
	a.on("GET "+group, ok(managed))
	a.on("GET "+group+"/agentPools", ok(`{"value":[`+pool("one")+`],"nextLink":"HOST`+group+`/agentPools?page=2"}`))
	a.on("GET "+group+"/agentPools?page=2", ok(`{"value":[null,`+pool("two")+`]}`))
	a.on("GET /subscriptions/"+sub+"/resourceGroups/rg/resources", ok(`{"value":[{"id":"/other","createdTime":"2001-01-01T00:00:00Z"},{"id":"`+strings.ToUpper(group)+`","createdTime":"2022-04-01T10:00:00.1Z"}]}`))
	c, log := client(t, a, newClock(), Config{})
	got, err := c.Cluster(t.Context(), sub, "rg", "web")
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2022, 4, 1, 10, 0, 0, 100_000_000, time.UTC)
	rbac := true
	want := target.ARM{ID: group, SubscriptionID: sub, ResourceGroup: "rg", Name: "Web", Location: "westeurope", KubernetesVersion: "1.31.2", FQDN: "web.hcp.example",
		PowerState: "Running", ProvisioningState: "Upgrading", RBAC: &rbac, CreatedAt: &created, Entra: true, DisableLocalAccounts: true, NodeResourceGroup: "mc_rg_web", NodesLockedDown: true}
	for _, name := range []string{"one", "two"} {
		want.Pools = append(want.Pools, target.Pool{Name: name, Type: "VirtualMachineScaleSets", OS: "Linux", PowerState: "Running", ProvisioningState: "Succeeded",
			KubernetesVersion: "1.31.2", NodeImageVersion: "AKSUbuntu-2204gen2containerd-202501.12.0", Count: 3})
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if log.String() != "signed in as user ada@example.com, tenant 11111111-1111-1111-1111-111111111111\n" {
		t.Errorf("log %q", log)
	}
	if len(a.asked) != 4 {
		t.Errorf("asked %q", a.asked)
	}
}

// The cluster is there although its pools and its creation date are refused.
func TestClusterInPart(t *testing.T) {
	a := serve(t)
	forbidden := reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`}
	a.on("GET "+group, ok(managed))
	a.on("GET "+group+"/agentPools", forbidden)
	a.on("GET /subscriptions/"+sub+"/resourceGroups/rg/resources", forbidden)
	c, log := client(t, a, newClock(), Config{})
	got, err := c.Cluster(t.Context(), sub, "rg", "web")
	if err != nil || len(got.Pools) != 1 || got.Pools[0].Name != "inline" || got.CreatedAt != nil || !strings.Contains(log.String(), "created is not known") {
		t.Errorf("got %+v, error %v, log %s", got, err, log)
	}
}

func TestClusterFailures(t *testing.T) {
	for name, test := range map[string]struct {
		reply  reply
		reason report.Reason
		hints  string
	}{
		"absent":    {reply{status: 404, body: `{"error":{"code":"ResourceNotFound","message":"no"}}`}, report.ReasonNotFound, ""},
		"forbidden": {reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`}, report.ReasonForbidden, "Microsoft.ContainerService/managedClusters/read"},
		"expired":   {reply{status: 401, body: `{"error":{"code":"ExpiredAuthenticationToken","message":"no"}}`}, report.ReasonUnauthenticated, "az login"},
		"empty":     {ok(`{}`), report.ReasonMalformed, ""},
		"page":      {ok(`<html>`), report.ReasonMalformed, ""},
		"down":      {reply{status: 503}, report.ReasonUnreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t)
			a.on("GET "+group, test.reply)
			c, _ := client(t, a, newClock(), Config{})
			_, err := c.Cluster(t.Context(), sub, "rg", "web")
			if e := failed(t, err, test.reason); !strings.HasPrefix(e.Message, `reading cluster "web"`) || !strings.Contains(e.Hint, test.hints) {
				t.Errorf("message %q, hint %q", e.Message, e.Hint)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		a := serve(t)
		c, _ := client(t, a, newClock(), Config{})
		a.Close()
		_, err := c.Cluster(t.Context(), sub, "rg", "web")
		if e := failed(t, err, report.ReasonUnreachable); !e.Retryable || strings.Contains(e.Message, "api-version") {
			t.Errorf("message %q", e.Message)
		}
	})
	t.Run("untrusted", func(t *testing.T) {
		a := serve(t)
		c, err := newClient(Config{Getenv: env(), Transport: &http.Client{}, ResourceManagerEndpoint: a.URL}, mustCloud(t, a), static{jwt(`{}`)}, time.Now, sleep)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Cluster(t.Context(), sub, "rg", "web")
		if e := failed(t, err, report.ReasonUnreachable); !strings.Contains(e.Hint, "SSL_CERT_FILE") {
			t.Errorf("%+v", e)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		a := serve(t)
		hang := transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		clock := newClock()
		c, err := newClient(Config{Getenv: env(), Transport: hang, RequestTimeout: time.Millisecond}, mustCloud(t, a), static{jwt(`{}`)}, clock.now, clock.pass)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Cluster(t.Context(), sub, "rg", "web")
		failed(t, err, report.ReasonTimeout)
		if len(clock.slept) != maxTries-1 {
			t.Errorf("slept %v", clock.slept)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) Do(r *http.Request) (*http.Response, error) { return t(r) }

func mustCloud(t *testing.T, a *endpoint) place {
	t.Helper()
	where, err := resolveCloud(Config{ResourceManagerEndpoint: a.URL, Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

func TestKubeconfigs(t *testing.T) {
	a := serve(t)
	cluster := target.ARM{SubscriptionID: sub, ResourceGroup: "rg", Name: "web"}
	a.on("POST "+group+"/listClusterUserCredential", ok(`{"kubeconfigs":[{"name":"clusterUser","value":"aGVsbG8="}]}`), ok(`{"kubeconfigs":[]}`), ok(`{"kubeconfigs":[{"value":"!`+secret+`"}]}`))
	a.on("POST "+group+"/listClusterAdminCredential", body(t, "local-accounts-disabled"))
	c, _ := client(t, a, newClock(), Config{})
	if got, err := c.UserKubeconfig(t.Context(), cluster); err != nil || string(got) != "hello" {
		t.Errorf("got %q, error %v", got, err)
	}
	for range 2 { // none, and one that is no base64
		_, err := c.UserKubeconfig(t.Context(), cluster)
		failed(t, err, report.ReasonMalformed)
	}
	_, err := c.AdminKubeconfig(t.Context(), cluster)
	if e := failed(t, err, report.ReasonForbidden); !strings.Contains(e.Hint, "Entra") {
		t.Errorf("hint %q", e.Hint)
	}
}

// Three hundred reads: a burst of 250, less a second's worth, then 25 a second;
// nothing is lost.
func TestReadsKeepARMsLimits(t *testing.T) {
	a, clock := serve(t), newClock()
	a.on("POST "+group+"/listClusterUserCredential", ok(`{"kubeconfigs":[{"value":"aGVsbG8="}]}`))
	a.on("GET /subscriptions/"+sub+"/resourceGroups/rg/resources", ok(`{"value":[]}`))
	c, _ := client(t, a, clock, Config{})
	start := clock.now()
	for range 300 {
		if _, err := c.createdAt(t.Context(), target.ARM{ID: group, SubscriptionID: sub, ResourceGroup: "rg"}); err != nil {
			t.Fatal(err)
		}
	}
	if took := clock.now().Sub(start); took < 2900*time.Millisecond || took > 3100*time.Millisecond {
		t.Errorf("300 reads took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	clock.sleep = func(context.Context, time.Duration) { t.Error("slept for a turn that comes too late") }
	door := &limits{now: clock.now, sleep: clock.pass, buckets: c.limits().buckets}
	for range 12 {
		if err := door.take(ctx, "machine run x", perMinute(4), 12); err != nil {
			t.Fatal(err)
		}
	}
	failed(t, door.take(ctx, "machine run x", perMinute(4), 12), report.ReasonTimeout)
}

func (c *Client) limits() *limits { return c.options.PerCallPolicies[0].(*door).limits }

func names(machines []target.Machine) []string {
	var names []string
	for _, m := range machines {
		names = append(names, fmt.Sprintf("%s/%s/%s/%s", m.Pool, m.Node, m.OS, m.ResourceID[strings.LastIndex(m.ResourceID, "virtual")+len("virtualMachine"):]))
	}
	return names
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
