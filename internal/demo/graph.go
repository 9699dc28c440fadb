package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// graph is Resource Graph, as far as it is asked for clusters: whatever the
// query's own words, it answers with the same columns.
// https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
func (e *Estate) graph(w http.ResponseWriter, r *request) {
	const most = 1000
	if e.options.GraphForbidden {
		fail(w, azureError{status: http.StatusForbidden, code: "AuthorizationFailed", message: "The client '" + clientID + "' with object id '" + clientID +
			"' does not have authorization to perform action 'Microsoft.ResourceGraph/resources/read' over scope '/' or the scope is invalid."})
		return
	}
	h := w.Header()
	h.Set("x-ms-user-quota-remaining", "14")
	h.Set("x-ms-user-quota-resets-after", "00:00:05")
	if !e.within(w, &e.queries, azureError{code: "RateLimiting", message: "Client application has been throttled and should not attempt to repeat the request until an amount of time has elapsed."}) {
		return
	}
	var query struct {
		Subscriptions []string
		Query         string
		Options       struct {
			Top          int    `json:"$top"`
			SkipToken    string `json:"$skipToken"`
			ResultFormat string `json:"resultFormat"`
		}
	}
	if json.NewDecoder(r.Body).Decode(&query) != nil || !strings.Contains(strings.ToLower(query.Query), "'microsoft.containerservice/managedclusters'") ||
		query.Options.Top < 0 || query.Options.Top > most || strings.EqualFold(query.Options.ResultFormat, "table") {
		badQuery(w, "InvalidQuery", "The sample estate answers to queries for clusters, in pages of up to 1000 rows in objectArray format.")
		return
	}
	rows, known := e.rows(query.Subscriptions)
	if !known {
		badQuery(w, "NoValidSubscriptionsInQueryRequest", "There must be at least one subscription that is eligible to contain resources.")
		return
	}
	size := query.Options.Top
	if size == 0 {
		size = 100
	}
	if e.options.GraphPage > 0 {
		size = min(size, e.options.GraphPage)
	}
	from := 0
	if token := query.Options.SkipToken; token != "" {
		if _, err := fmt.Sscanf(token, "row%d", &from); err != nil || from < 0 || from > len(rows) {
			badQuery(w, "InvalidSkipToken", "The skip token is not one of ours.")
			return
		}
	}
	to := min(from+size, len(rows))
	answer := object{"totalRecords": len(rows), "count": to - from, "resultTruncated": "false", "facets": []object{}, "data": rows[from:to]}
	switch {
	case e.options.GraphTruncated:
		half := rows[:(len(rows)+1)/2]
		answer["count"], answer["data"], answer["resultTruncated"] = len(half), half, "true"
	case to < len(rows): // there is more, and that is not called truncated
		answer["$skipToken"] = fmt.Sprintf("row%d", to)
	}
	reply(w, http.StatusOK, answer)
}

func badQuery(w http.ResponseWriter, code, message string) {
	reply(w, http.StatusBadRequest, object{"error": object{"code": "BadRequest", "message": "Please provide below info when asking for support: timestamp, correlationId.",
		"details": []object{{"code": code, "message": message}}}})
}

// rows are the clusters of subscriptions, or of all, by their ids. One that is
// not known is left out; known says that there was another.
func (e *Estate) rows(in []string) (rows []object, known bool) {
	rows = []object{}
	for _, s := range subscriptions() {
		if len(in) > 0 && !slices.ContainsFunc(in, func(id string) bool { return strings.EqualFold(id, s.id) }) {
			continue
		}
		known = true
		for _, c := range e.in(s.id) {
			rows = append(rows, object{"id": c.id(), "name": c.name, "resourceGroup": strings.ToLower(c.group), "subscriptionId": s.id,
				"location": c.location, "tags": c.tags(), "fqdn": c.dns(), "privateFQDN": ""})
		}
	}
	slices.SortFunc(rows, func(a, b object) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	return rows, known
}
