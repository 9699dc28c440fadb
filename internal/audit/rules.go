package audit

import "github.com/akscert/akscert/pkg/report"

// Rule is one thing an audit can find: its stable name, how bad it is, what it
// means and which remedy helps. This table is the only place that says so.
type Rule struct {
	Name     string
	Severity report.Severity
	Means    string // what it means
	Decided  string // how it was decided
	remedy   remedy
}

// The names of the rules.
const (
	ruleExpired      = "certificate-expired"
	ruleCritical     = "certificate-critical"
	ruleWarning      = "certificate-warning"
	ruleDue          = "certificate-due"
	ruleNotYetValid  = "certificate-not-yet-valid"
	ruleClockSkew    = "certificate-clock-skew"
	ruleMalformed    = "certificate-malformed"
	ruleInverted     = "validity-inverted"
	ruleCAExpiring   = "ca-expiring"
	ruleCAMismatch   = "ca-mismatch"
	ruleNameMismatch = "name-mismatch"
	ruleSelfSigned   = "serving-self-signed"
	ruleInsecure     = "insecure-kubeconfig"
	ruleTokenExpired = "token-expired"
	ruleOverdue      = "rotation-overdue"
	ruleNoRBAC       = "rotation-off-rbac"
	ruleStatic       = "rotation-off-static-cert"
	ruleRotating     = "rotation-in-progress"
)

// Rules returns the table, worst first.
func Rules() []Rule {
	return []Rule{
		{ruleExpired, report.SeverityExpired, "notAfter is in the past",
			"the audited instant is past notAfter; at notAfter itself a certificate is still valid (RFC 5280 section 4.1.2.5)", renewCertificate},
		{ruleCritical, report.SeverityCritical, "the certificate is past the critical point of its lifetime",
			"95 % of the lifetime is used, or what --critical-at says, and by default no more than 90 days are left; where only notAfter is known, 7 days are left", renewCertificate},
		{ruleNotYetValid, report.SeverityCritical, "notBefore is more than five minutes ahead",
			"the audited instant is more than five minutes before notBefore", checkClock},
		{ruleInverted, report.SeverityCritical, "notAfter lies before notBefore: the certificate was never valid and never will be",
			"the two dates are compared as they stand; there is no lifetime to judge", renewCertificate},
		{ruleCAMismatch, report.SeverityCritical, "what the API server presents does not verify against the CA that the kubeconfig trusts",
			"the chain presented is verified against the kubeconfig's CA bundle, or the system's roots where it names none; dates are left out of it, for each row judges its own", refetchKubeconfig},
		{ruleNameMismatch, report.SeverityCritical, "the API server's certificate does not cover the name that the kubeconfig calls it by",
			"the subject alternative names are compared with tls-server-name, or else the server's host, as crypto/x509 does", fixServerName},
		{ruleWarning, report.SeverityWarning, "the certificate is past the warning point and nothing is known to renew it",
			"80 % of the lifetime is used, or what --warn-at says, and by default no more than 365 days are left; where only notAfter is known, 30 days are left", renewCertificate},
		{ruleCAExpiring, report.SeverityWarning, "a CA is past its warning point; a CA never rotates by itself",
			"as certificate-warning, for a certificate with the CA flag or one that a kubeconfig or a node trusts as CA", renewCertificate},
		{ruleClockSkew, report.SeverityWarning, "notBefore is ahead by five minutes or less: a clock is off",
			"notBefore is at most five minutes after the audited instant", checkClock},
		{ruleInsecure, report.SeverityWarning, "the kubeconfig turns off verification of the API server (insecure-skip-tls-verify)",
			"the kubeconfig's cluster entry has insecure-skip-tls-verify: true", verifyServer},
		{ruleTokenExpired, report.SeverityWarning, "the bearer token in the kubeconfig has expired",
			"the exp claim of the token, read without verifying it (RFC 7519 section 4.1.4); a token that is no JWT says nothing", refetchKubeconfig},
		{ruleOverdue, report.SeverityWarning, "a certificate that renews itself is past 90 % of its lifetime, by when it should have been renewed",
			"kubelets renew at a random point between 70 % and 90 % of the lifetime (client-go); this one has rotation on, and is past 90 %", renewCertificate},
		{ruleNoRBAC, report.SeverityWarning, "Kubernetes RBAC is off, so no certificate of the cluster rotates by itself",
			"enableRBAC of the cluster's ARM resource", rotateByHand},
		{ruleStatic, report.SeverityWarning, "a node without TLS bootstrapping: its client certificate never rotates",
			"the kubelet's kubeconfig on the node names client.crt, and there is no kubelet-client-current.pem", renewCertificate},
		{ruleDue, report.SeverityDue, "the certificate is past the warning point, renews itself and is still inside its renewal window",
			"as certificate-warning, for one that is known to renew itself, before 90 % of its lifetime", nothingToDo},
		{ruleRotating, report.SeverityInfo, "the cluster's certificates are being rotated right now",
			"provisioningState of the cluster's ARM resource", nothingToDo},
		{ruleSelfSigned, report.SeverityInfo, "the serving certificate is self-signed: only a client that pins it can verify it",
			"issuer and subject are equal, and its own key verifies its signature", nothingToDo},
		{ruleMalformed, report.SeverityInfo, "crypto/x509, and so every client written in Go, refuses the certificate or what it is wrapped in; it was read leniently",
			"x509.ParseCertificate refused it; subject, issuer, serial and dates were read from the DER as OpenSSL reads them", nothingToDo},
	}
}

// Remedy words what helps against the rule in general; a report's remedies have
// the commands, with the cluster's own names.
func (r Rule) Remedy() string {
	switch r.remedy {
	case renewCertificate:
		return "renew it: for a kubeconfig, az aks get-credentials; for a cluster or its CA, az aks rotate-certs; for a node, az aks nodepool upgrade --node-image-only"
	case refetchKubeconfig:
		return "fetch the kubeconfig again: az aks get-credentials --overwrite-existing"
	case fixServerName:
		return "call the API server by a name its certificate covers: kubectl config set-cluster --tls-server-name"
	case verifyServer:
		return "give the kubeconfig the cluster's CA, and drop insecure-skip-tls-verify: kubectl config set-cluster --certificate-authority"
	case checkClock:
		return "compare the clocks; wait, or have the certificate issued again"
	case rotateByHand:
		return "rotate by hand: az aks rotate-certs, which recreates every node, with up to 30 minutes of downtime"
	}
	return "nothing needs to be done"
}

func rule(name string) Rule {
	for _, r := range Rules() {
		if r.Name == name {
			return r
		}
	}
	panic("audit: no rule " + name) // a typo in this package; every name is used by a test
}
