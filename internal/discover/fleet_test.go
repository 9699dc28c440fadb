package discover

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// estate is Azure as far as discovery asks: recorded answers by cluster.
type estate struct {
	listed   []target.ARM
	problems []error
	clusters map[string]target.ARM // by name
	users    map[string]string     // their kubeconfigs
	failing  error                 // of what is not there
	asked    []string
}

func (e *estate) Clusters(_ context.Context, subscriptions []string) ([]target.ARM, []error) {
	e.asked = append(e.asked, "list "+strings.Join(subscriptions, ","))
	return e.listed, e.problems
}

func (e *estate) Cluster(_ context.Context, subscription, group, name string) (target.ARM, error) {
	e.asked = append(e.asked, "read "+subscription+"/"+group+"/"+name)
	if a, ok := e.clusters[name]; ok {
		return a, nil
	}
	return target.ARM{}, e.failing
}

func (e *estate) UserKubeconfig(_ context.Context, a target.ARM) ([]byte, error) {
	e.asked = append(e.asked, "user "+a.Name)
	if k, ok := e.users[a.Name]; ok {
		return []byte(k), nil
	}
	return nil, e.failing
}

func (e *estate) AdminKubeconfig(ctx context.Context, a target.ARM) ([]byte, error) {
	e.asked = append(e.asked, "admin "+a.Name)
	return e.UserKubeconfig(ctx, a)
}

// failure is one of Azure's.
type failure struct {
	reason  report.Reason
	message string
}

func (f failure) Error() string { return f.message }
func (f failure) Gap() (report.Reason, string, string, bool) {
	return f.reason, f.message, "do something", false
}

func arm(group, name string, tags ...string) target.ARM {
	a := target.ARM{ID: "/subscriptions/" + sub + "/resourceGroups/" + group + "/providers/Microsoft.ContainerService/managedClusters/" + name,
		SubscriptionID: sub, ResourceGroup: group, Name: name, Listed: true, FQDN: strings.ToLower(name) + ".hcp.example", Tags: map[string]string{}}
	for _, tag := range tags {
		k, v, _ := strings.Cut(tag, "=")
		a.Tags[k] = v
	}
	return a
}

func kept(targets []target.Target) []string {
	names := []string{}
	for _, t := range targets {
		names = append(names, t.Name)
	}
	return names
}

func TestFleet(t *testing.T) {
	all := []target.ARM{arm("Shop", "web", "Env=prod", "url=https://a/b"), arm("shop", "blog", "env=dev"), arm("lab (old)", "Web-2", "env=Prod", "owner=")}
	tests := []struct {
		name  string
		fleet Fleet
		want  string
		gaps  string // the messages' beginnings
	}{
		{"all", Fleet{}, "web blog Web-2", ""},
		{"a group", Fleet{Groups: []string{"SHOP"}}, "web blog", ""},
		{"a group with brackets", Fleet{Groups: []string{"lab (old)"}}, "Web-2", ""},
		{"names", Fleet{Names: []string{"web*", "nothing*"}}, "web Web-2", ""},
		{"both", Fleet{Groups: []string{"s*"}, Names: []string{"WEB", "w?b"}}, "web", ""},
		{"a tag's value in its case", Fleet{Tags: []string{"env=prod"}}, "web", ""},
		{"a tag's name in any", Fleet{Tags: []string{"ENV=p*"}}, "web", ""},
		{"either case", Fleet{Tags: []string{"env=[pP]rod"}}, "web Web-2", ""},
		{"a tag at all", Fleet{Tags: []string{"owner"}}, "Web-2", ""},
		{"an empty tag", Fleet{Tags: []string{"owner="}}, "Web-2", ""},
		{"all tags", Fleet{Tags: []string{"env=*", "url=https://*"}}, "web", ""},
		{"a value with an equals sign", Fleet{Tags: []string{"url=https://a=b"}}, "", "none of 3 clusters"},
		{"a name that is not there", Fleet{Names: []string{"web", "typo"}}, "web", `no cluster is called "typo" in`},
		{"a group that is not there", Fleet{Groups: []string{"typo"}}, "", `no cluster is in a group "typo" in`},
		{"nothing matches", Fleet{Names: []string{"x*"}}, "", "none of 3 clusters"},
		{"there, but not with the tag", Fleet{Names: []string{"blog"}, Tags: []string{"env=prod"}}, "", `no cluster is called "blog" that the other filters leave`},
		{"one of two is in another group", Fleet{Groups: []string{"shop"}, Names: []string{"web", "web-2"}}, "web", `no cluster is called "web-2" that the other filters leave`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.fleet.Subscriptions = []string{sub, "another"}
			targets, gaps, err := test.fleet.Find(t.Context(), &estate{listed: all})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(kept(targets), " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, x := range targets {
				if x.ID != strings.ToLower(x.ARM.ID) || !x.ARM.Listed || x.Context != "" {
					t.Errorf("%+v", x)
				}
			}
			if (test.gaps == "") != (len(gaps) == 0) {
				t.Fatalf("gaps %+v", gaps)
			}
			for _, g := range gaps {
				if !strings.HasPrefix(g.Message, test.gaps) || g.Reason != report.ReasonNotFound || g.Source != report.SourceARM {
					t.Errorf("gap %+v", g)
				}
			}
		})
	}
	if targets, gaps, err := (Fleet{}).Find(t.Context(), &estate{}); len(targets) > 0 || len(gaps) != 1 || err != nil || !strings.Contains(gaps[0].Message, "no subscription") {
		t.Errorf("%+v, %+v, %v", targets, gaps, err)
	}
	for _, bad := range []Fleet{{Names: []string{"["}}, {Groups: []string{"a[b"}}, {Tags: []string{"a=[b"}}, {Names: []string{""}}, {Groups: []string{""}}, {Tags: []string{"=x"}}, {Tags: []string{""}}} {
		e := &estate{listed: all}
		_, _, err := bad.Find(t.Context(), e)
		if known, ok := errors.AsType[*Error](err); !ok || known.Hint == "" || len(e.asked) > 0 {
			t.Errorf("%+v: %v, asked %v", bad, err, e.asked)
		}
	}
}

