package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/akscert/akscert/"

// The sentence, and the rooms that say it:
//
//	find targets → collect observations → audit → report → render → exit code
//
// allowed is what each package may import directly, apart from the standard
// library. A new import is a decision: make it here. "…/" stands for our module,
// and "/…" at the end for a whole family.
var allowed = map[string][]string{
	"…/cmd/akscert": {"…/internal/audit", "…/internal/azure", "…/internal/collect", "…/internal/collect/apiserver", "…/internal/collect/arm", "…/internal/collect/file",
		"…/internal/collect/kubeapi", "…/internal/collect/kubeconfig", "…/internal/collect/kubelet", "…/internal/collect/node", "…/internal/demo", "…/internal/discover", "…/internal/kube", "…/internal/render", "…/internal/settings", "…/internal/target", "…/internal/verify", "…/internal/waiver", "…/pkg/lifetime", "…/pkg/report",
		"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/net/http/httpproxy", "golang.org/x/term", "github.com/vbauerster/mpb/v8", "github.com/vbauerster/mpb/v8/decor"},

	// what flags are when they are not given
	"…/internal/settings": {"go.yaml.in/yaml/v3"},

	// find targets
	"…/internal/target":   {},
	"…/internal/discover": {"…/internal/target", "…/pkg/report", "k8s.io/client-go/tools/clientcmd", "k8s.io/client-go/tools/clientcmd/api", "go.yaml.in/yaml/v3"},

	// collect observations
	"…/internal/collect":            {"…/internal/target", "…/pkg/certs", "…/pkg/report", "k8s.io/utils/lru"},
	"…/internal/collect/kubeconfig": {"…/internal/collect", "…/internal/target", "…/pkg/report"},
	"…/internal/collect/apiserver":  {"…/internal/collect", "…/internal/target", "…/pkg/certs", "…/pkg/report", "golang.org/x/net/proxy", "golang.org/x/crypto/chacha20poly1305", "golang.org/x/crypto/cryptobyte", "golang.org/x/net/idna"},
	"…/internal/collect/arm":        {"…/internal/collect", "…/internal/target", "…/pkg/report"},
	"…/internal/collect/node":       {"…/internal/collect", "…/internal/target", "…/pkg/certs", "…/pkg/report"},
	"…/internal/collect/kubelet":    {"…/internal/collect", "…/internal/kube", "…/internal/target", "…/pkg/certs", "…/pkg/report"},
	"…/internal/collect/kubeapi":    {"…/internal/collect", "…/internal/kube", "…/internal/target", "…/pkg/certs", "…/pkg/report"},
	"…/internal/collect/file":       {"…/internal/collect", "…/internal/collect/apiserver", "…/internal/collect/node", "…/internal/target", "…/pkg/certs", "…/pkg/report", "go.yaml.in/yaml/v3"},

	// the one door to API servers
	"…/internal/kube": {"…/internal/collect", "…/internal/target", "…/pkg/report", "golang.org/x/net/idna", "k8s.io/client-go/…"},

	// the one door to Azure, and a sample of what is behind it
	"…/internal/azure": {"…/internal/target", "…/pkg/report", "golang.org/x/time/rate", "github.com/Azure/azure-sdk-for-go/…"},
	"…/internal/demo":  {},

	// audit, and what somebody has decided to live with
	"…/internal/waiver": {"…/pkg/report", "go.yaml.in/yaml/v3"},
	"…/internal/audit":  {"…/internal/collect", "…/internal/target", "…/internal/waiver", "…/pkg/certs", "…/pkg/lifetime", "…/pkg/report"},

	// after a rotation: are the old credentials dead?
	"…/internal/verify": {"…/internal/collect", "…/internal/collect/apiserver", "…/internal/collect/kubeconfig", "…/internal/kube", "…/internal/target", "…/pkg/certs", "…/pkg/report"},

	// report, and what it is made of
	"…/pkg/report":   {},
	"…/pkg/lifetime": {"…/pkg/report"},
	"…/pkg/certs":    {},

	// render
	"…/internal/render": {"…/pkg/lifetime", "…/pkg/report", "github.com/mattn/go-runewidth", "go.yaml.in/yaml/v3", "github.com/olekukonko/tablewriter",
		"github.com/olekukonko/tablewriter/renderer", "github.com/olekukonko/tablewriter/tw"},
}

func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := ours(p.ImportPath)
		seen[name] = true
		may, ok := allowed[name]
		if !ok {
			t.Errorf("package %s is not in the table: which part of the sentence is it?", name)
			continue
		}
		fits := func(path, pattern string) bool {
			family, ok := strings.CutSuffix(pattern, "/…")
			return path == pattern || ok && strings.HasPrefix(path, family+"/")
		}
		for _, path := range p.Imports {
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !slices.ContainsFunc(may, func(pattern string) bool { return fits(ours(path), pattern) }) {
				t.Errorf("%s may not import %s", name, ours(path))
			}
		}
		for _, path := range may {
			if !slices.ContainsFunc(p.Imports, func(have string) bool { return fits(ours(have), path) }) {
				t.Errorf("%s no longer imports %s: take it off the table", name, path)
			}
		}
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("no package %s: take it off the table", name)
		}
	}
}

// Parts that say what is true, or judge, or draw, do not look: what they need
// is handed to them. Nothing but main ends the process or knows its streams, and
// nothing that leads to a verdict reads the clock.
func TestRooms(t *testing.T) {
	pure := []string{"pkg", "internal/audit", "internal/render", "internal/target", "internal/waiver"}
	never := regexp.MustCompile(`"(os|os/.*|net/http|log|log/.*|syscall|io/ioutil)"$|\btime\.(Now|Since|Until)\(`)
	process := regexp.MustCompile(`\bos\.(Exit|Stdout|Stderr|Stdin)\b`)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == "testdata" {
			return cmp.Or(err, fs.SkipDir)
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		for line := range strings.Lines(string(source)) {
			code, _, _ := strings.Cut(strings.TrimSpace(line), "//")
			code = strings.TrimSpace(code)
			isPure := slices.ContainsFunc(pure, func(room string) bool { return strings.HasPrefix(name, filepath.FromSlash(room)) })
			if isPure && never.MatchString(code) || process.MatchString(code) && name != filepath.Join("cmd", "akscert", "main.go") {
				t.Errorf("%s: %s", name, code)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func ours(path string) string { return strings.Replace(path, module, "…/", 1) }
