package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/lifetime"
	"github.com/akscert/akscert/pkg/report"
)

// automaticSince: AKS rotates non-CA certificates by itself on RBAC clusters
// created or upgraded after March 2022 (AKS, "Certificate rotation").
func automaticSince() time.Time { return time.Date(2022, time.April, 1, 0, 0, 0, 0, time.UTC) }

// check is one line of evidence, and what follows from it.
type check struct {
	report.Evidence
	optional bool     // not knowing does not stand in the way of automatic
	rulesOut bool     // a fail means manual, not broken
	finding  *pending // what somebody has to act on
}

// pending is a finding that a check has come upon.
type pending struct {
	rule    Rule
	message string
}

// rotation answers whether a cluster's certificates renew themselves, check by
// check: what rules it out comes before what shows it failing, before what
// proves it, before not knowing.
func (a *Auditor) rotation() *report.Rotation {
	late, overdue := a.overdue()
	checks := []check{a.rbac(), a.age()}
	if c := a.target.ARM; c != nil {
		checks = append(checks, running(*c), a.provisioning(len(late) > 0))
	}
	checks = append(checks, a.nodesRotate(), a.renewErrors(late), overdue)

	r := &report.Rotation{Evidence: []report.Evidence{}}
	manual, broken, proven := false, false, true
	for _, c := range checks {
		r.Evidence = append(r.Evidence, c.Evidence)
		if c.finding != nil {
			a.add(c.finding.rule, report.Finding{Message: c.finding.message}, report.Certificate{})
		}
		manual = manual || c.Result == report.ResultFail && c.rulesOut
		broken = broken || c.Result == report.ResultFail && !c.rulesOut
		proven = proven && (c.Result == report.ResultPass || c.Result == report.ResultUnknown && c.optional)
	}
	switch {
	case manual:
		r.Verdict = report.RotationManual
	case broken:
		r.Verdict = report.RotationBroken
	case proven:
		r.Verdict = report.RotationAutomatic
	default:
		r.Verdict = report.RotationUnknown
	}
	return r
}

// rotationFindings says what of that somebody has to act on.
func (a *Auditor) rotationFindings() {
	for _, n := range a.known.order {
		if n.BootstrapMode == report.BootstrapStatic {
			a.add(rule(ruleStatic), report.Finding{Message: "node " + n.Name + " uses a static client certificate: it has no TLS bootstrapping, and never rotates"},
				report.Certificate{Node: n.Name, Role: report.RoleNodeStaticClient})
		} else if n.RotateCertificates != nil && !*n.RotateCertificates {
			a.add(rule(ruleNodeOff), report.Finding{Message: "the kubelet on node " + n.Name + " is told not to renew its client certificate (rotateCertificates is off)"},
				report.Certificate{Node: n.Name, Role: report.RoleKubeletClient})
		}
	}
	if c := a.rbac(); c.Result == report.ResultFail {
		a.find(ruleNoRBAC, "cluster "+a.target.Name+": "+c.Detail+": its certificates never rotate by themselves")
	} else if c := a.age(); c.Result == report.ResultFail {
		a.find(ruleNeverUpgraded, "cluster "+a.target.Name+": "+c.Detail+": its certificates rotate by themselves only after an upgrade")
	}
	if a.target.ARM != nil && rotating(*a.target.ARM) {
		a.find(ruleRotating, "cluster "+a.target.Name+" is "+a.target.ARM.ProvisioningState+": until that is done, old and new certificates stand side by side")
	}
}

// rbac is told by ARM, or else by the API's own discovery.
func (a *Auditor) rbac() check {
	c := check{Evidence: report.Evidence{Check: "kubernetes-rbac", Result: report.ResultUnknown}, rulesOut: true}
	switch on := a.known.api.RBAC; {
	case a.target.ARM != nil && a.target.ARM.RBAC != nil && *a.target.ARM.RBAC:
		c.Result, c.Detail = report.ResultPass, "Kubernetes RBAC is on"
	case a.target.ARM != nil && a.target.ARM.RBAC != nil:
		c.Result, c.Detail = report.ResultFail, "Kubernetes RBAC is off, and cannot be switched on"
	case on != nil && *on:
		c.Result, c.Detail = report.ResultPass, "the API serves rbac.authorization.k8s.io, and an authorizer decides"
	case on != nil:
		c.Result, c.Detail = report.ResultFail, "the API has no rbac.authorization.k8s.io, or none of its built-in roles: Kubernetes RBAC is off, and cannot be switched on"
	case a.target.ARM != nil:
		c.Detail = "neither ARM nor the API says whether Kubernetes RBAC is on"
	default:
		c.Detail = "needs ARM, or an API server that answers"
	}
	return c
}

