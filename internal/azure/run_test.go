package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

var node0 = target.Machine{Node: "aks-np-1-vmss000000", Pool: "np", OS: "Linux", ResourceID: nodes + "/virtualMachineScaleSets/aks-np-1-vmss/virtualMachines/0"}

const (
	post      = "POST " + nodes + "/virtualMachineScaleSets/aks-np-1-vmss/virtualMachines/0/runCommand"
	operation = "/subscriptions/" + sub + "/providers/Microsoft.Compute/locations/westus/operations/1"
	monitor   = "GET " + operation + "?monitor=true"
)

func accepted() reply {
	return reply{status: http.StatusAccepted, header: map[string]string{
		"azure-asyncoperation": "HOST" + operation + "?api-version=1", "location": "HOST" + operation + "?monitor=true&api-version=1"}}
}

func framed(out, errs string) string {
	message, _ := json.Marshal("Enable succeeded: \n[stdout]\n" + out + "\n[stderr]\n" + errs)
	return `{"value":[{"code":"ProvisioningState/succeeded","level":"Info","message":` + string(message) + `}]}`
}

// The flows that public test suites recorded from Azure, driven by the SDK.
func TestRunReplaysRecordings(t *testing.T) {
	for file, want := range map[string]string{
		"azcli-vm-runcommand-parameters-2022.json": "/var/lib/waagent/run-command/download/0/script.sh hello\n",
		"azcli-vmss-runcommand-2019.json":          "4 (2.12.6-0ubuntu2) ...\r\nSelecting",
	} {
		t.Run(file, func(t *testing.T) {
			var flow struct {
				Exchanges []struct {
					Method, URI, Body string
					Status            int
					Headers           map[string]string
				}
			}
			recording(t, file, &flow)
			a, id := serve(t), ""
			replies := map[string][]reply{}
			for _, e := range flow.Exchanges {
				u, err := url.Parse(e.URI)
				if err != nil {
					t.Fatal(err)
				}
				key := e.Method + " " + u.Path
				if u.Query().Has("monitor") {
					key += "?monitor=true"
				}
				if e.Method == http.MethodPost {
					id = strings.TrimSuffix(u.Path, "/runCommand")
				}
				r := reply{status: e.Status, header: map[string]string{}, body: e.Body}
				for name, v := range e.Headers {
					if name != "content-length" {
						r.header[name] = strings.ReplaceAll(v, "https://management.azure.com", "HOST")
					}
				}
				replies[key] = append(replies[key], r)
			}
			for key, r := range replies {
				a.on(key, r...)
			}
			clock := newClock()
			c, _ := client(t, a, clock, Config{})
			out, err := c.Run(t.Context(), target.Machine{Node: "n", OS: "Linux", ResourceID: id}, []string{"echo $0", "date"})
			if err != nil || !strings.HasPrefix(out, want) || strings.Contains(out, "[stderr]") {
				t.Errorf("stdout %q, error %v, want %q…", out, err, want)
			}
			if clock.slept[0] != 20*time.Second {
				t.Errorf("first asked after %s", clock.slept[0])
			}
			if want := `{"commandId":"RunShellScript","script":["echo $0","date"]}`; a.bodies[0] != want {
				t.Errorf("posted %s, want %s", a.bodies[0], want)
			}
			if len(c.Running()) != 0 {
				t.Errorf("still running: %v", c.Running())
			}
			for _, asked := range a.asked {
				if strings.Contains(asked, "monitor=true") {
					t.Error("the result was asked for, and the operation had told it")
				}
			}
		})
	}
}

