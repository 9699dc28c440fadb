package demo

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const graphResources = "/providers/Microsoft.ResourceGraph/resources"

func (c *client) graph(options string, subscriptions ...string) answer {
	c.t.Helper()
	in := `"` + strings.Join(subscriptions, `","`) + `"`
	if len(subscriptions) == 0 {
		in = ""
	}
	return c.do(http.MethodPost, graphResources, `{"subscriptions":[`+in+`],"query":"resources | where type =~ 'microsoft.containerservice/managedclusters' | order by id asc","options":{`+options+`}}`)
}

func (a answer) names() []string {
	var names []string
	for _, row := range a.at("data").([]any) {
		names = append(names, row.(map[string]any)["name"].(string))
	}
	return names
}

func TestResourceGraph(t *testing.T) {
	e, c := start(t, Options{Clusters: 4, NodesPerCluster: 1, GraphPage: 3})
	var all []string
	token, pages := "", 0
	for {
		a := c.graph(`"$top":1000,"$skipToken":"` + token + `"`)
		if a.status != http.StatusOK || a.str("resultTruncated") != "false" || int(a.at("totalRecords").(float64)) != len(e.clusters) || int(a.at("count").(float64)) != len(a.names()) ||
			a.header.Get("x-ms-user-quota-remaining") == "" {
			t.Fatal(a.text)
		}
		all, pages = append(all, a.names()...), pages+1
		if token, _ = a.body.(map[string]any)["$skipToken"].(string); token == "" {
			break
		}
	}
	if want := (len(e.clusters) + 2) / 3; pages != want || len(all) != len(e.clusters) {
		t.Errorf("%d pages, %q", pages, all)
	}
	if got := c.graph("", secondID, "nobody").names(); !slices.Equal(got, []string{"fleet-0002", "fleet-0004"}) {
		t.Errorf("in the second subscription %q", got)
	}
	row := c.graph(`"$top":1`, subscriptionID).at("data").([]any)[0].(map[string]any)
	if row["tags"].(map[string]any)["env"] != "prod" || row["subscriptionId"] != subscriptionID || !strings.HasSuffix(row["fqdn"].(string), ".azmk8s.test") {
		t.Errorf("%v", row)
	}
	for name, a := range map[string]answer{
		"no such subscription": c.graph("", "nobody"),
		"a token of another":   c.graph(`"$skipToken":"x"`),
		"too much":             c.graph(`"$top":5000`),
		"another query":        c.do(http.MethodPost, graphResources, `{"query":"resources | count"}`),
		"no query":             c.do(http.MethodPost, graphResources, "{"),
	} {
		if a.status != http.StatusBadRequest || a.str("error", "code") != "BadRequest" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
}

func TestResourceGraphFaults(t *testing.T) {
	_, c := start(t, Options{GraphForbidden: true})
	if a := c.graph(""); a.status != http.StatusForbidden || a.str("error", "code") != "AuthorizationFailed" {
		t.Error(a.text)
	}
	e, c := start(t, Options{GraphTruncated: true, Limits: true})
	a := c.graph("")
	if a.str("resultTruncated") != "true" || len(a.names()) != len(e.clusters)/2 || strings.Contains(a.text, "$skipToken") {
		t.Error(a.text)
	}
	throttled := 0
	for range 30 {
		if a := c.graph(""); a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != "" {
			throttled++
		}
	}
	if throttled < 10 {
		t.Errorf("throttled %d times in 30", throttled)
	}
}

// Each cluster is where its id says, and nowhere else.
func TestSubscriptions(t *testing.T) {
	e, c := start(t, Options{Clusters: 3, NodesPerCluster: 2})
	listed, _ := c.all("/subscriptions")
	if len(listed) != 2 || listed[1].str("subscriptionId") != secondID || c.do(http.MethodGet, "/subscriptions/"+secondID, "").str("displayName") != secondName {
		t.Errorf("%d subscriptions", len(listed))
	}
	in, _ := c.all("/subscriptions/" + secondID + "/providers/Microsoft.ContainerService/managedClusters")
	if len(in) != 1 || in[0].str("name") != "fleet-0002" || in[0].str("tags", "env") != "prod" {
		t.Fatalf("%d clusters in the second", len(in))
	}
	if found := nodesIn(c, in[0], "/subscriptions/"+secondID+"/resourceGroups/"); found != 2 {
		t.Errorf("%d machines", found)
	}
	second := e.clusters[len(e.clusters)-2]
	if second.name != "fleet-0002" || e.Clusters()[len(e.clusters)-2].Subscription != secondID {
		t.Errorf("%+v", e.Clusters())
	}
	for _, id := range []string{second.id(), second.machines[0].id()} {
		if a := c.do(http.MethodGet, id, ""); a.status != http.StatusOK {
			t.Error(a.text)
		}
		if a := c.do(http.MethodGet, strings.Replace(id, secondID, subscriptionID, 1), ""); a.status != http.StatusNotFound {
			t.Error(a.text)
		}
	}
	if a := c.do(http.MethodGet, "/subscriptions/a55e5500-0000-4000-8000-00000000000f", ""); a.status != http.StatusNotFound || a.str("error", "code") != "SubscriptionNotFound" {
		t.Error(a.text)
	}
}

// The account's certificate is one, however often it is handed out.
func TestOneAccount(t *testing.T) {
	e, _ := start(t, Options{})
	a, err := e.clusters[0].kubeconfig("clusterUser")
	b, err2 := e.clusters[0].kubeconfig("clusterUser")
	if a != b || err != nil || err2 != nil {
		t.Errorf("%v, %v", err, err2)
	}
}

// Two hundred clusters are there at once, and small.
func TestLargeFleet(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	e, c := start(t, Options{Clusters: 200, NodesPerCluster: 5})
	took := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d MiB", grown>>20)
	}
	t.Logf("%s, %d KiB", took, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
	last := e.clusters[len(e.clusters)-1]
	if last.name != "fleet-0200" || len(last.machines) != 5 {
		t.Errorf("%s with %d nodes", last.name, len(last.machines))
	}
	if a := c.graph(`"$top":1000`); len(a.names()) != len(e.clusters) {
		t.Errorf("%d rows", len(a.names()))
	}
}

func BenchmarkFleet(b *testing.B) {
	for _, n := range []int{20, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				e, err := Start(b.Context(), Options{Now: time.Now(), Clusters: n, NodesPerCluster: 5, Dir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
