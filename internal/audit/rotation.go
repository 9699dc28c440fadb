package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// automaticSince: AKS rotates non-CA certificates by itself on RBAC clusters
// created or upgraded after March 2022 (AKS, "Certificate rotation").
func automaticSince() time.Time { return time.Date(2022, time.April, 1, 0, 0, 0, 0, time.UTC) }

// mark is where a target's part of the report begins.
type mark struct{ certificates, nodes, gaps int }

// rotation answers whether a cluster's certificates renew themselves, check by
// check: what rules it out comes before what shows it failing, before what
// proves it, before not knowing.
func (a *auditor) rotation(from mark) *report.Rotation {
	r := &report.Rotation{Verdict: report.RotationUnknown, Evidence: []report.Evidence{}}
	manual, broken := false, false
	add := func(check string, result report.Result, detail string) {
		r.Evidence = append(r.Evidence, report.Evidence{Check: check, Result: result, Detail: detail})
	}
	if c := a.target.ARM; c != nil {
		result, detail := rbac(*c)
		add("kubernetes-rbac", result, detail)
		manual = manual || result == report.ResultFail
		result, detail = age(*c)
		add("created-or-upgraded-after-march-2022", result, detail)
		manual = manual || result == report.ResultFail
		result, detail = running(*c)
		add("running", result, detail)
		result, detail = provisioning(*c)
		add("provisioning-state", result, detail)
	} else {
		add("kubernetes-rbac", report.ResultUnknown, "needs ARM")
		add("created-or-upgraded-after-march-2022", report.ResultUnknown, "needs ARM")
	}
	nodes, static := a.nodeEvidence(from)
	add("nodes-rotate", nodes.Result, nodes.Detail)
	manual = manual || static
	overdue := a.overdue(from)
	add("no-certificate-overdue", overdue.Result, overdue.Detail)
	broken = overdue.Result == report.ResultFail

	proven := nodes.Result == report.ResultPass && overdue.Result == report.ResultPass
	for _, e := range r.Evidence {
		proven = proven && (e.Result == report.ResultPass || a.target.ARM == nil && e.Detail == "needs ARM")
	}
	switch {
	case manual:
		r.Verdict = report.RotationManual
	case broken:
		r.Verdict = report.RotationBroken
	case proven:
		r.Verdict = report.RotationAutomatic
	}
	return r
}

// rotationFindings says what of that somebody has to act on.
func (a *auditor) rotationFindings() {
	for _, n := range a.out.Nodes[a.from.nodes:] {
		if n.BootstrapMode == report.BootstrapStatic {
			a.add(rule(ruleStatic), report.Finding{Message: "node " + n.Name + " uses a static client certificate: it has no TLS bootstrapping, and never rotates"},
				report.Certificate{Node: n.Name, Role: report.RoleNodeStaticClient})
		}
	}
	if a.target.ARM == nil {
		return
	}
	if result, detail := rbac(*a.target.ARM); result == report.ResultFail {
		a.find(ruleNoRBAC, "cluster "+a.target.Name+": "+detail+": its certificates never rotate by themselves")
	}
	if rotating(*a.target.ARM) {
		a.find(ruleRotating, "cluster "+a.target.Name+" is "+a.target.ARM.ProvisioningState+": until that is done, old and new certificates stand side by side")
	}
}

func rbac(c target.ARM) (report.Result, string) {
	switch {
	case c.RBAC == nil:
		return report.ResultUnknown, "ARM does not say whether Kubernetes RBAC is on"
	case *c.RBAC:
		return report.ResultPass, "Kubernetes RBAC is on"
	}
	return report.ResultFail, "Kubernetes RBAC is off, and cannot be switched on"
}

func age(c target.ARM) (report.Result, string) {
	switch {
	case c.CreatedAt != nil && !c.CreatedAt.Before(automaticSince()):
		return report.ResultPass, "created " + day(*c.CreatedAt)
	case since124(c.KubernetesVersion):
		return report.ResultPass, "runs Kubernetes " + c.KubernetesVersion + ", which came out after that"
	case c.KubernetesVersion == "":
		return report.ResultUnknown, "ARM says neither when it was created nor what it runs"
	case c.CreatedAt != nil:
		return report.ResultFail, fmt.Sprintf("created %s, and still runs Kubernetes %s", day(*c.CreatedAt), c.KubernetesVersion)
	}
	// An old version can have been a new cluster's; that it is still served
	// so long after is not known.
	return report.ResultUnknown, "runs Kubernetes " + c.KubernetesVersion + ", and when it was created is not known"
}

