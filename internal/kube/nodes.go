package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// A listing is bounded: AKS has at most 5,000 nodes, and a page of 500 with
// nothing but their metadata is some 2 MiB.
const (
	pageSize = "500"
	maxPages = 100
	maxPage  = 32 << 20
	maxToken = 16 << 10
)

// Nodes lists the cluster's nodes, with what their metadata says of them, in the
// order of the server. Those it has are returned with an error too.
func (c *Client) Nodes(ctx context.Context) ([]report.Node, error) {
	nodes, err := c.nodes(ctx)
	var gone *Error
	if errors.As(err, &gone) && gone.Code == http.StatusGone {
		// The pages are of one instant, which the server keeps for some
		// minutes only: from the start, once.
		nodes, err = c.nodes(ctx)
	}
	return nodes, err
}

// Gone reports whether the API server says that there is no node called name,
// as one that was listed and is asked about later, and was removed in between.
func (c *Client) Gone(ctx context.Context, name string) bool {
	var failed *Error
	err := c.Get(ctx, Request{Path: "/api/v1/nodes/" + url.PathEscape(name), Accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
		What: "looking for a node", Location: "nodes", Needs: "get on nodes"}, func(io.Reader) error { return nil })
	return errors.As(err, &failed) && failed.Code == http.StatusNotFound && failed.Status
}

func (c *Client) nodes(ctx context.Context) ([]report.Node, error) {
	r := Request{Path: "/api/v1/nodes", Limit: maxPage, What: "listing nodes", Location: "nodes",
		Needs: "list on nodes, at the cluster scope",
		// The second is for a server that cannot leave out the rest.
		Accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"}
	malformed := func(message string) error {
		return &Error{Location: r.Location, Reason: report.ReasonMalformed, Message: r.What + ": " + message}
	}
	var nodes []report.Node
	seen := map[string]bool{}
	odd, next := 0, ""
	for range maxPages {
		r.Query = url.Values{"limit": {pageSize}}
		if next != "" {
			r.Query.Set("continue", next)
		}
		var page nodePage
		if err := c.Get(ctx, r, page.read); err != nil {
			return nodes, err
		}
		for _, n := range page.nodes {
			if !seen[n.Name] {
				seen[n.Name] = true
				nodes = append(nodes, n)
			}
		}
		odd += page.odd
		switch {
		case page.next != "" && (page.next == next || len(page.next) > maxToken):
			return nodes, malformed("the listing does not go on")
		case page.next == "" && odd > 0:
			return nodes, malformed(fmt.Sprintf("%d have names that no node can have", odd))
		case page.next == "":
			return nodes, nil
		}
		next = page.next
	}
	return nodes, malformed(fmt.Sprintf("the listing has more than %d pages", maxPages))
}

// nodePage is one page of a listing.
type nodePage struct {
	nodes []report.Node
	odd   int // names that no node can have
	next  string
}

func (p *nodePage) read(body io.Reader) error {
	var list struct {
		Kind     string
		Metadata struct{ Continue string }
		Items    []struct {
			Metadata struct {
				Name              string
				CreationTimestamp string
				Labels            map[string]string
			}
		}
	}
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return err
	}
	if list.Kind != "PartialObjectMetadataList" && list.Kind != "NodeList" {
		return errors.New("not a list of nodes")
	}
	p.next = list.Metadata.Continue
	for _, item := range list.Items {
		m := item.Metadata
		if !isName(m.Name) {
			p.odd++
			continue
		}
		label := func(name string) string { return labelValue(m.Labels[name]) }
		n := report.Node{Name: m.Name, Pool: label("kubernetes.azure.com/agentpool"), OS: strings.ToLower(label("kubernetes.io/os")),
			ImageVersion: label("kubernetes.azure.com/node-image-version"), KubeletServingCA: label("kubernetes.azure.com/kubelet-serving-ca"),
			Virtual: label("type") == "virtual-kubelet"}
		if n.Pool == "" {
			n.Pool = label("agentpool")
		}
		if at, err := time.Parse(time.RFC3339, m.CreationTimestamp); err == nil {
			at = at.UTC()
			n.CreatedAt = &at
		}
		p.nodes = append(p.nodes, n)
	}
	return nil
}

// isName reports whether s can be a node's name: a DNS subdomain (RFC 1123).
// Names become part of a path, so no other is used.
func isName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// labelValue is s where it can be a label's value, else empty.
func labelValue(s string) string {
	if len(s) > 63 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return ""
	}
	return s
}
