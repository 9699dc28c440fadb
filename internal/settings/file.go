package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxBytes is far more than every key with a long list.
const maxBytes = 64 << 10

// Found reads a file that nobody named, which lies in a working directory. It
// must be a file there itself: a link could make an error quote any file that the
// user can read.
func Found(path string) ([]byte, error) { return read(path, os.Lstat, false) }

// Own reads a file of the user's, who may keep it behind a link. Nobody else but
// root may own it or its folder, or be able to write them.
func Own(path string) ([]byte, error) { return read(path, os.Stat, true) }

// Named reads a file that the user named.
func Named(path string) ([]byte, error) { return read(path, os.Stat, false) }

// Below reports whether a path lies in a folder or below it, as it is written or
// as its links resolve.
func Below(path, folder string) (written, resolved bool, err error) {
	of, err := os.Stat(folder)
	if err != nil {
		return false, false, err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, false, err
	}
	within := func(path string) bool {
		for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
			// Compared as files, not as text: links, and systems where case is nothing.
			if info, err := os.Stat(dir); err == nil && os.SameFile(info, of) {
				return true
			}
			if dir == filepath.Dir(dir) {
				return false
			}
		}
	}
	return within(path), within(real), nil
}

func read(path string, stat func(string) (fs.FileInfo, error), own bool) ([]byte, error) {
	info, err := stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, &Problem{path, "it is a link, which is not followed in the working directory", "put the file itself there, or name it with --config"}
	case !info.Mode().IsRegular():
		return nil, &Problem{path, "it is no regular file", "settings are read from a file"} // opening a pipe would wait for its writer
	}
	if own {
		if err := ofUser(path, info); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(info, now) {
		return nil, errors.Join(err, &Problem{path, "it was replaced while it was read", "run it again"})
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		return nil, &Problem{path, fmt.Sprintf("it is larger than %d KiB", maxBytes>>10), "a file of settings has a few lines"}
	}
	return data, err
}
