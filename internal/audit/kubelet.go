package audit

import (
	"fmt"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// agrees is how far a kubelet's metric and the file on its node may be apart and
// still mean the same certificate: whole seconds, a round trip, and two clocks.
const agrees = 5 * time.Minute

// joined is c with the notBefore of the node's file, where c is a kubelet's
// metric about that very certificate: the metric has no lifetime. apart is the
// file's notAfter where they disagree.
func (a *Auditor) joined(c collect.Certificate) (_ collect.Certificate, apart *time.Time) {
	if !c.Approximate || c.NotAfter == nil || c.NotBefore != nil {
		return c, nil
	}
	file, ok := a.known.current[string(c.Role)+"/"+key(c.Node)]
	if !ok {
		return c, nil
	}
	if d := c.NotAfter.Sub(*file.NotAfter).Abs(); d > agrees {
		return c, file.NotAfter
	}
	c.NotBefore = file.NotBefore
	return c, nil
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
			r.Severity = report.SeverityWarning
			a.add(r, report.Finding{Message: "the kubelet on node " + n.Name + " has no valid serving certificate: it has expired, or its request was never approved"},
				report.Certificate{Node: n.Name, Role: report.RoleKubeletServing})
		}
	}
}

// renewErrors is what the kubelets say of attempts to renew that failed. The
// counter began when the kubelet was started, so that an old error proves
// nothing by itself; together with a certificate that is late it does.
func (a *Auditor) renewErrors(late map[string]bool) check {
	c := check{Evidence: report.Evidence{Check: "kubelet-renewal-errors"}, optional: true}
	asked, failing, both := 0, []string{}, []string{}
	for _, n := range a.known.order {
		if n.Kubelet == nil || n.Kubelet.RenewErrors == nil {
			continue
		}
		asked++
		if errors := *n.Kubelet.RenewErrors; errors > 0 {
			failing = append(failing, fmt.Sprintf("%s (%d)", n.Name, errors))
			if late[key(n.Name)] {
				both = append(both, n.Name)
			}
		}
	}
	switch {
	case len(both) > 0:
		c.Result, c.Detail = report.ResultFail, "failed to renew, and are past 90 % of their lifetime: "+few(both)
	case len(failing) > 0:
		c.Result, c.Detail = report.ResultPass, "failed at times since the kubelets started, and are still in time: "+few(failing)
	case asked == 0:
		c.Result, c.Detail = report.ResultUnknown, "no kubelet was asked"
	default:
		c.Result, c.Detail = report.ResultPass, fmt.Sprintf("none since they started, say %s", plural(asked, "kubelet"))
	}
	if len(failing) > 0 {
		a.find(ruleRenewErrors, "attempts to renew the client certificate have failed since the kubelet started: "+few(failing))
	}
	return c
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
