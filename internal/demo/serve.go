package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// A script of 4,096 bytes is a long one.
const maxBody = 256 << 10

// route is one line of a table of routes. Words in braces stand for any
// segment; the others are compared without regard to case, as ARM does.
type route struct {
	method, path string
	open         bool // without a bearer token
	answer       func(w http.ResponseWriter, r *request)
}

// request is a request and what the route's braces stood for.
type request struct {
	*http.Request
	vars map[string]string
}

func (r *request) query(name string) string {
	for key, values := range r.URL.Query() {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	return ""
}

func match(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(want) != len(have) {
		return nil, false
	}
	vars := map[string]string{}
	for i, segment := range want {
		if name, isVar := strings.CutPrefix(segment, "{"); isVar {
			vars[strings.TrimSuffix(name, "}")] = have[i]
		} else if !strings.EqualFold(segment, have[i]) {
			return nil, false
		}
	}
	return vars, true
}

// guard is in front of everything: the estate runs scripts as the user who
// started it, so a web page must not reach it by a name that resolves to
// loopback, and nothing may be sent without end.
func (e *Estate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !loopback(r.Host) {
			e.options.Log("refused a request for host %q: only loopback names are served", r.Host)
			fail(w, azureError{status: http.StatusForbidden, code: "HostNotLoopback", message: "This sample estate answers to loopback names only."})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// azure answers by the tables of routes.
func (e *Estate) azure() http.Handler {
	routes := append(e.tokenRoutes(), e.armRoutes()...)
	routes = append(routes, e.computeRoutes()...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := false
		for _, route := range routes {
			vars, ok := match(route.path, r.URL.Path)
			known = known || ok
			if !ok || route.method != r.Method {
				continue
			}
			asked := &request{r, vars}
			if route.open || e.admit(w, asked) {
				route.answer(w, asked)
			}
			return
		}
		e.options.Log("no answer to %s %s", r.Method, r.URL.Path)
		if known {
			fail(w, azureError{status: http.StatusMethodNotAllowed, code: "MethodNotAllowed", message: "The sample estate does not answer to " + r.Method + " here."})
			return
		}
		fail(w, azureError{status: http.StatusNotFound, code: "InvalidResourceType",
			message: "The resource type could not be found, or is not part of the sample estate: '" + r.URL.Path + "'."})
	})
}

// admit checks what ARM checks of every request: the token, the API version,
// the subscription, and its limits.
func (e *Estate) admit(w http.ResponseWriter, r *request) bool {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("x-ms-request-id", newGUID())
	h.Set("x-ms-correlation-request-id", newGUID())
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if problem := e.checkToken(token, e.address); problem != "" {
		h.Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization_uri="%s/%s", error="invalid_token", error_description="%s"`, e.address, tenantID, problem))
		fail(w, azureError{status: http.StatusUnauthorized, code: "AuthenticationFailed", message: "Authentication failed. " + problem})
		return false
	}
	if r.query("api-version") == "" {
		fail(w, azureError{status: http.StatusBadRequest, code: "MissingApiVersionParameter", message: "The api-version query parameter (?api-version=) is required for all requests."})
		return false
	}
	if s, ok := r.vars["subscription"]; ok && !slices.ContainsFunc(subscriptions(), func(known subscription) bool { return strings.EqualFold(s, known.id) }) {
		fail(w, azureError{status: http.StatusNotFound, code: "SubscriptionNotFound", message: "The subscription '" + s + "' could not be found."})
		return false
	}
	own := e.allowances[strings.ToLower(r.vars["subscription"])]
	limit, kind := &own.reads, "reads"
	if r.Method != http.MethodGet {
		limit, kind = &own.writes, "writes"
	}
	return e.within(w, limit, azureError{code: "TooManyRequests",
		message: "The request is being throttled as the limit has been reached for operation type - " + kind + ". For more information, see - https://aka.ms/srpthrottlinglimits"})
}

// within takes a token of the bucket, or answers 429.
func (e *Estate) within(w http.ResponseWriter, b *bucket, refusal azureError) bool {
	wait, ok := b.take(time.Now())
	if !ok {
		e.throttled.Add(1)
		e.options.Log("throttled: %s", refusal.message)
		refusal.status = http.StatusTooManyRequests
		refusal.retryAfter = max(1, int(math.Ceil(wait.Seconds())))
		fail(w, refusal)
	}
	return ok
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body)
}

func fail(w http.ResponseWriter, e azureError) {
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(e.retryAfter))
	}
	reply(w, e.status, e.body())
}

func (e azureError) body() object {
	body := object{"code": e.code, "message": e.message}
	if e.bare {
		return body
	}
	return object{"error": body}
}

// page answers with a few of the values, and a link to more.
func (e *Estate) page(w http.ResponseWriter, r *request, values []object) {
	size := 3
	if len(values) > 30 {
		size = 50
	}
	var from int
	if token := r.query("$skiptoken"); token != "" {
		if _, err := fmt.Sscanf(token, "%d", &from); err != nil || from < 0 || from > len(values) {
			fail(w, azureError{status: http.StatusBadRequest, code: "InvalidSkipToken", message: "The skip token is not one of ours."})
			return
		}
	}
	to := min(from+size, len(values))
	body := object{"value": values[from:to]}
	if to < len(values) {
		query := url.Values{"api-version": {r.query("api-version")}, "$skiptoken": {fmt.Sprint(to)}}
		for _, keep := range []string{"$expand", "$filter"} {
			if value := r.query(keep); value != "" {
				query.Set(keep, value)
			}
		}
		body["nextLink"] = e.address + r.URL.EscapedPath() + "?" + query.Encode()
	}
	reply(w, http.StatusOK, body)
}

// quiet drops what net/http says of handshakes that clients break off, which
// here is what an audit does.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
