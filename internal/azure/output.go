package azure

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"

	"github.com/akscert/akscert/pkg/report"
)

// stdout finds what the script printed. Windows names each stream by the
// value's code; Linux frames both in one message, and only the last end marker
// is the agent's own, because the script may print one.
func stdout(values []*armcompute.InstanceViewStatus) (string, *Error) {
	var said []string
	for _, v := range values {
		if v == nil {
			continue
		}
		code, message := value(v.Code), value(v.Message)
		if strings.Contains(strings.ToLower(code), "/stdout/") {
			return message, nil
		}
		if out, ok := unframe(message); ok {
			return out, nil
		}
		if strings.Contains(strings.ToLower(code), "/failed") {
			return "", &Error{Reason: report.ReasonAgentNotReady, Code: clean(code, 80), Retryable: true,
				Message: "the machine's agent reports a failure: " + clean(message, 200)}
		}
		if message != "" {
			said = append(said, message)
		}
	}
	if len(said) > 0 {
		return "", &Error{Reason: report.ReasonMalformed, Retryable: true,
			Message: "run-command succeeded without the script's output: " + clean(strings.Join(said, " "), 200)}
	}
	return "", &Error{Reason: report.ReasonMalformed, Retryable: true, Message: "run-command succeeded with an empty answer"}
}

// unframe cuts stdout out of "Enable succeeded: \n[stdout]\n…\n[stderr]\n…".
func unframe(message string) (string, bool) {
	_, rest, ok := strings.Cut(message, "[stdout]\n")
	if !ok {
		return "", false
	}
	if end := strings.LastIndex(rest, "\n[stderr]\n"); end >= 0 {
		return rest[:end], true
	}
	// Its end was cut off; whether that matters, the script's own closing marker tells.
	return rest, true
}
