package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

const (
	graphPath = "POST /providers/Microsoft.ResourceGraph/resources"
	sub2      = "22222222-2222-2222-2222-222222222222"
	sub3      = "33333333-3333-3333-3333-333333333333"
)

func clusterID(subscription, name string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/" + name
}

// graphPage is an answer of Resource Graph with clusters of the first subscription.
func graphPage(total int, token, truncated string, names ...string) reply {
	return graphRows(total, token, truncated, func(n string) string { return clusterID(sub, n) }, names...)
}

func graphRows(total int, token, truncated string, id func(string) string, names ...string) reply {
	rows := []string{}
	for _, n := range names {
		rows = append(rows, fmt.Sprintf(`{"id":%q,"name":%q,"resourceGroup":"rg","subscriptionId":"x","location":"westeurope","tags":{"env":"prod"},"fqdn":"%s.hcp.example","privateFQDN":""}`, id(n), n, n))
	}
	more := ""
	if token != "" {
		more = fmt.Sprintf(`,"$skipToken":%q`, token)
	}
	return ok(fmt.Sprintf(`{"totalRecords":%d,"count":%d,"resultTruncated":%q,"facets":[],"data":[%s]%s}`, total, len(names), truncated, strings.Join(rows, ","), more))
}

func clusterNames(clusters []target.ARM) []string {
	var names []string
	for _, c := range clusters {
		names = append(names, strings.ToLower(c.ID[strings.LastIndex(c.ID, "/")+1:]))
	}
	return names
}

func TestClustersByResourceGraph(t *testing.T) {
	a := serve(t)
	a.on(graphPath, graphPage(3, "next", "false", "b", "a"), graphPage(3, "", "false", "C"))
	a.on("GET /subscriptions/"+sub2, ok(`{"subscriptionId":"`+sub2+`","state":"Enabled"}`)) // it has no clusters
	c, log := client(t, a, newClock(), Config{})
	got, problems := c.Clusters(t.Context(), []string{sub2, strings.ToUpper(sub), sub})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	same(t, "clusters", clusterNames(got), []string{"a", "b", "c"})
	want := target.ARM{Listed: true, ID: clusterID(sub, "a"), SubscriptionID: sub, ResourceGroup: "rg", Name: "a", Location: "westeurope", FQDN: "a.hcp.example", Tags: map[string]string{"env": "prod"}}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("got  %+v\nwant %+v", got[0], want)
	}
	same(t, "asked", a.asked, []string{graphPath, graphPath, "GET /subscriptions/" + sub2})
	for i, want := range []string{"", "next"} {
		var request struct {
			Subscriptions []string
			Query         string
			Options       struct {
				ResultFormat string `json:"resultFormat"`
				SkipToken    string `json:"$skipToken"`
				Top          int    `json:"$top"`
			}
		}
		if err := json.Unmarshal([]byte(a.bodies[i]), &request); err != nil {
			t.Fatal(err)
		}
		if o := request.Options; o.SkipToken != want || o.Top != 1000 || o.ResultFormat != "objectArray" || len(request.Subscriptions) != 2 || !strings.Contains(request.Query, "order by id asc") {
			t.Errorf("request %d: %+v", i, request)
		}
	}
	if strings.Contains(log.String(), "one by one") {
		t.Error(log)
	}
}

