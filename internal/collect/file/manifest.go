package file

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// maxManifest bounds what is parsed as YAML, which takes many times its size in
// memory; a larger file is read for PEM blocks only.
const maxManifest = 16 << 20

// maxDepth bounds how deep a manifest is followed.
const maxDepth = 64

// manifest reads a kubeconfig, a Kubernetes manifest or any other YAML or JSON:
// every field that holds a certificate, wherever it stands. It reads a broken
// or duplicate entry's neighbours too, where clientcmd would refuse the file.
// It finds nothing in what is not YAML or JSON.
func manifest(ctx context.Context, path, dir string, data []byte) []collect.Observation {
	if len(data) > maxManifest || bytes.IndexByte(data, 0) >= 0 {
		return nil
	}
	var seen []collect.Observation
	for i, document := range documents(data) {
		var root yaml.Node
		if err := yaml.Unmarshal(document, &root); err != nil || len(root.Content) == 0 || root.Content[0].Kind == yaml.ScalarNode {
			if i > 0 || len(seen) > 0 { // a broken one among good ones
				found, problems := certs.Read(document)
				seen = append(seen, collect.Rows(found, problems, path+"#"+strconv.Itoa(i), other)...)
			}
			continue
		}
		w := walk{ctx: ctx, file: path, dir: dir}
		w.object(root.Content[0], nil, 0)
		seen = append(seen, w.seen...)
	}
	return seen
}

var separator = regexp.MustCompile(`(?m)^---(?:[ \t].*)?\r?$`)

// documents splits a YAML stream, so that one broken document does not hide the
// others.
func documents(data []byte) [][]byte {
	var list [][]byte
	start := 0
	for _, at := range separator.FindAllIndex(data, -1) {
		list = append(list, data[start:at[0]])
		start = at[1]
	}
	list = append(list, data[start:])
	return slices.DeleteFunc(list, func(d []byte) bool { return len(bytes.TrimSpace(d)) == 0 })
}

// walk goes through one document.
type walk struct {
	ctx       context.Context
	file, dir string
	prefix    []string // names the Kubernetes object it is in
	seen      []collect.Observation
}

func (w *walk) object(n *yaml.Node, path []string, depth int) {
	// An alias's target is visited where it stands; following it again could
	// go round for ever.
	if depth > maxDepth || w.ctx.Err() != nil {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		inner := *w
		if kind, name := text(n, "kind"), objectName(n); kind != "" && name != "" {
			inner.prefix, path = []string{kind, text(field(n, "metadata"), "namespace"), name}, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if text(n, n.Content[i].Value+"-data") != "" {
				continue // in a kubeconfig, data wins over a file
			}
			inner.object(n.Content[i+1], append(path[:len(path):len(path)], n.Content[i].Value), depth+1)
		}
		w.seen = inner.seen
	case yaml.SequenceNode:
		for i, entry := range n.Content {
			step := strconv.Itoa(i)
			if name := text(entry, "name"); name != "" {
				step = name
			}
			w.object(entry, append(path[:len(path):len(path)], step), depth+1)
		}
	case yaml.ScalarNode:
		w.scalar(n.Value, path)
	}
}

// scalar reads one field.
func (w *walk) scalar(value string, path []string) {
	role, location := w.place(path)
	last := ""
	if len(path) > 0 {
		last = path[len(path)-1]
	}
	// A kubeconfig may name files instead of holding data.
	if entry := len(path) == 4 && (path[0] == "clusters" || path[0] == "users"); entry && value != "" && (last == "certificate-authority" || last == "client-certificate") {
		file := value
		if !filepath.IsAbs(file) {
			if w.dir == "" {
				return
			}
			file = filepath.Join(w.dir, file)
		}
		found, problems, gap := (*collect.Memory)(nil).Material(w.ctx, target.Material{File: file}, location, strings.ReplaceAll(last, "-", " "))
		if gap != nil {
			w.seen = append(w.seen, collect.Observation{Gap: gap})
			return
		}
		w.seen = append(w.seen, collect.Rows(found, problems, location, role)...)
		return
	}
	if !promising(value) {
		return
	}
	found, problems := certs.Read([]byte(value))
	w.seen = append(w.seen, collect.Rows(found, problems, location, role)...)
}

// place names a field: FILE#users/NAME and FILE#clusters/NAME in a kubeconfig,
// FILE#Kind/namespace/name/field in a Kubernetes object, else the way to it.
func (w *walk) place(path []string) (role func(int) report.Role, location string) {
	if len(path) == 4 && len(w.prefix) == 0 {
		switch {
		case path[0] == "clusters" && path[2] == "cluster":
			return func(int) report.Role { return report.RoleClusterCA }, w.file + "#clusters/" + path[1]
		case path[0] == "users" && path[2] == "user":
			return func(index int) report.Role {
				if index == 0 {
					return report.RoleClient
				}
				return report.RoleOther
			}, w.file + "#users/" + path[1]
		}
	}
	steps := w.prefix
	if len(path) > 0 && (path[0] == "data" || path[0] == "stringData" || path[0] == "binaryData") && len(w.prefix) > 0 {
		path = path[1:]
	}
	steps = append(steps[:len(steps):len(steps)], path...)
	steps = slices.DeleteFunc(slices.Clone(steps), func(s string) bool { return s == "" })
	return other, w.file + "#" + strings.Join(steps, "/")
}

// promising says whether a field can hold a certificate at all: a PEM block, or
// base64 long enough for the smallest one.
func promising(value string) bool {
	if strings.Contains(value, "-----BEGIN") {
		return true
	}
	const smallest = 100
	return len(value) >= smallest && base64Only.MatchString(value)
}

var base64Only = regexp.MustCompile(`^[A-Za-z0-9+/\s]+={0,2}\s*$`)

func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func text(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func objectName(n *yaml.Node) string { return text(field(n, "metadata"), "name") }
