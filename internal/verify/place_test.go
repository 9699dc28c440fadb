package verify

import (
	"testing"

	"github.com/akscert/akscert/internal/target"
)

// Place shows no password that an address holds.
func TestPlace(t *testing.T) {
	for server, want := range map[string]string{
		"https://a.hcp.azmk8s.io:443":       "a.hcp.azmk8s.io:443",
		"https://A.hcp.azmk8s.io.":          "a.hcp.azmk8s.io:443",
		"a.hcp.azmk8s.io":                   "a.hcp.azmk8s.io:443",
		"127.0.0.1:6443":                    "127.0.0.1:6443",
		"https://[::1]:6443/prefix":         "[::1]:6443/prefix",
		"https://user:hunter2@example:6443": "example:6443",
		"https://user:hunter2@exa mple":     "an address that cannot be read",
		"":                                  "an address that is not known",
	} {
		if got := Place(&target.Cluster{Server: server}); got != want {
			t.Errorf("Place(%q) = %q, want %q", server, got, want)
		}
	}
	if got := FromKubeconfig(t.Context(), target.Target{Cluster: &target.Cluster{Server: "https://user:hunter2@example:6443"}}).before.Server; got != "example:6443" {
		t.Errorf("old server %q", got)
	}
}

func TestSame(t *testing.T) {
	at := func(server, name string) *target.Cluster { return &target.Cluster{Server: server, TLSServerName: name} }
	for _, test := range []struct {
		a, b *target.Cluster
		want bool
	}{
		{at("https://a.example", ""), at("https://A.example.:443/", ""), true},
		{at("https://a.example", ""), at("https://b.example", ""), false},
		{at("https://a.example", ""), at("https://a.example:6443", ""), false},
		{at("https://a.example", ""), nil, false},
		// One gate before many clusters tells them apart by path, or by name.
		{at("https://a.example/k8s/1", ""), at("https://a.example/k8s/2", ""), false},
		{at("https://127.0.0.1:6443", "a.example"), at("https://127.0.0.1:6443", "b.example"), false},
		{at("https://127.0.0.1:6443", "a.example"), at("https://127.0.0.1:6443", "A.example"), true},
		{at("https://a.example", "a.example"), at("https://a.example", ""), true},
		// A report does not know of the name.
		{&target.Cluster{Server: "https://127.0.0.1:6443", CAUnknown: true}, at("https://127.0.0.1:6443", "b.example"), true},
		// What cannot be read is nothing's equal.
		{at("https://a b", ""), at("https://a b", ""), false},
		{at("", ""), at("", ""), false},
	} {
		if got := Same(test.a, test.b); got != test.want {
			t.Errorf("%+v and %+v are the same: %v", test.a, test.b, got)
		}
	}
}