// age is whether the cluster was created or upgraded after March 2022, and the
// fact that proves it.
func (a *Auditor) age() check {
	c := check{Evidence: report.Evidence{Check: "created-or-upgraded-after-march-2022", Result: report.ResultUnknown}, rulesOut: true, optional: a.target.ARM == nil}
	if !a.aks() {
		c.optional, c.Detail = true, "not known to be a cluster of AKS, which alone promises to rotate the API server's certificate"
		return c
	}
	version, created := a.known.api.Version, a.createdBefore()
	if arm := a.target.ARM; arm != nil {
		if arm.CreatedAt != nil && !arm.CreatedAt.Before(automaticSince()) {
			c.Result, c.Detail = report.ResultPass, "created "+day(*arm.CreatedAt)
			return c
		}
		if arm.KubernetesVersion != "" {
			version = arm.KubernetesVersion
		}
	}
	if since124(version) {
		c.Result, c.Detail = report.ResultPass, "runs Kubernetes "+version+", which came out after that"
		return c
	}
	if image, ok := a.youngImage(); ok {
		c.Result, c.Detail = report.ResultPass, "its nodes run the image "+image+", made after that"
		return c
	}
	switch {
	case version == "" && a.target.ARM == nil:
		c.Detail = "needs ARM, or an API server that answers"
	case version == "":
		c.Detail = "neither ARM nor the API says when it was created or what it runs"
	case created != nil:
		c.Result, c.Detail = report.ResultFail, fmt.Sprintf("created %s, and still runs Kubernetes %s", day(*created), version)
	default:
		// An old version can have been a new cluster's; that it is still served
		// so long after is not known.
		c.Detail = "runs Kubernetes " + version + ", and when it was created is not known"
	}
	return c
}

// createdBefore is an instant before April 2022 at which the cluster was already
// there: ARM's date, or its oldest node's.
func (a *Auditor) createdBefore() *time.Time {
	var oldest *time.Time
	if a.target.ARM != nil {
		oldest = a.target.ARM.CreatedAt
	}
	for _, n := range a.known.order {
		if n.CreatedAt != nil && (oldest == nil || n.CreatedAt.Before(*oldest)) {
			oldest = n.CreatedAt
		}
	}
	if oldest == nil || !oldest.Before(automaticSince()) {
		return nil
	}
	return oldest
}

// youngImage is a node image made after March 2022 that every node, or else every
// pool, runs. Pools of different age are what an upgrade half done leaves.
func (a *Auditor) youngImage() (image string, ok bool) {
	var images []string
	for _, n := range a.known.order {
		if n.ImageVersion != "" {
			images = append(images, n.ImageVersion)
		}
	}
	if len(images) == 0 && a.target.ARM != nil {
		for _, p := range a.target.ARM.Pools {
			images = append(images, p.NodeImageVersion)
		}
	}
	for _, i := range images {
		year, month, ok := imageDate(i)
		if !ok || year < 2022 || year == 2022 && month < 4 {
			return "", false
		}
	}
	if len(images) == 0 {
		return "", false
	}
	return slices.Min(images), true
}

// since124 reports whether version came out after March 2022: 1.24 did in May.
func since124(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 1 || major == 1 && minor >= 24)
}

// autoRotates reports whether the cluster is what AKS asks of one whose API
// server's certificate renews itself.
func (a *Auditor) autoRotates() bool {
	return a.aks() && a.rbac().Result == report.ResultPass && a.age().Result == report.ResultPass
}

func running(c target.ARM) check {
	result := check{Evidence: report.Evidence{Check: "running", Result: report.ResultUnknown}}
	var stopped []string
	for _, p := range c.Pools {
		if p.Stopped() {
			stopped = append(stopped, p.Name)
		}
	}
	switch {
	case c.Stopped():
		result.Detail = "the cluster is stopped: its nodes renew nothing until it runs"
	case len(stopped) > 0:
		result.Detail = "stopped, and renewing nothing until they run: pools " + strings.Join(stopped, ", ")
	case c.PowerState == "":
		result.Detail = "ARM does not say whether it runs"
	default:
		result.Result, result.Detail = report.ResultPass, "the cluster and its pools run"
	}
	return result
}

// provisioning reads the state of the last operation. ARM does not say what that
// operation was: a failed one is a failed rotation where the certificates show
// the traces of one.
func (a *Auditor) provisioning(late bool) check {
	c := check{Evidence: report.Evidence{Check: "provisioning-state", Result: report.ResultUnknown}}
	switch state := a.target.ARM.ProvisioningState; {
	case strings.EqualFold(state, "Succeeded"):
		c.Result, c.Detail = report.ResultPass, "the last operation succeeded"
	case state == "":
		c.Detail = "ARM does not say"
	case rotating(*a.target.ARM):
		c.Detail = state + ": a rotation is under way"
	case !strings.EqualFold(state, "Failed") && !strings.EqualFold(state, "Canceled"):
		c.Detail = state + ": what it is doing is not known"
	case a.found(ruleCAMismatch):
		c.Result, c.Detail = report.ResultFail, state+", and the cluster's certificates do not agree: a rotation did not come to its end"
	case late:
		c.Result, c.Detail = report.ResultFail, state+", and certificates that should have been renewed were not"
	default:
		c.Detail = state + ": what it was doing is not known"
	}
	if c.Result == report.ResultFail {
		c.finding = &pending{rule(ruleRotationFailed), "cluster " + a.target.Name + " is " + c.Detail}
	}
	return c
}

