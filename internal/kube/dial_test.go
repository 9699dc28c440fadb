package kube

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
)

// What the other end said before it closed is read also by one who was still
// writing to it.
func TestLastWords(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		other, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(other, "no")
		_, _ = io.ReadFull(other, make([]byte, 1)) // what is left unread makes a reset of the close
		_ = other.Close()
	}()
	c, err := dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw := c.(*conn).Conn
	failed := false
	for start := time.Now(); !failed && time.Since(start) < patience; { // until the system knows of the reset
		n, err := c.Write(make([]byte, 100))
		if n != 100 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		_, err = raw.Write([]byte{0})
		failed = err != nil
	}
	if n, err := c.Write(make([]byte, 100)); n != 100 || err != nil || !failed {
		t.Fatalf("wrote %d, %v", n, err)
	}
	said, _ := io.ReadAll(c)
	if string(said) != "no" {
		t.Errorf("read %q", said)
	}
}

// One who does not read and does not answer is no such case: a deadline passes.
func TestWriteDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(-time.Second))
	if _, err := c.Write([]byte("x")); !collect.TimedOut(err) {
		t.Errorf("got %v", err)
	}
}
