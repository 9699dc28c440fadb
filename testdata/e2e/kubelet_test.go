package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// How long signed certificates live. What Kubernetes signs begins five minutes
// before it is signed, and a kubelet renews it between 70 and 90 % of its life:
// one of these 100 seconds is renewed at once or within the next 60.
const (
	short = 100 * time.Second
	long  = 2 * 365 * cluster.Day
)

// nodeRig is a rig with a node.
type nodeRig struct {
	*rig
	node *cluster.Node
}

// TestKubelet has one real kubelet bootstrap, rotate, and fail to: each subtest
// begins where the one before it ended.
func TestKubelet(t *testing.T) {
	if err := cluster.CanHaveNode(t.Context()); err != nil {
		t.Skipf("the tests with a kubelet are skipped: %v", err)
	}
	r := &nodeRig{rig: newRig(t)}
	r.sources = "kubeconfig,apiserver,kubelet,kubeapi"
	var err error
	if r.node, r.server, err = r.cluster.StartWithNode(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.control(t, cluster.Signing{Lifetime: short})
	if err := r.node.Join(r.ctx, r.server); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"bootstrapped", r.bootstrapped},
		{"rotated", r.rotated},
		{"automatic", r.automatic},
		{"probed", r.probed},
		{"kubeconfig of an old CA", r.oldCA},
		{"user without nodes/proxy", r.forbidden},
		{"no such node", r.unknownNode},
		{"in its own cluster", r.inCluster},
		{"nobody approves", r.unapproved},
		{"somebody denies", r.denied},
		{"expired", r.expired},
		{"stopped kubelet", r.down},
	} {
		if !t.Run(step.name, step.run) {
			return // the next ones would fail for this one's reason
		}
	}
}

// control replaces the kube-controller-manager.
func (r *nodeRig) control(t *testing.T, signing cluster.Signing) {
	t.Helper()
	if err := r.cluster.StartControllers(r.ctx, r.server, signing); err != nil {
		t.Fatal(err)
	}
}

// bootstrapped: a token has become a certificate of the cluster's CA.
func (r *nodeRig) bootstrapped(t *testing.T) {
	file := r.file(t, cluster.ClientCertificate)
	subject := openssl(t, file, "x509", "-noout", "-subject", "-nameopt", "RFC2253")
	if want := "subject=CN=system:node:" + cluster.NodeName + ",O=system:nodes\n"; subject != want {
		t.Errorf("%q, want %q", subject, want)
	}
	openssl(t, file, "verify", "-CAfile", r.node.Path(cluster.ClusterCA), "-purpose", "sslclient")
	r.agree(t)
	r.audited(t, 1) // less than two minutes are left of it
}

// rotated: the same kubelet has replaced its certificate by itself.
func (r *nodeRig) rotated(t *testing.T) {
	before := opensslFacts(t, r.file(t, cluster.ClientCertificate))
	r.control(t, cluster.Signing{Lifetime: long})
	var after facts
	eventually(t, 3*time.Minute, func() error {
		after = opensslFacts(t, r.file(t, cluster.ClientCertificate))
		serving := opensslFacts(t, r.file(t, cluster.ServingCertificate))
		if time.Until(after.notAfter) < long/2 || time.Until(serving.notAfter) < long/2 {
			return fmt.Errorf("the certificates end %v and %v", after.notAfter, serving.notAfter)
		}
		return nil
	})
	if after.serial == before.serial {
		t.Errorf("serial %q before and after", after.serial)
	}
	r.agree(t)
	if failures := metric(t, r.metrics(t), renewErrors); failures != 0 {
		t.Errorf("%v failures to renew", failures)
	}
}

// unapproved: nobody answers the kubelet's request, and time runs out.
func (r *nodeRig) unapproved(t *testing.T) {
	r.control(t, cluster.Signing{Lifetime: short})
	if err := r.node.Forget(); err != nil {
		t.Fatal(err)
	}
	if err := r.node.StartKubelet(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.control(t, cluster.Signing{Lifetime: short, Unapproved: true})
	r.pending(t)
	eventually(t, 2*time.Minute, func() error {
		at := opensslFacts(t, r.file(t, cluster.ClientCertificate))
		tenth := at.notAfter.Sub(at.notBefore) / 10
		if left := metric(t, r.metrics(t), clientTTL); left > tenth.Seconds() {
			return fmt.Errorf("%v seconds are left, more than 10 %%", left)
		}
		return nil
	})
	r.agree(t)
	// A kubelet waits a quarter of an hour before it calls that an error.
	if failures := metric(t, r.metrics(t), renewErrors); failures != 0 {
		t.Errorf("%v failures to renew", failures)
	}
	r.broken(t, "no-certificate-overdue")
}

// denied: somebody answers no.
func (r *nodeRig) denied(t *testing.T) {
	if err := r.server.Answer(r.ctx, r.cluster.Admin, r.pending(t), "Denied"); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		if failures := metric(t, r.metrics(t), renewErrors); failures < 1 {
			return fmt.Errorf("%v failures to renew", failures)
		}
		return nil
	})
	r.broken(t, "kubelet-renewal-errors", "no-certificate-overdue")
}

// pending is the request for a client certificate that waits for an answer.
func (r *nodeRig) pending(t *testing.T) (found cluster.Request) {
	t.Helper()
	eventually(t, 2*time.Minute, func() error {
		requests, err := r.server.Requests(r.ctx, r.cluster.Admin)
		if err != nil {
			return err
		}
		for _, request := range requests {
			if !request.Answered && request.Signer == "kubernetes.io/kube-apiserver-client-kubelet" {
				found = request
				return nil
			}
		}
		return fmt.Errorf("none of %d requests is", len(requests))
	})
	return found
}

// expired: what a kubelet says when it is too late. The metric's own help
// promises a negative value; an expired certificate is none to the kubelet.
func (r *nodeRig) expired(t *testing.T) {
	notAfter := opensslFacts(t, r.file(t, cluster.ClientCertificate)).notAfter
	time.Sleep(time.Until(notAfter) + time.Second)
	if left := metric(t, r.metrics(t), clientTTL); !math.IsInf(left, 1) {
		t.Errorf("%v seconds are left of a certificate that ended %v, want +Inf", left, notAfter)
	}
	r.withoutCertificate(t)
}
