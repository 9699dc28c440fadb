package discover

import (
	"net/url"
	"strings"

	"github.com/akscert/akscert/internal/target"
)

// Join makes one target of a context and a cluster in ARM that are the same: the
// context's server, or the name it expects in the server's certificate where it
// goes through a tunnel, is the cluster's public or private name. Whatever else
// the entries are called does not matter.
//
// Such a target has the cluster's id, and what the kubeconfig says; its
// resource is still to be read where it was. Of several contexts of one cluster
// the first is joined. Another that names the same entries, and so differs in no
// more than the namespace, is the same target; one with another user is a
// target of its own, by its context. So each id is there once.
//
// Contexts come first, in their order, then the clusters that no context names.
func Join(contexts, clusters []target.Target) []target.Target {
	byHost, byID := map[string]int{}, map[string]int{}
	var distinct []target.Target
	for _, t := range clusters {
		if at, twice := byID[t.ID]; twice {
			if a := distinct[at].ARM; a != nil && t.ARM != nil && a.Listed && (!t.ARM.Listed || a.FQDN == "") {
				distinct[at] = t // it knows more
			}
			continue
		}
		byID[t.ID] = len(distinct)
		distinct = append(distinct, t)
	}
	for i, t := range distinct {
		if t.ARM != nil {
			for _, name := range []string{t.ARM.FQDN, t.ARM.PrivateFQDN} {
				if name != "" {
					byHost[bare(name)] = i
				}
			}
		}
	}
	joined := make([]target.Target, 0, len(contexts)+len(distinct))
	by := map[int][]target.Target{} // the contexts of each cluster, as they were
	seen := map[string]bool{}
	for _, t := range contexts {
		if seen[t.ID] {
			continue
		}
		seen[t.ID] = true
		at, ok := same(t, byHost)
		if !ok {
			joined = append(joined, t)
			continue
		}
		others := by[at]
		by[at] = append(others, t)
		if len(others) == 0 {
			c := distinct[at]
			t.ID, t.Name, t.ARM = c.ID, c.Name, c.ARM
			joined = append(joined, t)
			continue
		}
		again := false
		for _, o := range others {
			again = again || entriesOf(o) == entriesOf(t)
		}
		if !again {
			joined = append(joined, t)
		}
	}
	for i, t := range distinct {
		if len(by[i]) == 0 {
			joined = append(joined, t)
		}
	}
	return joined
}

// same finds the cluster whose API server t's context names.
func same(t target.Target, byHost map[string]int) (int, bool) {
	if t.Cluster == nil {
		return 0, false
	}
	names := []string{t.Cluster.TLSServerName}
	if server, err := url.Parse(t.Cluster.Server); err == nil {
		names = append([]string{server.Hostname()}, names...)
	}
	for _, name := range names {
		if at, ok := byHost[bare(name)]; ok && name != "" {
			return at, true
		}
	}
	return 0, false
}

// bare is a host's name in the one way of writing it.
func bare(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// entriesOf names the kubeconfig entries that a context is made of.
func entriesOf(t target.Target) [4]string {
	of := [4]string{t.Cluster.File, t.Cluster.Name}
	if t.User != nil {
		of[2], of[3] = t.User.File, t.User.Name
	}
	return of
}
