// Package build compiles the real programs a cluster is made of, from the
// sources that the nested modules pin, and keeps the binaries between runs.
package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Program is one binary and where its source is pinned.
type Program struct {
	Name    string
	Package string // its main package
	Module  string // the nested module's folder, next to this package's
	Stamp   string // the variable that gets the version of StampOf, if any
	StampOf string // a module
}

// Each project has a module of its own because their requirements need not
// agree: the API server brings its own version of etcd's client.
var (
	Etcd              = Program{Name: "etcd", Package: "go.etcd.io/etcd/server/v3", Module: "etcd"}
	Containerd        = Program{Name: "containerd", Package: "github.com/containerd/containerd/v2/cmd/containerd", Module: "containerd"}
	APIServer         = kubernetes("kube-apiserver")
	ControllerManager = kubernetes("kube-controller-manager")
	Kubelet           = kubernetes("kubelet")
)

// kubernetes is one of that project's programs, which call themselves
// v0.0.0-master unless told their version, and refuse what depends on it.
func kubernetes(name string) Program {
	return Program{
		Name: name, Package: "k8s.io/kubernetes/cmd/" + name, Module: "kube",
		Stamp: "k8s.io/component-base/version.gitVersion", StampOf: "k8s.io/kubernetes",
	}
}

// Binary returns the path of p's binary, building it unless the cache has it.
// Root is the folder of the e2e module; progress goes to log.
func Binary(ctx context.Context, root string, p Program, log io.Writer) (string, error) {
	dir := filepath.Join(root, p.Module)
	key, err := cacheKey(ctx, dir, p)
	if err != nil {
		return "", fmt.Errorf("finding the cache of %q: %w", p.Name, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache of %q: %w", p.Name, err)
	}
	path := filepath.Join(cache, "akscert-e2e", key, p.Name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("building %q: %w", p.Name, err)
	}
	fmt.Fprintf(log, "building %s (minutes, once; then kept in %s)\n", p.Name, filepath.Dir(path))
	start := time.Now()
	if err := compile(ctx, dir, p, path); err != nil {
		return "", fmt.Errorf("building %q: %w", p.Name, err)
	}
	fmt.Fprintf(log, "built %s in %v\n", p.Name, time.Since(start).Round(time.Second))
	return path, nil
}

// cacheKey names what the binary is made of: the pinned sources, the compiler
// and how it is called.
func cacheKey(ctx context.Context, dir string, p Program) (string, error) {
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(data), data)
	}
	compiler, err := goTool(ctx, dir, "version")
	if err != nil {
		return "", err
	}
	fmt.Fprintln(hash, compiler, "CGO_ENABLED=0", buildFlags(p, "VERSION"))
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// buildFlags leaves out symbols and DWARF: nobody debugs these, and linking
// takes half the memory.
func buildFlags(p Program, version string) []string {
	ldflags := "-s -w"
	if p.Stamp != "" {
		ldflags += " -X " + p.Stamp + "=" + version
	}
	return []string{"-trimpath", "-buildvcs=false", "-ldflags=" + ldflags}
}

// compile builds into a temporary name first: a build that is cut off must
// not leave a broken binary in the cache.
func compile(ctx context.Context, dir string, p Program, path string) error {
	version := ""
	if p.StampOf != "" {
		out, err := goTool(ctx, dir, "list", "-m", "-f", "{{.Version}}", p.StampOf)
		if err != nil {
			return err
		}
		version = out
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(tmp) // gone already when all went well
	args := append([]string{"build", "-o", tmp}, buildFlags(p, version)...)
	if _, err := goTool(ctx, dir, append(args, p.Package)...); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// goTool runs go in dir and returns what it printed, trimmed.
func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// A workspace around the checkout would mix the modules up again. Without
	// cgo a binary is the same whether the machine has a C compiler or not, and
	// what the programs share is compiled once.
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("running go %s: %w", args[0], err), errors.New(lastLines(stderr.String(), 20)))
	}
	return strings.TrimSpace(stdout.String()), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
