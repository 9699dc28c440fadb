//go:build unix

package settings

import (
	"bytes"
	"errors"
	"io/fs"
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
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	write("open", []byte("a: b\n"), 0o666)
	write("group", []byte("a: b\n"), 0o664)
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
		{"open", "", "others may write it, and settings can say where tokens go", ""},
		{"group", "", "others may write it, and settings can say where tokens go", ""},
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

// somebody is the file of a user who is not the one that runs this.
type somebody struct {
	fs.FileInfo
	uid  uint32
	mode fs.FileMode
}

func (s somebody) Sys() any          { return &syscall.Stat_t{Uid: s.uid} }
func (s somebody) Mode() fs.FileMode { return s.mode }

func TestOnlyOurs(t *testing.T) {
	const other, open = "f: it belongs to another user (uid 4242424), and settings can say where tokens go", "f: others may write it, and settings can say where tokens go"
	us := uint32(os.Geteuid())
	for _, test := range []struct {
		uid    uint32
		mode   fs.FileMode
		linked bool
		want   string
	}{
		{us, 0o644, false, ""},
		{0, 0o644, false, ""},
		{4242424, 0o644, false, other},
		{4242424, 0o600, true, other},
		{us, 0o664, false, open},
		{us, 0o646, false, open},
		{us, fs.ModeDir | 0o775, true, open},
		{us, fs.ModeDir | fs.ModeSticky | 0o775, false, open},
		{0, fs.ModeDir | fs.ModeSticky | 0o775, true, ""},
	} {
		got := ""
		if err := onlyOurs("f", somebody{uid: test.uid, mode: test.mode}, test.linked); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// The folder of one's own file counts, and that of the file behind a link.
func TestOwnFolder(t *testing.T) {
	dir := t.TempDir()
	own, linked := filepath.Join(dir, "own"), filepath.Join(dir, "linked")
	for _, folder := range []string{own, linked} {
		if err := errors.Join(os.Mkdir(folder, 0o755), os.Chmod(folder, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(own, "config.yaml")
	if err := errors.Join(os.WriteFile(filepath.Join(linked, "real"), nil, 0o600), os.Symlink(filepath.Join(linked, "real"), file)); err != nil {
		t.Fatal(err)
	}
	if _, err := Own(file); err != nil {
		t.Error(err)
	}
	for _, folder := range []string{own, linked} {
		if err := os.Chmod(folder, 0o775); err != nil {
			t.Fatal(err)
		}
		if _, err := Own(file); err == nil || !strings.HasPrefix(err.Error(), folder+": others may write it") {
			t.Errorf("%s: %v", folder, err)
		}
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
