package demo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	shell = "/bin/sh"

	// Azure brings back this much of each stream, from its end.
	tailBytes = 4096

	// Azure gives a script 90 minutes. Nobody waits so long for a sample.
	scriptTimeout = 2 * time.Minute
)

// tail keeps the last bytes written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*tailBytes {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) last(n int) string {
	return string(t.kept[max(0, len(t.kept)-n):])
}

// allowed says whether a script may run here. A shell's $(…) drops the last
// line's end, so that does not count.
func (e *Estate) allowed(m *machine, script string) bool {
	if e.options.AllowAnyScript {
		return true
	}
	scripts := e.options.AllowedScripts
	if m.pool.osType() == "Windows" {
		scripts = e.options.AllowedWindows
	}
	for _, allowed := range scripts {
		if strings.TrimRight(allowed, "\n") == strings.TrimRight(script, "\n") {
			return true
		}
	}
	return false
}

// run runs a script on a node: in its directory, with little environment, and
// with a limit of its own. Whatever it started ends with it. As on Azure, how
// it went shows in nothing but its output.
func (e *Estate) run(m *machine, script string, keep int) (stdout, stderr string, err error) {
	if said, ok := m.rehearsed[script]; ok {
		return said.stdout[max(0, len(said.stdout)-keep):], said.stderr, nil
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-e.ctx.Done():
		return "", "", e.ctx.Err()
	}
	dir, err := m.disk()
	if err != nil {
		return "", "", err
	}
	file, err := e.scriptFile(script)
	if err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.scriptTimeout)
	defer cancel()
	var out, problems tail
	cmd := exec.CommandContext(ctx, shell, file, dir) // #nosec G204 -- running the allowed script is the job
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "AKSCERT_ROOT=" + dir}
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	err = cmd.Run()
	if cmd.Process == nil {
		return "", "", fmt.Errorf("running a script on %q: %w", m.name, err)
	}
	_ = killGroup(cmd) // what it left in the background
	if err := ctx.Err(); err != nil {
		return "", "", fmt.Errorf("running a script on %q: %w", m.name, err)
	}
	return out.last(keep), problems.last(tailBytes), nil
}

// printed is what a script once printed.
type printed struct{ stdout, stderr string }

// rehearse runs every allowed script on every Linux node.
func (e *Estate) rehearse() error {
	var running sync.WaitGroup
	problems := make(chan error, len(e.byID)*len(e.options.AllowedScripts))
	for _, m := range e.byID {
		if m.pool.osType() == "Windows" {
			continue
		}
		running.Go(func() {
			kept := map[string]printed{}
			for _, script := range e.options.AllowedScripts {
				stdout, stderr, err := e.run(m, script, tailBytes)
				if err != nil {
					problems <- err
				}
				kept[script] = printed{stdout, stderr}
			}
			m.rehearsed = kept
		})
	}
	running.Wait()
	close(problems)
	return <-problems // nil where there is none
}

// recall is what a script printed on a Windows node once: there is no
// PowerShell to run here.
func (e *Estate) recall(m *machine, _ string, keep int) (stdout, stderr string, err error) {
	dir, err := m.disk()
	if err != nil || e.options.WindowsAnswer == nil {
		return "", "", err
	}
	stdout = e.options.WindowsAnswer(dir)
	return stdout[max(0, len(stdout)-keep):], "", nil
}

// scriptFile is a file with this script in it, named for its content.
func (e *Estate) scriptFile(script string) (string, error) {
	e.scripts.Lock()
	defer e.scripts.Unlock()
	path := filepath.Join(e.dir, fmt.Sprintf("script-%x.sh", sha256.Sum256([]byte(script))))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		return "", fmt.Errorf("keeping a script: %w", err)
	}
	return path, nil
}
