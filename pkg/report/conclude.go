package report

// Conclude counts what r holds, and draws the one conclusion from it and from
// r.Policy.FailOn: Summary, Outcome, ExitCode and Complete.
//
// interrupted is the exit code of the signal that ended the audit early
// (ExitSIGINT, ExitSIGTERM), or 0. allowIncomplete makes the exit code of an
// audit that is merely incomplete ExitOK, but never where nothing matched.
func (r *Report) Conclude(interrupted int, allowIncomplete bool) {
	t := NewTally(r.Policy.FailOn)
	t.Shard = r.Shard
	t.summary.Clusters = len(r.Clusters)
	c := t.Close(r.rows(), interrupted, allowIncomplete)
	r.Summary, r.Outcome, r.ExitCode, r.Complete = c.Summary, c.Outcome, c.ExitCode, c.Complete
}

// Tally counts the parts of a stream as they are written, so that its closing
// document can be made without keeping them.
type Tally struct {
	// Shard is the stream's own; nil for the whole. A part of a fleet that has
	// no cluster in it is no failure to find any.
	Shard *Shard

	failOn  Severity
	fails   bool
	summary Summary
}

// NewTally begins to count. failOn is the policy's.
func NewTally(failOn Severity) *Tally { return &Tally{failOn: failOn} }

// Add counts a cluster and its rows.
func (t *Tally) Add(p Part) {
	t.summary.Clusters++
	t.add(p.Rows)
}

// Close is the closing document of a stream whose parts have been added. rest is
// what belongs to none of their clusters; interrupted and allowIncomplete are
// Conclude's. The caller fills in DurationSeconds.
func (t *Tally) Close(rest Rows, interrupted int, allowIncomplete bool) Closing {
	t.add(rest)
	s := t.summary
	matched := s.Certificates > 0 || s.Gaps > 0 || s.Clusters > 0 || t.Shard != nil && t.Shard.Fleet > 0
	c := Closing{SchemaVersion: SchemaVersion, Kind: KindClosing, Summary: s, Rows: rest, Complete: s.Gaps == 0 && matched && interrupted == 0}
	switch {
	case interrupted != 0:
		c.Outcome, c.ExitCode = OutcomeInterrupted, interrupted
	case t.fails:
		c.Outcome, c.ExitCode = OutcomeFindings, ExitFindings
	case !c.Complete:
		c.Outcome, c.ExitCode = OutcomeIncomplete, ExitIncomplete
		if allowIncomplete && matched {
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
		t.fails = t.fails || f.Severity.Rank() >= t.failOn.Rank()
	}
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
