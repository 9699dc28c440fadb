// Akscert tells which certificates an Azure Kubernetes Service cluster lives
// on, when each expires, and what could not be looked at.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := <-signals
		cancel(interrupted{first})
		os.Exit(interrupted{again(signals, first)}.code())
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now()))
}

// again waits for the second signal, which means at once. The same one within an
// instant is not that: timeout(1) signals its child, and then the group that the
// child is in.
func again(signals <-chan os.Signal, first os.Signal) os.Signal {
	const instant = 200 * time.Millisecond
	for began := time.Now(); ; {
		if s := <-signals; s != first || time.Since(began) > instant {
			return s
		}
	}
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal os.Signal }

func (i interrupted) Error() string {
	if i.signal == syscall.SIGTERM {
		return "interrupted by SIGTERM"
	}
	return "interrupted by SIGINT"
}

func (i interrupted) code() int {
	if i.signal == syscall.SIGTERM {
		return report.ExitSIGTERM
	}
	return report.ExitSIGINT
}
