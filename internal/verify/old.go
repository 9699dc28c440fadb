package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/kubeconfig"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Old is the credentials from before the rotation.
type Old struct {
	before report.Before
	// at is where they were good for: the whole entry of a kubeconfig, and of a
	// report the address alone.
	at target.Target

	cas, serving, clients []known
	tokens                []token
	unread                []report.Check // what is there and could not be read
	notes                 []string       // what there is nothing of to verify
}

// known is what is known of an old certificate.
type known struct {
	subject, user, sha256 string
	notAfter              *time.Time
	cert                  *certs.Certificate // nil from a report
}

// token is an old token; its value stays in the target.
type token struct {
	user      string
	expiresAt *time.Time
	file      bool
	lost      bool // a report has none
}

// Cluster is what they were good for, as far as it is known; nil where nothing
// is.
func (o Old) Cluster() *target.Cluster { return o.at.Cluster }

const keepOne = "before a rotation keep the kubeconfig, and name it with --old afterwards: a report holds no keys"

// FromKubeconfig takes what a kubeconfig's context holds.
func FromKubeconfig(ctx context.Context, t target.Target) Old {
	o := Old{before: report.Before{From: report.SourceKubeconfig, Name: t.Name}, at: t}
	user := ""
	if t.User != nil {
		user = t.User.Name
	} else {
		o.notes = append(o.notes, "the old context names no user whose credentials could be tried")
	}
	if t.Cluster != nil {
		if o.before.Server = t.Cluster.Server; strings.ContainsAny(t.Cluster.Server, "@?#") { // a password, it may be
			o.before.Server = Place(&target.Cluster{Server: t.Cluster.Server})
		}
		if t.Cluster.CA.IsZero() {
			o.notes = append(o.notes, "the old kubeconfig names no CA of its own that could have been replaced")
		}
	}
	for _, seen := range (kubeconfig.Collector{}).Collect(ctx, t) {
		switch {
		case seen.Certificate != nil:
			c := seen.Certificate
			k := known{subject: c.Subject, sha256: c.Fingerprint, notAfter: c.NotAfter, cert: &c.Certificate}
			switch c.Role {
			case report.RoleClusterCA:
				o.cas = append(o.cas, k)
			case report.RoleClient:
				k.user = user
				o.clients = append(o.clients, k)
			}
		case seen.Credential != nil:
			o.signsIn(*seen.Credential)
		case seen.Gap != nil:
			o.misses(*seen.Gap, user)
		}
	}
	return o
}

// misses takes what could not be read of a kubeconfig.
func (o *Old) misses(gap collect.Gap, user string) {
	check := report.Check{Check: report.CheckCA, Role: report.RoleClusterCA, Result: report.LifeUnknown, Detail: "not examined: " + gap.Message, Hint: gap.Hint}
	switch {
	case strings.HasPrefix(gap.Message, "reading token file"):
		return // the token's own check says so
	case strings.Contains(gap.Location, "#users/"), strings.Contains(gap.Message, " names user "): // discover's words for one that is not there
		check.Check, check.Role, check.User = report.CheckClientCertificate, report.RoleClient, user
	}
	o.unread = append(o.unread, check)
}

// signsIn takes what a credential is of.
func (o *Old) signsIn(c report.Credential) {
	file := slices.Contains(c.Kinds, "token-file")
	if file || slices.Contains(c.Kinds, "token") {
		o.tokens = append(o.tokens, token{user: c.User, expiresAt: c.TokenExpiresAt, file: file, lost: o.before.From == report.SourceReport})
	}
	for _, other := range []struct{ kind, what string }{{"exec", "an exec plugin"}, {"auth-provider", "an auth provider"}, {"basic", "a password, which Kubernetes no longer takes"}} {
		if slices.Contains(c.Kinds, other.kind) {
			o.notes = append(o.notes, fmt.Sprintf("user %q signs in by %s: nothing of that can be verified", c.User, other.what))
		}
	}
}

// FromReport takes what an earlier report knows of one of its clusters.
func FromReport(r *report.Report, c report.Cluster) Old {
	o := Old{before: report.Before{From: report.SourceReport, Name: c.Name, Server: c.Server}}
	if c.Server != "" {
		o.at.Cluster = &target.Cluster{Name: c.Name, Server: c.Server, CAUnknown: true}
	}
	seen := map[string]bool{}
	for _, row := range r.Certificates {
		if row.Cluster != c.ID || row.SHA256 != "" && seen[string(row.Role)+row.SHA256] {
			continue
		}
		seen[string(row.Role)+row.SHA256] = true
		k := known{subject: row.Subject, sha256: row.SHA256, notAfter: row.NotAfter}
		switch {
		case row.Role == report.RoleClusterCA:
			o.cas = append(o.cas, k)
		case row.Role == report.RoleAPIServer:
			o.serving = append(o.serving, k)
		case row.Role == report.RoleClient && row.Source == report.SourceKubeconfig:
			if _, name, ok := strings.Cut(row.Location, "#users/"); ok {
				k.user = name
			}
			o.clients = append(o.clients, k)
		}
	}
	o.leftOut(c)
	for _, credential := range c.Credentials {
		o.signsIn(credential)
	}
	return o
}

// leftOut takes what the report's audit did not look at: what is not known of
// the cluster is not dead.
func (o *Old) leftOut(c report.Cluster) {
	why := "the report's audit did not look into the kubeconfig"
	for _, s := range c.Sources {
		switch {
		case s.Source != report.SourceKubeconfig:
		case s.Status == report.StatusOK:
			why = ""
		default:
			why = fmt.Sprintf("the report's audit could not read all of the kubeconfig (%s)", s.Status)
			if s.Why != "" {
				why += ": " + s.Why
			}
		}
	}
	if why == "" && len(o.cas) == 0 {
		why = "the report knows no CA of the cluster"
	}
	if why == "" {
		return
	}
	o.unread = append(o.unread, report.Check{Check: report.CheckCA, Role: report.RoleClusterCA, Result: report.LifeUnknown, Detail: "not examined: " + why, Hint: keepOne})
	if len(o.clients) == 0 {
		o.unread = append(o.unread, report.Check{Check: report.CheckClientCertificate, Role: report.RoleClient, Result: report.LifeUnknown, Detail: "not examined: " + why, Hint: keepOne})
	}
}
