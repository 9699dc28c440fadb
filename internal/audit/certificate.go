package audit

import (
	"fmt"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// certificate makes the row and the findings of one certificate.
func (a *Auditor) certificate(source report.Source, c collect.Certificate) {
	c = a.joined(c)
	if n := a.known.of(c.Node); n.Name != "" {
		c.Node = n.Name // one name for one node, whoever spelt it
	}
	row := report.Certificate{
		Cluster: a.target.ID, Source: source, Role: c.Role, Node: c.Node, Approximate: c.Approximate, Location: c.Location, Count: c.Count,
		Subject: c.Subject, Issuer: c.Issuer, Serial: c.Serial, SHA256: c.Fingerprint, IsCA: c.IsCA, SelfSigned: c.SelfSigned,
		Malformed: c.Malformed, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Renewal: a.renewal(c),
	}
	row.ID = place(row)
	if row.SHA256 != "" {
		row.ID = "sha256:" + row.SHA256 + "@" + row.ID
	}
	if i, ok := a.rows[row.ID]; ok { // such as two users of one name in a file given to inspect
		a.out.Certificates[i].Count += row.Count
		return
	}
	a.rows[row.ID] = len(a.out.Certificates)
	j := lifetime.Judge(lifetime.Validity{NotBefore: c.NotBefore, NotAfter: c.NotAfter}, a.in.Policy, row.Renewal == report.RenewalAutomatic, a.asOf)
	row.State, row.WarnsAt, row.CriticalAt = j.State, j.WarnsAt, j.CriticalAt
	row.LifetimeSeconds, row.SecondsLeft, row.LifetimeUsed = j.LifetimeSeconds, j.SecondsLeft, j.LifetimeUsed
	a.out.Certificates = append(a.out.Certificates, row)
	if row.Role == report.RoleAPIServer {
		a.leaf = row
	}

	what := what(row)
	if name, says := stateRule(row, j); name != "" && (!j.Inverted || row.State == report.StateExpired) {
		f := report.Finding{Message: what + " " + says}
		if name != ruleNotYetValid && name != ruleClockSkew {
			f.By = row.NotAfter
		}
		a.add(rule(name), f, row)
	}
	if j.Inverted {
		a.add(rule(ruleInverted), report.Finding{Message: fmt.Sprintf("%s: notAfter %s lies before notBefore %s", what, day(*c.NotAfter), day(*c.NotBefore))}, row)
	}
	if row.Role == report.RoleKubeletServing && row.SelfSigned != nil && *row.SelfSigned && a.known.of(row.Node).KubeletServingCA == "" {
		a.add(rule(ruleSelfSigned), report.Finding{Message: what + " is self-signed: the kubelet serves with it until serving rotation is on, and AKS retires that way on 2027-04-01"}, row)
	}
	if row.Malformed != "" {
		refusal := "strict parsing refuses it: "
		if c.Strict != nil {
			refusal = "read in spite of "
		}
		a.add(rule(ruleMalformed), report.Finding{Message: what + ": " + refusal + row.Malformed}, row)
	}
}

// what names a row in a finding.
func what(row report.Certificate) string {
	name := string(row.Role) + " certificate"
	switch row.Role {
	case report.RoleClusterCA:
		name = "cluster CA"
	case report.RoleClientCA:
		name = "client CA"
	case report.RoleRequestHeaderCA:
		name = "request-header CA"
	case report.RoleAPIServerCopy:
		name = "copy of the API server's certificate"
	case report.RoleOther:
		name = "certificate"
	}
	if row.Node != "" {
		name += " on node " + row.Node
	}
	return name + " in " + row.Location
}

// place tells rows apart within one report.
func place(row report.Certificate) string {
	at := row.Location
	if row.Node != "" {
		at = row.Node + ":" + at
	}
	if row.Cluster != "" {
		at = row.Cluster + "/" + at
	}
	return at
}

// renewal comes from the role and from configuration evidence, never from the
// certificate's state.
func (a *Auditor) renewal(c collect.Certificate) report.Renewal {
	yes := func(b *bool) bool { return b != nil && *b }
	switch {
	case c.Role == report.RoleClient:
		return report.RenewalManual
	case c.Role == report.RoleClusterCA || yes(c.IsCA) || yes(c.SelfSigned):
		return report.RenewalNone
	case c.Role == report.RoleKubeletClient || c.Role == report.RoleKubeletServing:
		if rotates := a.known.of(c.Node).RotateCertificates; rotates != nil && *rotates {
			return report.RenewalAutomatic
		}
	case c.Role == report.RoleNodeStaticClient:
		return report.RenewalManual
	case c.Role == report.RoleAPIServer && a.autoRotates():
		return report.RenewalAutomatic
	}
	return report.RenewalUnknown
}

// stateRule is the rule of a row worse than ok, and what it says.
func stateRule(row report.Certificate, j lifetime.Judgement) (name, says string) {
	until := ""
	if row.NotAfter != nil {
		until = fmt.Sprintf("expires %s, in %s", day(*row.NotAfter), lifetime.Span(*row.SecondsLeft))
	}
	if row.LifetimeUsed != nil {
		until += fmt.Sprintf(" (%d %% of its lifetime used)", int64(*row.LifetimeUsed*100))
	} else if row.NotAfter != nil && row.NotBefore == nil {
		until += " (lifetime unknown: judged by the time left)"
	}
	switch row.State {
	case report.StateExpired:
		if row.Role == report.RoleAPIServerCopy {
			return ruleCopyExpired, fmt.Sprintf("expired %s: it was made with the node and is never refreshed; the kubelet does not use it", day(*row.NotAfter))
		}
		return ruleExpired, fmt.Sprintf("expired %s, %s ago", day(*row.NotAfter), lifetime.Span(-*row.SecondsLeft))
	case report.StateCritical:
		return ruleCritical, until
	case report.StateNotYetValid:
		return ruleNotYetValid, "is not valid before " + day(*row.NotBefore)
	case report.StateWarning:
		if j.Skewed {
			return ruleClockSkew, "is not valid before " + day(*row.NotBefore) + ": clock skew"
		}
		if row.Renewal == report.RenewalAutomatic && (row.LifetimeUsed != nil || *row.SecondsLeft < int64(lifetime.UnknownWarn/time.Second)) {
			return ruleOverdue, until + ": it renews itself, and should have by now"
		}
		if row.Role == report.RoleClusterCA || row.IsCA != nil && *row.IsCA {
			return ruleCAExpiring, until + "; a CA never rotates by itself"
		}
		return ruleWarning, until
	case report.StateDue:
		return ruleDue, until
	}
	return "", ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func fmtDays(d time.Duration) string { return fmt.Sprintf("%dd", int64(d/(24*time.Hour))) }