// An answer that is not whole is told, and what it has is kept.
func TestResourceGraphCutsShort(t *testing.T) {
	for name, test := range map[string]struct {
		replies []reply
		want    []string
		says    string
	}{
		"truncated":       {[]reply{graphPage(5, "", "true", "a", "b")}, []string{"a", "b"}, "truncated: it has 2 of 5 clusters"},
		"rows missing":    {[]reply{graphPage(3, "t", "false", "a"), graphPage(3, "", "false", "b")}, []string{"a", "b"}, "missing from the answer: it has 2 of 3"},
		"the same token":  {[]reply{graphPage(9, "t", "false", "a")}, []string{"a"}, "lead back"},
		"a circle":        {[]reply{graphPage(9, "t", "false", "a"), graphPage(9, "u", "false", "b"), graphPage(9, "t", "false", "c")}, []string{"a", "b", "c"}, "lead back"},
		"a row without":   {[]reply{graphRows(2, "", "false", func(n string) string { return n }, "x", clusterID(sub, "a"))}, []string{"a"}, "1 of the clusters in the answer have no id"},
		"another's row":   {[]reply{graphRows(1, "", "false", func(string) string { return clusterID(sub, "a") + "/agentPools/p" }, "a")}, nil, "1 of the clusters"},
		"rows of nothing": {[]reply{ok(`{"totalRecords":1,"count":1,"resultTruncated":"false","data":[null]}`)}, nil, "1 of the clusters"},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t)
			a.on(graphPath, test.replies...)
			a.on("GET /subscriptions/"+sub, ok(`{"subscriptionId":"`+sub+`"}`))
			c, _ := client(t, a, newClock(), Config{})
			got, problems := c.Clusters(t.Context(), []string{sub})
			same(t, "clusters", clusterNames(got), test.want)
			if a.count(graphPath) > 4 {
				t.Errorf("%d queries", a.count(graphPath))
			}
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), test.says) {
				t.Errorf("problems %q, want %q", problems, test.says)
			}
		})
	}
}

// Tokens that are always new end too.
func TestResourceGraphWithoutEnd(t *testing.T) {
	a := serve(t)
	var replies []reply
	for i := range maxPages + 10 {
		replies = append(replies, graphPage(1, fmt.Sprint("t", i), "false", "a"))
	}
	a.on(graphPath, replies...)
	c, _ := client(t, a, newClock(), Config{})
	got, problems := c.Clusters(t.Context(), []string{sub})
	if len(got) != 1 || len(problems) != 1 || a.count(graphPath) != maxPages {
		t.Errorf("%d clusters, problems %v, %d requests", len(got), problems, a.count(graphPath))
	}
	failed(t, problems[0], report.ReasonTruncated)
}

// listOf is a page of ARM's list.
func listOf(subscription, next string, names ...string) reply {
	var rows []string
	for _, n := range names {
		rows = append(rows, fmt.Sprintf(`{"id":%q,"name":%q,"location":"northeurope","tags":{"env":"dev"},"properties":{"fqdn":"","privateFQDN":"%s.private.example"}}`, clusterID(subscription, n), n, n))
	}
	return ok(`{"value":[` + strings.Join(rows, ",") + `],"nextLink":"` + next + `"}`)
}

func listPath(subscription string) string {
	return "GET /subscriptions/" + subscription + "/providers/Microsoft.ContainerService/managedClusters"
}

