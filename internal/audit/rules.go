package audit

import "github.com/akscert/akscert/pkg/report"

// Rule is one thing an audit can find: its stable name, how bad it is, what it
// means and which remedy helps. This table is the only place that says so.
type Rule struct {
	Name     string
	Severity report.Severity
	Means    string
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
		{ruleExpired, report.SeverityExpired, "notAfter is in the past", renewCertificate},
		{ruleCritical, report.SeverityCritical, "the certificate is past the critical point of its lifetime", renewCertificate},
		{ruleNotYetValid, report.SeverityCritical, "notBefore is more than five minutes ahead", checkClock},
		{ruleInverted, report.SeverityCritical, "notAfter lies before notBefore: the certificate was never valid and never will be", renewCertificate},
		{ruleCAMismatch, report.SeverityCritical, "what the API server presents does not verify against the CA that the kubeconfig trusts", refetchKubeconfig},
		{ruleNameMismatch, report.SeverityCritical, "the API server's certificate does not cover the name that the kubeconfig calls it by", fixServerName},
		{ruleWarning, report.SeverityWarning, "the certificate is past the warning point and nothing is known to renew it", renewCertificate},
		{ruleCAExpiring, report.SeverityWarning, "a CA is past its warning point; a CA never rotates by itself", renewCertificate},
		{ruleClockSkew, report.SeverityWarning, "notBefore is ahead by five minutes or less: a clock is off", checkClock},
		{ruleInsecure, report.SeverityWarning, "the kubeconfig turns off verification of the API server (insecure-skip-tls-verify)", verifyServer},
		{ruleTokenExpired, report.SeverityWarning, "the bearer token in the kubeconfig has expired", refetchKubeconfig},
		{ruleOverdue, report.SeverityWarning, "a certificate that renews itself is past 90 % of its lifetime, by when it should have been renewed", renewCertificate},
		{ruleNoRBAC, report.SeverityWarning, "Kubernetes RBAC is off, so no certificate of the cluster rotates by itself", rotateByHand},
		{ruleStatic, report.SeverityWarning, "a node without TLS bootstrapping: its client certificate never rotates", renewCertificate},
		{ruleDue, report.SeverityDue, "the certificate is past the warning point, renews itself and is still inside its renewal window", nothingToDo},
		{ruleRotating, report.SeverityInfo, "the cluster's certificates are being rotated right now", nothingToDo},
		{ruleSelfSigned, report.SeverityInfo, "the serving certificate is self-signed: only a client that pins it can verify it", nothingToDo},
		{ruleMalformed, report.SeverityInfo, "crypto/x509, and so every client written in Go, refuses the certificate or what it is wrapped in; it was read leniently", nothingToDo},
	}
}

func rule(name string) Rule {
	for _, r := range Rules() {
		if r.Name == name {
			return r
		}
	}
	panic("audit: no rule " + name) // a typo in this package; every name is used by a test
}
