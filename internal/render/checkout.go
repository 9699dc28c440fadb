package render

import (
	"path"
	"regexp"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// Checkout is where a repository lies, and which of its folders akscert runs in:
// absolute paths with slashes, Dir at or below Root.
type Checkout struct {
	Root, Dir string
	// Link is another name of Root, which leads there through a link; empty for
	// none.
	Link string
	// Has reports whether a path from Root, which leads nowhere else, is a file.
	// nil knows of none.
	Has func(inside string) bool
}

// place finds the file of the repository that a location is about: its path from
// the root, and what the location says after it. A file that is there decides how
// the two are told apart, and what a relative path is relative to: a report may be
// drawn in another folder than the one that it was made in. Where none is there
// any more, the looks of the location decide.
func (c Checkout) place(source report.Source, location string) (inside, entry string, ok bool) {
	if source != report.SourceKubeconfig && source != report.SourceFile {
		return "", "", false
	}
	const most = 20 // signs that are tried
	end := len(location)
	for range most {
		if c.Has == nil || end <= 0 {
			break
		}
		if isFile(location[:end]) {
			for _, inside := range c.candidates(location[:end]) {
				if c.Has(inside) {
					return inside, location[end:], true
				}
			}
		}
		end = strings.LastIndexByte(location[:end], '#')
	}
	file, entry := fileIn(location)
	if !isFile(file) {
		return "", "", false
	}
	inside, ok = c.inside(c.Root, strings.ReplaceAll(file, `\`, "/"))
	return inside, entry, ok
}

// candidates are what a file may be called from the root, the likeliest first.
func (c Checkout) candidates(file string) []string {
	var all []string
	for _, file := range []string{file, strings.ReplaceAll(file, `\`, "/")} {
		for _, root := range []string{c.Root, c.Link} {
			if inside, ok := c.inside(root, file); ok && root != "" {
				all = append(all, inside)
			}
		}
		if clean := path.Clean(file); !absolute(file) && clean != ".." && !strings.HasPrefix(clean, "../") {
			all = append(all, clean)
		}
	}
	return all
}

// inside is the path from a root to a file that is named by its path from Dir, or
// by an absolute one; false for a file outside.
func (c Checkout) inside(root, file string) (string, bool) {
	if !absolute(file) {
		root, file = c.Root, c.Dir+"/"+file
	}
	return strings.CutPrefix(path.Clean(file), strings.TrimSuffix(path.Clean(root), "/")+"/")
}

func absolute(file string) bool { return strings.HasPrefix(file, "/") || drive.MatchString(file) }

var drive = regexp.MustCompile(`^[A-Za-z]:[/\\]`) // of Windows

// They are what a location says after the file: the place in a manifest, the
// entry of a kubeconfig, which of several certificates.
var (
	inManifest   = regexp.MustCompile(`(?i)\.(?:ya?ml|json)(#)`)
	inKubeconfig = regexp.MustCompile(`(#)(?:users|clusters|[A-Z][A-Za-z0-9]*)/`)
	inSeveral    = regexp.MustCompile(`(#)[0-9]+$`)
)

// fileIn splits a location into a file and what it says after that, by its looks.
func fileIn(location string) (file, entry string) {
	end := len(location)
	for _, r := range []*regexp.Regexp{inManifest, inKubeconfig, inSeveral} {
		if at := r.FindStringSubmatchIndex(location); at != nil {
			end = min(end, at[2])
		}
	}
	return location[:end], location[end:]
}

// isFile reports whether a location is a file's, and not an address, a stream or
// what ARM handed out.
func isFile(file string) bool {
	switch file {
	case "", "-", "stdin", "listClusterUserCredential", "listClusterAdminCredential":
		return false
	}
	return absolute(file) || !strings.HasPrefix(file, "~") && !isAddress.MatchString(file)
}

var isAddress = regexp.MustCompile(`^(?:\[[^\]]*\]|[^/\\]*):[0-9]+$`)