// What could not be listed is told, with what could.
func TestFleetInPart(t *testing.T) {
	e := &estate{listed: []target.ARM{arm("rg", "web")}, problems: []error{failure{report.ReasonForbidden, "no"}, errors.New("odd")}}
	targets, gaps, err := Fleet{Subscriptions: []string{sub}}.Find(t.Context(), e)
	want := []report.Gap{{Source: report.SourceARM, Count: 1, Reason: report.ReasonForbidden, Message: "no", Hint: "do something"},
		{Source: report.SourceARM, Count: 1, Reason: report.ReasonUnreachable, Message: "listing clusters failed"}}
	if err != nil || len(targets) != 1 || !reflect.DeepEqual(gaps, want) {
		t.Errorf("%+v, %+v, %v", targets, gaps, err)
	}
}

func context1(name, server, user string) target.Target {
	t := target.Target{ID: name, Name: name, Context: name, Cluster: &target.Cluster{Name: "c-" + name, File: "k", Server: server}}
	if user != "" {
		t.User = &target.User{Name: user, File: "k"}
	}
	return t
}

func TestJoin(t *testing.T) {
	private := arm("rg", "hidden")
	private.FQDN, private.PrivateFQDN = "hidden.hcp.example", "hidden.privatelink.example"
	clusters := []target.Target{inARM(arm("rg", "web")), inARM(private), inARM(arm("rg", "alone"))}
	id := func(name string) string { return strings.ToLower(arm("rg", name).ID) }
	tunnel := context1("tunnel", "https://localhost:6443", "u")
	tunnel.Cluster.TLSServerName = "Web.hcp.example"
	broken := context1("broken", "://", "u")
	bare := target.Target{ID: "bare", Name: "bare", Context: "bare"}
	namespace := context1("web-ns", "https://web.hcp.example:443", "u")
	namespace.Cluster.Name = "c-web"
	tests := []struct {
		name     string
		contexts []target.Target
		want     []string // the ids and contexts
	}{
		{"no contexts", nil, []string{id("web") + "@", id("hidden") + "@", id("alone") + "@"}},
		{"one", []target.Target{context1("mine", "https://WEB.hcp.example.:443", "u")}, []string{id("web") + "@mine", id("hidden") + "@", id("alone") + "@"}},
		{"its port and path do not matter", []target.Target{context1("mine", "https://web.hcp.example:8443/x", "u")}, []string{id("web") + "@mine", id("hidden") + "@", id("alone") + "@"}},
		{"a private name", []target.Target{context1("mine", "https://hidden.privatelink.example", "u")}, []string{id("hidden") + "@mine", id("web") + "@", id("alone") + "@"}},
		{"a tunnel", []target.Target{tunnel}, []string{id("web") + "@tunnel", id("hidden") + "@", id("alone") + "@"}},
		{"another's", []target.Target{context1("web", "https://web.example", "clusterUser_rg_web")}, []string{"web@web", id("web") + "@", id("hidden") + "@", id("alone") + "@"}},
		{"no server", []target.Target{broken, bare, context1("empty", "", "")}, []string{"broken@broken", "bare@bare", "empty@empty", id("web") + "@", id("hidden") + "@", id("alone") + "@"}},
		{"two users", []target.Target{context1("web", "https://web.hcp.example", "u"), context1("web-admin", "https://web.hcp.example", "admin"), context1("web-2", "https://web.hcp.example", "")},
			[]string{id("web") + "@web", "web-admin@web-admin", "web-2@web-2", id("hidden") + "@", id("alone") + "@"}},
		{"two namespaces", []target.Target{context1("web", "https://web.hcp.example:443", "u"), namespace}, []string{id("web") + "@web", id("hidden") + "@", id("alone") + "@"}},
		{"twice", []target.Target{bare, bare}, []string{"bare@bare", id("web") + "@", id("hidden") + "@", id("alone") + "@"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, j := range Join(test.contexts, clusters) {
				got = append(got, j.ID+"@"+j.Context)
				if strings.HasPrefix(j.ID, "/") != (j.ARM != nil) || (j.Context != "" && j.Context != "bare") != (j.Cluster != nil) {
					t.Errorf("%+v", j)
				}
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %q\nwant %q", got, test.want)
			}
		})
	}
	// By an id alone a cluster is not known again; what a listing says goes before.
	alone := listedID(strings.ToUpper(webID))
	got := Join([]target.Target{context1("mine", "https://web.hcp.example", "u")}, []target.Target{inARM(alone), inARM(arm("rg", "web"))})
	if len(got) != 1 || got[0].ID != id("web") || got[0].Context != "mine" {
		t.Errorf("%+v", got)
	}
}

