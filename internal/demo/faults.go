package demo

import "strings"

// fault is one way in which asking a node goes wrong. The zero value is none.
// Most are run-command's alone, and the node's kubelet answers.
type fault struct {
	what    string      // in a few words
	refuse  *azureError // what run-command answers instead of 202 …
	times   int         // … so often, then it works, and so on; 0: always
	fail    *azureError // how the operation ends
	message string      // what comes back instead of the script's output
	keep    int         // only so many of the output's last bytes come back
	hang    bool        // the operation never ends, nor do the kubelet's metrics
	empty   bool        // the operation succeeds without any value
	again   bool        // its result is never there: 202 for ever
	gone    bool        // as if deleted since it was listed

	off       bool // the machine is, and its kubelet
	unproxied bool // the API server lets nobody through to the kubelet
}

// azureError is an answer that is none. {scope}, {action} and {vm} are filled in.
type azureError struct {
	status        int
	code, message string
	bare          bool // without the "error" around it
	retryAfter    int  // seconds
}

func (e azureError) about(m *machine) azureError {
	action := "Microsoft.Compute/virtualMachines/runCommand/action"
	if m.set != "" {
		action = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action"
	}
	e.message = strings.NewReplacer("{scope}", m.id(), "{action}", action, "{vm}", m.vm,
		"{group}", m.cluster.nodeGroup(), "{client}", clientID, "{subscription}", m.cluster.inSubscription()).Replace(e.message)
	return e
}

// forbidden is so by both ways to the node.
func forbidden() fault {
	return fault{what: "403 AuthorizationFailed", unproxied: true, refuse: &azureError{status: 403, code: "AuthorizationFailed",
		message: "The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' " +
			"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."}}
}

// lockedDown is what a node resource group with restrictions answers.
func lockedDown() fault {
	return fault{what: "403 deny assignment", refuse: &azureError{status: 403, code: "DenyAssignmentAuthorizationFailed",
		message: "The client '{client}' with object id '{client}' has permission to perform action '{action}' on scope '{scope}'; " +
			"however, the access is denied because of the deny assignment with name 'AKS-managed deny assignment for node resource group {group}' " +
			"and Id '" + denyAssignmentID + "' at scope '{subscription}/resourceGroups/{group}'."}}
}

func notRunning() fault {
	return fault{what: "409 OperationNotAllowed, the VM is off", off: true, refuse: &azureError{status: 409, code: "OperationNotAllowed",
		message: "Cannot modify extensions in the VM when the VM is not running."}}
}

func inProgress() *azureError {
	return &azureError{status: 409, code: "Conflict",
		message: "Run command extension execution is in progress. Please wait for completion before invoking a run command."}
}

func busyForEver() fault { return fault{what: "409 Conflict for ever", refuse: inProgress()} }

func busyTwice() fault {
	return fault{what: "409 Conflict twice, then well", refuse: inProgress(), times: 2}
}

// busyBare lacks the "error" around its body, as some of Azure's 409s do.
func busyBare() fault {
	e := inProgress()
	e.bare = true
	return fault{what: "409 without the usual wrapper once, then well", refuse: e, times: 1}
}

func throttledOnce() fault {
	return fault{what: "429 with Retry-After once, then well", times: 1, refuse: &azureError{status: 429, code: "OperationNotAllowed", retryAfter: 2,
		message: "The server rejected the request because too many requests have been received for this subscription."}}
}

func extensionFailed() fault {
	return fault{what: "VMExtensionProvisioningError", fail: &azureError{status: 409, code: "VMExtensionProvisioningError",
		message: "VM has reported a failure when processing extension 'RunCommandLinux' (publisher 'Microsoft.CPlat.Core' and type 'RunCommandLinux'). " +
			"Error message: 'Enable failed: failed to execute command: command terminated with exit status=127\n[stdout]\n\n[stderr]\n'. " +
			"More information on troubleshooting is available at https://aka.ms/VMExtensionRunCommandLinuxTroubleshoot. "}}
}

func agentNotReady() fault {
	return fault{what: "VMAgentStatusCommunicationError", fail: &azureError{status: 409, code: "VMAgentStatusCommunicationError",
		message: "VM '{vm}' has not reported status for VM agent or extensions. Verify that the OS is up and healthy, the VM has a running VM agent, " +
			"and that it can establish outbound connections to Azure storage. Please refer to https://aka.ms/vmextensionlinuxtroubleshoot for additional VM agent troubleshooting information."}}
}

func truncated() fault { return fault{what: "output cut at the front", keep: 300} }

func notFinished() fault {
	return fault{what: "green, but the last script has not finished", message: "Enable succeeded: Last script execution didn't finish."}
}

func sampleAnswer() fault {
	return fault{what: "green, but the answer to the portal's sample script",
		message: "Enable succeeded: \n[stdout]\nThis is a sample script\n\n[stderr]\n"}
}

func gone() fault { return fault{what: "404, deleted since it was listed", gone: true} }

func emptyResult() fault { return fault{what: "succeeds without values", empty: true} }

func neverThere() fault { return fault{what: "succeeds, and its result stays 202", again: true} }

func hang() fault { return fault{what: "never ends", hang: true} }
