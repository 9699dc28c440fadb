package azure

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v8"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

const (
	// maxClusters bounds a fleet.
	maxClusters = 100_000
	// atOnce is how many subscriptions are asked at the same time.
	atOnce = 8

	clusterType = "Microsoft.ContainerService/managedClusters"
)

// Clusters lists the clusters of subscriptions, by their lower-case ids, as far
// as a listing knows them. It asks Resource Graph, which needs a request for a
// thousand clusters, and where that cannot be had ARM, subscription by
// subscription. Each problem is an *Error: part of the fleet may be missing.
//
// Resource Graph lags behind ARM by seconds, sometimes minutes, so a cluster that
// was just deleted may be listed.
func (c *Client) Clusters(ctx context.Context, subscriptions []string) ([]target.ARM, []error) {
	f := &fleet{client: c, found: map[string]target.ARM{}, seen: map[string]bool{}}
	var ids []string
	for _, id := range subscriptions {
		ids = append(ids, strings.ToLower(id))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	told := false
	for len(ids) > 0 {
		some := ids[:min(len(ids), perQuery)]
		if f.useless == nil {
			f.useless = f.query(ctx, some)
		}
		switch {
		case f.useless == nil:
			f.confirm(ctx, some)
		case ctx.Err() != nil, !elsewhere(f.useless):
			// ARM's lists are behind the same door.
			f.problem(c.fail(ctx, listing(ids), f.useless))
			return f.sorted()
		default:
			if !told {
				c.log("%s; asking ARM, subscription by subscription", f.useless)
				told = true
			}
			f.list(ctx, some)
		}
		ids = ids[len(some):]
	}
	return f.sorted()
}

func listing(ids []string) asking {
	a := asking{fmt.Sprintf("listing the clusters of %d subscriptions", len(ids)), "Microsoft.ContainerService/managedClusters/read", "Reader"}
	if len(ids) == 1 {
		a.what = fmt.Sprintf("listing the clusters of subscription %q", clean(ids[0], 60))
	}
	return a
}

// elsewhere reports whether ARM's lists may answer although Resource Graph did
// not: it did answer something, or it alone was slow.
func elsewhere(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Reason {
	case report.ReasonUnauthenticated, report.ReasonInterrupted:
		return false
	case report.ReasonUnreachable:
		return e.answered // 5xx, and not a connection that is refused
	}
	return true
}

// fleet is a listing under way.
type fleet struct {
	client  *Client
	useless error // why Resource Graph is not asked any more

	mu       sync.Mutex
	found    map[string]target.ARM // by lower-case id
	seen     map[string]bool       // subscriptions with a cluster
	problems []error
	tooMany  bool
}

func (f *fleet) problem(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems = append(f.problems, err)
}

// add reports whether a is a cluster.
func (f *fleet) add(a target.ARM) bool {
	id, err := arm.ParseResourceID(a.ID)
	if err != nil || !strings.EqualFold(id.ResourceType.String(), clusterType) {
		return false
	}
	a.Listed, a.SubscriptionID, a.ResourceGroup = true, id.SubscriptionID, id.ResourceGroupName
	a.Name = first(a.Name, id.Name)
	f.mu.Lock()
	defer f.mu.Unlock()
	key := strings.ToLower(a.ID)
	if _, have := f.found[key]; !have && len(f.found) == maxClusters {
		f.tooMany = true
		return true
	}
	f.found[key] = a
	f.seen[strings.ToLower(id.SubscriptionID)] = true
	return true
}

// sorted is what was found, and what was not.
func (f *fleet) sorted() ([]target.ARM, []error) {
	var keys []string
	for key := range f.found {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	clusters := make([]target.ARM, 0, len(keys))
	for _, key := range keys {
		clusters = append(clusters, f.found[key])
	}
	if f.tooMany {
		f.problems = append(f.problems, &Error{Reason: report.ReasonTruncated, Message: fmt.Sprintf("listing clusters: there are more than %d; the rest is left out", maxClusters),
			Hint: "narrow it down with --subscription"})
	}
	slices.SortStableFunc(f.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return clusters, f.problems
}

// each calls do for every id, several at a time. Those whose turn does not come
// before ctx ends are one problem.
func (f *fleet) each(ctx context.Context, ids []string, do func(id string)) {
	turns := make(chan string)
	var workers sync.WaitGroup
	for range min(atOnce, len(ids)) {
		workers.Go(func() {
			for id := range turns {
				do(id)
			}
		})
	}
	for i, id := range ids {
		if ctx.Err() != nil {
			f.problem(ended(ctx, listing(ids[i:]).what))
			break
		}
		turns <- id
	}
	close(turns)
	workers.Wait()
}

// list asks ARM, subscription by subscription. One that fails hides no other.
func (f *fleet) list(ctx context.Context, ids []string) {
	f.each(ctx, ids, func(id string) {
		a := listing([]string{id})
		s, err := f.client.services(id)
		if err != nil {
			f.problem(inSubscription(id, f.client.fail(ctx, a, err)))
			return
		}
		unreadable := 0
		err = pages(ctx, s.clusters.NewListPager(nil), func(page armcontainerservice.ManagedClustersClientListResponse) {
			for _, m := range page.Value {
				if !f.add(listed(m)) {
					unreadable++
				}
			}
		})
		if err != nil {
			f.problem(inSubscription(id, f.client.fail(ctx, a, err)))
		}
		f.unreadable(a, unreadable)
	})
}

func (f *fleet) unreadable(a asking, n int) {
	if n > 0 {
		f.problem(&Error{Reason: report.ReasonMalformed, Message: fmt.Sprintf("%s: %d of the clusters in the answer have no id", a.what, n),
			Hint: "look at it with az aks list"})
	}
}

// listed is the part of a resource that Resource Graph would tell as well.
func listed(m *armcontainerservice.ManagedCluster) target.ARM {
	if m == nil || m.ID == nil {
		return target.ARM{}
	}
	a := target.ARM{ID: *m.ID, Name: value(m.Name), Location: value(m.Location), Tags: tags(m.Tags)}
	if p := m.Properties; p != nil {
		a.FQDN, a.PrivateFQDN = first(value(p.Fqdn), value(p.PrivateFQDN)), value(p.PrivateFQDN)
	}
	return a
}

// confirm looks at the subscriptions that Resource Graph told no cluster of: it
// leaves out, without a word, those that are not there or that the identity
// does not see.
func (f *fleet) confirm(ctx context.Context, ids []string) {
	f.client.mu.Lock()
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return f.seen[id] || f.client.visible[id] })
	f.client.mu.Unlock()
	f.each(ctx, ids, func(id string) {
		a := asking{fmt.Sprintf("looking for subscription %q", clean(id, 60)), "Microsoft.Resources/subscriptions/read", "Reader"}
		var answer struct {
			ID string `json:"subscriptionId"`
		}
		err := f.client.get(ctx, "/subscriptions/"+url.PathEscape(id), url.Values{"api-version": {"2022-12-01"}}, &answer)
		if err == nil && !strings.EqualFold(answer.ID, id) {
			err = &Error{Reason: report.ReasonMalformed, Message: a.what + ": the answer is not a subscription"}
		}
		if err != nil {
			f.problem(inSubscription(id, f.client.fail(ctx, a, err)))
		}
	})
}

// inSubscription is a failure that concerns one subscription, with a hint of its
// own where that is not there.
func inSubscription(id string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	told := *e
	told.Subscription = id
	if e.Reason == report.ReasonNotFound {
		told.Hint = "az account list shows the subscriptions that this identity can see"
	}
	return &told
}
