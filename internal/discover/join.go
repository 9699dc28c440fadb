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
// the first is joined; one with another user is a target of its own, by its
// context. So each id is there once.
//
// A context that names the same entries as an earlier one, and so differs from it
// in no more than the namespace, is the same target, which goes by the earlier
// one's name: also without a cluster in ARM, and also where each was named, for
// nothing that an audit looks at has a namespace.
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
	taken := make([]bool, len(distinct)) // a context has joined the cluster
	seen, entries := map[string]bool{}, map[[4]string]bool{}
	for _, t := range contexts {
		of, whole := entriesOf(t)
		if seen[t.ID] || whole && entries[of] {
			continue
		}
		seen[t.ID] = true
		if whole {
			entries[of] = true
		}
		t = ofFile(t)
		if at, ok := same(t, byHost); ok && !taken[at] {
			c := distinct[at]
			t.ID, t.Name, t.ARM = c.ID, c.Name, c.ARM
			taken[at] = true
		}
		joined = append(joined, t)
	}
	for i, t := range distinct {
		if !taken[i] {
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

// entriesOf names the kubeconfig entries that a context is made of. whole says
// that all are there: what is missing may differ.
func entriesOf(t target.Target) (of [4]string, whole bool) {
	if t.Cluster == nil || len(t.Problems) > 0 {
		return of, false
	}
	of[0], of[1] = t.Cluster.File, t.Cluster.Name
	if t.User != nil {
		of[2], of[3] = t.User.File, t.User.Name
	}
	return of, true
}

// ofFile makes sure that entries of a file do not pass for what ARM handed out,
// by the file's name: more is believed of that.
func ofFile(t target.Target) target.Target {
	isAction := func(file string) bool { return file == userCredential || file == adminCredential }
	if t.Cluster != nil && isAction(t.Cluster.File) {
		c := *t.Cluster
		c.File = "./" + c.File
		t.Cluster = &c
	}
	if t.User != nil && isAction(t.User.File) {
		u := *t.User
		u.File = "./" + u.File
		t.User = &u
	}
	return t
}
