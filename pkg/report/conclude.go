package report

// Conclude counts what r holds, and draws the one conclusion from it and from
// r.Policy.FailOn: Summary, Outcome, ExitCode, Complete, and what became of each
// of Waivers. A waived finding does not gate. A waived gap does not either: the
// outcome can be OutcomeOK, but what was not examined is not, and Complete is
// false. Where nothing at all was examined no waiver makes that good.
//
// interrupted is the exit code of the signal that ended the audit early
// (ExitSIGINT, ExitSIGTERM), or 0. allowIncomplete makes the exit code of an
// audit that is merely incomplete ExitOK, but never where nothing matched.
func (r *Report) Conclude(interrupted int, allowIncomplete bool) {
	t := NewTally(r.Policy.FailOn)
	t.Shard, t.Waivers = r.Shard, r.Waivers
	t.summary.Clusters = len(r.Clusters)
	for _, c := range r.Clusters {
		t.examined = t.examined || c.examined()
	}
	c := t.Close(r.rows(), interrupted, allowIncomplete)
	r.Summary, r.Outcome, r.ExitCode, r.Complete, r.Waivers = c.Summary, c.Outcome, c.ExitCode, c.Complete, c.Waivers
}

// Tally counts the parts of a stream as they are written, so that its closing
// document can be made without keeping them.
type Tally struct {
	// Shard is the stream's own; nil for the whole. A part of a fleet that has
	// no cluster in it is no failure to find any.
	Shard *Shard
	// Waivers are those that the audit was given.
	Waivers []Waiver

	failOn   Severity
	fails    bool
	examined bool           // something of a cluster beyond the kubeconfig's own words was
	missing  bool           // a gap that no waiver covers
	needed   map[string]int // by what rows, a waiver's id
	summary  Summary
}

// examined reports whether any source but the kubeconfig, which is at hand, came
// to look.
func (c Cluster) examined() bool {
	for _, s := range c.Sources {
		if s.Source != SourceKubeconfig && (s.Status == StatusOK || s.Status == StatusPartial) {
			return true
		}
	}
	return false
}

// NewTally begins to count. failOn is the policy's.
func NewTally(failOn Severity) *Tally { return &Tally{failOn: failOn, needed: map[string]int{}} }

// Add counts a cluster and its rows.
func (t *Tally) Add(p Part) {
	t.summary.Clusters++
	t.examined = t.examined || p.Cluster.examined()
	t.add(p.Rows)
}

// Close is the closing document of a stream whose parts have been added. rest is
// what belongs to none of their clusters; interrupted and allowIncomplete are
// Conclude's. The caller fills in DurationSeconds.
func (t *Tally) Close(rest Rows, interrupted int, allowIncomplete bool) Closing {
	t.add(rest)
	s := t.summary
	seen := s.Certificates > 0 || s.Clusters > 0 || t.Shard != nil && t.Shard.Fleet > 0
	examined := t.examined || s.Certificates > 0 || s.Gaps == 0 // no waiver and no flag makes good that nothing at all was
	c := Closing{SchemaVersion: SchemaVersion, Kind: KindClosing, Summary: s, Rows: rest, Waivers: t.waivers(), Complete: s.Gaps == 0 && seen && interrupted == 0}
	switch {
	case interrupted != 0:
		c.Outcome, c.ExitCode = OutcomeInterrupted, interrupted
	case t.fails:
		c.Outcome, c.ExitCode = OutcomeFindings, ExitFindings
	case t.missing || !seen || s.Gaps > 0 && !examined:
		c.Outcome, c.ExitCode = OutcomeIncomplete, ExitIncomplete
		if allowIncomplete && seen && examined {
			c.ExitCode = ExitOK
		}
	default:
		c.Outcome, c.ExitCode = OutcomeOK, ExitOK
	}
	return c
}

func (t *Tally) add(rows Rows) {
	t.summary.Nodes += len(rows.Nodes)
	t.summary.Certificates += len(rows.Certificates)
	t.summary.Findings += len(rows.Findings)
	t.summary.Gaps += len(rows.Gaps)
	for _, c := range rows.Certificates {
		t.summary.States.count(c.State)
	}
	for _, f := range rows.Findings {
		waived := t.waived(f.Waiver, f.ExpiredWaiver)
		t.fails = t.fails || !waived && f.Severity.Rank() >= t.failOn.Rank()
	}
	for _, g := range rows.Gaps {
		waived := t.waived(g.Waiver, g.ExpiredWaiver)
		t.missing = t.missing || !waived
	}
}

// waived reports whether a row is, and counts the waiver that it names.
func (t *Tally) waived(by *Waived, expired string) bool {
	if by == nil {
		if expired != "" {
			t.needed[expired]++
		}
		return false
	}
	t.needed[by.ID]++
	t.summary.Waived++
	return true
}

// waivers are those of the audit, with what became of each.
func (t *Tally) waivers() []Waiver {
	all := append([]Waiver{}, t.Waivers...) // they are the caller's
	for i := range all {
		w := &all[i]
		w.Matches = t.needed[w.ID]
		switch {
		case w.Status == WaiverExpired:
		case w.Matches > 0:
			w.Status = WaiverUsed
		default:
			w.Status = WaiverUnused
		}
	}
	return all
}

// count adds one certificate. A state that is none is not counted as any.
func (s *StateCounts) count(state State) {
	switch state {
	case StateOK:
		s.OK++
	case StateDue:
		s.Due++
	case StateWarning:
		s.Warning++
	case StateCritical:
		s.Critical++
	case StateNotYetValid:
		s.NotYetValid++
	case StateExpired:
		s.Expired++
	}
}
