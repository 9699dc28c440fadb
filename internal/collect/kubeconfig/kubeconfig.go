// Package kubeconfig looks into a kubeconfig's own entries: the user's client
// certificate and token, and the CA bundle the cluster entry trusts. It never
// runs an exec plugin and needs no network.
package kubeconfig

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Collector reads a target's kubeconfig entries.
type Collector struct {
	// Memory is shared with whoever else reads what kubeconfigs name; nil for none.
	Memory *collect.Memory
}

// Source is report.SourceKubeconfig.
func (Collector) Source() report.Source { return report.SourceKubeconfig }

// Collect brings the certificates and the kinds of credential of t's context.
func (c Collector) Collect(ctx context.Context, t target.Target) []collect.Observation {
	var seen []collect.Observation
	for _, problem := range t.Problems {
		seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: t.Context, Reason: report.ReasonNotFound,
			Message: problem, Hint: "kubectl config get-contexts"}})
	}
	if t.Cluster == nil && t.User == nil && len(seen) == 0 {
		return []collect.Observation{{Skipped: &collect.Skipped{Why: "no kubeconfig entry"}}}
	}
	if t.Cluster != nil {
		seen = append(seen, c.cluster(ctx, *t.Cluster)...)
	}
	if t.User != nil {
		seen = append(seen, c.user(ctx, *t.User)...)
	}
	return seen
}

func (c Collector) cluster(ctx context.Context, t target.Cluster) []collect.Observation {
	if t.CA.IsZero() {
		return nil // the system's roots are trusted, or nobody is asked
	}
	location := t.File + "#clusters/" + t.Name
	return c.material(ctx, t.CA, location, "certificate authority", func(int) report.Role { return report.RoleClusterCA })
}

func (c Collector) user(ctx context.Context, u target.User) []collect.Observation {
	location := u.File + "#users/" + u.Name
	credential := report.Credential{User: u.Name, Kinds: []string{}}
	has := func(kind string, yes bool) {
		if yes {
			credential.Kinds = append(credential.Kinds, kind)
		}
	}
	has("client-certificate", !u.ClientCertificate.IsZero())
	has("token", !u.Token.IsZero())
	has("token-file", u.TokenFile != "")
	has("exec", u.Exec != nil)
	has("auth-provider", u.AuthProvider != "")
	has("basic", u.Basic)

	var seen []collect.Observation
	if !u.ClientCertificate.IsZero() {
		seen = c.material(ctx, u.ClientCertificate, location, "client certificate", func(index int) report.Role {
			if index == 0 {
				return report.RoleClient
			}
			return report.RoleOther // the rest of its chain
		})
	}
	token := u.Token.Reveal()
	if u.TokenFile != "" {
		data, err := collect.ReadFile(ctx, u.TokenFile)
		if err != nil {
			seen = append(seen, collect.Observation{Gap: collect.Unread(ctx, err, location, "token file", u.TokenFile)})
		}
		token = strings.TrimSpace(string(data))
	}
	credential.TokenExpiresAt = expiry(token)
	return append(seen, collect.Observation{Credential: &credential})
}

// material reads the certificates of m. what says what it should hold.
func (c Collector) material(ctx context.Context, m target.Material, location, what string, role func(int) report.Role) []collect.Observation {
	found, problems, gap := c.Memory.Material(ctx, m, location, what)
	if gap != nil {
		return []collect.Observation{{Gap: gap}}
	}
	return collect.Rows(found, problems, location, role)
}

// expiry is a JWT's exp claim (RFC 7519 section 4.1.4), unverified: what the
// token says of itself. nil for anything else, and nothing of the token is kept.
func expiry(token string) *time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	var body struct {
		Exp *float64 `json:"exp"`
	}
	// A NumericDate may have a fraction. Past year 9999 it is not a date that
	// JSON can carry.
	if json.Unmarshal(claims, &body) != nil || body.Exp == nil || *body.Exp < 0 || *body.Exp > 253402300799 {
		return nil
	}
	t := time.Unix(int64(math.Floor(*body.Exp)), 0).UTC()
	return &t
}