// Where Resource Graph is of no use, ARM's lists are asked, and one
// subscription's failure hides no other's clusters.
func TestClustersByARM(t *testing.T) {
	for name, refusal := range map[string]reply{
		"forbidden":        {status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`},
		"not there":        {status: 404, body: `{"error":{"code":"InvalidResourceType","message":"no"}}`},
		"not registered":   {status: 409, body: `{"error":{"code":"MissingSubscriptionRegistration","message":"no"}}`},
		"no subscriptions": {status: 400, body: `{"error":{"code":"BadRequest","message":"see details","details":[{"code":"NoValidSubscriptionsInQueryRequest","message":"no"}]}}`},
		"down":             {status: 503, body: `<html>`},
		"garbage":          ok(`<html>`),
		"a table":          ok(`{"totalRecords":0,"count":0,"data":{"columns":[],"rows":[]}}`),
		"half a reply":     {status: 200, header: map[string]string{"Content-Length": "10000"}, body: `{"totalRecords":`},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t)
			a.on(graphPath, refusal)
			a.on(listPath(sub), listOf(sub, "HOST"+strings.TrimPrefix(listPath(sub), "GET ")+"?page=2", "b"))
			a.on(listPath(sub)+"?page=2", listOf(sub, "", "a"))
			a.on(listPath(sub2), reply{status: 404, body: `{"error":{"code":"SubscriptionNotFound","message":"The subscription could not be found."}}`})
			a.on(listPath(sub3), listOf(sub3, "HOST"+strings.TrimPrefix(listPath(sub3), "GET ")+"?page=2", "c"))
			a.on(listPath(sub3)+"?page=2", reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`})
			c, log := client(t, a, newClock(), Config{})
			got, problems := c.Clusters(t.Context(), []string{sub, sub2, sub3})
			same(t, "clusters", clusterNames(got), []string{"a", "b", "c"})
			if got[0].PrivateFQDN != "a.private.example" || got[0].FQDN != "a.private.example" || got[0].Tags["env"] != "dev" || !got[0].Listed {
				t.Errorf("%+v", got[0])
			}
			if len(problems) != 2 || !strings.Contains(problems[0].Error(), sub2) || !strings.Contains(problems[1].Error(), sub3) {
				t.Fatalf("problems %v", problems)
			}
			if e := failed(t, problems[0], report.ReasonNotFound); !strings.Contains(e.Hint, "az account list") {
				t.Errorf("hint %q", e.Hint)
			}
			failed(t, problems[1], report.ReasonForbidden)
			if strings.Count(log.String(), "subscription by subscription") != 1 {
				t.Errorf("log %q", log)
			}
		})
	}
}

// Resource Graph alone hangs.
func TestResourceGraphHangs(t *testing.T) {
	a := serve(t)
	a.on(listPath(sub), listOf(sub, "", "a"))
	hang := transport(func(r *http.Request) (*http.Response, error) {
		if isGraph(r) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return a.Client().Do(r)
	})
	clock := newClock()
	c, err := newClient(Config{Getenv: env(), Transport: hang, RequestTimeout: 200 * time.Millisecond}, mustCloud(t, a), static{jwt(`{}`)}, clock.now, clock.pass)
	if err != nil {
		t.Fatal(err)
	}
	got, problems := c.Clusters(t.Context(), []string{sub})
	same(t, "clusters", clusterNames(got), []string{"a"})
	if len(problems) > 0 {
		t.Error(problems)
	}
}

