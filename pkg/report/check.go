package report

import (
	"fmt"
	"slices"
)

// check refuses a report that breaks its own contract in a way that whoever
// reads it would stumble over, and one whose rows are not all there.
func (r *Report) check() error {
	if err := r.checkHead(); err != nil {
		return err
	}
	for i, c := range r.Clusters {
		if err := c.check(fmt.Sprintf("clusters[%d]", i)); err != nil {
			return err
		}
	}
	for i, c := range r.Certificates {
		if c.State.Rank() > StateExpired.Rank() {
			return invalid("certificates[%d]: state %q is none", i, clip(string(c.State)))
		}
		if c.Count < 1 {
			return invalid("certificates[%d]: count %d", i, c.Count)
		}
	}
	for i, f := range r.Findings {
		if f.Severity.Rank() > SeverityExpired.Rank() {
			return invalid("findings[%d]: severity %q is none", i, clip(string(f.Severity)))
		}
	}
	ids := map[string]bool{}
	for i, remedy := range r.Remedies {
		if remedy.Commands == nil {
			return invalid("remedies[%d]: commands is no list", i)
		}
		if ids[remedy.ID] {
			return invalid("remedies[%d]: id %q is there twice", i, clip(remedy.ID))
		}
		ids[remedy.ID] = true
	}
	for i, g := range r.Gaps {
		if g.Count < 1 {
			return invalid("gaps[%d]: count %d", i, g.Count)
		}
	}
	if err := r.checkWaivers(); err != nil {
		return err
	}
	counted := *r
	counted.Conclude(0, false)
	if r.Summary != counted.Summary || !slices.Equal(r.Waivers, counted.Waivers) {
		return &Error{ProblemCutShort, "the report is not all there: its summary counts other rows than it has", auditAgain}
	}
	// A conclusion that its own rows do not bear is believed by nobody. Incomplete
	// audits exit 0 where that was allowed; interrupted ones have ended anyhow.
	allowed := r.Outcome == OutcomeIncomplete && r.ExitCode == ExitOK
	if r.Outcome != OutcomeInterrupted && (r.Outcome != counted.Outcome || r.Complete != counted.Complete || r.ExitCode != counted.ExitCode && !allowed) {
		return invalid("it says %s, exit code %d, and its rows say %s, exit code %d", clip(string(r.Outcome)), r.ExitCode, counted.Outcome, counted.ExitCode)
	}
	return nil
}

// checkWaivers refuses rows that are waived by what is no waiver of the report,
// for they do not gate.
func (r *Report) checkWaivers() error {
	all := map[string]Waiver{}
	for i, w := range r.Waivers {
		_, twice := all[w.ID]
		switch {
		case w.ID == "":
			return invalid("waivers[%d]: it has no id", i)
		case twice:
			return invalid("waivers[%d]: id %q is there twice", i, clip(w.ID))
		case w.Kind != WaiverOfFindings && w.Kind != WaiverOfGaps:
			return invalid("waivers[%d]: kind %q is none", i, clip(string(w.Kind)))
		case w.Status != WaiverUsed && w.Status != WaiverUnused && w.Status != WaiverExpired:
			return invalid("waivers[%d]: status %q is none", i, clip(string(w.Status)))
		}
		all[w.ID] = w
	}
	check := func(kind WaiverKind, by *Waived, expired string, list string, i int) error {
		switch {
		case by != nil && all[by.ID].Waived() != *by, by != nil && all[by.ID].Kind != kind:
			return invalid("%s[%d]: waiver %q is none of the report's", list, i, clip(by.ID))
		case expired != "" && (by != nil || all[expired].Kind != kind || all[expired].Status != WaiverExpired):
			return invalid("%s[%d]: expiredWaiver %q is none of the report's", list, i, clip(expired))
		}
		return nil
	}
	for i, f := range r.Findings {
		if err := check(WaiverOfFindings, f.Waiver, f.ExpiredWaiver, "findings", i); err != nil {
			return err
		}
	}
	for i, g := range r.Gaps {
		if err := check(WaiverOfGaps, g.Waiver, g.ExpiredWaiver, "gaps", i); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) checkHead() error {
	const century = 100 * 366 * 24 * 3600
	switch {
	case r.AsOf.IsZero():
		return invalid("asOf is no instant")
	case r.DurationSeconds < 0 || r.DurationSeconds >= century: // JSON has no NaN
		return invalid("durationSeconds is %g", r.DurationSeconds)
	case r.Policy.FailOn != SeverityNone && r.Policy.FailOn.Rank() > SeverityExpired.Rank():
		return invalid("policy: failOn %q is none", clip(string(r.Policy.FailOn)))
	case r.Shard != nil && (r.Shard.Index < 0 || r.Shard.Index >= r.Shard.Count || r.Shard.Fleet < 0):
		return invalid("shard: index %d of %d, of a fleet of %d", r.Shard.Index, r.Shard.Count, r.Shard.Fleet)
	}
	may := map[Outcome][]int{OutcomeOK: {ExitOK}, OutcomeFindings: {ExitFindings}, OutcomeIncomplete: {ExitIncomplete, ExitOK}, OutcomeInterrupted: {ExitSIGINT, ExitSIGTERM}}
	codes, ok := may[r.Outcome]
	if !ok {
		return invalid("outcome %q is none", clip(string(r.Outcome)))
	}
	for _, code := range codes {
		if r.ExitCode == code {
			return nil
		}
	}
	return invalid("outcome %s with exit code %d", r.Outcome, r.ExitCode)
}

func (c Cluster) check(where string) error {
	if c.Sources == nil || c.Credentials == nil {
		return invalid("%s: sources or credentials is no list", where)
	}
	for _, credential := range c.Credentials {
		if credential.Kinds == nil {
			return invalid("%s: kinds of a credential is no list", where)
		}
	}
	if c.Rotation != nil && c.Rotation.Evidence == nil {
		return invalid("%s: evidence of rotation is no list", where)
	}
	return nil
}
