package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// operations are the long-running operations that can be asked about.
type operations struct {
	running sync.WaitGroup

	mu     sync.Mutex
	byID   map[string]*operation
	closed bool // nothing more may start
}

// Operations that nobody can still be waiting for are forgotten.
const operationLife = 2 * time.Hour

// operation is one run of a script.
type operation struct {
	id, key string
	machine *machine
	started time.Time
	hang    bool
	again   bool

	mu     sync.Mutex
	polled bool // it was InProgress at least once
	ended  time.Time
	values []object
	failed *azureError
}

// runCommand takes a script, in the order in which Azure looks: may you, are
// there too many, is the machine up, is it busy.
func (e *Estate) runCommand(w http.ResponseWriter, r *request, m *machine) {
	var asked struct {
		CommandID  string            `json:"commandId"`
		Script     []string          `json:"script"`
		Parameters []json.RawMessage `json:"parameters"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		fail(w, azureError{status: http.StatusBadRequest, code: "InvalidRequestContent", message: "The request content was invalid and could not be deserialized."})
		return
	}
	script := strings.Join(asked.Script, "\n")
	if refusal := e.refuse(m, asked.CommandID, script, len(asked.Parameters)); refusal != nil {
		e.options.Log("%s: refused a script: %s", m.name, refusal.code)
		fail(w, *refusal)
		return
	}
	tooMany := azureError{code: "OperationNotAllowed", message: "The server rejected the request because too many requests have been received for this subscription."}
	if !e.within(w, &e.allowances[m.cluster.subscriptionID()].runs, tooMany) || !e.within(w, &m.runs, tooMany) {
		return
	}
	if refusal := m.begin(); refusal != nil {
		fail(w, *refusal)
		return
	}
	o := e.operations.begin(m, func(o *operation) { e.finish(o, script) })
	if o == nil {
		fail(w, azureError{status: http.StatusServiceUnavailable, code: "ServiceUnavailable", message: "The sample estate is being closed."})
		return
	}
	for name, url := range map[string]string{"azure-asyncoperation": e.operationURL(r, o, ""), "location": e.operationURL(r, o, "&monitor=true")} {
		w.Header().Set(name, url)
	}
	w.Header().Set("x-ms-ratelimit-remaining-resource", "Microsoft.Compute/UpdateVM3Min;238,Microsoft.Compute/UpdateVM30Min;1197")
	e.hurry(w)
	w.WriteHeader(http.StatusAccepted)
}

// refuse says why a script may not run here at all. That is this estate's own
// rule: Azure would run anything.
func (e *Estate) refuse(m *machine, command, script string, parameters int) *azureError {
	want := "RunShellScript"
	if m.pool.osType() == "Windows" {
		want = "RunPowerShellScript"
	}
	switch {
	case !strings.EqualFold(command, want):
		return &azureError{status: http.StatusBadRequest, code: "BadRequest", message: "The command id '" + command + "' is not for a " + m.pool.osType() + " machine; use '" + want + "'."}
	case parameters > 0:
		return &azureError{status: http.StatusBadRequest, code: "InvalidParameter", message: "The sample estate takes no parameters."}
	case !e.allowed(m, script):
		return &azureError{status: http.StatusForbidden, code: "ScriptNotAllowed", message: "This is a sample estate that runs scripts as you, on your machine: " +
			"it executes akscert's own node script only. Start it with --allow-any-script to run others."}
	}
	return nil
}

// begin takes the machine, or says why not.
func (m *machine) begin() *azureError {
	m.mu.Lock()
	defer m.mu.Unlock()
	refusal := m.fault.refuse
	if m.off() {
		refusal = notRunning().refuse
	} else if refusal != nil && m.fault.times > 0 {
		m.attempts++
		if m.attempts%(m.fault.times+1) == 0 {
			refusal = nil
		}
	}
	if refusal == nil && m.busy {
		refusal = inProgress()
	}
	if refusal != nil {
		about := refusal.about(m)
		return &about
	}
	// A script that hangs would keep its machine busy, and a second audit would
	// then see something else than the first. So it does not.
	m.busy = !m.fault.hang
	return nil
}

// begin notes an operation and starts what it does; nil once the estate closes.
func (o *operations) begin(m *machine, do func(*operation)) *operation {
	made := &operation{id: newGUID(), key: newGUID(), machine: m, started: time.Now(), hang: m.fault.hang, again: m.fault.again}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID == nil {
		o.byID = map[string]*operation{}
	}
	for id, old := range o.byID {
		if time.Since(old.started) > operationLife {
			delete(o.byID, id)
		}
	}
	if o.closed {
		return nil
	}
	o.byID[made.id] = made
	o.running.Go(func() { do(made) })
	return made
}

// close waits for what runs.
func (o *operations) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.running.Wait()
}

// finish runs the script, and gives back the machine.
func (e *Estate) finish(o *operation, script string) {
	m := o.machine
	if o.hang {
		return
	}
	values, failed := e.outcome(m, script)
	if wait := e.options.Latency - time.Since(o.started); wait > 0 {
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
		}
	}
	m.mu.Lock()
	m.busy = false
	m.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values, o.failed, o.ended = values, failed, time.Now()
}

// outcome is what comes back from a run.
func (e *Estate) outcome(m *machine, script string) ([]object, *azureError) {
	f := m.fault
	switch {
	case f.fail != nil:
		about := f.fail.about(m)
		return nil, &about
	case f.empty:
		return []object{}, nil
	case f.message != "":
		return linuxValues(f.message), nil
	}
	run := e.run
	if m.pool.osType() == "Windows" {
		run = e.recall
	}
	keep := tailBytes
	if f.keep > 0 {
		keep = f.keep
	}
	started := time.Now()
	stdout, stderr, err := run(m, script, keep)
	if err != nil {
		e.options.Log("%s: %v", m.name, err)
		return nil, &azureError{status: http.StatusConflict, code: "VMExtensionProvisioningTimeout",
			message: "Provisioning of VM extension RunCommandLinux has timed out. Extension provisioning has taken too long to complete."}
	}
	e.options.Log("%s: ran the script in %s", m.name, time.Since(started).Round(time.Millisecond))
	if m.pool.osType() == "Windows" {
		return []object{value("ComponentStatus/StdOut/succeeded", stdout), value("ComponentStatus/StdErr/succeeded", stderr)}, nil
	}
	return linuxValues("Enable succeeded: \n[stdout]\n" + stdout + "\n[stderr]\n" + stderr), nil
}

func value(code, message string) object {
	return object{"code": code, "level": "Info", "displayStatus": "Provisioning succeeded", "message": message}
}

func linuxValues(message string) []object {
	return []object{value("ProvisioningState/succeeded", message)}
}

func (e *Estate) operationURL(r *request, o *operation, monitor string) string {
	return fmt.Sprintf("%s/subscriptions/%s/providers/Microsoft.Compute/locations/%s/operations/%s?p=%s%s&api-version=%s",
		e.address, o.machine.cluster.subscriptionID(), o.machine.cluster.location, o.id, o.key, monitor, r.query("api-version"))
}

// operation answers how a run stands, or with monitor=true its result.
func (e *Estate) operation(w http.ResponseWriter, r *request) {
	e.operations.mu.Lock()
	o := e.operations.byID[strings.ToLower(r.vars["operation"])]
	e.operations.mu.Unlock()
	if o == nil || r.query("p") != o.key {
		fail(w, azureError{status: http.StatusNotFound, code: "NotFound", message: "The entity was not found in this Azure location."})
		return
	}
	if !e.within(w, &o.machine.polls, azureError{code: "TooManyRequests", message: "The server rejected the request because too many requests have been received for this operation."}) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	done := !o.ended.IsZero() && o.polled
	o.polled = true
	if r.query("monitor") == "true" {
		e.result(w, r, o, done)
		return
	}
	body := object{"startTime": o.started.UTC().Format(time.RFC3339Nano), "status": "InProgress", "name": o.id}
	switch {
	case !done:
	case o.failed != nil:
		body["status"] = "Failed"
		body["endTime"] = o.ended.UTC().Format(time.RFC3339Nano)
		body["error"] = object{"code": o.failed.code, "message": o.failed.message}
	default:
		body["status"] = "Succeeded"
		body["endTime"] = o.ended.UTC().Format(time.RFC3339Nano)
		if len(o.values) > 0 && !o.again {
			body["properties"] = object{"output": object{"value": o.values}}
		}
	}
	e.hurry(w)
	reply(w, http.StatusOK, body)
}

// hurry asks not to be waited for where nothing takes time. Azure says no such
// thing, and its clients then wait some 20 seconds: with a latency given, nor
// does the sample.
func (e *Estate) hurry(w http.ResponseWriter) {
	if e.options.Latency == 0 {
		w.Header().Set("Retry-After-Ms", "200")
	}
}

func (e *Estate) result(w http.ResponseWriter, r *request, o *operation, done bool) {
	switch {
	case !done || o.again:
		w.Header().Set("location", e.operationURL(r, o, "&monitor=true"))
		w.WriteHeader(http.StatusAccepted)
	case o.failed != nil:
		fail(w, *o.failed)
	default:
		reply(w, http.StatusOK, object{"value": o.values})
	}
}
