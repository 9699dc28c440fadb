// Package audit is all the judgement there is: observations, a policy and an
// instant become a report. It is pure: no clock, file, network or output.
package audit

import (
	"cmp"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/internal/waiver"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// Input is everything an audit judges by.
type Input struct {
	Batches []collect.Batch
	// Gaps are what was already missing when targets were looked for.
	Gaps            []report.Gap
	Policy          lifetime.Policy
	FailOn          report.Severity
	AllowIncomplete bool
	AsOf            time.Time
	Waivers         *waiver.Set // nil for none
	// Named are the sources that were asked for by name: one of them that
	// cannot be used is a gap, where a default would just leave it out.
	Named []report.Source
	// SystemRoots verify an API server whose kubeconfig names no CA.
	SystemRoots *x509.CertPool
	// Shard and Sampling say which part of the clusters, and of their nodes, was
	// asked for; nil and empty for all.
	Shard    *report.Shard
	Scope    []string // what was asked for, as report.Report has it
	Sampling string
	// Interrupted is the exit code of the signal that ended the audit early
	// (130, 143), or 0.
	Interrupted int
}

// Audit judges all of in.Batches, those of one target in a row. The caller
// fills in the report's Tool, StartedAt and DurationSeconds.
func Audit(in Input) *report.Report {
	a := New(in)
	for i := 0; i < len(in.Batches); {
		n := i + 1
		for n < len(in.Batches) && in.Batches[n].Target.ID == in.Batches[i].Target.ID {
			n++
		}
		a.Add(collect.Visit{Batches: in.Batches[i:n]})
		i = n
	}
	return a.Close(in.Interrupted)
}

// New begins an audit that is given its targets one by one.
func New(in Input) *Auditor {
	a := &Auditor{in: in, asOf: in.AsOf.UTC().Truncate(time.Second), taken: report.NewTally(in.FailOn), remedies: map[string]bool{}, rows: map[string]int{}, chains: map[string]checked{}}
	a.out = &report.Report{
		SchemaVersion: report.SchemaVersion, Kind: report.Kind, AsOf: a.asOf, Policy: policy(in), Shard: in.Shard, Scope: in.Scope, Sampling: in.Sampling,
		Clusters: []report.Cluster{}, Nodes: []report.Node{}, Certificates: []report.Certificate{},
		Findings: []report.Finding{}, Remedies: []report.Remedy{}, Gaps: append([]report.Gap{}, in.Gaps...), Waivers: in.Waivers.Report(a.asOf),
	}
	a.taken.Waivers = a.out.Waivers
	a.waive() // what discovery could not see
	return a
}

// Header is what a stream of this audit begins with. The caller fills in Tool and
// StartedAt.
func (a *Auditor) Header() report.Header { return a.out.Header() }

// Add judges one target. In which order targets come makes no difference to the
// report.
func (a *Auditor) Add(v collect.Visit) {
	a.from = a.mark()
	for _, g := range v.Gaps {
		if len(v.Batches) > 0 {
			t := v.Batches[0].Target
			g.Cluster, g.SubscriptionID = t.ID, subscription(t)
		}
		a.out.Gaps = append(a.out.Gaps, g)
	}
	if len(v.Batches) > 0 {
		a.cluster(v.Batches)
	}
	a.waive()
}

// waive marks what a waiver covers of the target that was added last.
func (a *Auditor) waive() {
	r, from := a.out, a.from
	p := report.Part{Rows: report.Rows{Certificates: r.Certificates[from.certificates:], Findings: r.Findings[from.findings:], Gaps: r.Gaps[from.gaps:]}}
	if len(r.Clusters) > from.clusters {
		p.Cluster = r.Clusters[from.clusters]
	}
	a.in.Waivers.Apply(&p, a.asOf)
	r.Gaps = append(r.Gaps[:from.gaps], p.Gaps...)
}

// Take hands out what the report says of the target that was added last, which
// has to be a cluster, and forgets it: an audit that streams keeps nothing that
// it has written. Close still counts it.
func (a *Auditor) Take() report.Part {
	p, to, r := a.part(), a.from, a.out
	a.taken.Add(p)
	a.streams = true
	r.Clusters, r.Certificates, r.Nodes, r.Gaps = r.Clusters[:to.clusters], r.Certificates[:to.certificates], r.Nodes[:to.nodes], r.Gaps[:to.gaps]
	r.Findings, r.Remedies = r.Findings[:to.findings], r.Remedies[:to.remedies]
	clear(a.rows)
	clear(a.remedies)
	return p
}

// Close counts, draws the one conclusion, and ends the audit. interrupted is the
// exit code of the signal that ended it early (130, 143), or 0. What was taken is
// counted, and not there.
func (a *Auditor) Close(interrupted int) *report.Report {
	r := a.out
	r.Sort()
	if !a.streams {
		r.Conclude(interrupted, a.in.AllowIncomplete)
		return r
	}
	a.taken.Shard = r.Shard
	c := a.taken.Close(r.Rest(), interrupted, a.in.AllowIncomplete)
	r.Summary, r.Outcome, r.ExitCode, r.Complete, r.Waivers = c.Summary, c.Outcome, c.ExitCode, c.Complete, c.Waivers
	return r
}

// Auditor is an audit under way.
type Auditor struct {
	in   Input
	asOf time.Time
	out  *report.Report
	from mark // where the part of out begins that is about the target added last
	one
	taken    *report.Tally
	streams  bool               // something was taken
	remedies map[string]bool    // ids already in out
	rows     map[string]int     // ids of certificates, and where they are in out
	chains   map[string]checked // by their fingerprints
}

// one is what belongs to the target that is being judged.
type one struct {
	target target.Target
	known  known
	leaf   report.Certificate // its serving certificate
	apart  []string           // its nodes whose kubelet and file disagree
}

// mark is where a target's part of the report begins.
type mark struct{ clusters, certificates, nodes, gaps, findings, remedies int }

func (a *Auditor) mark() mark {
	r := a.out
	return mark{len(r.Clusters), len(r.Certificates), len(r.Nodes), len(r.Gaps), len(r.Findings), len(r.Remedies)}
}

// part is what the report says of the target added last.
func (a *Auditor) part() report.Part {
	r, from := a.out, a.from
	one := report.Report{Clusters: slices.Clone(r.Clusters[from.clusters:]), Certificates: slices.Clone(r.Certificates[from.certificates:]), Nodes: slices.Clone(r.Nodes[from.nodes:]),
		Findings: slices.Clone(r.Findings[from.findings:]), Gaps: slices.Clone(r.Gaps[from.gaps:]), Remedies: slices.Clone(r.Remedies[from.remedies:])}
	one.Sort()
	return one.Parts()[0]
}

// cluster judges what every source brought from one target.
func (a *Auditor) cluster(batches []collect.Batch) {
	t := batches[0].Target
	a.one = one{target: t, known: gather(batches, a.asOf)}
	c := report.Cluster{ID: t.ID, Name: t.Name, Context: t.Context, Sources: []report.SourceStatus{}, Credentials: []report.Credential{}}
	if t.Cluster != nil {
		c.Server = address(t.Cluster.Server)
	}
	if t.ARM != nil {
		fromARM(&c, *t.ARM)
	}
	c.KubernetesVersion = cmp.Or(c.KubernetesVersion, a.known.api.Version)
	batches = a.coverLockedDown(batches)
	for _, b := range batches {
		c.Sources = append(c.Sources, status(b))
		for _, o := range b.Observations {
			switch {
			case o.Certificate != nil:
				a.certificate(b.Source, *o.Certificate)
			case o.Credential != nil:
				c.Credentials = append(c.Credentials, *o.Credential)
				a.credential(*o.Credential)
			case o.Handshake != nil:
				a.trust(*o.Handshake)
			case o.Gap != nil:
				a.gap(b.Source, *o.Gap)
			case o.Skipped != nil && slices.Contains(a.in.Named, b.Source):
				a.gap(b.Source, collect.Gap{Reason: report.ReasonUnsupported, Message: o.Skipped.Why, Hint: "leave it out with --sources=-" + string(b.Source)})
			}
		}
	}
	if t.Cluster != nil && t.Cluster.InsecureSkipTLSVerify {
		a.find(ruleInsecure, t.Cluster.File+"#clusters/"+t.Cluster.Name+" has insecure-skip-tls-verify: whoever answers at the server's address is believed")
	}
	for _, n := range a.known.order {
		n.Cluster = t.ID // empty for a probe's output given to inspect
		a.out.Nodes = append(a.out.Nodes, *n)
	}
	if t.Operand == "" { // inspect has no cluster
		a.without()
		a.disagreement()
		a.agreement()
		a.missedRotation()
		a.unanswered()
		c.Rotation = a.rotation()
		a.rotationFindings()
		a.out.Clusters = append(a.out.Clusters, c)
	}
}

// coverLockedDown makes a source that was left out of the node source where ARM
// says that run-command is locked down and every kubelet has answered for its
// node, unless the source was asked for by name.
func (a *Auditor) coverLockedDown(batches []collect.Batch) []collect.Batch {
	answered := false
	for _, b := range batches {
		if b.Source != report.SourceKubelet {
			continue
		}
		for _, o := range b.Observations {
			if o.Gap != nil || o.Skipped != nil {
				return batches
			}
			answered = answered || o.Node != nil
		}
	}
	batches = slices.Clone(batches) // they are the caller's
	for i, b := range batches {
		if b.Source != report.SourceNode || !answered || slices.Contains(a.in.Named, b.Source) || len(b.Observations) != 1 {
			continue
		}
		if g := b.Observations[0].Gap; g != nil && g.Reason == report.ReasonLockedDown {
			batches[i].Observations = []collect.Observation{{Skipped: &collect.Skipped{Why: g.Message + "; every kubelet has answered for its node instead"}}}
		}
	}
	return batches
}

// address is a server's URL without what could be a secret: user, password,
// query and fragment.
func address(server string) string {
	if !strings.ContainsAny(server, "@?#") {
		return server
	}
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	if u.Opaque != "" { // "admin:password@host" without a scheme parses as one
		return ""
	}
	if at := strings.LastIndex(u.Path, "@"); at >= 0 {
		return ""
	}
	return u.String()
}

// hostOf is the host in a server's URL, in lower case; empty when there is none.
func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func fromARM(c *report.Cluster, a target.ARM) {
	c.ResourceID, c.SubscriptionID, c.ResourceGroup, c.Location = a.ID, a.SubscriptionID, a.ResourceGroup, a.Location
	c.KubernetesVersion, c.PowerState, c.ProvisioningState, c.CreatedAt = a.KubernetesVersion, a.PowerState, a.ProvisioningState, a.CreatedAt
}

func status(b collect.Batch) report.SourceStatus {
	s := report.SourceStatus{Source: b.Source, Status: report.StatusOK, Seconds: b.Took.Round(time.Millisecond).Seconds()}
	gaps, seen := 0, 0
	for _, o := range b.Observations {
		switch {
		case o.Skipped != nil:
			s.Status, s.Why = report.StatusSkipped, o.Skipped.Why
			return s
		case o.Gap != nil:
			gaps++
		default:
			seen++
		}
	}
	switch {
	case gaps > 0 && seen == 0:
		s.Status = report.StatusFailed
	case gaps > 0:
		s.Status = report.StatusPartial
	}
	return s
}

// credential judges a bearer token's own expiry.
func (a *Auditor) credential(c report.Credential) {
	if c.TokenExpiresAt != nil && !c.TokenExpiresAt.After(a.asOf) {
		a.find(ruleTokenExpired, "the bearer token of user "+c.User+" expired "+day(*c.TokenExpiresAt))
	}
}

// gap adds g unless it is already there: two sources may have needed the same
// missing file. The same gap on many nodes is one, with their names.
func (a *Auditor) gap(source report.Source, g collect.Gap) {
	if n := a.known.of(g.Node); n.Name != "" {
		g.Node = n.Name
	}
	for i, have := range a.out.Gaps[a.from.gaps:] {
		of := have.Node != "" || len(have.Nodes) > 0 // of one node or more
		if g.Node != "" && of && have.Source == source && have.Location == g.Location && have.Reason == g.Reason && have.Message == g.Message && have.Hint == g.Hint {
			a.join(&a.out.Gaps[a.from.gaps+i], g.Node)
			return
		}
		if have.Source == source || have.Location != g.Location || have.Node != g.Node || len(have.Nodes) > 0 {
			continue
		}
		if (g.Location != "" || g.Reason == report.ReasonNotRunning) && have.Message == g.Message {
			return
		}
		// A server that is out of reach is that for every source that asks it,
		// each in its own words.
		server := g.Reason == report.ReasonUnreachable || g.Reason == report.ReasonTimeout || g.Reason == report.ReasonInterrupted
		if g.Location != "" && g.Node == "" && server && have.Reason == g.Reason {
			return
		}
	}
	a.out.Gaps = append(a.out.Gaps, report.Gap{Cluster: a.target.ID, SubscriptionID: subscription(a.target), Source: source, Node: g.Node, Count: 1, Location: g.Location,
		Reason: g.Reason, Message: g.Message, Hint: g.Hint, Retryable: g.Retryable})
}

// subscription is a target's; empty where it is not known to be in Azure.
func subscription(t target.Target) string {
	if t.ARM == nil {
		return ""
	}
	return t.ARM.SubscriptionID
}

// join adds node to a gap that so far stands for one node or more.
func (a *Auditor) join(g *report.Gap, node string) {
	if g.Node != "" {
		g.Nodes, g.Node = []string{g.Node}, ""
	}
	g.Nodes = append(g.Nodes, node)
	g.Count = len(g.Nodes)
}

// findOn adds a finding about the serving certificate seen last.
func (a *Auditor) findOn(name, message string) {
	a.add(rule(name), report.Finding{Message: message}, a.leaf)
}

// find adds a finding that is not about one certificate's row.
func (a *Auditor) find(name, message string) {
	a.add(rule(name), report.Finding{Message: message}, report.Certificate{})
}

// add adds a finding about row, which is zero for one that is not about one
// certificate, with its rule's severity and its remedy, once.
func (a *Auditor) add(r Rule, f report.Finding, row report.Certificate) {
	f.Rule, f.Cluster, f.Certificate, f.Node = r.Name, a.target.ID, row.ID, row.Node
	f.Severity = r.Severity
	if row.Role == report.RoleAPIServerCopy {
		// A copy made with the node and never refreshed: it can be expired on
		// a healthy node, so it never gates (AKS, "Certificate rotation").
		f.Severity, r.remedy = report.SeverityInfo, nothingToDo
	}
	if remedy := a.remedyFor(r.remedy, row); remedy != nil {
		f.RemedyID = remedy.ID
		if !a.remedies[remedy.ID] {
			a.remedies[remedy.ID] = true
			a.out.Remedies = append(a.out.Remedies, *remedy)
		}
	}
	a.out.Findings = append(a.out.Findings, f)
}

func policy(in Input) report.Policy {
	days := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return fmtDays(d)
	}
	p := in.Policy
	return report.Policy{WarnAt: p.Warn.String(), CriticalAt: p.Critical.String(), WarnLead: days(p.WarnLead), CriticalLead: days(p.CriticalLead),
		UnknownLifetime: report.Unknown{WarnAt: fmtDays(lifetime.UnknownWarn), CriticalAt: fmtDays(lifetime.UnknownCritical)}, FailOn: in.FailOn}
}
