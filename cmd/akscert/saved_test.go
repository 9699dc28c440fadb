package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// A signal ends the wait for a pipe that nobody writes to, the first time.
func TestSavedInterrupted(t *testing.T) {
	for _, command := range []string{"render", "merge"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(interrupted{os.Interrupt}) })
		stdin, never := io.Pipe()
		args := []string{command, "--config", "none", "-"}
		var out, talk bytes.Buffer
		ended := make(chan int, 1)
		go func() { ended <- run(ctx, args, stdin, &out, &talk, time.Now()) }()
		select {
		case code := <-ended:
			if code != 130 || out.Len() > 0 || !strings.Contains(talk.String(), "reading the report stdin: interrupted by SIGINT") {
				t.Errorf("%s: exit code %d, %s%s", command, code, &out, &talk)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s still waits", command)
		}
		_ = never.Close() // ends what still reads
	}
}
