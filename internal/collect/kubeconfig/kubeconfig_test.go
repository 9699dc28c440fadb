package kubeconfig

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestExpiry(t *testing.T) {
	tests := []struct {
		token string
		want  string
	}{
		{jwt(`{"exp":1777593600}`), "2026-05-01T00:00:00Z"},
		{jwt(`{"exp":1777593600.9}`), "2026-05-01T00:00:00Z"},
		{jwt(`{"exp":1.7775936e9}`), "2026-05-01T00:00:00Z"},
		{jwt(`{"exp":0}`), "1970-01-01T00:00:00Z"},
		{jwt(`{"exp":253402300799}`), "9999-12-31T23:59:59Z"},
		{jwt(`{"exp":253402300800}`), ""},
		{jwt(`{"exp":-1}`), ""},
		{jwt(`{"exp":"1777593600"}`), ""},
		{jwt(`{}`), ""},
		{jwt(`garbage`), ""},
		{"e30.!!!.c2ln", ""},
		{"opaque", ""},
		{"", ""},
	}
	for _, test := range tests {
		got := ""
		if at := expiry(test.token); at != nil {
			got = at.Format(time.RFC3339)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.token, got, test.want)
		}
	}
}

func FuzzExpiry(f *testing.F) {
	f.Add(jwt(`{"exp":1777593600}`))
	f.Add(jwt(`{"exp":1e400}`))
	f.Fuzz(func(t *testing.T, token string) {
		if at := expiry(token); at != nil && (at.Year() < 1970 || at.Year() > 9999) {
			t.Errorf("expires %v", at)
		}
	})
}

func TestKinds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(jwt(`{"exp":1777593600}`)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		user    target.User
		kinds   []string
		expires bool
		gaps    []report.Reason
	}{
		{"nobody", target.User{}, []string{}, false, nil},
		{"token", target.User{Token: target.NewSecret("opaque")}, []string{"token"}, false, nil},
		{"a token file beats a token", target.User{Token: target.NewSecret("opaque"), TokenFile: file}, []string{"token", "token-file"}, true, nil},
		{"a token file that is gone", target.User{TokenFile: file + "x"}, []string{"token-file"}, false, []report.Reason{report.ReasonNotFound}},
		{"exec", target.User{Exec: &target.Exec{Command: "kubelogin"}}, []string{"exec"}, false, nil},
		{"everything else", target.User{AuthProvider: "oidc", Basic: true}, []string{"auth-provider", "basic"}, false, nil},
		{"a certificate that is gone, and a token", target.User{ClientCertificate: target.Material{File: file + "x"}, Token: target.NewSecret("opaque")},
			[]string{"client-certificate", "token"}, false, []report.Reason{report.ReasonNotFound}},
		{"a certificate that is none", target.User{ClientCertificate: target.Material{Data: []byte("garbage")}}, []string{"client-certificate"}, false, []report.Reason{report.ReasonMalformed}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			seen := Collector{}.Collect(t.Context(), target.Target{User: &test.user})
			var gaps []report.Reason
			var credential *report.Credential
			for _, o := range seen {
				if o.Gap != nil {
					gaps = append(gaps, o.Gap.Reason)
				}
				if o.Credential != nil {
					credential = o.Credential
				}
			}
			if credential == nil || !slices.Equal(credential.Kinds, test.kinds) || (credential.TokenExpiresAt != nil) != test.expires {
				t.Errorf("credential %+v, want kinds %v", credential, test.kinds)
			}
			if !slices.Equal(gaps, test.gaps) {
				t.Errorf("gaps %v, want %v", gaps, test.gaps)
			}
		})
	}
}

func TestNothingToRead(t *testing.T) {
	seen := Collector{}.Collect(t.Context(), target.Target{})
	if len(seen) != 1 || seen[0].Skipped == nil {
		t.Errorf("saw %+v, want it skipped", seen)
	}
	var _ collect.Collector = Collector{}
}
