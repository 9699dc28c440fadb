package azure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"golang.org/x/time/rate"

	"github.com/akscert/akscert/pkg/report"
)

// door is the policy that every request to ARM goes through: it signs in, keeps
// ARM's and Compute's documented limits on our side, and retries.
type door struct {
	identity *identity
	scope    string
	host     string
	limits   *limits
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
}

func newDoor(c *Client, where place) (*door, error) {
	arm := where.Services[cloud.ResourceManager]
	u, err := url.Parse(arm.Endpoint)
	if err != nil || u.Host == "" {
		return nil, &UsageError{Message: "the cloud has no resource manager endpoint"}
	}
	return &door{identity: c.identity, scope: arm.Audience + "/.default", host: hostOf(u), now: c.now, sleep: c.sleep,
		limits: &limits{buckets: map[string]*rate.Limiter{}, now: c.now, sleep: c.sleep}}, nil
}

// hostOf is the address's host and port, in the one way of writing them.
func hostOf(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Host), ":443") }

// Tries of what may pass by itself. 429 is not among them: it says how long to
// wait, so it is waited out for as long as the run has time.
const (
	maxTries     = 5
	maxThrottled = 60
)

// Do is policy.Policy.
func (d *door) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	if host := hostOf(req.Raw().URL); host != d.host && !strings.HasSuffix(host, "."+d.host) {
		// A page's or an operation's link: the token goes nowhere else.
		return nil, &Error{Reason: report.ReasonMalformed, Message: fmt.Sprintf("refusing to follow a link to another host, %s", clean(host, 120))}
	}
	call, _ := ctx.Value(callKey{}).(*call)
	for try := 1; ; try++ {
		// Before the request's own time starts: az takes seconds to hand out a token.
		if _, err := d.identity.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{d.scope}, EnableCAE: true}); err != nil {
			return nil, err
		}
		if err := d.limits.admit(ctx, req.Raw(), call); err != nil {
			return nil, err
		}
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if call != nil && req.Raw().Method == http.MethodPost {
			call.onSend()
		}
		resp, err := req.Clone(ctx).Next()
		d.limits.told(req.Raw(), resp)
		if call != nil && err == nil && req.Raw().Method == http.MethodPost && resp.StatusCode >= 400 {
			call.onRefuse()
		}
		wait, again := d.retry(resp, err, try)
		if !again || ctx.Err() != nil {
			return resp, err
		}
		if deadline, ok := ctx.Deadline(); ok && d.now().Add(wait).After(deadline) {
			if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
				runtime.Drain(resp)
				return nil, &Error{Reason: report.ReasonThrottled, Code: "TooManyRequests", Retryable: true,
					Message: fmt.Sprintf("Azure is throttling and asks to wait %s, longer than the time left", wait),
					Hint:    "give the run more time with --timeout, or ask for fewer clusters at once"}
			}
			return resp, err
		}
		if resp != nil {
			runtime.Drain(resp)
		}
		if err := d.sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// retry says whether to ask again, and after how long.
func (d *door) retry(resp *http.Response, err error, try int) (time.Duration, bool) {
	backoff := min(500*time.Millisecond<<min(try, 10), 30*time.Second)
	if err != nil {
		var ours *Error
		var final interface{ NonRetriable() }
		var dns *net.DNSError
		if errors.As(err, &ours) || errors.As(err, &final) || untrusted(err) || errors.As(err, &dns) && dns.IsNotFound {
			return 0, false
		}
		return backoff, try < maxTries
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return max(d.retryAfter(resp), backoff), try < maxThrottled
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return max(d.retryAfter(resp), backoff), try < maxTries
	}
	return 0, false
}

func (d *door) retryAfter(resp *http.Response) time.Duration { return retryAfter(resp, d.now()) }

// retryAfter reads when to ask again, in seconds or as a date; zero without it.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp == nil {
		return 0
	}
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.Atoi(resp.Header.Get(name)); err == nil && ms > 0 {
			return min(time.Duration(ms), 24*60*60*1000) * time.Millisecond
		}
	}
	text := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(seconds), 24*60*60) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// call travels in the context of a run-command's requests: Compute counts them
