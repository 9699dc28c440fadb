package discover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever is wrong with a kubeconfig, no value of it is in what is said.
func FuzzBroken(f *testing.F) {
	for _, s := range []string{
		"users: [{name: u, user: {token: TOKEN}}, {name: u, user: {token: TOKEN}}]",
		"users: [{name: u, user: {client-key-data: '%TOKEN'}}]",
		"users: [{name: u, user: {token: [TOKEN]}}]",
		"users: [{name: u, user: {token: &TOKEN x, password: *TOKEN}}]",
		"users:\n- name: u\n  user:\n   token: TOKEN\n  TOKEN",
		"\ttoken: TOKEN", "kind: Config\nusers: TOKEN", "TOKEN", "- TOKEN", "{\"users\": [{\"user\": {\"token\": TOKEN}}]",
		"apiVersion: v9\nkind: Config\nusers: [{user: {token: !!binary TOKEN}}]", "<<: TOKEN\nusers: []",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		// The names of entries and the kind are shown, so the token stands
		// only where values do.
		const token = "hunter2canary"
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(content, "TOKEN", token)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, scope := range []Scope{{Kubeconfig: file, All: true}} {
			targets, gaps, err := Kubeconfig(t.Context(), scope)
			if err != nil && strings.Contains(err.Error(), token) && !strings.Contains(content, "kind") && !strings.Contains(content, "name") {
				t.Errorf("the error has the token: %v", err)
			}
			if err == nil && len(targets) == 0 {
				t.Error("neither targets nor an error")
			}
			for _, g := range gaps {
				if strings.Contains(g.Message+g.Hint, token) {
					t.Errorf("a gap has the token: %+v", g)
				}
			}
		}
	})
}

// What client-go itself says of two users of one name is what diagnose is for.
func TestDiagnose(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"two users", "users:\n- {name: u, user: {token: s}}\n- {name: u, user: {token: s}}", `line 3: two users are named "u"`},
		{"two clusters", "clusters:\n- {name: u}\n- {name: u}", `line 3: two clusters are named "u"`},
		{"no base64", "users:\n- {name: u, user: {client-key-data: '%'}}", "line 2: client-key-data is not base64"},
		{"no YAML", "users: [", "not valid YAML at line 1"},
		{"a list", "- a", "not a kubeconfig"},
		{"another kind", "kind: Secret", `its kind is "Secret", not Config`},
		{"not a list", "users: {a: b}", "line 1: users is not a list"},
		{"a wrong type", "users:\n- {name: u, user: {token: {a: b}}}", "a field in it has the wrong type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := Kubeconfig(t.Context(), Scope{Kubeconfig: file})
			if err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
