package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// process is one program of the cluster, its output in a file.
type process struct {
	name string
	log  string
	os   *os.Process
	done chan struct{} // closed when it has ended
}

// start runs a program that dies with us, whatever we die of.
func start(dir, name, binary string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("starting %q: %w", name, err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*") // the programs go to each other alone
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		// The kernel's "parent" is the thread, not the process
		// (golang.org/issue/27505): this one stays until the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		defer log.Close()
		err := cmd.Start()
		p.os = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %q: %w", name, err)
	}
	return p, nil
}

// kill ends the process at once: there is nothing in this cluster to save.
func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.os.Kill() // it may have ended already
	<-p.done
}

// tail is the end of the process's output, under its name.
func (p *process) tail(lines int) string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Sprintf("--- %s: %v\n", p.name, err)
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return fmt.Sprintf("--- %s\n%s\n", p.name, strings.Join(all[max(0, len(all)-lines):], "\n"))
}
