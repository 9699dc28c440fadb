package azure

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// runningScript is what Run's errors begin with.
const runningScript = "running the script"

// maxBusy bounds how often a busy machine is asked again; each wait is longer.
const maxBusy = 30

// Run runs the lines of script as root (or SYSTEM) on a machine and brings back
// what it printed: its last 4,096 bytes, and no exit status. A machine where
// another run-command is under way is asked again until ctx's deadline.
func (c *Client) Run(ctx context.Context, m target.Machine, script []string) (string, error) {
	id, err := arm.ParseResourceID(m.ResourceID)
	if err != nil {
		return "", &Error{Reason: report.ReasonMalformed, Message: "running the script: the machine's resource id cannot be read"}
	}
	s, err := c.services(id.SubscriptionID)
	if err != nil {
		return "", err
	}
	a := asking{runningScript, "Microsoft.Compute/virtualMachines/runCommand/action", "Virtual Machine Contributor"}
	if onScaleSet(id) {
		a.permission = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action"
	}
	wait := 2 * c.pollEvery
	for try := 1; ; try++ {
		out, err := c.runOnce(ctx, s, id, m, script, a)
		busy, _ := errors.AsType[*Error](err)
		if busy == nil || busy.Reason != report.ReasonBusy || try == maxBusy {
			return out, err
		}
		if deadline, ok := ctx.Deadline(); ok && c.now().Add(wait).After(deadline) {
			return "", err
		}
		// Several audits of one cluster must not come back all at once.
		if c.sleep(ctx, wait*3/4+rand.N(wait/4+1)) != nil { //nolint:gosec // G404: no secret, only a spread
			return "", ended(ctx, a.what)
		}
		wait = min(wait+wait/2, 8*c.pollEvery)
	}
}

func onScaleSet(id *arm.ResourceID) bool {
	return id.Parent != nil && strings.EqualFold(id.Parent.ResourceType.String(), "Microsoft.Compute/virtualMachineScaleSets")
}

// Running lists the machines that were handed a script and have not said that
// they are done with it, by name. A run-command cannot be cancelled.
func (c *Client) Running() []target.Machine {
	c.mu.Lock()
	defer c.mu.Unlock()
	var machines []target.Machine
	for _, m := range c.running {
		machines = append(machines, m)
	}
	slices.SortFunc(machines, func(a, b target.Machine) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.ResourceID, b.ResourceID))
	})
	return machines
}

// mark notes that m may be running the script; unmark, that it does not.
func (c *Client) mark(m target.Machine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[strings.ToLower(m.ResourceID)] = m
}

func (c *Client) unmark(m target.Machine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, strings.ToLower(m.ResourceID))
}

func (c *Client) runOnce(ctx context.Context, s *services, id *arm.ResourceID, m target.Machine, script []string, a asking) (string, error) {
	input := armcompute.RunCommandInput{CommandID: to.Ptr("RunShellScript"), Script: to.SliceOfPtrs(script...)}
	if strings.EqualFold(m.OS, "Windows") {
		input.CommandID = to.Ptr("RunPowerShellScript")
	}
	call := &call{machine: strings.ToLower(m.ResourceID), onSend: func() { c.mark(m) }, onRefuse: func() { c.unmark(m) }}
	var accepted *http.Response
	inside := policy.WithCaptureResponse(context.WithValue(ctx, callKey{}, call), &accepted)
	var values []*armcompute.InstanceViewStatus
	var done bool
	var err error
	if onScaleSet(id) {
		var poller *runtime.Poller[armcompute.VirtualMachineScaleSetVMsClientRunCommandResponse]
		if poller, err = s.instances.BeginRunCommand(inside, id.ResourceGroupName, id.Parent.Name, id.Name, input, nil); err == nil {
			values, done, err = await(inside, c, poller, accepted, func(r armcompute.VirtualMachineScaleSetVMsClientRunCommandResponse) []*armcompute.InstanceViewStatus {
				return r.Value
			})
		}
	} else {
		var poller *runtime.Poller[armcompute.VirtualMachinesClientRunCommandResponse]
		if poller, err = s.vms.BeginRunCommand(inside, id.ResourceGroupName, id.Name, input, nil); err == nil {
			values, done, err = await(inside, c, poller, accepted, func(r armcompute.VirtualMachinesClientRunCommandResponse) []*armcompute.InstanceViewStatus {
				return r.Value
			})
		}
	}
	if err != nil {
		return "", c.abandoned(m, done, c.fail(ctx, a, err))
	}
	c.unmark(m)
	out, failure := stdout(values)
	if failure != nil {
		return "", c.fail(ctx, a, failure)
	}
	return out, nil
}

// await polls an operation that was accepted: first when the answer can be
// there, then every few seconds, or when Azure says. It does not say for a
// run-command, as recorded; the first answer comes after some 20 s. done says
// that Azure told how it ended.
//
// The answer that says so has the output too, as recorded. That saves the SDK's
// third read, for the result: of a thousand machines, 40 s of ARM's allowance.
func await[T any](ctx context.Context, c *Client, poller *runtime.Poller[T], accepted *http.Response, of func(T) []*armcompute.InstanceViewStatus) (values []*armcompute.InstanceViewStatus, done bool, err error) {
	var last *http.Response
	for wait := said(accepted, c.firstPoll, c.now()); !poller.Done(); {
		if err := c.sleep(ctx, wait); err != nil {
			return nil, false, err
		}
		if last, err = poller.Poll(ctx); err != nil { //nolint:bodyclose // the SDK's pipeline has read and closed it
			return nil, false, err
		}
		wait = said(last, c.pollEvery, c.now())
	}
	if values := output(last); len(values) > 0 {
		return values, true, nil
	}
	result, err := poller.Result(ctx)
	return of(result), true, err
}

// output is what an operation that succeeded says of its output; nil where it
// does not, or not in the shape of today.
func output(resp *http.Response) []*armcompute.InstanceViewStatus {
	if resp == nil {
		return nil
	}
	var operation struct {
		Status     string
		Properties struct{ Output armcompute.RunCommandResult }
	}
	if runtime.UnmarshalAsJSON(resp, &operation) != nil || !strings.EqualFold(operation.Status, "Succeeded") {
		return nil
	}
	return operation.Properties.Output.Value
}

// said is how long resp asks to wait, or otherwise where it does not say.
func said(resp *http.Response, otherwise time.Duration, now time.Time) time.Duration {
	if wait := retryAfter(resp, now); wait > 0 {
		return wait
	}
	return otherwise
}

// abandoned keeps the machine on the list of those that may still run the
// script, and says so, unless Azure refused it or told how it ended.
func (c *Client) abandoned(m target.Machine, done bool, failure error) error {
	if done {
		c.unmark(m)
	}
	c.mu.Lock()
	_, running := c.running[strings.ToLower(m.ResourceID)]
	c.mu.Unlock()
	e, ok := errors.AsType[*Error](failure)
	if !running || !ok {
		return failure
	}
	told := *e
	told.Message += "; the script may still be running there"
	return &told
}
