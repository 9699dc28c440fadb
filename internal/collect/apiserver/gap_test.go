package apiserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// readHello reads the client's first record.
func readHello(conn net.Conn) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(conn, header); err != nil {
		return
	}
	io.CopyN(io.Discard, conn, int64(header[3])<<8|int64(header[4]))
}

// answer says what to every hello, and then waits for the client to go.
func answer(what string) func(net.Conn) {
	return func(conn net.Conn) {
		readHello(conn)
		io.WriteString(conn, what)
		io.Copy(io.Discard, conn)
	}
}

func closeAfterHello(conn net.Conn) { readHello(conn) }

func reset(conn net.Conn) {
	readHello(conn)
	conn.(*net.TCPConn).SetLinger(0)
}

func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

// drip announces a long record and sends a byte of it a second.
func drip(conn net.Conn) {
	if _, err := io.WriteString(conn, "\x16\x03\x03\x3f\xff"); err != nil {
		return
	}
	for {
		if _, err := conn.Write([]byte{0}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// flood never stops sending handshake messages that say nothing.
func flood(conn net.Conn) {
	readHello(conn)
	record := append([]byte{recordHandshake, 3, 3, 0x40, 0}, make([]byte, 1<<14)...)
	for {
		if _, err := conn.Write(record); err != nil {
			return
		}
	}
}

// alert is a fatal handshake_failure.
const alert = "\x15\x03\x03\x00\x02\x02\x28"

// noCertificate is a TLS 1.2 ServerHello and an empty Certificate message.
func noCertificate() string {
	hello := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\xc0\x2f" + "\x00" + "\x00\x05\xff\x01\x00\x01\x00"
	messages := "\x02\x00\x00" + string(rune(len(hello))) + hello + "\x0b\x00\x00\x03\x00\x00\x00"
	return "\x16\x03\x03\x00" + string(rune(len(messages))) + messages
}

func wantGap(t *testing.T, gap *collect.Gap, reason report.Reason, retryable bool, says ...string) {
	t.Helper()
	if gap == nil {
		t.Fatalf("no gap, want %s", reason)
	}
	t.Logf("%s: %s\n\thint: %s", gap.Reason, gap.Message, gap.Hint)
	if gap.Reason != reason || gap.Retryable != retryable {
		t.Errorf("reason %s, retryable %v; want %s, %v", gap.Reason, gap.Retryable, reason, retryable)
	}
	for _, s := range says {
		if !strings.Contains(gap.Message, s) {
			t.Errorf("message %q does not say %q", gap.Message, s)
		}
	}
	if gap.Hint == "" || strings.HasSuffix(gap.Message, ".") || len(gap.Message) > 500 {
		t.Errorf("want a hint and a short message without a full stop: %+v", *gap)
	}
	for _, secret := range []string{"hunter2", "alice"} {
		if strings.Contains(gap.Message+gap.Hint, secret) {
			t.Errorf("the gap tells the proxy's user or password: %+v", *gap)
		}
	}
}

func TestDialGap(t *testing.T) {
	tests := []struct {
		name      string
		handle    func(net.Conn)
		reason    report.Reason
		retryable bool
		says      string
	}{
		{"hang", hang, report.ReasonTimeout, true, "not done within 300ms"},
		{"drip", drip, report.ReasonTimeout, true, "not done within 300ms"},
		{"reset", reset, report.ReasonUnreachable, true, "connection reset"},
		{"closed", closeAfterHello, report.ReasonUnreachable, true, "connection closed"},
		{"half a record", func(c net.Conn) { readHello(c); io.WriteString(c, "\x16\x03\x03\x00\x50\x02") }, report.ReasonUnreachable, true, "connection closed"},
		{"plain HTTP", answer("HTTP/1.1 400 Bad Request\r\nX: y\r\n\r\n"), report.ReasonMalformed, false, `plain HTTP: "HTTP/1.1 400 Bad Request"`},
		{"garbage", answer("SSH-2.0-Open\x1b[2J\u202eSSH\r\n"), report.ReasonMalformed, false, `not TLS: "SSH-2.0-Open\x1b[2J\u202eSSH"`},
		{"TLS alert", answer(alert), report.ReasonUnsupported, false, `alert "handshake failure"`},
		{"no certificate", answer(noCertificate()), report.ReasonMalformed, false, "presented no certificate"},
		{"garbage in a record", answer("\x16\x03\x03\x00\x04\x63\x00\x00\x00"), report.ReasonMalformed, false, "message 99 came first"},
		{"flood", flood, report.ReasonMalformed, false, "more than 1024 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Collector{}
			if tt.reason == report.ReasonTimeout {
				c.ConnectTimeout = brief
			}
			left := make(chan struct{}, 9)
			address := serve(t, func(conn net.Conn) { tt.handle(conn); left <- struct{}{} })
			_, gap := dial(t, c, Endpoint{Address: address})
			wantGap(t, gap, tt.reason, tt.retryable, address, tt.says)
			if gap.Location != address {
				t.Errorf("location %q, want %q", gap.Location, address)
			}
			select {
			case <-left:
			case <-time.After(patience):
				t.Error("the server was left with an open connection")
			}
		})
	}
}

func TestDialPlainHTTPServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, gap := dial(t, Collector{}, Endpoint{Address: server.Listener.Addr().String()})
	wantGap(t, gap, report.ReasonMalformed, false, "plain HTTP")
}

// The second way has no time of its own: where the first was refused and the
// second hangs, the first one's answer is told when the time is up.
func TestDialSecondWayHangs(t *testing.T) {
	t.Parallel()
	connections := make(chan int, 9)
	connections <- 1
	address := serve(t, func(conn net.Conn) {
		n := <-connections
		connections <- n + 1
		if n == 1 {
			answer(alert)(conn)
		}
		hang(conn)
	})
	_, gap := dial(t, Collector{ConnectTimeout: 5 * time.Second}, Endpoint{Address: address})
	wantGap(t, gap, report.ReasonUnsupported, false, "alert")
	if n := <-connections; n != 3 {
		t.Errorf("%d connections, want 2", n-1)
	}
}

// refusing is an address that nobody listens on.
func refusing(t *testing.T) string {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return l.Addr().String()
}

func TestDialRefused(t *testing.T) {
	address := refusing(t)
	_, gap := dial(t, Collector{}, Endpoint{Address: address})
	wantGap(t, gap, report.ReasonUnreachable, true, "connecting to "+address+": connection refused")
}

func TestDialDoesNotResolve(t *testing.T) {
	const address = "does-not-exist.invalid:443"
	_, gap := dial(t, Collector{}, Endpoint{Address: address})
	// Whether it is worth trying again depends on who answers here: a name
	// server that knows, or none.
	wantGap(t, gap, report.ReasonUnreachable, gap.Retryable, address, "looking up")
}

// A server that only does pre-shared keys has no certificate and says so.
func TestDialPSKServer(t *testing.T) {
	address := opensslServer(t, t.TempDir(), "-nocert", "-psk", "1234", "-tls1_2", "-cipher", "PSK")
	_, gap := dial(t, Collector{}, Endpoint{Address: address})
	wantGap(t, gap, report.ReasonUnsupported, false, address, "alert")
}

func TestDialNotAnAddress(t *testing.T) {
	for _, address := range []string{"", "host", "host:", ":443", "host:0", "host:65536", "host:https", "a b:443", "h\r\nX:443", "a/b:443", "::1:443", "$(id):443", "a;b:443", "a@b:443"} {
		_, gap := dial(t, Collector{}, Endpoint{Address: address})
		wantGap(t, gap, report.ReasonMalformed, false)
		if strings.ContainsAny(gap.Message, "\r\n") {
			t.Errorf("message is more than a line: %q", gap.Message)
		}
	}
}

// When the run ends it is the run's end that is told, not the server's fault.
func TestDialRunEnds(t *testing.T) {
	address := serve(t, hang)
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(brief/3, func() { cancel(errors.New("a signal")) })
		_, gap := Collector{ConnectTimeout: patience}.Dial(ctx, Endpoint{Address: address})
		wantGap(t, gap, report.ReasonInterrupted, true)
	})
	t.Run("out of time", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), brief/3)
		defer cancel()
		_, gap := Collector{ConnectTimeout: patience}.Dial(ctx, Endpoint{Address: address})
		wantGap(t, gap, report.ReasonTimeout, true, "the run's time")
	})
}

// A chain that was seen counts, whatever became of the connection.
func TestStandardKeepsChainOfFailedHandshake(t *testing.T) {
	leaf := issue(t, "leaf", nil, nil)
	config := &tls.Config{MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}
	conn, err := net.Dial("tcp", serveTLS(t, config, leaf))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	chain, err := standard(t.Context(), conn, "localhost")
	if err == nil {
		t.Error("the handshake did not fail; this test has lost its point")
	}
	wantChain(t, chain, leaf.der)
}
