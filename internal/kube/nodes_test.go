package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

type object = map[string]any

func node(name string, labels object) object {
	return object{"metadata": object{"name": name, "creationTimestamp": "2024-05-01T10:00:00Z", "labels": labels}}
}

func list(next string, items ...object) []byte {
	return must(json.Marshal(object{"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": object{"continue": next}, "items": items}))
}

// listNodes lists what handle serves.
func listNodes(t *testing.T, handle http.HandlerFunc) ([]report.Node, *Error, *recorder) {
	t.Helper()
	server := serve(t, handle)
	nodes, err := client(t, Config{Timeout: patience}, to(server)).Nodes(t.Context())
	var failed *Error
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%T %v", err, err)
	}
	return nodes, failed, server
}

func names(nodes []report.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

func TestNodes(t *testing.T) {
	nodes, err, server := listNodes(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("continue") {
		case "":
			_, _ = w.Write(list("2&x=", node("aks-a-1", object{"kubernetes.azure.com/agentpool": "a", "agentpool": "b", "kubernetes.io/os": "Linux",
				"kubernetes.azure.com/node-image-version": "AKSUbuntu-2204gen2containerd-202501.12.0", "kubernetes.azure.com/kubelet-serving-ca": "cluster"}),
				node("virtual", object{"type": "virtual-kubelet", "agentpool": "b"})))
		case "2&x=":
			_, _ = w.Write(list("", node("aks-a-1", nil), node("bare", object{"agentpool": "\x1b[2J"})))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if n.CreatedAt == nil || n.CreatedAt.String() != "2024-05-01 10:00:00 +0000 UTC" {
			t.Errorf("created %v", n.CreatedAt)
		}
		nodes[i].CreatedAt = nil
	}
	want := []report.Node{{Name: "aks-a-1", Pool: "a", OS: "linux", ImageVersion: "AKSUbuntu-2204gen2containerd-202501.12.0", KubeletServingCA: "cluster"},
		{Name: "virtual", Pool: "b", Virtual: true}, {Name: "bare"}}
	if fmt.Sprint(nodes) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", nodes, want)
	}
	if asked := server.asked(); len(asked) != 2 || asked[0].URL.Query().Get("limit") != "500" || !strings.HasPrefix(asked[0].Header.Get("Accept"), "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1") {
		t.Errorf("asked %d times, first %v", len(asked), asked[0])
	}
}

// A token that is too old starts the listing again, once.
func TestNodesGone(t *testing.T) {
	for name, test := range map[string]struct {
		gone int32
		want report.Reason
	}{"once": {1, ""}, "for ever": {99, report.ReasonNotFound}} {
		t.Run(name, func(t *testing.T) {
			var gone atomic.Int32
			nodes, err, _ := listNodes(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Query().Get("continue") == "":
					_, _ = w.Write(list("2", node("a", nil)))
				case gone.Add(1) <= test.gone:
					status(410, "too old resource version")(w, r)
				default:
					_, _ = w.Write(list("", node("b", nil)))
				}
			})
			if test.want == "" {
				if err != nil || names(nodes) != "a b" {
					t.Errorf("got %s, %+v", names(nodes), err)
				}
			} else if err == nil || err.Reason != test.want || names(nodes) != "a" || gone.Load() != 2 {
				t.Errorf("got %s, %+v after %d", names(nodes), err, gone.Load())
			}
		})
	}
}

// What a server can do to whoever lists its nodes.
func TestNodesHostile(t *testing.T) {
	var count atomic.Int32
	for name, test := range map[string]struct {
		handle  http.HandlerFunc
		names   string
		message string
	}{
		"odd names": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(list("", node("../secrets", nil), node("a/b", nil), node("a%2fb", nil), node("a\nb", nil), node("", nil), node("..", nil), node("A", nil),
				node("a?x", nil), node("-a", nil), node("a.", nil), node(strings.Repeat("a", 254), nil), node("good-1.example", nil)))
		}, "good-1.example", "11 have names that no node can have"},
		"no end": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(list(fmt.Sprint(count.Add(1)), node("a", nil)))
		}, "a", "more than 100 pages"},
		"in a circle":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list("same", node("a", nil))) }, "a", "the listing does not go on"},
		"a huge token":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list(strings.Repeat("x", 1<<20))) }, "", "the listing does not go on"},
		"another kind":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"kind":"PodList"}`) }, "", "not what Kubernetes documents"},
		"a portal page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `<html>`+secret) }, "", "not what Kubernetes documents"},
		"half a page":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list("", node("a", nil))[:40]) }, "", "ended in the middle"},
		"nothing":       {func(http.ResponseWriter, *http.Request) {}, "", "ended in the middle"},
		"deep": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"items":`+strings.Repeat("[", 1<<20))
		}, "", "not what Kubernetes documents"},
		"refused": {status(403, "nodes is forbidden"), "", "listing nodes: the API server answered 403: nodes is forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, err, _ := listNodes(t, test.handle)
			if err == nil || !strings.Contains(err.Message, test.message) || names(nodes) != test.names || strings.Contains(err.Message, secret) {
				t.Errorf("got %q, %+v", names(nodes), err)
			}
			if err != nil && err.Location != "nodes" {
				t.Errorf("location %s", err.Location)
			}
		})
	}
}

func FuzzNodePage(f *testing.F) {
	f.Add(list("2", node("aks-a-1", object{"agentpool": "b", "kubernetes.io/os": "linux"})))
	f.Add([]byte(`{"kind":"NodeList","items":[{"metadata":{"name":"../x","labels":null}},null]}`))
	f.Add([]byte(`{"kind":"NodeList","items":null,"metadata":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var page nodePage
		if err := page.read(strings.NewReader(string(data))); err != nil && len(page.nodes) > 0 {
			t.Error("nodes, and an error")
		}
		for _, n := range page.nodes {
			if odd := func(r rune) bool { return r < '-' || r > 'z' || r == '/' || r == '\\' }; n.Name == "" || strings.ContainsFunc(n.Name+n.Pool+n.OS+n.ImageVersion, odd) || slices.Contains(strings.Split(n.Name, "."), "") {
				t.Errorf("%+v", n)
			}
		}
	})
}
