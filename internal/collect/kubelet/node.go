package kubelet

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/url"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

const (
	location = "/metrics"
	maxPage  = 16 << 20 // a kubelet with 250 pods has some 2 MiB
)

// one asks the kubelet of n.
func (c Collector) one(ctx context.Context, client *kube.Client, n report.Node) answer {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	page := page{now: now}
	err := client.Get(ctx, kube.Request{
		Path: "/api/v1/nodes/" + url.PathEscape(n.Name) + "/proxy/metrics", Accept: "text/plain;version=0.0.4,*/*;q=0.1",
		Limit: maxPage, What: "reading the kubelet's metrics", Location: location, Proxied: true,
	}, func(r io.Reader) error { return page.read(r) })
	var a answer
	if err != nil {
		if missing(err) && client.Gone(ctx, n.Name) {
			return a // the cluster is one node smaller than it was
		}
		var gap *collect.Gap
		gap, a = explain(err)
		gap.Node = n.Name
		a.seen = append(a.seen, collect.Observation{Gap: gap})
	}
	if !page.at.IsZero() { // something of ours came, or all that there is
		a.seen = append(a.seen, observe(n, page)...)
	}
	return a
}

// observe turns a page, or as much of it as came, into observations.
func observe(n report.Node, p page) []collect.Observation {
	node := &report.Node{Name: n.Name, Pool: n.Pool, OS: n.OS, Kubelet: &report.Kubelet{ReadAt: p.at.UTC().Truncate(time.Second)}}
	// Kubernetes registers this metric only where rotateCertificates is on
	// (cmd/kubelet/app/server.go, buildKubeletClientConfig: "if
	// s.RotateCertificates"), in the same breath as it begins to renew.
	_, rotates := p.samples[clientTTL]
	if rotates || p.whole {
		node.RotateCertificates = &rotates
	}
	seen := []collect.Observation{{Node: node}}
	for _, ttl := range []struct {
		name string
		role report.Role
		to   **int64
		none *bool
	}{{clientTTL, report.RoleKubeletClient, &node.Kubelet.ClientTTLSeconds, &node.Kubelet.NoClientCertificate},
		{servingTTL, report.RoleKubeletServing, &node.Kubelet.ServingTTLSeconds, &node.Kubelet.NoServingCertificate}} {
		s, ok := p.samples[ttl.name]
		if !ok {
			continue
		}
		// Its HELP says "negative if already expired". Kubelet 1.37 says +Inf
		// then: client-go's certificate manager has no current certificate
		// once notAfter is past.
		if math.IsInf(s.value, 1) {
			*ttl.none = true
			continue
		}
		place := location + "#" + ttl.name
		// A lifetime of centuries is no certificate's, and no date.
		if math.IsNaN(s.value) || math.Abs(s.value) > 200*365*24*60*60 {
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Node: n.Name, Location: place, Reason: report.ReasonMalformed,
				Message: fmt.Sprintf("reading the kubelet's metrics: %v seconds to live are not a certificate's", s.value)}})
			continue
		}
		seconds := int64(s.value)
		notAfter := s.at.Add(time.Duration(seconds) * time.Second).UTC().Truncate(time.Second)
		*ttl.to = &seconds
		seen = append(seen, collect.Observation{Certificate: &collect.Certificate{
			Certificate: certs.Certificate{NotAfter: &notAfter, Count: 1},
			Role:        ttl.role, Node: n.Name, Location: place, Approximate: true,
		}})
	}
	node.Kubelet.RenewErrors = p.count(clientErrors)
	node.Kubelet.ServingRenewErrors = p.count(servingErrors)
	return seen
}
