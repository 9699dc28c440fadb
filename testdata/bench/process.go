package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// run is what one run of a program took.
type run struct {
	wall   time.Duration
	cpu    time.Duration
	memory int64 // the most bytes it had resident
	code   int
	stdout string // the files that it wrote
	stderr string
}

// measure runs a program to its end. Its output goes to files.
//
// What Linux tells as a child's largest resident set begins with that of the
// process that started it, which fork leaves there. So nothing large is held
// here: whatever has to be read or made in bulk, a child does.
func (b *bench) measure(ctx context.Context, environment []string, name string, args ...string) (run, error) {
	b.runs++
	r := run{stdout: filepath.Join(b.dir, fmt.Sprintf("%03d.out", b.runs)), stderr: filepath.Join(b.dir, fmt.Sprintf("%03d.err", b.runs))}
	out, err := os.Create(r.stdout)
	if err != nil {
		return r, err
	}
	defer out.Close()
	errs, err := os.Create(r.stderr)
	if err != nil {
		return r, err
	}
	defer errs.Close()
	c := exec.CommandContext(ctx, name, args...)
	c.Env, c.Stdout, c.Stderr = append(b.environment(), environment...), out, errs
	start := time.Now()
	err = c.Run()
	r.wall = time.Since(start)
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return r, err
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	state := c.ProcessState
	r.code, r.cpu = state.ExitCode(), state.UserTime()+state.SystemTime()
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		r.memory = usage.Maxrss << 10
	}
	return r, nil
}

// environment is a plain one: no proxy, no kubeconfig, no identity of whoever
// measures.
func (b *bench) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "KUBECONFIG=" + filepath.Join(b.dir, "none"), "LC_ALL=C", "AKSCERT_PROFILE=" + b.profiles}
}

// tail is the end of a file, for an error.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-1000):])
}

// helper is a process of this very program, which does one thing beside what is
// measured. It speaks in lines, and ends when its standard input does.
type helper struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

func (b *bench) help(ctx context.Context, args ...string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &helper{command: exec.CommandContext(ctx, self, args...)}
	h.command.Env, h.command.Stderr = b.environment(), os.Stderr
	in, err := h.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.out = in, bufio.NewScanner(out)
	return h, h.command.Start()
}

// line is the next one that it says.
func (h *helper) line() (string, error) {
	if !h.out.Scan() {
		return "", fmt.Errorf("%s ended early: %w", h.command.Args[1], errors.Join(h.out.Err(), h.command.Wait()))
	}
	return h.out.Text(), nil
}

// end ends it, and returns the last line that it says.
func (h *helper) end() (last string, err error) {
	h.in.Close()
	for h.out.Scan() {
		last = h.out.Text()
	}
	return last, h.command.Wait()
}

// ask is for a helper with one line to say.
func (b *bench) ask(ctx context.Context, args ...string) (string, error) {
	h, err := b.help(ctx, args...)
	if err != nil {
		return "", err
	}
	return h.end()
}
