package node

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// What a probe prints, a line each:
//
//	akscert-probe begin 1 linux     the format's version and the operating system
//	host NAME                       what the machine calls itself
//	file PATH                       a file of certificates that was read; then, for each,
//	cert                              one that could be read, followed by some of
//	from= to= serial= sha256= subject= issuer= ca=
//	bad                               one that could not
//	more N                            N that were not looked at
//	seen PATH                       another file that is there; it was not opened
//	none PATH                       a file that is not there
//	fail PATH REASON                a file that could not be looked at
//	fact NAME WORD                  what a settings file says
//	done
//	akscert-probe end N             N lines lie between this one and the first
//
// Paths are the node's own, without the prefix they were reached by.
const (
	beginMark = "akscert-probe begin "
	endMark   = "akscert-probe end "
	version   = "1"
)

// maxOutput bounds what is read of one probe: run-command returns 4,096 bytes,
// and the same probe run by hand no more than a few times that.
const maxOutput = 256 << 10

// Parse reads what a probe printed: what the node's files say of it, its
// certificates, and a gap for all that could not be looked at. Of an output
// whose front was cut off, what is whole is read. The text is untrusted.
func Parse(output string) (report.Node, []collect.Observation) {
	frame, gap := unframe(output)
	if gap != nil && frame.lines == nil {
		return report.Node{}, []collect.Observation{{Gap: gap}}
	}
	p := parser{os: frame.os, files: map[string]status{}, facts: map[string]string{}}
	for _, line := range frame.lines {
		p.line(line)
	}
	p.endFile()
	if gap == nil {
		p.missing()
	} else {
		p.gap(*gap)
	}
	return p.node(), p.seen
}

// frame is what lies between the two markers.
type frame struct {
	os    string // linux or windows
	lines []string
}

// unframe finds the last probe of output. With a gap, lines are what is left of
// one that was cut, or nil where nothing ran.
func unframe(output string) (frame, *collect.Gap) {
	if len(output) > maxOutput {
		return frame{}, &collect.Gap{Reason: report.ReasonMalformed, Message: fmt.Sprintf("the answer is larger than %d KiB: it is not the probe's alone", maxOutput>>10)}
	}
	all := strings.Split(strings.ReplaceAll(output, "\r\n", "\n"), "\n")
	end := lastIndex(all, len(all), endMark)
	if end < 0 {
		return frame{}, unfinished(output)
	}
	begin := lastIndex(all, end, beginMark)
	if begin < 0 {
		// Up to the first line feed may be half a line.
		f := frame{os: "linux", lines: all[min(1, end):end]}
		if strings.Contains(output, ` C:\`) {
			f.os = "windows"
		}
		return f, truncated("the front of the answer was cut off")
	}
	number, os, _ := strings.Cut(strings.TrimPrefix(all[begin], beginMark), " ")
	if number != version {
		return frame{}, &collect.Gap{Reason: report.ReasonUnsupported, Message: "printed by a probe of another version of akscert", Hint: "use the script of this version: akscert node-script"}
	}
	if os != "linux" && os != "windows" {
		return frame{}, &collect.Gap{Reason: report.ReasonMalformed, Message: "the probe's opening line was altered", Hint: runByHand}
	}
	f := frame{os: os, lines: all[begin+1 : end]}
	if strings.TrimPrefix(all[end], endMark) != strconv.Itoa(len(f.lines)) || len(f.lines) == 0 || f.lines[len(f.lines)-1] != "done" {
		// Nothing is known to lose lines from the midst of an answer: what is
		// left could be one certificate's dates under another's name.
		return frame{}, truncated("part of the answer is missing: its lines are not as many as it says")
	}
	return f, nil
}

func lastIndex(lines []string, before int, prefix string) int {
	for i := before - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], prefix) {
			return i
		}
	}
	return -1
}

const runByHand = "run the script of akscert node-script on the node and give its output to akscert inspect"

func truncated(message string) *collect.Gap {
	return &collect.Gap{Reason: report.ReasonTruncated, Message: message, Hint: runByHand}
}

// unfinished is the gap for an answer without a closing marker: run-command
// answers "Enable succeeded" also when the script did not finish, or was not
// the one that was sent.
func unfinished(output string) *collect.Gap {
	g := &collect.Gap{Reason: report.ReasonMalformed, Retryable: true, Hint: "try again; if it stays so, " + runByHand,
		Message: "the probe did not run: the answer is not its own"}
	if strings.TrimSpace(output) == "" {
		g.Message = "the probe did not run: the answer is empty"
	} else if strings.Contains(output, beginMark) {
		g.Message = "the probe did not finish: its closing line is missing"
	}
	return g
}
