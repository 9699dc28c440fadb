package kubelet

import (
	"errors"
	"net/http"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/pkg/report"
)

// listing is the gap for nodes that could not be listed.
func listing(err error) *collect.Gap {
	var failed *kube.Error
	if !errors.As(err, &failed) {
		return &collect.Gap{Location: "nodes", Reason: report.ReasonMalformed, Message: err.Error()}
	}
	return failed.Gap()
}

// missing reports whether the API server knows no such node.
func missing(err error) bool {
	var failed *kube.Error
	return errors.As(err, &failed) && failed.Code == http.StatusNotFound && failed.Status
}

const doing = "reading the kubelet's metrics: "

// explain tells why a kubelet's metrics could not be had, in words that are the
// same for every node, so that audit folds them: what API servers say of it has
// the node's name or address in it. a is what that means for the other nodes.
func explain(err error) (gap *collect.Gap, a answer) {
	var failed *kube.Error
	if !errors.As(err, &failed) {
		return &collect.Gap{Location: location, Reason: report.ReasonMalformed, Message: doing + err.Error()}, a
	}
	a.whole = failed.Whole
	a.silent = !failed.Whole && failed.Code == 0 && (failed.Reason == report.ReasonTimeout || failed.Reason == report.ReasonUnreachable)
	gap = failed.Gap()
	switch {
	case failed.Code == http.StatusForbidden && failed.Status:
		gap.Message = doing + "the user may not get nodes/proxy (403)"
		gap.Hint = "this source needs the verb get on nodes/proxy, a right that also reaches the kubelet's exec and so any container: " +
			"grant it only to who may do that anyway; the node source reads the same certificates without it, and --sources=-kubelet leaves this one out"
		a.denied = true
	case (failed.Code == http.StatusUnauthorized || failed.Code == http.StatusForbidden) && !failed.Status:
		gap.Location, gap.Reason, gap.Retryable = location, report.ReasonForbidden, false
		gap.Message = doing + "the kubelet refuses the API server"
		gap.Hint = "the API server's own certificate for kubelets, or the kubelet's client CA, may be out of date: the node source reads the files"
	case failed.Code == http.StatusInternalServerError && !failed.Status:
		// So answers a kubelet whose own client certificate has expired: it has
		// to ask the API server who may read its metrics, and cannot sign in.
		gap.Location, gap.Reason, gap.Retryable = location, report.ReasonUnreachable, true
		gap.Message = doing + "the kubelet cannot ask the API server who may read them (500)"
		gap.Hint = "its own client certificate may have expired: look at the node's files with the node source, or: kubectl describe node NODE"
	case missing(failed):
		gap.Message, gap.Hint = doing+"the API server says that there is no such node (404), and lists it", "run it again; if it stays so: kubectl describe node NODE"
	case failed.Code == http.StatusNotFound:
		gap.Message, gap.Hint = doing+"this kubelet has no metrics", "the node source reads the files"
	case failed.Code == http.StatusBadGateway || failed.Code == http.StatusServiceUnavailable || failed.Code == http.StatusGatewayTimeout || failed.Code == http.StatusInternalServerError:
		gap.Reason, gap.Retryable = report.ReasonUnreachable, true
		a.silent = true
		gap.Message = doing + "the API server does not reach the kubelet"
		gap.Hint = "is the node ready, and the tunnel to it (konnectivity) up: kubectl get nodes; kubectl -n kube-system get pods"
	case failed.Code == http.StatusTooManyRequests:
		gap.Message = doing + "the API server is busy (429)"
	case failed.Code != 0 && !failed.Whole:
		gap.Message = doing + "answered " + http.StatusText(failed.Code)
	}
	return gap, a
}
