//go:build unix

package demo

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The script is really executed: it sees its node's files, and where they are.
func TestRunCommand(t *testing.T) {
	e, c := start(t, Options{})
	m := e.machineOf(t, "healthy", 0, 1)
	posted := c.post(strings.ToLower(m.id()), "RunShellScript", allowedScript)
	if posted.status != http.StatusAccepted || posted.text != "" || !strings.Contains(posted.header.Get("Location"), "monitor=true") {
		t.Fatalf("%d %v %q", posted.status, posted.header, posted.text)
	}
	if first := c.do(http.MethodGet, posted.header.Get("Location"), ""); first.status != http.StatusAccepted {
		t.Errorf("the result before it is there: %d %s", first.status, first.text)
	}
	done := c.wait(posted)
	want := "Enable succeeded: \n[stdout]\nbegin\n17\nend\n\n[stderr]\n" + m.dir + "\n"
	if done.str("status") != "Succeeded" || done.message(0) != want {
		t.Errorf("got %v", done.body)
	}
	result := c.do(http.MethodGet, posted.header.Get("Location"), "")
	if result.status != http.StatusOK || !strings.Contains(result.text, `"value":[{`) {
		t.Errorf("the result: %d %s", result.status, result.text)
	}
}

// After a rehearsal nothing runs any more, and the answers are the same.
func TestRehearsed(t *testing.T) {
	e, c := start(t, Options{Rehearsed: true})
	m := e.machineOf(t, "healthy", 0, 1)
	if err := os.RemoveAll(m.dir); err != nil {
		t.Fatal(err)
	}
	want := "Enable succeeded: \n[stdout]\nbegin\n17\nend\n\n[stderr]\n" + m.dir + "\n"
	if a := c.run(m.id(), "RunShellScript", allowedScript); a.message(0) != want {
		t.Errorf("got %v", a.body)
	}
}

func TestRunCommandOnEveryKindOfMachine(t *testing.T) {
	e, c := start(t, Options{WindowsAnswer: func(dir string) string { return filepath.Base(dir) }})
	for _, test := range []struct {
		cluster string
		pool    int
	}{{"legacy", 0}, {"mixed", 0}, {"mixed", 2}, {"mixed", 4}} {
		a := c.run(e.machineOf(t, test.cluster, test.pool, 0).id(), "RunShellScript", allowedScript)
		if !strings.Contains(a.message(0), "begin\n") {
			t.Errorf("%v: %v %s", test, a.body, a.text)
		}
	}
	win := e.machineOf(t, "mixed", 1, 0).id()
	if a := c.run(win, "RunPowerShellScript", allowedScript); a.message(0) != "akswin22000000" || a.message(1) != "" {
		t.Errorf("Windows: %v", a.body)
	}
	if a := c.run(win, "RunShellScript", allowedScript); a.status != http.StatusBadRequest {
		t.Errorf("a shell script on Windows: %d", a.status)
	}
}

// Each fault shows the way it does on Azure, and again the second time.
func TestFaults(t *testing.T) {
	e, c := start(t, Options{})
	for range 2 {
		for i, want := range []string{
			"202 Succeeded", "403 AuthorizationFailed", "409 OperationNotAllowed",
			"409 Conflict, 409 Conflict, 202 Succeeded", "409 Conflict, 202 Succeeded", "429 OperationNotAllowed, 202 Succeeded",
			"202 Failed VMExtensionProvisioningError", "202 Failed VMAgentStatusCommunicationError",
			"202 Succeeded", "202 Succeeded", "202 Succeeded", "404 ResourceNotFound", "202 Succeeded", "202 Succeeded",
		} {
			m := e.machineOf(t, "faulty", 0, i)
			got := story(c, m.id(), strings.Count(want, ",")+1)
			if got != want {
				t.Errorf("%s (%s): %s, want %s", m.name, m.fault.what, got, want)
			}
		}
	}
	if a := c.run(e.machineOf(t, "locked-down", 0, 0).id(), "RunShellScript", allowedScript); !strings.Contains(a.text, "deny assignment") {
		t.Errorf("locked down: %s", a.text)
	}
	for _, off := range []*machine{e.machineOf(t, "stopped", 0, 0), e.machineOf(t, "mixed", 3, 0)} {
		if a := c.run(off.id(), "RunShellScript", allowedScript); a.status != 409 || a.str("error", "code") != "OperationNotAllowed" {
			t.Errorf("%s: %d %s", off.name, a.status, a.text)
		}
	}
	bare := c.post(e.machineOf(t, "faulty", 0, 4).id(), "RunShellScript", allowedScript)
	if bare.str("code") != "Conflict" {
		t.Errorf("a 409 without wrapper: %s", bare.text)
	}
}

