package kube

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// raw answers with s, after TLS and instead of HTTP.
func raw(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, s)
	}
}

// reset begins an answer and resets the connection.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
	time.Sleep(50 * time.Millisecond) // until that was read
	_ = conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
	_ = conn.(*tls.Conn).NetConn().Close()
}

func status(code int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(fmt.Appendf(nil, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%s,"code":%d}`, must(json.Marshal(message)), code))
	}
}

func hang(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // an empty 200 could still reach a client that is just leaving
}

// drip sends a byte at a time and never ends.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(10 * time.Millisecond)
	}
}

// endless sends as much as is taken.
func endless(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		junk := []byte(strings.Repeat("x", 64<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(junk); err != nil {
				return
			}
		}
	}
}

// bomb is some 1 MiB that unpacks to 1 GiB.
func bomb(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	zeros := make([]byte, 1<<20)
	for range 1 << 10 {
		if _, err := z.Write(zeros); err != nil || r.Context().Err() != nil {
			return
		}
	}
	_ = z.Close()
}

// What a server can answer, and what becomes of it.
func TestAnswers(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		status(500, "you said "+r.Header.Get("Authorization"))(w, r)
	}
	bare := func(w http.ResponseWriter, r *http.Request) {
		status(500, "token="+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))(w, r)
	}
	for name, test := range map[string]struct {
		handle  http.HandlerFunc
		change  []func(*Request)
		reason  report.Reason
		message string // a part of it
		whole   bool
		retry   bool
	}{
		"hang":                 {handle: hang, reason: report.ReasonTimeout, message: "asking ADDRESS: not done within 1s", whole: true, retry: true},
		"hang behind it":       {handle: hang, change: []func(*Request){func(r *Request) { r.Proxied = true }}, reason: report.ReasonTimeout, message: "reading the version: not done within 1s", retry: true},
		"drip":                 {handle: drip, reason: report.ReasonTimeout, message: "the answer was not complete within 1s", retry: true},
		"closed":               {handle: raw(""), reason: report.ReasonUnreachable, message: "asking ADDRESS: connection closed", whole: true, retry: true},
		"garbage":              {handle: raw("SSH-2.0-x " + secret + "\r\n\r\n"), reason: report.ReasonMalformed, message: "its answer is not HTTP", whole: true},
		"half":                 {handle: raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), reason: report.ReasonTruncated, message: "the answer ended in the middle", retry: true},
		"half a chunk":         {handle: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"), reason: report.ReasonTruncated, message: "the answer ended in the middle", retry: true},
		"not gzip":             {handle: raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\nabcdefghijklmnopqrst"), reason: report.ReasonMalformed, message: "cannot be unpacked"},
		"endless":              {handle: endless(200), reason: report.ReasonMalformed, message: "the answer is larger than 4 MiB"},
		"bomb":                 {handle: bomb, reason: report.ReasonMalformed, message: "the answer is larger than 4 MiB"},
		"endless refusal":      {handle: endless(500), reason: report.ReasonUnreachable, message: "the API server answered 500", retry: true},
		"401":                  {handle: status(401, "Unauthorized"), reason: report.ReasonUnauthenticated, message: "the API server refused the kubeconfig's credentials (401)", whole: true},
		"403":                  {handle: status(403, `nodes is forbidden: User "u" cannot list`), reason: report.ReasonForbidden, message: `reading the version: the API server answered 403: nodes is forbidden: User "u" cannot list`},
		"404":                  {handle: status(404, "no"), reason: report.ReasonNotFound, message: "answered 404: no"},
		"404 of something":     {handle: http.NotFound, reason: report.ReasonNotFound, message: "answered 404"},
		"409":                  {handle: status(409, "no"), reason: report.ReasonUnsupported, message: "answered 409"},
		"429":                  {handle: status(429, "slow down"), reason: report.ReasonThrottled, message: "answered 429: slow down", retry: true},
		"503":                  {handle: status(503, "error trying to reach service: dial tcp 10.0.0.4:10250"), reason: report.ReasonUnreachable, message: "answered 503: error trying", retry: true},
		"504":                  {handle: status(504, "late"), reason: report.ReasonTimeout, message: "answered 504: late", retry: true},
		"204":                  {handle: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, reason: report.ReasonMalformed, message: "answered 204"},
		"the token, sent back": {handle: echo, reason: report.ReasonUnreachable, message: "you said Bearer REDACTED", retry: true},
		"the token, bare":      {handle: bare, reason: report.ReasonUnreachable, message: "token=REDACTED", retry: true},
		"reset":                {handle: reset, reason: report.ReasonTruncated, message: "the answer ended in the middle", retry: true},
		"an attack":            {handle: status(500, "\x1b[2J\u202e::error::\nforged "+strings.Repeat("x", 300)), reason: report.ReasonUnreachable, message: `500: \x1b[2J\u202e::error::\nforged xx`, retry: true},
	} {
		for _, protocol := range []string{"1", "2"} {
			t.Run(name+", HTTP/"+protocol, func(t *testing.T) {
				t.Parallel()
				if protocol == "2" && (strings.HasPrefix(test.message, "asking ADDRESS: conn") || name == "garbage" || name == "reset" || strings.HasPrefix(name, "half") || name == "not gzip") {
					t.Skip("cannot be hijacked")
				}
				change := http2
				if protocol == "1" {
					change = askForCertificate
				}
				server := serve(t, test.handle, change)
				limit := patience
				if test.reason == report.ReasonTimeout && !strings.Contains(test.message, "504") {
					limit = brief
				}
				r := Request{}
				for _, c := range test.change {
					c(&r)
				}
				_, err := get(t, client(t, Config{Timeout: limit}, to(server)), r)
				if err == nil {
					t.Fatal("no error")
				}
				want := strings.ReplaceAll(test.message, "ADDRESS", server.address())
				if err.Reason != test.reason || !strings.Contains(err.Message, want) || err.Whole != test.whole || err.Retryable != test.retry {
					t.Errorf("got  %+v\nwant %s", err, want)
				}
				if where := map[bool]string{true: server.address(), false: "/version"}[test.whole]; err.Location != where {
					t.Errorf("location %s, want %s", err.Location, where)
				}
				if len(err.Message) > 400 || strings.ContainsAny(err.Message, "\n\x1b") {
					t.Errorf("message %q", err.Message)
				}
				if test.reason == report.ReasonForbidden && err.Hint != "the user needs get on /version" {
					t.Errorf("hint %q", err.Hint)
				}
			})
		}
	}
}

// A redirect is not followed: the token would go along.
func TestRedirect(t *testing.T) {
	elsewhere := serve(t, ok)
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, code) })
		_, err := get(t, client(t, Config{}, to(server)), Request{})
		if err == nil || err.Reason != report.ReasonMalformed || !strings.Contains(err.Message, "redirects elsewhere") || len(elsewhere.asked()) != 0 {
			t.Errorf("%d: got %+v; asked elsewhere: %d", code, err, len(elsewhere.asked()))
		}
	}
}

// A server that says when to come back is asked again, three times at most, and
// not if that is long.
func TestRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		after string
		fails int32
		want  int32
		good  bool
	}{
		"soon":      {"0", 2, 3, true},
		"too often": {"0", 9, 3, false},
		"a second":  {"1", 1, 2, true},
		"long":      {"3600", 1, 1, false},
		"not said":  {"", 1, 1, false},
		"nonsense":  {"-5", 1, 1, false},
		"a flood":   {"99999999999999999999", 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > test.fails {
					ok(w, r)
					return
				}
				w.Header().Set("Retry-After", test.after)
				status(429, "busy")(w, r)
			})
			_, err := get(t, client(t, Config{}, to(server)), Request{})
			if asked.Load() != test.want || (err == nil) != test.good || err != nil && err.Reason != report.ReasonThrottled {
				t.Errorf("asked %d times, got %v", asked.Load(), err)
			}
		})
	}
}

// The end of the run ends a request, a wait for a turn, and a wait to ask again.
func TestEnd(t *testing.T) {
	wait := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "20")
		status(503, "later")(w, r)
	}
	for name, handle := range map[string]http.HandlerFunc{"hang": hang, "drip": drip, "retry": wait} {
		for kind, reason := range map[string]report.Reason{"deadline": report.ReasonTimeout, "signal": report.ReasonInterrupted} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				server := serve(t, handle)
				c := client(t, Config{Parallel: 1, Timeout: patience}, to(server))
				ctx, cancel := context.WithTimeout(t.Context(), brief)
				if kind == "signal" {
					var signal context.CancelCauseFunc
					ctx, signal = context.WithCancelCause(t.Context())
					time.AfterFunc(brief, func() { signal(errors.New("interrupt")) })
				}
				defer cancel()
				done := make(chan *Error, 2)
				for range 2 { // the other waits for its turn
					go func() {
						_, err := getIn(ctx, t, c, Request{})
						done <- err
					}()
				}
				for range 2 {
					if err := <-done; err == nil || err.Reason != reason || err.Location != server.address() || !strings.HasSuffix(err.Message, "before this was looked at") {
						t.Errorf("got %+v", err)
					}
				}
			})
		}
	}
}

// Who is not there at all.
func TestUnreachable(t *testing.T) {
	listen := func(then func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go then(conn)
			}
		}()
		return l.Addr().String()
	}
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = refusing.Close()
	good := serve(t, ok)
	for name, test := range map[string]struct {
		address string
		reason  report.Reason
		message string
	}{
		"refused":    {refusing.Addr().String(), report.ReasonUnreachable, "connecting to ADDRESS: connection refused"},
		"no name":    {"none.invalid:443", report.ReasonUnreachable, `connecting to ADDRESS: looking up "none.invalid"`},
		"closed":     {listen(func(c net.Conn) { _ = c.Close() }), report.ReasonUnreachable, "shaking hands with ADDRESS: connection "},
		"silent":     {listen(func(net.Conn) {}), report.ReasonTimeout, "shaking hands with ADDRESS: not done within"},
		"not TLS":    {listen(func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example\r\n"); _ = c.Close() }), report.ReasonMalformed, "shaking hands with ADDRESS: its answer is not TLS"},
		"plain HTTP": {listen(func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); _ = c.Close() }), report.ReasonMalformed, "shaking hands with ADDRESS: its answer is not TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			at := to(good)
			at.Cluster = &target.Cluster{Name: "c", File: "kc", Server: "https://" + test.address, CA: at.Cluster.CA}
			_, err := get(t, client(t, Config{Timeout: 2 * time.Second}, at), Request{})
			if err == nil || err.Reason != test.reason || !strings.HasPrefix(err.Message, strings.ReplaceAll(test.message, "ADDRESS", test.address)) || err.Location != test.address || !err.Whole {
				t.Errorf("got %+v", err)
			}
		})
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}