// since124 reports whether version came out after March 2022: 1.24 did in May.
func since124(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 1 || major == 1 && minor >= 24)
}

func running(c target.ARM) (report.Result, string) {
	if c.Stopped() {
		return report.ResultUnknown, "the cluster is stopped: its nodes renew nothing until it runs"
	}
	var stopped []string
	for _, p := range c.Pools {
		if p.Stopped() {
			stopped = append(stopped, p.Name)
		}
	}
	switch {
	case len(stopped) > 0:
		return report.ResultUnknown, "stopped, and renewing nothing until they run: pools " + strings.Join(stopped, ", ")
	case c.PowerState == "":
		return report.ResultUnknown, "ARM does not say whether it runs"
	}
	return report.ResultPass, "the cluster and its pools run"
}

func provisioning(c target.ARM) (report.Result, string) {
	switch state := c.ProvisioningState; {
	case state == "Succeeded":
		return report.ResultPass, "the last operation succeeded"
	case state == "":
		return report.ResultUnknown, "ARM does not say"
	case rotating(c):
		return report.ResultUnknown, state + ": a rotation is under way"
	default:
		return report.ResultUnknown, state + ": what it was doing is not known"
	}
}

// rotating reports whether a rotation of the certificates is under way.
func rotating(c target.ARM) bool {
	return strings.EqualFold(c.ProvisioningState, "RotatingClusterCertificates") || strings.EqualFold(c.ProvisioningState, "ReconcilingClusterCertificates")
}

// nodeEvidence judges how the nodes of the target came by their certificates,
// and whether they renew them. from is where its rows and nodes begin.
func (a *auditor) nodeEvidence(from mark) (e report.Evidence, static bool) {
	current := map[string]bool{}
	for _, c := range a.out.Certificates[from.certificates:] {
		current[c.Node] = current[c.Node] || c.Node != "" && c.Role == report.RoleKubeletClient
	}
	var on, off, unproven []string
	for _, n := range a.out.Nodes[from.nodes:] {
		switch {
		case n.BootstrapMode == report.BootstrapStatic || n.RotateCertificates != nil && !*n.RotateCertificates:
			off = append(off, n.Name)
		case current[n.Name] && n.RotateCertificates != nil:
			on = append(on, n.Name)
		default:
			unproven = append(unproven, n.Name)
		}
	}
	// A pool that is stopped, or a list that could not be had, is nodes that
	// nobody looked at.
	unseen := false
	for _, g := range a.out.Gaps[from.gaps:] {
		unseen = unseen || g.Source == report.SourceNode || g.Source == report.SourceARM
	}
	switch {
	case len(off) > 0:
		return report.Evidence{Result: report.ResultFail, Detail: "these nodes do not rotate: " + few(off)}, true
	case len(unproven) > 0:
		return report.Evidence{Result: report.ResultUnknown, Detail: fmt.Sprintf("%d nodes rotate; without evidence: %s", len(on), few(unproven))}, false
	case len(on) == 0:
		return report.Evidence{Result: report.ResultUnknown, Detail: "no node was examined"}, false
	case unseen:
		return report.Evidence{Result: report.ResultUnknown, Detail: fmt.Sprintf("%d nodes rotate; others could not be examined", len(on))}, false
	}
	return report.Evidence{Result: report.ResultPass, Detail: fmt.Sprintf("all %d nodes have a certificate of their own and rotateCertificates on", len(on))}, false
}

// overdue looks for self-renewing certificates past the point by which they
// should have been renewed.
func (a *auditor) overdue(from mark) report.Evidence {
	var late []string
	seen := 0
	for _, c := range a.out.Certificates[from.certificates:] {
		if c.Renewal != report.RenewalAutomatic {
			continue
		}
		seen++
		j := lifetime.Judge(lifetime.Validity{NotBefore: c.NotBefore, NotAfter: c.NotAfter}, a.in.Policy, true, a.asOf)
		if j.OverdueAt != nil && !a.asOf.Before(*j.OverdueAt) {
			late = append(late, what(c))
		}
	}
	switch {
	case len(late) > 0:
		return report.Evidence{Result: report.ResultFail, Detail: "past 90 % of its lifetime and not renewed: " + few(late)}
	case seen == 0:
		return report.Evidence{Result: report.ResultUnknown, Detail: "no certificate is known to renew itself"}
	}
	return report.Evidence{Result: report.ResultPass, Detail: fmt.Sprintf("all %d that renew themselves are before 90 %% of their lifetime", seen)}
}
