package audit

import (
	"fmt"
	"slices"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// agreement compares the CAs that the parts of a cluster know: the one that
// signed the API server's certificate, those the nodes trust, those whose client
// certificates the API server accepts, and the kubeconfig's. trust has compared
// the first with the last already.
func (a *Auditor) agreement() {
	k, foreign := a.known, a.found(ruleCAMismatch) // so far only trust can have found one
	// The CA that signed what the API server presents, wherever it was found. It
	// is compared with what the nodes trust, so without any it is not looked for.
	var signers []certs.Certificate
	if len(k.trusted) > 0 && k.handshake != nil && len(k.handshake.Presented) > 0 {
		for _, ca := range slices.Concat(k.kubeconfigCAs, k.clientCAs) {
			if ok, _ := certs.ChainsTo(k.handshake.Presented, []certs.Certificate{ca}); ok {
				signers = append(signers, ca)
			}
		}
	}
	var strangers, refused []string
	for _, n := range k.order {
		trusted := k.trusted[key(n.Name)]
		if len(trusted) == 0 {
			continue
		}
		if len(signers) > 0 && !share(trusted, signers) {
			strangers = append(strangers, n.Name)
		} else if len(k.clientCAs) > 0 && !share(trusted, k.clientCAs) {
			refused = append(refused, n.Name)
		}
	}
	if len(strangers) > 0 {
		a.add(a.nodesDisagree(), report.Finding{Message: "these nodes do not trust the CA that signed the API server's certificate: " + few(strangers)}, report.Certificate{})
	}
	if len(refused) > 0 {
		a.add(a.nodesDisagree(), report.Finding{Message: "these nodes trust a CA that the API server does not accept client certificates of: " + few(refused)}, report.Certificate{})
	}
	if len(k.clientCAs) > 0 {
		a.kubeletIssuers()
	}
	for _, c := range k.clients {
		a.stale(c, foreign)
	}
}

// nodesDisagree is ca-mismatch with the remedy for nodes: fetching a kubeconfig
// again does not help them.
func (a *Auditor) nodesDisagree() Rule {
	r := a.disagree()
	if r.remedy == refetchKubeconfig {
		r.remedy = rotateByHand
	}
	return r
}

// disagree is ca-mismatch. While a rotation is under way that is how things are:
// what to do is to wait for its end, and not to begin another.
func (a *Auditor) disagree() Rule {
	r := rule(ruleCAMismatch)
	if a.target.ARM != nil && rotating(*a.target.ARM) {
		r.Severity, r.remedy = report.SeverityInfo, waitForRotation
	}
	return r
}

// kubeletIssuers compares by name, which is all that a probe prints: AKS calls
// every CA of a cluster alike, and so only a foreign one shows.
func (a *Auditor) kubeletIssuers() {
	var foreign []string
	for _, n := range a.known.order {
		c, ok := a.known.current[string(report.RoleKubeletClient)+"/"+key(n.Name)]
		if ok && !slices.ContainsFunc(a.known.clientCAs, func(ca certs.Certificate) bool { return ca.Subject == c.Issuer }) {
			foreign = append(foreign, fmt.Sprintf("%s (issued by %q)", n.Name, c.Issuer))
		}
	}
	if len(foreign) > 0 {
		a.add(a.nodesDisagree(), report.Finding{Message: "the API server accepts no client certificates of the CA that issued these kubelets': " + few(foreign)}, report.Certificate{})
	}
}

// share reports whether a certificate is in both, which their fingerprints tell.
func share(x, y []certs.Certificate) bool {
	return slices.ContainsFunc(x, func(c certs.Certificate) bool {
		return c.Fingerprint != "" && slices.ContainsFunc(y, func(d certs.Certificate) bool { return c.Fingerprint == d.Fingerprint })
	})
}

// stale finds a client certificate that is still in date and yet no longer of
// use: its CA is not the cluster's any more. foreign is whether the API server is
// not of the CA that the kubeconfig trusts.
func (a *Auditor) stale(c collect.Certificate, foreign bool) {
	if c.NotAfter == nil || a.asOf.After(*c.NotAfter) {
		return // expired is what its own row says
	}
	k := a.known
	says := ""
	switch {
	case len(k.clientCAs) > 0:
		// Where it is all that the user has, it opened the door to that list.
		alone := a.target.User != nil && a.target.User.Token.IsZero() && a.target.User.TokenFile == ""
		if !alone && k.signedBy(c, k.clientCAs) == no {
			says = "is not of any CA whose client certificates the API server accepts"
		}
	case foreign && k.signedBy(c, k.kubeconfigCAs) == yes:
		says = "is of the same CA as the kubeconfig trusts, which is not the API server's any more"
	case k.refused && k.signedBy(c, k.kubeconfigCAs) == no:
		says = "is not of the CA that the kubeconfig trusts, and the API server refused it"
	}
	if says == "" {
		a.older(c)
	} else {
		a.find(ruleStale, fmt.Sprintf("the client certificate in %s %s: the kubeconfig was fetched before the cluster's CA was rotated", c.Location, says))
	}
}

// older finds a client certificate that is still accepted, and not the one that
// the cluster issues now.
func (a *Auditor) older(c collect.Certificate) {
	issued, _ := certs.Read(a.target.Issued.Data)
	if len(issued) == 0 || issued[0].NotBefore == nil || c.NotBefore == nil || !c.NotBefore.Before(*issued[0].NotBefore) {
		return
	}
	r := rule(ruleStale)
	r.Severity = report.SeverityInfo // it works until it expires, which its row tells
	a.add(r, report.Finding{Message: fmt.Sprintf("the client certificate in %s is of %s; the cluster issues one of %s by now", c.Location, day(*c.NotBefore), day(*issued[0].NotBefore))}, report.Certificate{})
}

type answer int

const (
	unknown answer = iota
	yes
	no
)

// signedBy says whether c, with what the kubeconfig presents beside it, leads to
// one of cas.
func (k known) signedBy(c collect.Certificate, cas []certs.Certificate) answer {
	if len(cas) == 0 {
		return unknown
	}
	ok, uncheckable := certs.ChainsTo(append([]certs.Certificate{c.Certificate}, k.chain...), cas)
	switch {
	case ok:
		return yes
	case uncheckable:
		return unknown
	}
	return no
}

// missedRotation finds pools that slept through a rotation: where a cluster is
// stopped when its certificates rotate, only the control plane's do, and the
// pools have to be made anew (AKS, "Certificate rotation").
func (a *Auditor) missedRotation() {
	if a.leaf.NotBefore == nil || a.leaf.State == report.StateExpired {
		return
	}
	expired, well := map[string][]string{}, map[string]bool{}
	for _, row := range a.out.Certificates[a.from.certificates:] {
		pool := a.known.of(row.Node).Pool
		if pool == "" || row.Role != report.RoleKubeletClient || row.NotAfter == nil {
			continue
		}
		// The API server's certificate was made while this one was dead.
		if row.State == report.StateExpired && !a.leaf.NotBefore.Before(*row.NotAfter) {
			if !slices.Contains(expired[pool], row.Node) {
				expired[pool] = append(expired[pool], row.Node)
			}
			continue
		}
		well[pool] = true
	}
	for _, n := range a.known.order {
		if nodes := expired[n.Pool]; len(nodes) > 0 && !well[n.Pool] {
			delete(expired, n.Pool)
			a.add(rule(ruleMissed), report.Finding{Message: fmt.Sprintf("node pool %s: the API server's certificate was renewed %s, after those of its nodes had expired: %s",
				n.Pool, day(*a.leaf.NotBefore), few(nodes))}, report.Certificate{Node: n.Name})
		}
	}
}
