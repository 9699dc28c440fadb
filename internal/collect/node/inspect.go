package node

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf16"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// Recognise says whether data is what probes printed, as Observations reads it.
func Recognise(data []byte) bool {
	if len(data) > collect.MaxFile || !bytes.Contains(data, []byte("akscert-probe")) && !bytes.HasPrefix(data, []byte(utf16LE)) {
		return false
	}
	for line := range strings.Lines(unwrapped(string(data))) {
		if strings.HasPrefix(line, beginMark) || strings.HasPrefix(line, endMark) {
			return true
		}
	}
	return false
}

// Observations are what the probes in output saw, one after the other: plain, as
// PowerShell redirects it, or in the JSON that az prints of a run-command. name
// is the node's; where it is empty, each machine's own name for itself is used.
func Observations(name, output string) []collect.Observation {
	var seen []collect.Observation
	for _, part := range parts(unwrapped(output)) {
		facts, brought := Parse(part)
		if name != "" {
			facts.Name = name
		}
		seen = append(seen, of(facts, brought)...)
	}
	return seen
}

// of puts what was brought from a node under its name.
func of(facts report.Node, brought []collect.Observation) []collect.Observation {
	seen := make([]collect.Observation, 0, len(brought)+1)
	if facts.Name != "" {
		seen = append(seen, collect.Observation{Node: &facts})
	}
	for _, o := range brought {
		switch {
		case o.Certificate != nil:
			o.Certificate.Node = facts.Name
		case o.Gap != nil:
			o.Gap.Node = facts.Name
		}
		seen = append(seen, o)
	}
	return seen
}

// parts cuts after each closing line, and before an opening line that follows
// one without a closing line. What is after the last probe is no part.
func parts(output string) []string {
	var found []string
	start, at, opened := 0, 0, false
	for line := range strings.Lines(output) {
		begins, ends := strings.HasPrefix(line, beginMark), strings.HasPrefix(line, endMark)
		if begins && opened {
			found = append(found, output[start:at])
			start = at
		}
		at += len(line)
		opened = opened && !ends || begins
		if ends {
			found = append(found, output[start:at])
			start = at
		}
	}
	if opened || len(found) == 0 {
		found = append(found, output[start:])
	}
	return found
}

// utf16LE is the byte order mark that PowerShell 5.1 begins redirected output
// with.
const utf16LE = "\xff\xfe"

// unwrapped is the text itself: of what `az vm run-command invoke` and
// `az vmss run-command invoke` print, the messages.
func unwrapped(output string) string {
	if text, ok := strings.CutPrefix(output, utf16LE); ok {
		units := make([]uint16, len(text)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16([]byte(text[2*i : 2*i+2]))
		}
		output = string(utf16.Decode(units))
	}
	output = strings.TrimPrefix(output, "\uFEFF")
	var answer struct{ Value []struct{ Message string } }
	if !strings.HasPrefix(strings.TrimSpace(output), "{") || json.Unmarshal([]byte(output), &answer) != nil {
		return output
	}
	var text strings.Builder
	for _, v := range answer.Value {
		text.WriteString(v.Message)
		text.WriteByte('\n')
	}
	return text.String()
}
