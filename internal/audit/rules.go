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
	ruleExpired        = "certificate-expired"
	ruleCritical       = "certificate-critical"
	ruleWarning        = "certificate-warning"
	ruleDue            = "certificate-due"
	ruleNotYetValid    = "certificate-not-yet-valid"
	ruleClockSkew      = "certificate-clock-skew"
	ruleMalformed      = "certificate-malformed"
	ruleInverted       = "validity-inverted"
	ruleCAExpiring     = "ca-expiring"
	ruleCAMismatch     = "ca-mismatch"
	ruleNameMismatch   = "name-mismatch"
	ruleSelfSigned     = "serving-self-signed"
	ruleInsecure       = "insecure-kubeconfig"
	ruleTokenExpired   = "token-expired"
	ruleOverdue        = "rotation-overdue"
	ruleNoRBAC         = "rotation-off-rbac"
	ruleStatic         = "rotation-off-static-cert"
	ruleRotating       = "rotation-in-progress"
	ruleRotationFailed = "rotation-failed"
	ruleNodeOff        = "rotation-off-node"
	ruleNeverUpgraded  = "rotation-off-never-upgraded"
	ruleRenewErrors    = "rotation-errors"
	ruleStale          = "kubeconfig-stale"
	ruleMissed         = "nodepool-missed-rotation"
	ruleNoCertificate  = "kubelet-without-certificate"
	ruleDisagrees      = "kubelet-disagrees"
	ruleCopyExpired    = "apiserver-copy-expired"
)

