// Package collect defines what a collector is and runs many of them: each looks
// in one place and brings observations. A collector does not judge, log, print
// or read the clock for a verdict.
package collect

import (
	"context"
	"errors"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Observation is one thing a collector brought home. Exactly one of its
// pointers is set.
type Observation struct {
	Certificate *Certificate
	Credential  *report.Credential
	Handshake   *Handshake
	Node        *report.Node // what one source knows of a node; audit joins what several do, and fills in Cluster
	API         *API
	Gap         *Gap
	Skipped     *Skipped
}

// Certificate is a certificate and the place it was found in.
type Certificate struct {
	certs.Certificate
	Role     report.Role
	Node     string
	Location string // with #0, #1 … appended where one place holds several
	// Approximate says that the dates were worked out, as from a time to live,
	// and not read.
	Approximate bool
}

// API is what a cluster's own API says of it. What could not be had is nil or
// empty, and a gap.
type API struct {
	Version string // of the server, as 1.33.5
	RBAC    *bool  // Kubernetes RBAC is on: its API group is served, and its built-in roles are there
}

// Handshake is what an API server presented and what the kubeconfig would have
// trusted, for audit to compare. The certificates are also observations of
// their own.
type Handshake struct {
	Location   string // host:port
	ServerName string // the name a client would verify: tls-server-name or the host
	Insecure   bool   // insecure-skip-tls-verify
	Presented  []certs.Certificate
	// CA is the kubeconfig's bundle. Empty with CAUnread false means the
	// kubeconfig names none and the system's roots are trusted.
	CA       []certs.Certificate
	CAUnread bool // the kubeconfig names a bundle that could not be read
}

// Gap is a reason why nothing could be had.
type Gap struct {
	Node      string
	Location  string
	Reason    report.Reason
	Message   string
	Hint      string
	Retryable bool
}

// Skipped says why a source was left out by design.
type Skipped struct{ Why string }

// Collector looks in one place.
type Collector interface {
	Source() report.Source
	// Collect looks at t. It returns what it has when ctx ends, with a gap
	// for what it has not.
	Collect(ctx context.Context, t target.Target) []Observation
}

// Ended is the gap for something at location that was not looked at because
// ctx, the whole run, ended first.
func Ended(ctx context.Context, location string) *Gap {
	if why, ok := errors.AsType[targetTimeout](context.Cause(ctx)); ok {
		return &Gap{Location: location, Reason: report.ReasonTimeout, Retryable: true,
			Message: "the cluster's time was up before this was looked at", Hint: why.Hint()}
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &Gap{Location: location, Reason: report.ReasonTimeout, Retryable: true,
			Message: "the run's time was up before this was looked at", Hint: "give the run more time with --timeout"}
	}
	return &Gap{Location: location, Reason: report.ReasonInterrupted, Retryable: true,
		Message: "interrupted before this was looked at", Hint: "run it again"}
}
