package azure

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
)

func TestStdout(t *testing.T) {
	windows := func(code, message string) string {
		text, _ := json.Marshal(message)
		return `{"code":"ComponentStatus/` + code + `/succeeded","message":` + string(text) + `}`
	}
	for name, test := range map[string]struct{ body, want string }{
		"linux":                    {framed("a\nb\n", "e\n"), "a\nb\n"},
		"linux, empty":             {body(t, "linux-empty-stdout").body, ""},
		"prints the end marker":    {framed("a\n[stderr]\nb", "e"), "a\n[stderr]\nb"},
		"prints the start marker":  {framed("a\n[stdout]\nb", ""), "a\n[stdout]\nb"},
		"front cut by the service": {framed("id-line\nend", ""), "id-line\nend"},
		"windows, empty":           {body(t, "windows-both-streams-empty").body, ""},
		"windows, errors first":    {`{"value":[` + windows("StdErr", "oops") + `,` + windows("StdOut", "out [stdout]\n") + `]}`, "out [stdout]\n"},
		"a null among the values":  {`{"value":[null,` + windows("stdout", "out") + `]}`, "out"},
	} {
		t.Run(name, func(t *testing.T) {
			var result armcompute.RunCommandResult
			if err := json.Unmarshal([]byte(test.body), &result); err != nil {
				t.Fatal(err)
			}
			if out, err := stdout(result.Value); err != nil || out != test.want {
				t.Errorf("stdout %q, error %v, want %q", out, err, test.want)
			}
		})
	}
}

// Whatever a script prints, on either stream, comes out unharmed, unless its
// errors look like the agent's own frame.
func FuzzStdout(f *testing.F) {
	f.Add("out\n", "err\n")
	f.Add("a\n[stderr]\nb", "")
	f.Add("[stdout]\n", "\n[stdout]\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, out, errs string) {
		linux := []*armcompute.InstanceViewStatus{{Code: to.Ptr("ProvisioningState/succeeded"), Message: to.Ptr("Enable succeeded: \n[stdout]\n" + out + "\n[stderr]\n" + errs)}}
		got, err := stdout(linux)
		if err != nil || !strings.HasPrefix(got, out) {
			t.Errorf("linux: %q, error %v, want %q", got, err, out)
		}
		if !strings.Contains("\n"+errs, "[stderr]\n") && got != out {
			t.Errorf("linux: %q, want %q", got, out)
		}
		windows := []*armcompute.InstanceViewStatus{{Code: to.Ptr("ComponentStatus/StdOut/succeeded"), Message: &out}, {Code: to.Ptr("ComponentStatus/StdErr/succeeded"), Message: &errs}}
		if got, err := stdout(windows); err != nil || got != out {
			t.Errorf("windows: %q, error %v, want %q", got, err, out)
		}
		// Anything at all as the agent's message: no panic, and no control character in an error.
		if _, err := stdout([]*armcompute.InstanceViewStatus{nil, {Message: &errs}}); err != nil && strings.ContainsAny(err.Message, "\n\x1b\x00") {
			t.Errorf("message %q", err.Message)
		}
	})
}