// Rules returns the table, worst first.
func Rules() []Rule {
	return []Rule{
		{ruleExpired, report.SeverityExpired, "notAfter is in the past",
			"the audited instant is past notAfter; at notAfter itself a certificate is still valid (RFC 5280 section 4.1.2.5)", renewCertificate},
		{ruleNoCertificate, report.SeverityExpired, "a kubelet that renews its certificate has no valid one: it has expired, or never came",
			"the time to live in the kubelet's metrics is +Inf, which is what one says whose certificate has expired; for a serving certificate it is a warning", renewCertificate},
		{ruleCritical, report.SeverityCritical, "the certificate is past the critical point of its lifetime",
			"95 % of the lifetime is used, or what --critical-at says, and by default no more than 90 days are left; where only notAfter is known, 7 days are left", renewCertificate},
		{ruleNotYetValid, report.SeverityCritical, "notBefore is more than five minutes ahead",
			"the audited instant is more than five minutes before notBefore", checkClock},
		{ruleInverted, report.SeverityCritical, "notAfter lies before notBefore: the certificate was never valid and never will be",
			"the two dates are compared as they stand; there is no lifetime to judge", renewCertificate},
		{ruleCAMismatch, report.SeverityCritical, "the CA that the kubeconfig trusts, the API server's issuer, the CA on the nodes and the kubelets' issuer do not agree: a half-finished rotation, or an old kubeconfig",
			"the chain presented is verified against the kubeconfig's CA bundle, or the system's roots where it names none; a node's ca.crt must hold the CA that signed it, and one that the API server accepts client certificates of (compared by fingerprint, kubelets' issuers by name); dates are left out of it, for each row judges its own", refetchKubeconfig},
		{ruleStale, report.SeverityCritical, "the kubeconfig's client certificate is in date, but older than what the cluster issues now; where its CA is not the cluster's any more, the API server no longer accepts it",
			"none of the CAs in ConfigMap kube-system/extension-apiserver-authentication signed it, and a token was there to read that list by; where that cannot be read, it is of the CA that the API server no longer has, or of none the kubeconfig trusts and was refused; info only where ARM hands out a younger one of the same CA", refetchKubeconfig},
		{ruleMissed, report.SeverityCritical, "a node pool slept through a rotation: the cluster was stopped while the control plane's certificates were rotated",
			"every kubelet client certificate of the pool that was seen has expired, and the API server's was made after that", recreatePool},
		{ruleRotationFailed, report.SeverityCritical, "the cluster's last operation failed, and its certificates show the traces of a rotation that did not end",
			"provisioningState is Failed or Canceled, and there is a ca-mismatch, or a self-renewing certificate past 90 %; ARM does not say what the operation was", rotateByHand},
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
			"kubelets renew at a random point between 70 % and 90 % of the lifetime (client-go); this one has rotation on, and is past 90 %; where only notAfter is known, less than 30 days are left", renewCertificate},
		{ruleNoRBAC, report.SeverityWarning, "Kubernetes RBAC is off, so no certificate of the cluster rotates by itself",
			"enableRBAC of the cluster's ARM resource; without ARM, the API serves no rbac.authorization.k8s.io, or has none of its built-in roles", rotateByHand},
		{ruleNeverUpgraded, report.SeverityWarning, "the cluster was created before April 2022 and not upgraded since: its certificates do not rotate by themselves yet",
			"it, or a node of it, is older than that, it runs a Kubernetes before 1.24, and its node images are not younger", upgradeCluster},
		{ruleDisagrees, report.SeverityWarning, "a kubelet's own metric and the file on its node disagree about when its certificate expires: the kubelet has not taken up a new file, or its clock is off",
			"the metric's time to live, added to the instant it was read, is more than five minutes away from the file's notAfter, and the file was there before the metric was read; where most nodes are off alike it is this machine's clock, and one finding", restartKubelet},
		{ruleNodeOff, report.SeverityWarning, "a node whose kubelet is told not to renew its client certificate",
			"rotateCertificates is off in the kubelet's flags or configuration on the node, or its metrics lack what is registered only where it is on", renewCertificate},
		{ruleStatic, report.SeverityWarning, "a node without TLS bootstrapping: its client certificate never rotates",
			"the kubelet's kubeconfig on the node names client.crt, and there is no kubelet-client-current.pem", renewCertificate},
		{ruleDue, report.SeverityDue, "the certificate is past the warning point, renews itself and is still inside its renewal window",
			"as certificate-warning, for one that is known to renew itself, before 90 % of its lifetime", nothingToDo},
		{ruleRenewErrors, report.SeverityInfo, "attempts of a kubelet to renew its client certificate have failed since it was started",
			"kubelet_certificate_manager_client_expiration_renew_errors is above zero; one old error proves nothing, but with a certificate past 90 % the verdict is broken", nothingToDo},
		{ruleCopyExpired, report.SeverityInfo, "the copy of the API server's certificate that a node keeps has expired; it is never refreshed, and no harm",
			"apiserver.crt on a node; the API server itself is judged by its handshake", nothingToDo},
		{ruleRotating, report.SeverityInfo, "the cluster's certificates are being rotated right now",
			"provisioningState of the cluster's ARM resource", waitForRotation},
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
		return "depends on whose it is: for a kubeconfig, az aks get-credentials; for a cluster or its CA, az aks rotate-certs; for a node, az aks nodepool upgrade --node-image-only, or az aks rotate-certs once certificates have expired"
	case refetchKubeconfig:
		return "fetch the kubeconfig again: az aks get-credentials --overwrite-existing"
	case fixServerName:
		return "call the API server by a name its certificate covers: kubectl config set-cluster --tls-server-name"
	case verifyServer:
		return "give the kubeconfig the cluster's CA, and drop insecure-skip-tls-verify: kubectl config set-cluster --certificate-authority"
	case checkClock:
		return "compare the clocks; wait, or have the certificate issued again"
	case upgradeCluster:
		return "upgrade the cluster, which switches self-renewal on: az aks upgrade; where certificates have expired already, an upgrade is refused: az aks rotate-certs first"
	case recreatePool:
		return "make the pool anew: az aks nodepool add, then az aks nodepool delete"
	case restartKubelet:
		return "compare the clocks, and restart the kubelet: systemctl restart kubelet, or Restart-Service kubelet on Windows"
	case approveServing:
		return "see who approves the kubelet's requests: kubectl get csr"
	case waitForRotation:
		return "wait for the end of the rotation: az aks wait --updated"
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
