package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/pkg/report"
	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// What a kubeconfig says and the real server says agree, or akscert tells.

func (r *rig) healthy(t *testing.T) {
	rep, res := r.audit(t, 0, r.kubeconfig(r.server))
	wantOnly(t, rep)
	if len(rep.Gaps) != 0 || !rep.Complete || rep.Outcome != report.OutcomeOK {
		t.Errorf("outcome %q, complete %v, gaps %+v", rep.Outcome, rep.Complete, rep.Gaps)
	}

	client, ca := row(t, rep, report.RoleClient), row(t, rep, report.RoleClusterCA)
	wantState(t, client, report.StateOK)
	wantState(t, ca, report.StateOK)
	wantFacts(t, client, viaKubectl(t, res.kubeconfig, ".users[0].user.client-certificate-data", r.cluster.Admin.CertPEM))
	wantFacts(t, ca, viaKubectl(t, res.kubeconfig, ".clusters[0].cluster.certificate-authority-data", r.cluster.CA.CertPEM))
	if want := res.kubeconfig + "#users/" + cluster.UserName; client.Location != want {
		t.Errorf("location %q, want %q", client.Location, want)
	}

	chain := presented(t, r.server.Addr)
	if len(chain) != 2 {
		t.Fatalf("openssl s_client saw %d certificates, want the server's and its CA's", len(chain))
	}
	wantFacts(t, row(t, rep, report.RoleAPIServer), chain[0])
	wantFacts(t, row(t, rep, report.RoleIntermediate), chain[1])
	if len(rep.Certificates) != 4 {
		t.Errorf("%d rows, want 4: %+v", len(rep.Certificates), rep.Certificates)
	}
	r.wantStatus(t, r.server, cluster.Login{Client: &r.cluster.Admin}, http.StatusOK)
}

// wantStatus asks the real server for something not everybody may see.
func (r *rig) wantStatus(t *testing.T, server *cluster.APIServer, login cluster.Login, want int) {
	t.Helper()
	got, _, err := server.Do(r.ctx, login, http.MethodGet, "/api/v1/namespaces", nil)
	if err != nil {
		t.Fatalf("asking the real API server: %v", err)
	}
	if got != want {
		t.Errorf("the real API server answered %d, want %d", got, want)
	}
}

func (r *rig) expiredClient(t *testing.T) {
	admin := r.expiredAdmin(t)
	k := r.kubeconfig(r.server)
	k.Cert, k.Key = admin.CertPEM, admin.KeyPEM

	rep, _ := r.audit(t, 1, k)
	client := row(t, rep, report.RoleClient)
	wantState(t, client, report.StateExpired)
	wantFacts(t, client, admin.CertPEM)
	wantState(t, row(t, rep, report.RoleAPIServer), report.StateOK)
	wantOnly(t, rep, "certificate-expired")
	f := finding(t, rep, "certificate-expired")
	if f.Certificate != client.ID || f.Severity != report.SeverityExpired {
		t.Errorf("finding %+v, want severity expired on %q", f, client.ID)
	}
	r.wantStatus(t, r.server, cluster.Login{Client: &admin}, http.StatusUnauthorized)
}

func (r *rig) expiredClientWithToken(t *testing.T) {
	token, err := r.server.MintToken(r.ctx, r.cluster.Admin)
	if err != nil {
		t.Fatal(err)
	}
	admin := r.expiredAdmin(t)
	k := r.kubeconfig(r.server)
	k.Cert, k.Key, k.Token = admin.CertPEM, admin.KeyPEM, token

	rep, _ := r.audit(t, 1, k) // which also sees that the token stays inside
	wantState(t, row(t, rep, report.RoleClient), report.StateExpired)
	if len(rep.Clusters[0].Credentials) != 1 {
		t.Fatalf("credentials %+v, want one user's", rep.Clusters[0].Credentials)
	}
	got := rep.Clusters[0].Credentials[0]
	kinds := slices.Sorted(slices.Values(got.Kinds))
	if got.User != cluster.UserName || !slices.Equal(kinds, []string{"client-certificate", "token"}) {
		t.Errorf("user %q with %q, want %q with a client-certificate and a token", got.User, got.Kinds, cluster.UserName)
	}
	if want := expiry(t, token); got.TokenExpiresAt == nil || !got.TokenExpiresAt.Equal(want) {
		t.Errorf("token expires at %v, its exp says %v", got.TokenExpiresAt, want)
	}
	// The token alone still opens the door: 403 is for somebody known.
	r.wantStatus(t, r.server, cluster.Login{Token: token}, http.StatusForbidden)
}

// expiry reads the exp claim of a JWT.
func expiry(t *testing.T, token string) time.Time {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the minted token has %d parts, want 3", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal("decoding the minted token's claims failed")
	}
	var claims struct{ Exp int64 }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Exp == 0 {
		t.Fatal("the minted token's claims have no exp")
	}
	return time.Unix(claims.Exp, 0)
}

func (r *rig) otherCA(t *testing.T) {
	from := time.Now().Add(-30 * cluster.Day)
	// Same name, other key: what a kubeconfig holds after a CA rotation.
	other, err := cluster.NewCA("ca", from, from.Add(30*365*cluster.Day))
	if err != nil {
		t.Fatal(err)
	}
	k := r.kubeconfig(r.server)
	k.CA = other.CertPEM

	rep, _ := r.audit(t, 1, k)
	wantFacts(t, row(t, rep, report.RoleClusterCA), other.CertPEM)
	wantState(t, row(t, rep, report.RoleAPIServer), report.StateOK) // trust is not needed for dates
	finding(t, rep, "ca-mismatch")
}
