package kube

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// dial is client-go's own, for a conn that reads to its end.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{c}, nil
}

// conn tells nobody that it cannot be written to any more because the other end
// has closed it: what that end said before, a TLS alert as a rule, is still there
// to be read and says why. With TLS 1.3 a client is done with the handshake
// before the server has seen its certificate, and so is already writing when
// the refusal comes.
type conn struct{ net.Conn }

// lastWords is how long one who has closed is still listened to. What it said
// has come before the reset.
const lastWords = time.Second

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		return n, err
	}
	return len(p), c.SetReadDeadline(time.Now().Add(lastWords))
}