// What Azure says instead of an answer, to the POST or at the end.
func TestRunFailures(t *testing.T) {
	deny := reply{status: 403, body: `{"error":{"code":"DenyAssignmentAuthorizationFailed","message":"The client 'x' has permission to perform action 'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action' on scope 'y'; however, the access is denied because of the deny assignment with name 'AKS' and Id 'z'."}}`}
	oldDeny := reply{status: 403, body: strings.ReplaceAll(deny.body, "DenyAssignmentAuthorizationFailed", "AuthorizationFailed")}
	for name, test := range map[string]struct {
		post, poll, final reply
		reason            report.Reason
		says              string
		hints             string
	}{
		"deny assignment":     {post: deny, reason: report.ReasonLockedDown, says: "deny assignment", hints: "locked down"},
		"deny assignment old": {post: oldDeny, reason: report.ReasonLockedDown, hints: "locked down"},
		"disabled": {post: reply{status: 409, body: `{"error":{"code":"ReadOnlyDisabledSubscription","message":"The subscription is disabled and therefore marked as read only."}}`},
			reason: report.ReasonForbidden, says: "marked as read only", hints: "az account list --all"},
		"read-only lock": {post: reply{status: 409, body: `{"error":{"code":"ScopeLocked","message":"locked"}}`}, reason: report.ReasonLockedDown, hints: "az lock list"},
		"forbidden": {post: reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`}, reason: report.ReasonForbidden,
			hints: "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action"},
		"unauthenticated": {post: reply{status: 401, body: `{"error":{"code":"InvalidAuthenticationTokenTenant","message":"no"}}`}, reason: report.ReasonUnauthenticated, hints: "az login"},
		"not running":     {post: body(t, "vm-not-running"), reason: report.ReasonNotRunning, says: "not running"},
		"gone":            {post: reply{status: 404, body: `{"error":{"code":"ResourceNotFound","message":"no"}}`}, reason: report.ReasonNotFound},
		"busy, unwrapped": {post: reply{status: 409, body: `{"code":"Conflict","message":"Run command extension execution is in progress."}`}, reason: report.ReasonBusy, says: "Conflict: Run command extension"},
		"agent":           {poll: body(t, "async-failed-no-output"), reason: report.ReasonAgentNotReady, says: "VMExtensionProvisioningError"},
		"agent, streams":  {poll: body(t, "async-failed-with-streams"), reason: report.ReasonAgentNotReady, says: "[stdout] [stderr] /bin/sh"},
		"agent, nested":   {poll: body(t, "deploymentfailure-nested-details"), reason: report.ReasonAgentNotReady, says: "ResourceDeploymentFailure, VMExtensionProvisioningError: The resource"},
		"agent status": {poll: ok(`{"status":"Failed","error":{"code":"VMAgentStatusCommunicationError","message":"no"}}`),
			reason: report.ReasonAgentNotReady},
		"told, but failed": {poll: ok(`{"status":"Failed","properties":{"output":` + framed("x", "") + `},"error":{"code":"VMExtensionProvisioningError","message":"no"}}`), reason: report.ReasonAgentNotReady},
		"told, nothing":    {poll: ok(`{"status":"Succeeded","properties":{"output":{"value":[]}}}`), final: ok(`{}`), reason: report.ReasonMalformed, says: "empty answer"},
		"202 again":        {final: reply{status: 202}, reason: report.ReasonMalformed, says: "empty answer"},
		"empty object":     {final: ok(`{}`), reason: report.ReasonMalformed, says: "empty answer"},
		"no content":       {final: reply{status: 204}, reason: report.ReasonMalformed, says: "empty answer"},
		"output array":     {final: body(t, "old-shape-output-is-array"), reason: report.ReasonMalformed},
		"not an object":    {final: ok(`["x"]`), reason: report.ReasonMalformed, says: "documents"},
		"portal page":      {final: ok(`<html>` + secret), reason: report.ReasonMalformed, says: "documents"},
		"nothing ran":      {final: ok(`{"value":[{"message":"Enable succeeded: Last script execution didn't finish."}]}`), reason: report.ReasonMalformed, says: "didn't finish"},
		"failed value":     {final: ok(`{"value":[{"code":"ProvisioningState/failed/1","message":"x"}]}`), reason: report.ReasonAgentNotReady},
		"server error":     {post: reply{status: 500, body: `{"error":{"code":"InternalServerError","message":"Bearer ` + secret + `"}}`}, reason: report.ReasonUnreachable},
		"link elsewhere":   {post: reply{status: 202, header: map[string]string{"Location": "https://example.com/x"}}, reason: report.ReasonMalformed, says: "another host"},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t)
			a.on(post, orReply(test.post, accepted()))
			a.on("GET "+operation, orReply(test.poll, ok(`{"status":"Succeeded"}`)))
			a.on(monitor, orReply(test.final, ok(framed("x", ""))))
			c, _ := client(t, a, newClock(), Config{})
			_, err := c.Run(t.Context(), node0, []string{"x"})
			e := failed(t, err, test.reason)
			if !strings.HasPrefix(e.Message, "running the script: ") || !strings.Contains(e.Message, test.says) || !strings.Contains(e.Hint, test.hints) {
				t.Errorf("message %q, hint %q", e.Message, e.Hint)
			}
			if n, most := a.count(post), map[report.Reason]int{report.ReasonBusy: maxBusy, report.ReasonUnreachable: maxTries}[test.reason]; n > max(most, 1) {
				t.Errorf("%d posts", n)
			}
			if running := len(c.Running()); running != 0 && name != "link elsewhere" {
				t.Errorf("%d still running", running)
			}
		})
	}
}

func orReply(r, otherwise reply) reply {
	if r.status == 0 {
		return otherwise
	}
	return r
}

// What passes by itself is waited out, however long Azure asks for.
func TestRunRetries(t *testing.T) {
	throttled := reply{status: 429, header: map[string]string{"Retry-After": "61"}}
	for name, test := range map[string]struct {
		first, poll []reply
		posts       int
		atLeast     time.Duration
	}{
		"busy":            {first: []reply{body(t, "conflict-in-progress"), body(t, "conflict-in-progress")}, posts: 3, atLeast: 20 * time.Second},
		"throttled":       {first: []reply{throttled}, posts: 2, atLeast: 81 * time.Second},
		"throttled polls": {poll: []reply{throttled, throttled}, posts: 1, atLeast: 142 * time.Second},
		"server errors":   {first: []reply{{status: 503}, {status: 500}}, poll: []reply{{status: 502}}, posts: 3},
		"asks to wait":    {poll: []reply{{status: 200, header: map[string]string{"Retry-After": "90"}, body: `{"status":"InProgress"}`}}, posts: 1, atLeast: 110 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			a, clock := serve(t), newClock()
			a.on(post, append(test.first, accepted())...)
			a.on("GET "+operation, append(test.poll, ok(`{"status":"Succeeded"}`))...)
			a.on(monitor, ok(framed("out", "")))
			c, _ := client(t, a, clock, Config{})
			start := clock.now()
			if out, err := c.Run(t.Context(), node0, []string{"x"}); err != nil || out != "out" {
				t.Fatalf("stdout %q, error %v", out, err)
			}
			if n := a.count(post); n != test.posts {
				t.Errorf("%d posts, want %d", n, test.posts)
			}
			if took := clock.now().Sub(start); took < test.atLeast {
				t.Errorf("took %s, want at least %s", took, test.atLeast)
			}
		})
	}
}

// A wait that does not fit into the time left is not begun.
func TestRunGivesUpInTime(t *testing.T) {
	for name, test := range map[string]struct {
		reply  reply
		reason report.Reason
	}{
		"throttled": {reply{status: 429, header: map[string]string{"Retry-After": "61"}}, report.ReasonThrottled},
		"busy":      {body(t, "conflict-in-progress"), report.ReasonBusy},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t)
			a.on(post, test.reply)
			c, _ := client(t, a, newClock(), Config{})
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
			defer cancel()
			_, err := c.Run(ctx, node0, []string{"x"})
			if e := failed(t, err, test.reason); !e.Retryable {
				t.Error("said not to be worth another try")
			}
			if len(c.Running()) != 0 {
				t.Errorf("still running: %v", c.Running())
			}
		})
	}
}

// A script cannot be called back: who may still run it is said.
func TestRunAbandoned(t *testing.T) {
	for name, test := range map[string]struct {
		cause  error
		reason report.Reason
	}{
		"interrupted": {fmt.Errorf("signal: interrupt"), report.ReasonInterrupted},
		"deadline":    {context.DeadlineExceeded, report.ReasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			a, clock := serve(t), newClock()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			a.on(post, accepted())
			a.on("GET "+operation, ok(`{"status":"InProgress"}`))
			clock.sleep = func(context.Context, time.Duration) {
				if a.count("GET "+operation) == 2 {
					cancel(test.cause)
				}
			}
			c, _ := client(t, a, clock, Config{})
			_, err := c.Run(ctx, node0, []string{"x"})
			if e := failed(t, err, test.reason); !strings.Contains(e.Message, "may still be running") {
				t.Errorf("message %q", e.Message)
			}
			if running := c.Running(); len(running) != 1 || running[0] != node0 {
				t.Errorf("running: %v", running)
			}
		})
	}
	t.Run("never sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c, _ := client(t, serve(t), newClock(), Config{})
		_, err := c.Run(ctx, node0, []string{"x"})
		if e := failed(t, err, report.ReasonInterrupted); strings.Contains(e.Message, "still") || len(c.Running()) != 0 {
			t.Errorf("message %q, running %v", e.Message, c.Running())
		}
	})
}

// Windows has another command, and its result comes at once here, without polling.
func TestRunWindows(t *testing.T) {
	a := serve(t)
	a.on("POST "+nodes+"/virtualMachines/win/runCommand", body(t, "windows-exit1-still-succeeded"))
	c, _ := client(t, a, newClock(), Config{})
	out, err := c.Run(t.Context(), target.Machine{Node: "win", OS: "Windows", ResourceID: nodes + "/virtualMachines/win"}, []string{"x"})
	if err != nil || !strings.HasPrefix(out, "[win-vm] This is script should fail") {
		t.Errorf("stdout %q, error %v", out, err)
	}
	if !strings.Contains(a.bodies[0], "RunPowerShellScript") {
		t.Errorf("posted %s", a.bodies[0])
	}
}
