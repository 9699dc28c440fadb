//go:build unix

package settings

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ofUser refuses a file that somebody else could have written: it, the folder it
// was found in, and the one that a link leads to.
func ofUser(path string, info fs.FileInfo) error {
	if err := onlyOurs(path, info, false); err != nil {
		return err
	}
	folder := filepath.Dir(path)
	at, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if err := onlyOurs(folder, at, false); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	folder = filepath.Dir(real)
	if at, err = os.Stat(folder); err != nil {
		return err
	}
	return onlyOurs(folder, at, true)
}

// onlyOurs refuses what is neither the user's nor root's, or what others may
// write. What a link leads to is ours already: a folder of which nobody may take
// away what is another's, as a store of packages has it, is no danger to it.
func onlyOurs(path string, info fs.FileInfo, linked bool) error {
	const other = "name it with --config if you trust it, or do without files: --config none"
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return &Problem{path, fmt.Sprintf("it belongs to another user (uid %d), and settings can say where tokens go", s.Uid), other}
	}
	if info.Mode().Perm()&0o022 != 0 && (!linked || info.Mode()&fs.ModeSticky == 0) {
		return &Problem{path, "others may write it, and settings can say where tokens go", "chmod go-w " + path}
	}
	return nil
}