// Subscriptions that were not asked before the end are one problem.
func TestListsInterrupted(t *testing.T) {
	a := serve(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := transport(func(r *http.Request) (*http.Response, error) {
		if !isGraph(r) {
			cancel(context.Canceled)
			return nil, r.Context().Err()
		}
		return a.Client().Do(r)
	})
	a.on(graphPath, reply{status: 403})
	clock := newClock()
	c, err := newClient(Config{Getenv: env(), Transport: stop}, mustCloud(t, a), static{jwt(`{}`)}, clock.now, clock.pass)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 500 {
		ids = append(ids, fmt.Sprintf("%08d-0000-0000-0000-000000000000", i))
	}
	_, problems := c.Clusters(ctx, ids)
	if len(problems) == 0 || len(problems) > 2*atOnce {
		t.Fatalf("%d problems", len(problems))
	}
	for _, p := range problems {
		failed(t, p, report.ReasonInterrupted)
	}
}

// A failure in the middle of the pages is made up for by ARM's lists.
func TestResourceGraphFailsHalfWay(t *testing.T) {
	a := serve(t)
	a.on(graphPath, graphPage(2, "t", "false", "a"), reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`})
	a.on(listPath(sub), listOf(sub, "", "a", "b"))
	c, _ := client(t, a, newClock(), Config{})
	got, problems := c.Clusters(t.Context(), []string{sub})
	same(t, "clusters", clusterNames(got), []string{"a", "b"})
	if len(problems) > 0 {
		t.Error(problems)
	}
}

// Behind a door that is shut, the lists are not asked one by one.
func TestClustersWithoutARM(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		a := serve(t)
		c, _ := client(t, a, newClock(), Config{})
		a.Close()
		got, problems := c.Clusters(t.Context(), []string{sub, sub2})
		if len(got) > 0 || len(problems) != 1 {
			t.Fatalf("%v, %v", got, problems)
		}
		if e := failed(t, problems[0], report.ReasonUnreachable); !strings.HasPrefix(e.Message, "listing the clusters of 2 subscriptions") {
			t.Error(e.Message)
		}
	})
	t.Run("unauthenticated", func(t *testing.T) {
		a := serve(t)
		a.on(graphPath, reply{status: 401, body: `{"error":{"code":"ExpiredAuthenticationToken","message":"no"}}`})
		c, _ := client(t, a, newClock(), Config{})
		_, problems := c.Clusters(t.Context(), []string{sub, sub2})
		if len(problems) != 1 || len(a.asked) != 1 {
			t.Fatalf("%v, asked %v", problems, a.asked)
		}
		failed(t, problems[0], report.ReasonUnauthenticated)
	})
	t.Run("the time is up", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		hang := transport(func(r *http.Request) (*http.Response, error) {
			cancel(context.DeadlineExceeded)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		clock := newClock()
		c, err := newClient(Config{Getenv: env(), Transport: hang}, mustCloud(t, serve(t)), static{jwt(`{}`)}, clock.now, clock.pass)
		if err != nil {
			t.Fatal(err)
		}
		_, problems := c.Clusters(ctx, []string{sub, sub2})
		if len(problems) != 1 {
			t.Fatal(problems)
		}
		failed(t, problems[0], report.ReasonTimeout)
	})
	t.Run("nothing asked", func(t *testing.T) {
		a := serve(t)
		c, _ := client(t, a, newClock(), Config{})
		if got, problems := c.Clusters(t.Context(), nil); len(got)+len(problems)+len(a.asked) > 0 {
			t.Errorf("%v, %v, asked %v", got, problems, a.asked)
		}
	})
}

// Resource Graph leaves out a subscription that it does not know; that must not
// look like one without clusters.
func TestClustersOfUnknownSubscriptions(t *testing.T) {
	a := serve(t)
	a.on(graphPath, graphPage(1, "", "false", "a"))
	a.on("GET /subscriptions/"+sub2, reply{status: 404, body: `{"error":{"code":"SubscriptionNotFound","message":"no"}}`})
	a.on("GET /subscriptions/"+sub3, ok(`{}`))
	c, _ := client(t, a, newClock(), Config{})
	got, problems := c.Clusters(t.Context(), []string{sub, sub2, sub3})
	same(t, "clusters", clusterNames(got), []string{"a"})
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), sub2) || !strings.Contains(problems[1].Error(), sub3) {
		t.Fatalf("problems %v", problems)
	}
	failed(t, problems[0], report.ReasonNotFound)
	failed(t, problems[1], report.ReasonMalformed)
	for i, want := range []string{sub2, sub3} {
		if e, ok := errors.AsType[*Error](problems[i]); !ok || e.In() != want {
			t.Errorf("%v: it concerns %s", problems[i], want)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	describe := func(id, name, state string) string {
		return fmt.Sprintf(`{"id":"/subscriptions/%s","subscriptionId":"%s","displayName":%q,"state":%q,"tenantId":"tenant"}`, id, id, name, state)
	}
	a := serve(t)
	a.on("GET /subscriptions", ok(`{"value":[`+describe(sub3, "three", "Enabled")+`,`+describe("4", "off", "Disabled")+`,`+describe("5", "gone", "Deleted")+`],"nextLink":"HOST/subscriptions?page=2"}`))
	a.on("GET /subscriptions?page=2", ok(`{"value":[`+describe(sub2, "two", "PastDue")+`]}`))
	a.on(graphPath, graphPage(0, "", "false"))
	c, log := client(t, a, newClock(), Config{})
	got, err := c.Subscriptions(t.Context())
	want := []Subscription{{sub2, "two", "PastDue", "tenant"}, {sub3, "three", "Enabled", "tenant"}, {"4", "off", "Disabled", "tenant"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
	if !strings.Contains(log.String(), "left out as deleted: 1") {
		t.Error(log)
	}
	// Those that ARM has listed need not be looked for.
	if _, problems := c.Clusters(t.Context(), []string{sub2, sub3}); len(problems) > 0 || a.count("GET /subscriptions/") > 0 {
		t.Errorf("problems %v, asked %v", problems, a.asked)
	}
	a.on("GET /subscriptions", reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`})
	_, err = c.Subscriptions(t.Context())
	failed(t, err, report.ReasonForbidden)
}

