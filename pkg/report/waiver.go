package report

import "fmt"

// Waiver is one that an audit was given, and what became of it. A finding or a
// gap that several cover names the one that holds longest, and only that one is
// used by it.
type Waiver struct {
	ID      string       `json:"id"`
	Kind    WaiverKind   `json:"kind"`
	Expires string       `json:"expires"` // the last day on which it holds, in UTC: 2026-12-31
	Reason  string       `json:"reason"`
	Status  WaiverStatus `json:"status"`
	Matches int          `json:"matches"` // the findings or gaps that name it, as their waiver or as their expired one
}

// Waived names the waiver that covers a row.
type Waived struct {
	ID      string `json:"id"`
	Expires string `json:"expires"`
	Reason  string `json:"reason"`
}

// Waived is how a row names w.
func (w Waiver) Waived() Waived { return Waived{w.ID, w.Expires, w.Reason} }

// WaiverKind is what a waiver covers.
type WaiverKind string

// The kinds of waivers.
const (
	WaiverOfFindings WaiverKind = "finding"
	WaiverOfGaps     WaiverKind = "gap"
)

// WaiverStatus is what became of a waiver.
type WaiverStatus string

// The statuses of waivers.
const (
	WaiverUsed    WaiverStatus = "used"
	WaiverUnused  WaiverStatus = "unused"  // nothing needed it
	WaiverExpired WaiverStatus = "expired" // its last day is over: what it covered counts again
)

// allWaivers are the waivers of several reports, each once. One that has expired
// in one of them has expired.
func allWaivers(reports []*Report) ([]Waiver, error) {
	var all []Waiver
	index := map[string]int{}
	for _, r := range reports {
		for _, w := range r.Waivers {
			i, known := index[w.ID]
			switch {
			case !known:
				index[w.ID] = len(all)
				all = append(all, w)
			case all[i].Kind != w.Kind || all[i].Waived() != w.Waived():
				return nil, &Error{ProblemMismatch, fmt.Sprintf("the reports have different waivers of the id %q", clip(w.ID)),
					"audit all of it with the same waivers, or give each an id of its own"}
			case w.Status == WaiverExpired:
				all[i].Status = WaiverExpired
			}
		}
	}
	return all, nil
}

// Sources are all that there are.
func Sources() []Source {
	return []Source{SourceKubeconfig, SourceAPIServer, SourceARM, SourceNode, SourceKubelet, SourceKubeAPI, SourceFile}
}

// Roles are all that there are.
func Roles() []Role {
	return []Role{RoleClient, RoleClusterCA, RoleClientCA, RoleRequestHeaderCA, RoleAPIServer, RoleIntermediate, RoleAPIServerCopy,
		RoleKubeletClient, RoleKubeletServing, RoleNodeStaticClient, RoleOther}
}

// Reasons are all that there are.
func Reasons() []Reason {
	return []Reason{ReasonUnreachable, ReasonTimeout, ReasonUnauthenticated, ReasonForbidden, ReasonNotFound, ReasonThrottled, ReasonLockedDown,
		ReasonNotRunning, ReasonBusy, ReasonAgentNotReady, ReasonTruncated, ReasonMalformed, ReasonUnsupported, ReasonInterrupted}
}
