package report

import (
	"cmp"
	"slices"
	"time"
)

// Compare says what changed from the report old to the later report new. The
// caller fills in Tool.
//
// Places are compared, not certificates: a place is cluster, source, role, node
// and location. What is not in the new report is gone only where that report
// has looked; where it has not, or where that cannot be told, it is not
// examined. A node that is gone takes its certificates with it, and that is no
// harm.
//
// These got worse: a state that rose, to warning or above (due is what a
// certificate that renews itself passes through); another certificate that
// expires earlier; a new certificate at warning or above; a new finding at
// warning or above; a rotation verdict that was automatic and is not any more,
// or is now broken; and a cluster, or one of its sources, that was examined and
// is now a gap. A copy of an API server's certificate never gates, here as in an
// audit, nor does what a waiver of the new report covers: a finding, a certificate
// of which nothing else is found, a gap and what is lost by it. A policy's failOn
// makes no difference.
func Compare(old, new *Report) *Comparison {
	c := &comparer{from: look(old, new), to: look(new, old), lost: map[lostSource]string{}, out: &Comparison{
		SchemaVersion: SchemaVersion, Kind: KindComparison, From: side(old), To: side(new),
		Clusters: []ClusterChange{}, Certificates: []CertificateChange{}, Findings: []FindingChange{}, Gaps: []GapChange{},
	}}
	c.certificates()
	c.clusters()
	c.findings()
	c.gaps()
	c.close()
	return c.out
}

// Comparable says why new cannot be told from old what got worse: they were judged
// by different points, or new is the older one. The *Error has a way out.
func Comparable(old, new *Report) error {
	x, y := old.Policy, new.Policy
	x.FailOn, y.FailOn = "", "" // which makes no difference to what is worse
	switch differ := policiesDiffer(x, y); {
	case differ != "":
		return &Error{ProblemMismatch, "the reports were judged by different policies: " + differ, "audit with the same --warn-at and --critical-at as before"}
	case new.AsOf.Before(old.AsOf):
		return &Error{ProblemMismatch, "the second report is older than the first", "the old one comes first: akscert diff OLD NEW"}
	}
	return nil
}

type comparer struct {
	from, to *view
	out      *Comparison
	lost     map[lostSource]string // what brought certificates before and is now a gap, and why
}

type lostSource struct {
	cluster string
	source  Source
}

func side(r *Report) Side {
	return Side{Tool: r.Tool, AsOf: r.AsOf, StartedAt: r.StartedAt, Policy: r.Policy, Shard: r.Shard, Scope: r.Scope, Sampling: r.Sampling,
		Outcome: r.Outcome, ExitCode: r.ExitCode, Complete: r.Complete, Summary: r.Summary}
}

func (c *comparer) certificates() {
	counts := &c.out.Summary.Certificates
	for _, p := range c.to.places {
		to := c.to.rows[p]
		from := c.from.rows[p]
		if from == nil {
			change := ChangeNew
			if why := c.from.unexamined(to.Cluster, to.Source, to.Node, to.Location); why != nil {
				change = ChangeExamined
			}
			c.certificate(CertificateChange{Change: change, Worse: c.to.gates(to), To: to}, to)
			continue
		}
		rose := c.to.gates(to) && to.State.Rank() > from.State.Rank()
		switch {
		case !same(from, to):
			later, earlier := ages(from, to)
			change := ChangeReplaced
			if later {
				change = ChangeRenewed
			}
			c.certificate(CertificateChange{Change: change, Worse: rose || earlier && to.Role != RoleAPIServerCopy && !c.to.waived[to.ID], From: from, To: to}, to)
		case from.State != to.State:
			c.certificate(CertificateChange{Change: ChangeState, Worse: rose, From: from, To: to}, to)
		default:
			counts.Unchanged++
		}
	}
	for _, p := range c.from.places {
		from := c.from.rows[p]
		if c.to.rows[p] != nil {
			continue
		}
		why := c.to.unexamined(from.Cluster, from.Source, from.Node, from.Location)
		if why == nil {
			c.certificate(CertificateChange{Change: ChangeGone, From: from}, from)
			continue
		}
		c.certificate(CertificateChange{Change: ChangeNotExamined, From: from, Why: why.message}, from)
		if s := (lostSource{from.Cluster, from.Source}); why.gap && c.to.brought[s] == 0 {
			c.lost[s] = why.message
		}
	}
}