// More subscriptions than one query may name are several queries.
func TestManySubscriptions(t *testing.T) {
	a := serve(t)
	a.on(graphPath, graphPage(1, "", "false", "a"), graphPage(1, "", "false", "b"), graphPage(1, "", "false", "c"))
	c, _ := client(t, a, newClock(), Config{})
	var ids []string
	for i := range 2001 {
		ids = append(ids, fmt.Sprintf("%08d-0000-0000-0000-000000000000", i))
	}
	for _, id := range ids {
		c.visible[id] = true
	}
	got, problems := c.Clusters(t.Context(), ids)
	same(t, "clusters", clusterNames(got), []string{"a", "b", "c"})
	if len(problems) > 0 || len(a.asked) != 3 {
		t.Errorf("problems %v, %d requests", problems, len(a.asked))
	}
}

// Resource Graph says how much of its quota is left, and when it is full again.
func TestResourceGraphsQuota(t *testing.T) {
	quota := func(r reply, left, after string) reply {
		r.header = map[string]string{"x-ms-user-quota-remaining": left, "x-ms-user-quota-resets-after": after}
		return r
	}
	throttled := reply{status: 429, header: map[string]string{"Retry-After": "7"}, body: `{"error":{"code":"RateLimiting","message":"slow down"}}`}
	a, clock := serve(t), newClock()
	a.on(graphPath, quota(graphPage(3, "t", "false", "a"), "0", "00:01:05"), throttled, quota(graphPage(3, "u", "false", "b"), "3", "00:00:05"),
		quota(graphPage(3, "", "false", "c"), "nonsense", "soon"))
	c, _ := client(t, a, clock, Config{})
	start := clock.now()
	got, problems := c.Clusters(t.Context(), []string{sub})
	same(t, "clusters", clusterNames(got), []string{"a", "b", "c"})
	if took := clock.now().Sub(start); len(problems) > 0 || took != 72*time.Second {
		t.Errorf("problems %v, took %s (%v)", problems, took, clock.slept)
	}
	// And of its own accord: 15 queries, then three a second.
	a, clock = serve(t), newClock()
	var replies []reply
	for i := range 29 {
		replies = append(replies, graphPage(0, fmt.Sprint("t", i), "false"))
	}
	a.on(graphPath, append(replies, graphPage(0, "", "false"))...)
	a.on("GET /subscriptions/"+sub, ok(`{"subscriptionId":"`+sub+`"}`))
	c, _ = client(t, a, clock, Config{})
	start = clock.now()
	_, problems = c.Clusters(t.Context(), []string{sub})
	if took := clock.now().Sub(start); len(problems) > 0 || took < 4900*time.Millisecond || took > 5100*time.Millisecond {
		t.Errorf("problems %v, 30 queries took %s", problems, took)
	}
	// A turn that comes too late is not waited for.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l := &limits{now: clock.now, sleep: clock.pass, buckets: map[string]*rate.Limiter{}, graph: clock.now().Add(time.Hour)}
	clock.sleep = func(context.Context, time.Duration) { t.Error("slept") }
	failed(t, l.turn(ctx), report.ReasonTimeout)
}
