package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// Request is one thing to ask an API server for.
type Request struct {
	Path   string // from the server's root
	Query  url.Values
	Accept string // the media type; empty for application/json
	Limit  int64  // the most bytes of an answer, unpacked; 0 is 4 MiB

	What     string // how errors call it: "reading the server's version"
	Needs    string // the permission it takes, for the hint of a refusal
	Location string // where the gap is when this alone fails
	// Proxied says that the answer comes from beyond the API server, so that
	// silence says nothing about the server.
	Proxied bool
}

// A server that says when to come back is asked again, but not often, and not
// if that is long: the run has a bound, and whoever waits wants to know.
const (
	maxTries = 3
	maxWait  = 30 * time.Second
)

const (
	maxAnswer  = 4 << 20
	maxRefusal = 64 << 10
)

// Get asks for r and hands the answer to read, which sees no more than r.Limit
// bytes. read is not called for a refusal. What read returns is an answer that
// is not what Kubernetes documents.
func (c *Client) Get(ctx context.Context, r Request, read func(io.Reader) error) error {
	for try := 1; ; try++ {
		wait, err := c.once(ctx, r, read)
		if err == nil {
			return nil
		}
		if wait < 0 || wait > maxWait || try == maxTries {
			return err
		}
		if sleep(ctx, wait) != nil {
			return ended(ctx, c.server)
		}
	}
}

// JSON reads an answer into v.
func JSON(v any) func(io.Reader) error {
	return func(r io.Reader) error { return json.NewDecoder(r).Decode(v) }
}

// once asks once. After a failure, wait says when the server wants to be asked
// again; negative for never. The request's own time begins when it has a token: az
// takes seconds for one, and those are not the server's.
func (c *Client) once(ctx context.Context, r Request, read func(io.Reader) error) (wait time.Duration, failure *Error) {
	done, err := c.door.turns.Take(ctx, &c.turns)
	if err != nil {
		return -1, ended(ctx, c.server)
	}
	defer done()
	token := ""
	if c.credential.token != nil {
		if token, err = c.credential.token(ctx); err != nil {
			return -1, notSigned(ctx, c.server, c.credential.again, err)
		}
	}
	limited := ctx
	if c.door.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, c.door.cfg.Timeout)
		defer cancel()
	}
	a := &attempt{client: c, request: r, ctx: ctx, limited: limited, token: token}
	request, err := a.make()
	if err != nil {
		return -1, &Error{Location: r.Location, Reason: report.ReasonMalformed, Message: r.What + ": the address cannot be asked for"}
	}
	answer, err := c.http.Do(request)
	if err != nil && a.cutShort(err) {
		answer, err = a.overHTTP1()
	}
	if err != nil {
		return -1, a.unanswered(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read as far as it is wanted
	if answer.StatusCode != http.StatusOK {
		return retryAfter(answer), a.refused(answer)
	}
	body := &bounded{r: answer.Body, left: a.limit()}
	err = read(body)
	if body.err != nil || err != nil {
		return -1, a.unread(body.err, err)
	}
	return 0, nil
}

// attempt is one request under way.
type attempt struct {
	client       *Client
	request      Request
	ctx, limited context.Context // the run's, and the request's own
	token        string
	step         atomic.Int32
	fresh        atomic.Bool // it made a connection of its own, for HTTP/2
}

// How far a request has come.
const (
	connecting = iota
	shaking    // hands
	asking
)

func (a *attempt) make() (*http.Request, error) {
	c, r := a.client, a.request
	at := url.URL{Scheme: "https", Host: c.server.address, Path: c.server.prefix + r.Path, RawQuery: r.Query.Encode()}
	ctx := httptrace.WithClientTrace(a.limited, &httptrace.ClientTrace{
		GetConn:           func(string) { a.step.Store(connecting) },
		TLSHandshakeStart: func() { a.step.Store(shaking) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			a.fresh.Store(err == nil && state.NegotiatedProtocol == "h2")
		},
		GotConn: func(httptrace.GotConnInfo) { a.step.Store(asking) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	accept := r.Accept
	if accept == "" {
		accept = "application/json"
	}
	request.Header.Set("Accept", accept)
	if c.door.cfg.UserAgent != "" {
		request.Header.Set("User-Agent", c.door.cfg.UserAgent)
	}
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	return request, nil
}

// cutShort reports whether err is that of a new connection for HTTP/2 which broke
// at once. The server may have refused our certificate there with a TLS alert:
// the HTTP/2 client reads it, and where that is before it has sent its first
// request all that it tells is "client conn could not be established".
func (a *attempt) cutShort(err error) bool {
	return a.fresh.Load() && !over(a.limited) && !collect.TimedOut(err) && alertIn(err) == ""
}

// overHTTP1 asks once more by HTTP/1.1, whose client tells what it read.
func (a *attempt) overHTTP1() (*http.Response, error) {
	client, err := a.client.http1()
	if err != nil {
		return nil, err
	}
	request, err := a.make()
	if err != nil {
		return nil, err
	}
	return client.Do(request)
}

// retryAfter is how long a server asks us to stay away; negative where it does
// not, and then it is not asked again, as in client-go.
func retryAfter(answer *http.Response) time.Duration {
	if answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode < 500 {
		return -1
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 1e6 {
		return -1
	}
	return time.Duration(seconds) * time.Second
}
