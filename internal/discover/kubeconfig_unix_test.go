//go:build unix

package discover

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A signal ends the wait for a kubeconfig that is a pipe nobody writes to: it is
// not opened again to find out what is wrong with it.
func TestKubeconfigInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "config")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	signal := errors.New("a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(signal) })
	ended := make(chan error, 1)
	go func() {
		_, _, err := Kubeconfig(ctx, Scope{Kubeconfig: pipe})
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, signal) || !strings.Contains(err.Error(), "reading the kubeconfig") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
}
