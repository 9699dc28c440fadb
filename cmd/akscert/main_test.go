package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// timeout(1) sends a signal twice; two that a person sends are apart.
func TestAgain(t *testing.T) {
	signals := make(chan os.Signal, 2)
	got := make(chan os.Signal, 1)
	go func() { got <- again(signals, syscall.SIGTERM) }()
	signals <- syscall.SIGTERM
	select {
	case s := <-got:
		t.Fatalf("%v, and it was an echo", s)
	case <-time.After(300 * time.Millisecond):
	}
	signals <- syscall.SIGTERM
	if s := <-got; s != syscall.SIGTERM {
		t.Error(s)
	}
	go func() { got <- again(signals, syscall.SIGTERM) }()
	signals <- os.Interrupt
	if s := <-got; s != os.Interrupt {
		t.Error(s)
	}
}