// rotating reports whether a rotation of the certificates is under way.
func rotating(c target.ARM) bool {
	return strings.EqualFold(c.ProvisioningState, "RotatingClusterCertificates") || strings.EqualFold(c.ProvisioningState, "ReconcilingClusterCertificates")
}

// found reports whether there is a finding of that rule about the target.
func (a *Auditor) found(name string) bool {
	return slices.ContainsFunc(a.out.Findings[a.from.findings:], func(f report.Finding) bool { return f.Rule == name })
}

// nodesRotate judges how the target's nodes came by their certificates, and
// whether they renew them.
func (a *Auditor) nodesRotate() check {
	c := check{Evidence: report.Evidence{Check: "nodes-rotate", Result: report.ResultUnknown}, rulesOut: true}
	current := map[string]bool{}
	for _, row := range a.out.Certificates[a.from.certificates:] {
		current[key(row.Node)] = current[key(row.Node)] || row.Node != "" && row.Role == report.RoleKubeletClient
	}
	var on, off, unproven []string
	proven := map[string]bool{}
	for _, n := range a.known.order {
		switch {
		case n.Virtual: // it has no certificate of a node's
			proven[key(n.Name)] = true
		case n.BootstrapMode == report.BootstrapStatic || n.RotateCertificates != nil && !*n.RotateCertificates:
			off = append(off, n.Name)
		case current[key(n.Name)] && n.RotateCertificates != nil:
			on = append(on, n.Name)
			proven[key(n.Name)] = true
		default:
			unproven = append(unproven, n.Name)
		}
	}
	switch {
	case len(off) > 0:
		c.Result, c.Detail = report.ResultFail, "these nodes do not rotate: "+few(off)
	case a.in.Sampling != "":
		c.Detail = fmt.Sprintf("a sample (%s): with proof that they rotate: %d; nothing is claimed of the others", a.in.Sampling, len(on))
	case len(unproven) > 0:
		c.Detail = fmt.Sprintf("with proof that they rotate: %d; without: %s", len(on), few(unproven))
	case len(on) == 0:
		c.Detail = "no node was examined"
	case a.unseen(proven):
		c.Detail = fmt.Sprintf("with proof that they rotate: %d; others could not be examined", len(on))
	default:
		c.Result, c.Detail = report.ResultPass, counted(len(on), "node")+" has a certificate of its own, and rotation on"
	}
	return c
}

// unseen reports whether there are nodes, or may be, that nobody proved anything
// of: nodes are known by a list, ARM's or the API's, that is whole.
func (a *Auditor) unseen(proven map[string]bool) bool {
	for node := range a.known.missed {
		if !proven[node] {
			return true
		}
	}
	return a.known.asleep || !a.known.whole[report.SourceNode] && !a.known.whole[report.SourceKubelet]
}

// worn is how little time left is late where there is no lifetime to have 90 % of.
// AKS signs for a year, of which a kubelet lets no more than 36 days come. Who
// else signs for how long is not known: a day is a tenth of ten.
func (a *Auditor) worn() time.Duration {
	if a.aks() {
		return lifetime.UnknownWarn
	}
	return 24 * time.Hour
}

// overdue looks for self-renewing certificates past the point by which they
// should have been renewed, and says which nodes they are on.
func (a *Auditor) overdue() (nodes map[string]bool, c check) {
	c = check{Evidence: report.Evidence{Check: "no-certificate-overdue", Result: report.ResultUnknown}}
	nodes = map[string]bool{}
	var late []string
	seen := 0
	for _, row := range a.out.Certificates[a.from.certificates:] {
		if row.Renewal != report.RenewalAutomatic {
			continue
		}
		seen++
		j := lifetime.Judge(lifetime.Validity{NotBefore: row.NotBefore, NotAfter: row.NotAfter}, a.in.Policy, true, a.asOf)
		worn := row.NotBefore == nil && row.SecondsLeft != nil && *row.SecondsLeft < int64(a.worn()/time.Second)
		if j.OverdueAt != nil && !a.asOf.Before(*j.OverdueAt) || worn {
			late = append(late, what(row))
			nodes[key(row.Node)] = true
		}
	}
	for _, n := range a.known.order {
		if n.Kubelet != nil && n.Kubelet.NoClientCertificate {
			late = append(late, "node "+n.Name+", whose kubelet has no valid client certificate left")
			nodes[key(n.Name)] = true
		}
	}
	switch {
	case len(late) > 0:
		c.Result, c.Detail = report.ResultFail, "late, and not renewed: "+few(late)
	case seen == 0:
		c.Detail = "no certificate is known to renew itself"
	default:
		c.Result, c.Detail = report.ResultPass, fmt.Sprintf("of %d that renew themselves none is late", seen)
	}
	return nodes, c
}