func TestDescribe(t *testing.T) {
	e := &estate{listed: []target.ARM{arm("rg", "Web"), arm("rg", "other")}, problems: []error{errors.New("not told here")}}
	known := []target.Target{inARM(listedID(strings.ToUpper(webID))), inARM(listedID(blogID)), inARM(arm("rg", "hasOne"))}
	got, gaps := Describe(t.Context(), e, known)
	if len(gaps) != 1 || !strings.Contains(gaps[0].Message, "audited twice") {
		t.Errorf("gaps %+v", gaps)
	}
	if len(got) != 3 || got[0].ARM.FQDN != "web.hcp.example" || got[0].ID != known[0].ID || got[1].ARM.FQDN != "" || len(e.asked) != 1 {
		t.Errorf("%+v, asked %v", got, e.asked)
	}
	e.asked = nil
	if got, _ := Describe(t.Context(), e, known[2:]); len(got) != 1 || len(e.asked) > 0 {
		t.Errorf("asked %v", e.asked)
	}
}

const handed = `{apiVersion: v1, kind: Config, current-context: web, contexts: [{name: web, context: {cluster: web, user: u}}],
	clusters: [{name: web, cluster: {server: "https://web.hcp.example:443"}}], users: [{name: u, user: {client-certificate-data: bmV3}}]}`

