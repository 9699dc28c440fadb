package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// progress is told how far the nodes are. On a terminal it is one line that is
// drawn again; otherwise a line now and then. Before the first script runs it
// says so: it runs as root.
func (j judge) progress() func(done, total, gaps int) {
	if j.quiet {
		return func(int, int, int) {}
	}
	terminal := isTerminal(j.s.err)
	announced, said := 0, 0
	return func(done, total, gaps int) {
		if total > announced {
			fmt.Fprintf(j.s.err, "running a read-only script as root on %s (see akscert node-script; leave out with --sources=-node)\n", some(total-announced, "node"))
			announced = total
		}
		line := fmt.Sprintf("nodes %d/%d", done, total)
		if gaps > 0 {
			line += " · " + some(gaps, "gap")
		}
		switch {
		case terminal:
			fmt.Fprintf(j.s.err, "\r\x1b[K%s", line)
			if done == total {
				fmt.Fprint(j.s.err, "\r\x1b[K")
			}
		case done > 0 && (done == total || done >= said+max(1, total/10)):
			said = done
			fmt.Fprintln(j.s.err, line)
		}
	}
}

func some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
