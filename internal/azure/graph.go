package azure

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resourcegraph/armresourcegraph"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Resource Graph's own bounds: subscriptions in a query, and rows in a page.
const (
	perQuery = 1000
	perPage  = 1000
)

// The id must be among the columns, or there is no paging:
// https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data
const clustersQuery = `resources
| where type =~ 'microsoft.containerservice/managedclusters'
| project id, name, resourceGroup, subscriptionId, location, tags, fqdn = tostring(properties.fqdn), privateFQDN = tostring(properties.privateFQDN)
| order by id asc`

// query asks Resource Graph for the clusters of subscriptions. The error says why
// it is of no use; an answer that is not whole is a problem of its own.
//
// A skip token says that there is more. resultTruncated says that there is more
// and that it cannot be had: https://github.com/MicrosoftDocs/azure-docs/issues/50606
func (f *fleet) query(ctx context.Context, subscriptions []string) error {
	a := asking{"querying Resource Graph for clusters", "Microsoft.ContainerService/managedClusters/read", "Reader"}
	graph, err := armresourcegraph.NewClient(f.client.identity, f.client.options)
	if err != nil {
		return f.client.fail(ctx, a, err)
	}
	request := armresourcegraph.QueryRequest{Query: to.Ptr(clustersQuery), Subscriptions: to.SliceOfPtrs(subscriptions...),
		Options: &armresourcegraph.QueryRequestOptions{ResultFormat: to.Ptr(armresourcegraph.ResultFormatObjectArray), Top: to.Ptr[int32](perPage)}}
	seen := map[string]bool{} // tokens
	rows, unreadable := int64(0), 0
	for n := 1; ; n++ {
		answer, err := graph.Resources(ctx, request, nil)
		if err != nil {
			return f.client.fail(ctx, a, err)
		}
		page, ok := answer.Data.([]any)
		if !ok {
			return &Error{Reason: report.ReasonMalformed, Message: a.what + ": the answer is not a list", Retryable: true}
		}
		rows += int64(len(page))
		for _, row := range page {
			if !f.add(fromRow(row)) {
				unreadable++
			}
		}
		token, total := value(answer.SkipToken), value(answer.TotalRecords)
		switch {
		case token != "" && !seen[token] && n < maxPages && !f.full():
			seen[token] = true
			request.Options.SkipToken = &token
			continue
		case f.full():
			// Told with the others.
		case token != "" && seen[token]:
			f.cut(a, "its pages lead back to one that was read", rows, total)
		case token != "":
			f.cut(a, fmt.Sprintf("there are more than %d pages", maxPages), rows, total)
		case value(answer.ResultTruncated) == armresourcegraph.ResultTruncatedTrue:
			f.cut(a, "the answer is truncated", rows, total)
		case rows < total:
			f.cut(a, "clusters are missing from the answer", rows, total)
		}
		f.unreadable(a, unreadable)
		return nil
	}
}

func (f *fleet) full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tooMany
}

func (f *fleet) cut(a asking, why string, rows, total int64) {
	f.problem(&Error{Reason: report.ReasonTruncated, Retryable: true, Message: fmt.Sprintf("%s: %s: it has %d of %d clusters", a.what, why, rows, max(rows, total)),
		Hint: "name fewer subscriptions with --subscription, or the clusters with --clusters-from"})
}

func fromRow(row any) target.ARM {
	columns, _ := row.(map[string]any)
	text := func(name string) string {
		s, _ := columns[name].(string)
		return s
	}
	a := target.ARM{ID: text("id"), Name: text("name"), Location: text("location"), FQDN: first(text("fqdn"), text("privateFQDN")), PrivateFQDN: text("privateFQDN")}
	if all, _ := columns["tags"].(map[string]any); len(all) > 0 {
		a.Tags = make(map[string]string, len(all))
		for name, v := range all {
			a.Tags[name], _ = v.(string)
		}
	}
	return a
}