// per machine, and the address that is polled does not name it.
type call struct {
	machine string
	// Called before the script leaves, and when Azure says that it did not run.
	onSend, onRefuse func()
}

type callKey struct{}

// limits are token buckets, one for each thing that Azure counts.
type limits struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	graph   time.Time // when Resource Graph's quota, used up, is filled again
}

// admit waits until Azure would let this request through.
func (l *limits) admit(ctx context.Context, req *http.Request, call *call) error {
	subscription := subscriptionOf(req.URL.Path)
	write := req.Method != http.MethodGet && req.Method != http.MethodHead
	if call != nil && write {
		if err := l.take(ctx, "machine run "+call.machine, perMinute(4), 12); err != nil {
			return err
		}
		if err := l.take(ctx, "run "+subscription, perMinute(500), 1500); err != nil {
			return err
		}
	} else if call != nil {
		if err := l.take(ctx, "machine poll "+call.machine, perMinute(15), 45); err != nil {
			return err
		}
	}
	if isGraph(req) {
		return l.turn(ctx)
	}
	// Azure's 200 and 250, less a second's worth: our bucket fills from when we
	// ask, Azure's from when that arrives, which the first time takes longer.
	if write {
		return l.take(ctx, "write "+subscription, 10, 200-10)
	}
	return l.take(ctx, "read "+subscription, 25, 250-25)
}

// isGraph reports whether a request is a query of Resource Graph, which counts
// queries by user: https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
func isGraph(req *http.Request) bool {
	return strings.EqualFold(req.URL.Path, "/providers/Microsoft.ResourceGraph/resources")
}

// turn waits for a turn with Resource Graph: 15 queries in five seconds, and
// none before the time that it named itself.
func (l *limits) turn(ctx context.Context) error {
	if err := l.take(ctx, "graph", 3, 15); err != nil {
		return err
	}
	l.mu.Lock()
	from := l.graph
	l.mu.Unlock()
	wait := from.Sub(l.now())
	if wait <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && from.After(deadline) {
		return noTurn(ctx)
	}
	return l.sleep(ctx, wait)
}

// told notes what an answer of Resource Graph says of the quota. It may be that
// others query as the same user.
func (l *limits) told(req *http.Request, resp *http.Response) {
	if resp == nil || !isGraph(req) {
		return
	}
	left, err := strconv.Atoi(resp.Header.Get("X-Ms-User-Quota-Remaining"))
	var h, m, s int
	if _, e := fmt.Sscanf(resp.Header.Get("X-Ms-User-Quota-Resets-After"), "%d:%d:%d", &h, &m, &s); e != nil || err != nil || left > 0 {
		return
	}
	after := time.Duration(min(max(h, 0), 24))*time.Hour + time.Duration(min(max(m, 0), 60))*time.Minute + time.Duration(min(max(s, 0), 60))*time.Second
	l.mu.Lock()
	defer l.mu.Unlock()
	l.graph = l.now().Add(after)
}

func perMinute(n float64) rate.Limit { return rate.Limit(n / 60) }

func (l *limits) take(ctx context.Context, name string, every rate.Limit, burst int) error {
	l.mu.Lock()
	bucket := l.buckets[name]
	if bucket == nil {
		bucket = rate.NewLimiter(every, burst)
		l.buckets[name] = bucket
	}
	l.mu.Unlock()
	now := l.now()
	turn := bucket.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && now.Add(wait).After(deadline) {
		turn.CancelAt(now)
		return noTurn(ctx)
	}
	if err := l.sleep(ctx, wait); err != nil {
		turn.CancelAt(l.now())
		return err
	}
	return nil
}

func noTurn(ctx context.Context) error {
	return &Error{Reason: report.ReasonTimeout, Retryable: true,
		Message: "Azure's limits leave no turn for this within the run's time",
		Hint:    moreTime(ctx) + ", or ask for fewer clusters at once"}
}

// subscriptionOf reads the subscription of an ARM path; empty without one.
func subscriptionOf(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts[:len(parts)-1] {
		if strings.EqualFold(part, "subscriptions") {
			return strings.ToLower(parts[i+1])
		}
	}
	return ""
}
