package discover

import (
	"slices"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/target"
)

// Contexts that differ in the namespace alone are one target, by the first one's
// name, with a cluster in ARM and without; those whose entries are not all there
// are not the same.
func TestJoinFoldsNamespaces(t *testing.T) {
	of := func(name, cluster, user string) target.Target {
		c := context1(name, "https://web.hcp.example", user)
		c.Cluster.Name = cluster
		return c
	}
	lost := func(name, user string) target.Target {
		c := of(name, "web", "")
		c.Problems = []string{"context names user " + user + ", which the kubeconfig does not have"}
		return c
	}
	elsewhere := of("web-b", "web", "me")
	elsewhere.Cluster.File = "k2"
	web := inARM(arm("rg", "web"))
	for name, test := range map[string]struct {
		contexts []target.Target
		want     string
		inARM    string // with the cluster in ARM; the first has its id then
	}{
		"namespaces":        {[]target.Target{of("web-a", "web", "me"), of("web-b", "web", "me"), of("web-c", "web", "me")}, "web-a", "WEB@web-a"},
		"another between":   {[]target.Target{of("web-a", "web", "me"), of("adm", "web", "admin"), of("web-b", "web", "me"), of("adm-2", "web", "admin")}, "web-a adm", "WEB@web-a adm"},
		"users":             {[]target.Target{of("web-a", "web", "me"), of("web-b", "web", "you"), of("web-c", "web", "")}, "web-a web-b web-c", "WEB@web-a web-b web-c"},
		"nobody twice":      {[]target.Target{of("web-a", "web", ""), of("web-b", "web", "")}, "web-a", "WEB@web-a"},
		"clusters":          {[]target.Target{of("web-a", "web", "me"), of("web-b", "web2", "me")}, "web-a web-b", "WEB@web-a web-b"},
		"files":             {[]target.Target{of("web-a", "web", "me"), elsewhere}, "web-a web-b", "WEB@web-a web-b"},
		"missing users":     {[]target.Target{lost("web-a", "x"), lost("web-b", "y")}, "web-a web-b", "WEB@web-a web-b"},
		"missing a cluster": {[]target.Target{{ID: "a", Context: "a"}, {ID: "b", Context: "b"}}, "a b", "a b WEB@"},
	} {
		t.Run(name, func(t *testing.T) {
			told := func(joined []target.Target) string {
				var got []string
				for _, j := range joined {
					if j.ARM != nil {
						got = append(got, "WEB@"+j.Context)
					} else {
						got = append(got, j.ID)
					}
				}
				return strings.Join(got, " ")
			}
			if got := told(Join(test.contexts, nil)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := told(Join(test.contexts, []target.Target{web})); got != test.inARM {
				t.Errorf("got %s, want %s", got, test.inARM)
			}
		})
	}
}

// A kubeconfig that is called as ARM's actions are is a file all the same: what
// comes from ARM is trusted with more.
func TestJoinKnowsFiles(t *testing.T) {
	for _, file := range []string{userCredential, adminCredential} {
		c := context1("mine", "https://web.hcp.example", "me")
		c.Cluster.File, c.User.File = file, file
		given := []target.Target{c}
		for _, clusters := range [][]target.Target{nil, {inARM(arm("rg", "web"))}} {
			j := Join(slices.Clone(given), clusters)[0]
			if j.Cluster.File != "./"+file || j.User.File != "./"+file || c.Cluster.File != file || c.User.File != file {
				t.Errorf("%+v %+v; given %+v", j.Cluster, j.User, c.Cluster)
			}
		}
	}
}
