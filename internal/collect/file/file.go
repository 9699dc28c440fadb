// Package file looks into what a person has at hand: files, folders, manifests,
// standard input, live endpoints. It is made of the others' readers.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/collect/node"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// maxFiles bounds how many files of one folder are read.
const maxFiles = 100_000

// Collector looks at a target's operand: a file, a folder, "-" for standard
// input, or a live endpoint as HOST:PORT or https://HOST[:PORT].
type Collector struct {
	Stdin io.Reader
	// Endpoints shakes hands with live endpoints.
	Endpoints apiserver.Collector
}

// Source is report.SourceFile.
func (Collector) Source() report.Source { return report.SourceFile }

// Collect brings the certificates of t.Operand.
func (c Collector) Collect(ctx context.Context, t target.Target) []collect.Observation {
	if t.Operand == "-" {
		data, err := collect.ReadInput(ctx, c.Stdin)
		if err != nil {
			return gap(ctx, err, "-")
		}
		return contents(ctx, "stdin", "", data)
	}
	info, err := os.Stat(t.Operand)
	switch {
	case err == nil && info.IsDir():
		return folder(ctx, t.Operand)
	case err == nil:
		return one(ctx, t.Operand)
	}
	if address, ok := endpoint(t.Operand); ok {
		return c.live(ctx, address)
	}
	return gap(ctx, err, t.Operand)
}

// live shakes hands with a server and reports what it presents. Any server may
// be asked, so nothing is said of whose certificate it is.
func (c Collector) live(ctx context.Context, address string) []collect.Observation {
	host, _, _ := net.SplitHostPort(address)
	chain, gap := c.Endpoints.Dial(ctx, apiserver.Endpoint{Address: address, ServerName: host})
	if gap != nil {
		return []collect.Observation{{Gap: gap}}
	}
	seen, _ := apiserver.Observe(nil, chain, address, report.RoleOther, report.RoleOther)
	return seen
}

func other(int) report.Role { return report.RoleOther }

// endpoint reads HOST:PORT, [IPV6]:PORT and https://HOST[:PORT][/…].
func endpoint(operand string) (address string, ok bool) {
	rest, https := strings.CutPrefix(operand, "https://")
	if https {
		rest, _, _ = strings.Cut(rest, "/")
		if _, _, err := net.SplitHostPort(rest); err != nil {
			rest = net.JoinHostPort(strings.Trim(rest, "[]"), "443")
		}
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil || host == "" || strings.ContainsAny(host, "/\\") {
		return "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return net.JoinHostPort(host, port), err == nil && n > 0
}

// folder reads every file below dir, in the order of their names. A link to a
// file is followed (the kubelet's kubelet-client-current.pem is one), a link to
// a folder is not.
func folder(ctx context.Context, dir string) []collect.Observation {
	var seen []collect.Observation
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			seen = append(seen, gap(ctx, err, path)...)
			return nil
		}
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		if entry.IsDir() || !regular(path, entry) {
			return nil
		}
		if files++; files > maxFiles {
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: dir, Reason: report.ReasonTruncated,
				Message: fmt.Sprintf("more than %d files: the rest was not read", maxFiles), Hint: "inspect its folders one by one"}})
			return fs.SkipAll
		}
		seen = append(seen, one(ctx, path)...)
		return nil
	})
	if err != nil {
		seen = append(seen, gap(ctx, err, dir)...)
	}
	if ctx.Err() != nil {
		seen = append(seen, collect.Observation{Gap: collect.Ended(ctx, dir)})
	}
	return seen
}

// regular says whether path is a file, or a link to one. A link that leads
// nowhere is read too, so that its failure is told.
func regular(path string, entry fs.DirEntry) bool {
	if entry.Type().IsRegular() {
		return true
	}
	if entry.Type()&fs.ModeSymlink == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err != nil || info.Mode().IsRegular()
}

func one(ctx context.Context, path string) []collect.Observation {
	data, err := collect.ReadFile(ctx, path)
	if err != nil {
		return gap(ctx, err, path)
	}
	return contents(ctx, path, filepath.Dir(path), data)
}

// contents reads the certificates of one file: of every field of a manifest, or
// of the bytes as they are. dir is where the relative paths of a kubeconfig
// start; empty where they lead nowhere.
func contents(ctx context.Context, path, dir string, data []byte) []collect.Observation {
	if node.Recognise(data) {
		seen := node.Observations("", string(data))
		for _, o := range seen {
			if o.Gap != nil && o.Gap.Location == "" {
				o.Gap.Location = path
			}
		}
		return seen
	}
	// What a manifest's own reader cannot make sense of may still hold
	// certificates for the other one.
	if seen := manifest(ctx, path, dir, data); len(seen) > 0 {
		return seen
	}
	found, problems := certs.Read(data)
	return collect.Rows(found, problems, path, other)
}

func gap(ctx context.Context, err error, path string) []collect.Observation {
	g := &collect.Gap{Location: path, Reason: report.ReasonMalformed, Message: fmt.Sprintf("reading %q: %s", path, collect.Cause(err))}
	switch {
	case ctx.Err() != nil:
		g = collect.Ended(ctx, path)
	case errors.Is(err, fs.ErrNotExist):
		g.Reason, g.Hint = report.ReasonNotFound, "name a file, a folder, HOST:PORT, or - for standard input"
	case errors.Is(err, fs.ErrPermission):
		g.Reason, g.Hint = report.ReasonForbidden, "run as a user who may read it"
	}
	return []collect.Observation{{Gap: g}}
}
