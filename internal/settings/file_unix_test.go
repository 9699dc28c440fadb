//go:build unix

package settings

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, data []byte, mode os.FileMode) {
		if err := os.WriteFile(path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("plain", []byte("a: b\n"), 0o644)
	write("open", []byte("a: b\n"), 0o666)
	write("most", bytes.Repeat([]byte("#"), maxBytes), 0o644)
	write("more", bytes.Repeat([]byte("#"), maxBytes+1), 0o644)
	if err := os.Symlink(path("plain"), path("link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name              string
		found, own, named string // what each says; empty for no error
	}{
		{"plain", "", "", ""},
		{"most", "", "", ""},
		{"more", "it is larger than 64 KiB", "it is larger than 64 KiB", "it is larger than 64 KiB"},
		{"open", "", "anybody may write it, and it can say where tokens go", ""},
		{"link", "it is a link, which is not followed in the working directory", "", ""},
		{"pipe", "it is no regular file", "it is no regular file", "it is no regular file"},
		{".", "it is no regular file", "it is no regular file", "it is no regular file"},
	} {
		for _, way := range []struct {
			read func(string) ([]byte, error)
			want string
		}{{Found, test.found}, {Own, test.own}, {Named, test.named}} {
			done := make(chan string, 1)
			go func() {
				_, err := way.read(path(test.name))
				if err == nil {
					done <- ""
					return
				}
				done <- strings.TrimPrefix(err.Error(), path(test.name)+": ")
			}()
			select {
			case got := <-done:
				if got != way.want {
					t.Errorf("%s: %q, want %q", test.name, got, way.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: it hangs", test.name)
			}
		}
	}
}