// certificate adds what happened in the place of row.
func (c *comparer) certificate(change CertificateChange, row *Certificate) {
	change.Cluster, change.Source, change.Role, change.Node, change.Location = row.Cluster, row.Source, row.Role, row.Node, row.Location
	c.out.Certificates = append(c.out.Certificates, change)
	counts := &c.out.Summary.Certificates
	switch change.Change {
	case ChangeNew:
		counts.New++
	case ChangeGone:
		counts.Gone++
	case ChangeExamined:
		counts.Examined++
	case ChangeNotExamined:
		counts.NotExamined++
	case ChangeRenewed:
		counts.Renewed++
	case ChangeReplaced:
		counts.Replaced++
	case ChangeState:
		counts.State++
	}
}

// gates reports whether a row is bad enough to be a change for the worse.
func (v *view) gates(c *Certificate) bool {
	return c.Role != RoleAPIServerCopy && c.State.Rank() >= StateWarning.Rank() && !v.waived[c.ID]
}

// drift is how far two readings of one time to live may be apart: whole seconds,
// a round trip, and two clocks.
const drift = 5 * time.Minute

// same reports whether two rows are of one certificate.
func same(x, y *Certificate) bool {
	if x.SHA256 != "" && y.SHA256 != "" {
		return x.SHA256 == y.SHA256
	}
	if x.NotAfter == nil || y.NotAfter == nil {
		return x.NotAfter == y.NotAfter
	}
	d := y.NotAfter.Sub(*x.NotAfter).Abs()
	return d == 0 || d <= drift && (x.Approximate || y.Approximate)
}

// ages compares the expiry of two certificates.
func ages(from, to *Certificate) (later, earlier bool) {
	if from.NotAfter == nil || to.NotAfter == nil {
		return false, false
	}
	return to.NotAfter.After(*from.NotAfter), to.NotAfter.Before(*from.NotAfter)
}

// close counts what got worse, and puts it first.
func (c *comparer) close() {
	out := c.out
	worst := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	}
	slices.SortStableFunc(out.Clusters, func(x, y ClusterChange) int {
		return cmp.Or(worst(x.Worse, y.Worse), cmp.Compare(x.Cluster, y.Cluster))
	})
	slices.SortStableFunc(out.Certificates, func(x, y CertificateChange) int {
		return cmp.Or(worst(x.Worse, y.Worse), cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Source, y.Source), cmp.Compare(x.Node, y.Node),
			cmp.Compare(x.Location, y.Location), cmp.Compare(x.Role, y.Role))
	})
	slices.SortStableFunc(out.Findings, func(x, y FindingChange) int {
		return cmp.Or(worst(x.Worse, y.Worse), cmp.Compare(y.Finding.Severity.Rank(), x.Finding.Severity.Rank()), cmp.Compare(x.Finding.Cluster, y.Finding.Cluster),
			cmp.Compare(x.Finding.Rule, y.Finding.Rule), cmp.Compare(x.Finding.Node, y.Finding.Node), cmp.Compare(x.Finding.Message, y.Finding.Message))
	})
	slices.SortStableFunc(out.Gaps, func(x, y GapChange) int {
		return cmp.Or(worst(x.Worse, y.Worse), cmp.Compare(x.Gap.Cluster, y.Gap.Cluster), cmp.Compare(x.Gap.Source, y.Gap.Source),
			cmp.Compare(x.Gap.Location, y.Gap.Location), cmp.Compare(x.Gap.Node, y.Gap.Node), cmp.Compare(x.Change, y.Change), cmp.Compare(x.Gap.Message, y.Gap.Message))
	})
	worse := &out.Summary.Worse
	*worse = number(out.Clusters, func(x ClusterChange) bool { return x.Worse }) + number(out.Certificates, func(x CertificateChange) bool { return x.Worse }) +
		number(out.Findings, func(x FindingChange) bool { return x.Worse }) + number(out.Gaps, func(x GapChange) bool { return x.Worse })
	if out.Worse = *worse > 0; out.Worse {
		out.ExitCode = ExitFindings
	}
}

func number[T any](of []T, is func(T) bool) int {
	n := 0
	for _, x := range of {
		if is(x) {
			n++
		}
	}
	return n
}
