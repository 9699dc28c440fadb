package kubelet

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/pkg/report"
)

// A kubelet whose certificates have expired says +Inf, as kubelet 1.37 was seen
// to: that is no certificate, and must not pass for one that is well.
func TestExpiredIsInfinite(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	seen := observe(report.Node{Name: "a"}, page{at: at, whole: true, samples: map[string]sample{
		clientTTL: {value: math.Inf(1), at: at}, servingTTL: {value: math.Inf(1), at: at}}})
	if len(seen) != 1 || seen[0].Node == nil {
		t.Fatalf("%+v, want the node alone", seen)
	}
	n := seen[0].Node
	if !n.Kubelet.NoClientCertificate || !n.Kubelet.NoServingCertificate || n.RotateCertificates == nil || !*n.RotateCertificates {
		t.Errorf("%+v of %+v", n.Kubelet, n)
	}
	seen = observe(report.Node{Name: "a"}, page{at: at, whole: true, samples: map[string]sample{clientTTL: {value: 60, at: at}}})
	if n := seen[0].Node; n.Kubelet.NoClientCertificate || n.Kubelet.NoServingCertificate {
		t.Errorf("%+v has a minute left", n.Kubelet)
	}
}

// And one that can no longer sign in answers 500, in plain text.
func TestKubeletThatCannotSignIn(t *testing.T) {
	gap, a := explain(&kube.Error{Code: http.StatusInternalServerError, Reason: report.ReasonUnreachable})
	if a.denied || a.silent || !strings.Contains(gap.Message, "cannot ask the API server") || !strings.Contains(gap.Hint, "may have expired") {
		t.Errorf("%+v, %+v", gap, a)
	}
	if gap, _ := explain(&kube.Error{Code: http.StatusInternalServerError, Status: true}); strings.Contains(gap.Hint, "expired") {
		t.Errorf("the API server's own 500: %+v", gap)
	}
	if gap, _ := explain(errors.New("x")); gap.Reason != report.ReasonMalformed {
		t.Errorf("%+v", gap)
	}
}