func TestResolve(t *testing.T) {
	whole := arm("rg", "web")
	whole.Listed, whole.PowerState = false, "Running"
	mine := func(certificate string) target.Target {
		j := Join([]target.Target{context1("mine", "https://web.hcp.example", "me")}, []target.Target{inARM(arm("rg", "web"))})[0]
		j.User.ClientCertificate.Data = []byte(certificate)
		return j
	}
	forbidden := failure{report.ReasonForbidden, "no"}
	tests := []struct {
		name    string
		target  target.Target
		estate  estate
		user    string // whose entries it has then
		server  bool
		issued  string
		reasons []report.Reason
		asked   string
	}{
		{"listed", inARM(arm("rg", "web")), estate{clusters: map[string]target.ARM{"web": whole}, users: map[string]string{"web": handed}}, "u", true, "", nil, "read user"},
		{"without a kubeconfig", inARM(arm("rg", "web")), estate{clusters: map[string]target.ARM{"web": whole}, failing: forbidden}, "", true, "", []report.Reason{report.ReasonForbidden}, "read user"},
		{"a broken kubeconfig", inARM(arm("rg", "web")), estate{clusters: map[string]target.ARM{"web": whole}, users: map[string]string{"web": "{"}}, "", true, "", []report.Reason{report.ReasonMalformed}, "read user"},
		{"forbidden to read", inARM(arm("rg", "web")), estate{users: map[string]string{"web": handed}, failing: forbidden}, "u", true, "", []report.Reason{report.ReasonForbidden}, "read user"},
		{"throttled", inARM(arm("rg", "web")), estate{failing: failure{report.ReasonThrottled, "no"}}, "", true, "", []report.Reason{report.ReasonThrottled}, "read"},
		{"deleted", inARM(arm("rg", "web")), estate{failing: failure{report.ReasonNotFound, "no"}}, "", false, "", []report.Reason{report.ReasonNotFound}, "read"},
		{"joined", mine("old"), estate{clusters: map[string]target.ARM{"web": whole}, users: map[string]string{"web": handed}}, "me", true, "new", nil, "read user"},
		{"joined, and no more to be had", mine("old"), estate{clusters: map[string]target.ARM{"web": whole}, failing: forbidden}, "me", true, "", nil, "read user"},
		{"joined, without a certificate", mine(""), estate{clusters: map[string]target.ARM{"web": whole}}, "me", true, "", nil, "read"},
		{"joined, not read", mine("old"), estate{failing: forbidden}, "me", true, "", []report.Reason{report.ReasonForbidden}, "read"},
		{"a context alone", context1("mine", "https://x", "me"), estate{}, "me", true, "", nil, ""},
		{"read before", target.Target{ID: "x", ARM: &whole}, estate{}, "", false, "", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, gaps := Resolve(t.Context(), &test.estate, test.target, false)
			user := ""
			if got.User != nil {
				user = got.User.Name
			}
			if user != test.user || (got.Cluster != nil) != test.server || string(got.Issued.Data) != test.issued || got.ID != test.target.ID {
				t.Errorf("user %q, %+v", user, got)
			}
			if got.ARM != nil && got.ARM.Listed == (test.estate.clusters != nil) {
				if test.target.ARM.Listed {
					t.Errorf("listed %v", got.ARM.Listed)
				}
			}
			var reasons []report.Reason
			for _, g := range gaps {
				reasons = append(reasons, g.Reason)
				if g.Cluster != got.ID || g.Count != 1 || g.Message == "" || g.Location == "" {
					t.Errorf("gap %+v", g)
				}
			}
			if !reflect.DeepEqual(reasons, test.reasons) {
				t.Errorf("gaps %+v", gaps)
			}
			var asked []string
			for _, a := range test.estate.asked {
				asked = append(asked, strings.Fields(a)[0])
			}
			if strings.Join(asked, " ") != test.asked {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

// A context of a clusters file that cannot be had is a gap.
func TestListedContexts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(handed), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := []Line{{"web", "l:1"}, {"typo", "l:2"}}
	targets, gaps, err := Kubeconfig(t.Context(), Scope{Kubeconfig: file, Listed: lines, Contexts: []string{"web"}})
	if err != nil || len(targets) != 1 || len(gaps) != 1 || gaps[0].Location != "l:2" || gaps[0].Reason != report.ReasonNotFound {
		t.Errorf("%+v, %+v, %v", targets, gaps, err)
	}
	targets, gaps, err = Kubeconfig(t.Context(), Scope{Kubeconfig: file, Listed: lines[1:]})
	if err != nil || len(targets) != 0 || len(gaps) != 1 {
		t.Errorf("%+v, %+v, %v", targets, gaps, err)
	}
	targets, gaps, err = Kubeconfig(t.Context(), Scope{Kubeconfig: file + "x", Listed: lines})
	if err != nil || len(targets) != 0 || len(gaps) != 1 || gaps[0].Count != 2 || !strings.Contains(gaps[0].Message, "no such file") {
		t.Errorf("%+v, %+v, %v", targets, gaps, err)
	}
	if _, _, err = Kubeconfig(t.Context(), Scope{Kubeconfig: file + "x", Listed: lines, All: true}); err == nil {
		t.Error("no error for what was asked for by name")
	}
}
