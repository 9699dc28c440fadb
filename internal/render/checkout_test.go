package render

import (
	"slices"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// A file that is there decides where its name ends and what it is relative to.
func TestPlace(t *testing.T) {
	files := []string{"certs/c.pem", "x#1", "certs/wip#users/c.pem", "certs/a.json#b", `certs/a\b.pem`, "deploy/secret.yaml", "c:1.pem"}
	has := func(file string) bool { return slices.Contains(files, file) }
	tests := []struct {
		dir, location, inside, entry string
	}{
		{"/src/repo", "certs/c.pem", "certs/c.pem", ""},
		{"/src/repo", "certs/c.pem#2", "certs/c.pem", "#2"},
		{"/src/repo/certs", "c.pem#2", "certs/c.pem", "#2"},
		{"/src/repo/certs", "certs/c.pem", "certs/c.pem", ""}, // saved at the root, drawn here
		{"/src/repo", "/src/repo/certs/c.pem", "certs/c.pem", ""},
		{"/src/repo/certs", "/home/me/link/certs/c.pem", "certs/c.pem", ""},
		{"/src/repo", "x#1", "x#1", ""},
		{"/src/repo", "x#1#0", "x#1", "#0"},
		{"/src/repo", "certs/wip#users/c.pem", "certs/wip#users/c.pem", ""},
		{"/src/repo", "certs/a.json#b", "certs/a.json#b", ""},
		{"/src/repo", `certs/a\b.pem`, `certs/a\b.pem`, ""},
		{"/src/repo", `certs\c.pem`, "certs/c.pem", ""}, // saved on Windows
		{"/src/repo", "deploy/secret.yaml#Secret/default/web/tls.crt#1", "deploy/secret.yaml", "#Secret/default/web/tls.crt#1"},
		{"/src/repo", "c:1.pem", "c:1.pem", ""},
		// What is not there is told by its looks.
		{"/src/repo/deploy", "gone.yaml#Secret/default/web/tls.crt", "deploy/gone.yaml", "#Secret/default/web/tls.crt"},
		{"/src/repo", "gone.pem#3", "gone.pem", "#3"},
		// What is outside, and what is no file.
		{"/src/repo", "/src/repository/certs/c.pem", "", ""},
		{"/src/repo", "../certs/c.pem", "", ""},
		{"/src/repo", "stdin", "", ""},
		{"/src/repo", "example.com:443", "", ""},
		{"/src/repo", "", "", ""},
	}
	for _, test := range tests {
		c := Checkout{Root: "/src/repo", Dir: test.dir, Link: "/home/me/link", Has: has}
		inside, entry, ok := c.place(report.SourceFile, test.location)
		if ok != (test.inside != "") || ok && (inside != test.inside || entry != test.entry) {
			t.Errorf("%q in %s: %q, %q, %t, want %q, %q", test.location, test.dir, inside, entry, ok, test.inside, test.entry)
		}
	}
	if _, _, ok := (Checkout{Root: "/src/repo", Dir: "/src/repo", Has: has}).place(report.SourceNode, "certs/c.pem"); ok {
		t.Error("a node's file is not the repository's")
	}
}

// Nothing outside of the repository is looked for, whatever a report says.
func FuzzPlace(f *testing.F) {
	for _, s := range []string{"a#b", "../../etc/passwd", "/etc/passwd", `\\host\share\x`, "//host/share", "C:/x#1", "a/../../b#c/../d", "#", "##", "./a", "~/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, location string) {
		c := Checkout{Root: "/src/repo", Dir: "/src/repo/a", Link: "/link"}
		c.Has = func(file string) bool {
			if file == "" || file == ".." || file[0] == '/' || len(file) > 2 && file[:3] == "../" {
				t.Errorf("%q: looked for %q", location, file)
			}
			return false
		}
		inside, entry, ok := c.place(report.SourceFile, location)
		if ok && (inside == "" || inside[0] == '/') {
			t.Errorf("%q: %q, %q", location, inside, entry)
		}
	})
}
