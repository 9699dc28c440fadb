package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// agrees is how far a kubelet's metric and the file on its node may be apart and
// still mean the same certificate: whole seconds, a round trip, and two clocks.
const agrees = 5 * time.Minute

// young is how long a node may take to get its first serving certificate.
const young = 10 * time.Minute

// joined is c with the notBefore of the node's file, where c is a kubelet's
// metric about that very certificate: the metric has no lifetime. Where they are
// about two, the node is remembered.
func (a *Auditor) joined(c collect.Certificate) collect.Certificate {
	file, ok := a.known.fileOf(c)
	if !ok {
		return c
	}
	switch d := c.NotAfter.Sub(*file.NotAfter); {
	case d.Abs() <= agrees || a.known.clock != 0 && (d-a.known.clock).Abs() <= agrees:
		c.NotBefore = file.NotBefore
	case a.known.renewedSince(c, file):
		// Run-command takes minutes; a kubelet, or a whole node, may have been
		// renewed between the two.
	default:
		a.apart = append(a.apart, fmt.Sprintf("%s (metric %s, file %s)", c.Node, day(*c.NotAfter), day(*file.NotAfter)))
	}
	return c
}

// fileOf is the file that a metric speaks of.
func (k known) fileOf(c collect.Certificate) (certs.Certificate, bool) {
	if !c.Approximate || c.NotAfter == nil || c.NotBefore != nil {
		return certs.Certificate{}, false
	}
	file, ok := k.current[string(c.Role)+"/"+key(c.Node)]
	return file, ok
}

// renewedSince reports whether file was signed after the metric had been read.
// What Kubernetes signs begins five minutes before it is signed.
func (k known) renewedSince(c collect.Certificate, file certs.Certificate) bool {
	n := k.of(c.Node)
	return n.Kubelet != nil && file.NotAfter.After(*c.NotAfter) && !file.NotBefore.Before(n.Kubelet.ReadAt.Add(-2*agrees))
}

// clockOff is by how much all kubelets' metrics differ from their files alike,
// where most do: it is then this machine's clock that is off, by which a time to
// live became a date. Zero where it is not.
func (k known) clockOff(metrics []collect.Certificate) time.Duration {
	var off []time.Duration
	for _, c := range metrics {
		if file, ok := k.fileOf(c); ok {
			off = append(off, c.NotAfter.Sub(*file.NotAfter))
		}
	}
	if len(off) < 3 {
		return 0
	}
	slices.Sort(off)
	median, alike := off[len(off)/2], 0
	for _, d := range off {
		if (d - median).Abs() <= agrees {
			alike++
		}
	}
	if median.Abs() <= agrees || alike*4 < len(off)*3 {
		return 0
	}
	return median
}

// disagreement says which kubelets and files are about different certificates.
func (a *Auditor) disagreement() {
	if a.known.clock != 0 {
		a.add(rule(ruleDisagrees), report.Finding{Message: fmt.Sprintf("the kubelets' metrics and the files on their nodes are all apart by about %s: this machine's clock is off", a.known.clock.Round(time.Minute))}, report.Certificate{})
	}
	if len(a.apart) > 0 {
		a.add(rule(ruleDisagrees), report.Finding{Message: "the kubelet and the file on its node are about different certificates: " + few(a.apart)}, report.Certificate{})
	}
}

// unanswered adds a gap for each node that the API lists and no source that looks
// at nodes has said a word about: it joined meanwhile.
func (a *Auditor) unanswered() {
	if !a.known.askedNodes || a.in.Sampling != "" || a.known.asleep {
		return
	}
	seen := map[string]bool{}
	for _, row := range a.out.Certificates[a.from.certificates:] {
		seen[key(row.Node)] = true
	}
	for _, n := range a.known.order {
		if !n.Virtual && n.Kubelet == nil && n.BootstrapMode == "" && n.RotateCertificates == nil && !seen[key(n.Name)] && !a.known.missed[key(n.Name)] {
			a.gap(report.SourceKubelet, collect.Gap{Node: n.Name, Location: "/metrics", Reason: report.ReasonNotFound, Retryable: true,
				Message: "the node came or went while the audit ran, and was not asked", Hint: "run it again"})
		}
	}
}

// without finds kubelets that say of themselves that they have no valid
// certificate: what expired has no row of its own there.
func (a *Auditor) without() {
	for _, n := range a.known.order {
		if n.Kubelet == nil {
			continue
		}
		if n.Kubelet.NoClientCertificate {
			a.add(rule(ruleNoCertificate), report.Finding{Message: "the kubelet on node " + n.Name + " has no valid client certificate: it has expired, or never came"},
				report.Certificate{Node: n.Name, Role: report.RoleKubeletClient})
		}
		if n.Kubelet.NoServingCertificate {
			r := rule(ruleNoCertificate)
			r.Severity, r.remedy = report.SeverityWarning, approveServing
			if n.CreatedAt != nil && n.Kubelet.ReadAt.Sub(*n.CreatedAt) < young {
				r.Severity = report.SeverityInfo // it has only just asked for one
			}
			a.add(r, report.Finding{Message: "the kubelet on node " + n.Name + " has no valid serving certificate: it has expired, or its request was never approved"},
				report.Certificate{Node: n.Name, Role: report.RoleKubeletServing})
		}
	}
}

// renewErrors is what the kubelets say of attempts to renew that failed. The
// counters began when the kubelet was started, so that an old error proves
// nothing by itself; together with a certificate that is late it does.
func (a *Auditor) renewErrors(late map[string]bool) check {
	c := check{Evidence: report.Evidence{Check: "kubelet-renewal-errors"}, optional: true}
	asked, failing, both := 0, []string{}, []string{}
	for _, n := range a.known.order {
		if n.Kubelet == nil || n.Kubelet.RenewErrors == nil && n.Kubelet.ServingRenewErrors == nil {
			continue
		}
		asked++
		errors := int64(0)
		for _, count := range []*int64{n.Kubelet.RenewErrors, n.Kubelet.ServingRenewErrors} {
			if count != nil {
				errors += *count
			}
		}
		if errors > 0 {
			failing = append(failing, fmt.Sprintf("%s (%d)", n.Name, errors))
			if late[key(n.Name)] {
				both = append(both, n.Name)
			}
		}
	}
	switch {
	case len(both) > 0:
		c.Result, c.Detail = report.ResultFail, "failed to renew, and are late: "+few(both)
	case len(failing) > 0:
		c.Result, c.Detail = report.ResultPass, "failed at times since the kubelets started, and are still in time: "+few(failing)
	case asked == 0:
		c.Result, c.Detail = report.ResultUnknown, "no kubelet was asked"
	default:
		c.Result, c.Detail = report.ResultPass, fmt.Sprintf("%s counted none since it started", counted(asked, "kubelet"))
	}
	if len(failing) > 0 {
		c.finding = &pending{rule(ruleRenewErrors), "attempts to renew a certificate have failed since the kubelet started: " + few(failing)}
	}
	return c
}

// counted is "the kubelet" for one, and "each of 3 kubelets" for more.
func counted(n int, what string) string {
	if n == 1 {
		return "the " + what
	}
	return fmt.Sprintf("each of %d %ss", n, what)
}