func story(c *client, id string, times int) string {
	var parts []string
	for range times {
		posted := c.post(id, "RunShellScript", allowedScript)
		part := fmt.Sprint(posted.status, " ", posted.str("error", "code")+posted.str("code"))
		if posted.status == http.StatusAccepted {
			done := c.wait(posted)
			part = strings.TrimSpace("202 " + done.str("status") + " " + done.str("error", "code"))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// What looks green and is not.
func TestGreenFaults(t *testing.T) {
	script := "echo opening\nyes x | head -c 6000\necho\necho closing"
	e, c := start(t, Options{AllowedScripts: []string{script}})
	for i, test := range map[int]struct{ has, lacks string }{
		0:  {"closing", "opening"}, // more than 4,096 bytes
		8:  {"closing", "opening"},
		9:  {"didn't finish.", "closing"},
		10: {"This is a sample script", "closing"},
		12: {"(none)", "closing"},
		13: {"(none)", "closing"},
	} {
		a := c.run(e.machineOf(t, "faulty", 0, i).id(), "RunShellScript", script)
		if m := a.message(0); !strings.Contains(m, test.has) || strings.Contains(m, test.lacks) {
			t.Errorf("node %d: %q", i, m)
		}
	}
	posted := c.post(e.machineOf(t, "faulty", 0, 13).id(), "RunShellScript", script)
	c.wait(posted)
	if a := c.do(http.MethodGet, posted.header.Get("Location"), ""); a.status != http.StatusAccepted {
		t.Errorf("the result that is never there: %d %s", a.status, a.text)
	}
	hangs := c.post(e.machineOf(t, "stuck", 0, 1).id(), "RunShellScript", script)
	for range 5 {
		if a := c.do(http.MethodGet, hangs.header.Get("Azure-AsyncOperation"), ""); a.str("status") != "InProgress" {
			t.Errorf("the one that never ends: %s", a.text)
		}
	}
}

// One script at a time on a machine, for as long as a run takes.
func TestBusyAndLatency(t *testing.T) {
	e, c := start(t, Options{Latency: 300 * time.Millisecond})
	id := e.machineOf(t, "healthy", 0, 0).id()
	began := time.Now()
	first := c.post(id, "RunShellScript", allowedScript)
	if second := c.post(id, "RunShellScript", allowedScript); second.status != 409 || second.str("error", "code") != "Conflict" {
		t.Errorf("a second script: %d %s", second.status, second.text)
	}
	c.wait(first)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	if third := c.post(id, "RunShellScript", allowedScript); third.status != http.StatusAccepted {
		t.Errorf("afterwards: %d %s", third.status, third.text)
	}
}

// A script is killed at its limit, and when the estate closes, with all that it
// started.
func TestScriptIsKilled(t *testing.T) {
	const script = "sleep 300 & echo $! >pid; sleep 300"
	e, c := start(t, Options{AllowedScripts: []string{script}})
	e.scriptTimeout = 500 * time.Millisecond
	m := e.machineOf(t, "healthy", 0, 0)
	if a := c.run(m.id(), "RunShellScript", script); a.str("error", "code") != "VMExtensionProvisioningTimeout" {
		t.Errorf("at the limit: %v", a.body)
	}
	dead(t, child(t, m))

	e.scriptTimeout = time.Hour
	m = e.machineOf(t, "healthy", 0, 1)
	c.post(m.id(), "RunShellScript", script)
	pid := child(t, m)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	dead(t, pid)
}

// A script that ends leaves nothing in the background.
func TestBackgroundIsKilled(t *testing.T) {
	const script = "sleep 300 >/dev/null 2>&1 & echo $! >pid"
	e, c := start(t, Options{AllowAnyScript: true})
	m := e.machineOf(t, "healthy", 0, 0)
	if a := c.run(m.id(), "RunShellScript", script); a.str("status") != "Succeeded" {
		t.Errorf("got %v", a.body)
	}
	dead(t, child(t, m))
}

func dead(t *testing.T, pid int) {
	t.Helper()
	for range 300 {
		if zombie(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

// zombie says whether a process has ended, though init may not have noticed.
func zombie(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

func child(t *testing.T, m *machine) (pid int) {
	t.Helper()
	for range 500 {
		content, _ := os.ReadFile(filepath.Join(m.dir, "pid"))
		if n, _ := fmt.Sscan(string(content), &pid); n == 1 {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the script did not start")
	return 0
}
