package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// said is everything in a comparison, a line for each: what, whether it is worse
// (!), and where.
func said(c *Comparison) []string {
	var lines []string
	add := func(what string, change Change, worse bool, where ...any) {
		mark := ""
		if worse {
			mark = "!"
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", what, change, mark, strings.TrimSpace(fmt.Sprintln(where...)))))
	}
	for _, x := range c.Clusters {
		where := []any{x.Cluster}
		for _, s := range x.Sources {
			where = append(where, s)
		}
		if x.Change == ChangeVerdict {
			where = append(where, x.From, x.To)
		}
		add("cluster", x.Change, x.Worse, where...)
	}
	for _, x := range c.Certificates {
		add("certificate", x.Change, x.Worse, x.Cluster+"/"+x.Node+":"+x.Location)
	}
	for _, x := range c.Findings {
		add("finding", x.Change, x.Worse, x.Finding.Rule)
	}
	for _, x := range c.Gaps {
		add("gap", x.Change, x.Worse, x.Gap.Cluster+"/"+x.Gap.Node+strings.Join(x.Gap.Nodes, ",")+":"+x.Gap.Location)
	}
	return lines
}

// fleet is several healthy clusters.
func fleet(ids ...string) *Report {
	var reports []*Report
	for _, id := range ids {
		reports = append(reports, healthy(id))
	}
	r, err := Merge(reports)
	if err != nil {
		panic(err)
	}
	return r
}

// row is the certificate of a location, of the first node that has one.
func row(r *Report, node, location string) *Certificate {
	i := slices.IndexFunc(r.Certificates, func(c Certificate) bool { return c.Node == node && strings.HasSuffix(c.Location, location) })
	return &r.Certificates[i]
}

// without is r without the rows of a source, of all nodes or of one.
func without(r *Report, source Source, node string) {
	r.Certificates = slices.DeleteFunc(r.Certificates, func(c Certificate) bool { return c.Source == source && (node == "" || c.Node == node) })
}

func status(r *Report, source Source, status Status) {
	for i, s := range r.Clusters[0].Sources {
		if s.Source == source {
			r.Clusters[0].Sources[i].Status = status
		}
	}
}

func TestCompareCertificates(t *testing.T) {
	const current, api = "a/pool-0:/pki/kubelet-client-current.pem", "a/:api:443"
	set := func(location, sha string, notAfter int, state State) func(*Report) {
		return func(r *Report) {
			c := row(r, map[string]string{"api:443": "", "current.pem": "pool-0"}[location], location)
			c.SHA256, c.NotAfter, c.State = sha, days(notAfter), state
			c.ID = "sha256:" + sha + strings.TrimLeft(c.ID[7:], "abcdef0123456789")
		}
	}
	both := func(edits ...func(*Report)) func(*Report) {
		return func(r *Report) {
			for _, edit := range edits {
				edit(r)
			}
		}
	}
	role := func(role Role) func(*Report) { return func(r *Report) { row(r, "pool-0", "current.pem").Role = role } }
	reading := func(off time.Duration) func(*Report) {
		return func(r *Report) {
			c := row(r, "pool-0", "current.pem")
			at := c.NotAfter.Add(off)
			c.SHA256, c.ID, c.Approximate, c.NotAfter = "", "a/pool-0:/pki", true, &at
		}
	}
	tests := []struct {
		name     string
		old, new func(*Report)
		want     []string
	}{
		{"nothing", nil, nil, nil},
		{"renewed", nil, set("current.pem", "ff", 700, StateOK), []string{"certificate renewed " + current}},
		{"renewed, and yet in a worse state", nil, set("current.pem", "ff", 700, StateNotYetValid), []string{"certificate renewed! " + current}},
		{"renewed at last", set("current.pem", "ee", -1, StateExpired), nil, []string{"certificate renewed " + current}},
		{"replaced by one that ends earlier", nil, set("current.pem", "ff", 399, StateOK), []string{"certificate replaced! " + current}},
		{"replaced by one that ends with it", nil, set("current.pem", "ff", 400, StateOK), []string{"certificate replaced " + current}},
		{"past the warning point", nil, set("api:443", "aa", 400, StateWarning), []string{"certificate state! " + api}},
		{"due is on the way", nil, set("api:443", "aa", 400, StateDue), []string{"certificate state " + api}},
		{"better", set("api:443", "aa", 400, StateExpired), set("api:443", "aa", 400, StateCritical), []string{"certificate state " + api}},
		{"worse still", set("api:443", "aa", 400, StateCritical), set("api:443", "aa", 400, StateExpired), []string{"certificate state! " + api}},
		{"a copy never gates", role(RoleAPIServerCopy), both(set("current.pem", "ff", 1, StateExpired), role(RoleAPIServerCopy)), []string{"certificate replaced " + current}},
		{"another role is another place", nil, role(RoleKubeletServing), []string{"certificate gone " + current, "certificate new " + current}},
		{"the same time to live, read again", reading(0), reading(-3 * time.Second), nil},
		{"a time to live that is another's", reading(0), reading(time.Hour), []string{"certificate renewed " + current}},
		{"a node that Windows spells in capitals", func(r *Report) { row(r, "pool-0", "current.pem").Node = "POOL-0" }, nil, nil},
		{"a new file", nil, func(r *Report) {
			c := *row(r, "pool-0", "current.pem")
			c.ID, c.Location = "new", "/pki/new"
			r.Certificates = append(r.Certificates, c)
		}, []string{"certificate new a/pool-0:/pki/new"}},
		{"a new file, expired", nil, func(r *Report) {
			c := *row(r, "pool-0", "current.pem")
			c.ID, c.Location, c.State = "new", "/pki/new", StateExpired
			r.Certificates = append(r.Certificates, c)
		}, []string{"certificate new! a/pool-0:/pki/new"}},
		{"a node is gone", nil, func(r *Report) {
			without(r, SourceNode, "pool-0")
			r.Nodes = r.Nodes[1:]
		}, []string{"certificate gone " + current}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { compared(t, healthy("a"), healthy("a"), tt.old, tt.new, tt.want) })
	}
}

func compared(t *testing.T, old, new *Report, editOld, editNew func(*Report), want []string) {
	t.Helper()
	if editOld != nil {
		editOld(old)
	}
	if editNew != nil {
		editNew(new)
	}
	c := Compare(concluded(old), concluded(new))
	got := said(c)
	if !slices.Equal(got, want) {
		t.Fatalf("\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	worse := number(want, func(line string) bool { return strings.Contains(line, "!") })
	if c.Worse != (worse > 0) || c.Summary.Worse != worse || (c.ExitCode == ExitFindings) != c.Worse || c.Kind != KindComparison {
		t.Errorf("worse %t, %d, exit code %d", c.Worse, c.Summary.Worse, c.ExitCode)
	}
}

func TestCompareWhatWasNotExamined(t *testing.T) {
	const p0, p1 = "a/pool-0:/pki/kubelet-client-current.pem", "a/pool-1:/pki/kubelet-client-current.pem"
	lose := func(r *Report, s Status, node string, gaps ...Gap) {
		without(r, SourceNode, node)
		status(r, SourceNode, s)
		r.Gaps = append(r.Gaps, gaps...)
	}
	tests := []struct {
		name     string
		old, new func(*Report)
		want     []string
	}{
		{"a node that is busy", nil, func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1, Reason: ReasonBusy})
		}, []string{"certificate not-examined " + p0, "gap new a/pool-0:"}},
		{"one of many nodes that are", nil, func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Nodes: []string{"POOL-0", "pool-7"}, Count: 2, Reason: ReasonBusy})
		}, []string{"certificate not-examined " + p0, "gap new a/POOL-0,pool-7:"}},
		{"another node is busy", nil, func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-7", Count: 1, Reason: ReasonBusy})
		}, []string{"certificate gone " + p0, "gap new a/pool-7:"}},
		{"another file of the node", nil, func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Location: "/etc/x", Count: 1, Reason: ReasonMalformed})
		}, []string{"certificate gone " + p0, "gap new a/pool-0:/etc/x"}},
		{"every node", nil, func(r *Report) {
			lose(r, StatusFailed, "", Gap{Cluster: "a", Source: SourceNode, Nodes: []string{"pool-0", "pool-1"}, Count: 2, Reason: ReasonTimeout})
		}, []string{"cluster not-examined! a node", "certificate not-examined " + p0, "certificate not-examined " + p1, "gap new! a/pool-0,pool-1:"}},
		{"a fault that another source met first", nil, func(r *Report) {
			lose(r, StatusFailed, "", Gap{Cluster: "a", Source: SourceAPIServer, Location: "api:443", Count: 1, Reason: ReasonTimeout})
		}, []string{"cluster not-examined! a node", "certificate not-examined " + p0, "certificate not-examined " + p1, "gap new! a/:api:443"}},
		{"the nodes' pool is stopped", nil, func(r *Report) {
			lose(r, StatusPartial, "", Gap{Cluster: "a", Source: SourceARM, Location: "agentPools/pool", Count: 1, Reason: ReasonNotRunning})
		}, []string{"cluster not-examined! a node", "certificate not-examined " + p0, "certificate not-examined " + p1, "gap new! a/:agentPools/pool"}},
		{"another pool is stopped", nil, func(r *Report) {
			lose(r, StatusPartial, "pool-1", Gap{Cluster: "a", Source: SourceARM, Location: "agentPools/night", Count: 1, Reason: ReasonNotRunning})
		}, []string{"certificate gone " + p1, "gap new a/:agentPools/night"}},
		{"another pool is stopped, and a node of this one not listed with its pool", nil, func(r *Report) {
			lose(r, StatusPartial, "pool-1", Gap{Cluster: "a", Source: SourceARM, Location: "agentPools/night", Count: 1, Reason: ReasonNotRunning})
			r.Nodes = []Node{{Cluster: "a", Name: "pool-1"}}
		}, []string{"certificate gone " + p1, "gap new a/:agentPools/night"}},
		{"nobody asked the nodes", nil, func(r *Report) {
			without(r, SourceNode, "")
			r.Clusters[0].Sources = r.Clusters[0].Sources[:1]
		}, []string{"certificate not-examined " + p0, "certificate not-examined " + p1}},
		{"skipped by design", nil, func(r *Report) { lose(r, StatusSkipped, "") }, []string{"certificate not-examined " + p0, "certificate not-examined " + p1}},
		{"a sample without the node", nil, func(r *Report) { r.Sampling = "per-pool=1"; without(r, SourceNode, "pool-1") }, []string{"certificate not-examined " + p1}},
		{"a sample with it", nil, func(r *Report) {
			r.Sampling = "per-pool=1"
			row(r, "pool-1", "current.pem").Location = "/other"
		}, []string{"certificate new a/pool-1:/other", "certificate gone " + p1}},
		{"examined again", func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1, Reason: ReasonBusy})
		}, nil, []string{"certificate examined " + p0, "gap closed a/pool-0:"}},
		{"examined again, and expired", func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1, Reason: ReasonBusy})
		}, func(r *Report) { row(r, "pool-0", "current.pem").State = StateExpired }, []string{"certificate examined! " + p0, "gap closed a/pool-0:"}},
		{"still a gap, for another reason", func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1, Reason: ReasonBusy})
		}, func(r *Report) {
			lose(r, StatusPartial, "pool-0", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1, Reason: ReasonTimeout})
		}, nil},
		{"a gap that a wider one covers is not closed", func(r *Report) {
			lose(r, StatusPartial, "", Gap{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1, Reason: ReasonBusy})
		}, func(r *Report) {
			lose(r, StatusFailed, "", Gap{Cluster: "a", Source: SourceNode, Count: 1, Reason: ReasonForbidden})
		}, []string{"gap new a/:"}},
		{"some of many nodes", func(r *Report) {
			r.Gaps = []Gap{{Cluster: "a", Source: SourceNode, Nodes: []string{"x", "y"}, Count: 2}}
		}, func(r *Report) {
			r.Gaps = []Gap{{Cluster: "a", Source: SourceNode, Nodes: []string{"y", "z"}, Count: 2}}
		}, []string{"gap closed a/x:", "gap new a/z:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { compared(t, healthy("a"), healthy("a"), tt.old, tt.new, tt.want) })
	}
}

func TestCompareClusters(t *testing.T) {
	verdict := func(v Verdict) func(*Report) {
		return func(r *Report) { r.Clusters[0].Rotation = &Rotation{v, []Evidence{}} }
	}
	gap := func(cluster, location, message string) func(*Report) {
		return func(r *Report) {
			r.Gaps = append(r.Gaps, Gap{Cluster: cluster, Source: SourceARM, Location: location, Count: 1, Reason: ReasonForbidden, Message: message})
		}
	}
	shard := func(index, count, fleet int) func(*Report) {
		return func(r *Report) { r.Shard = &Shard{index, count, fleet} }
	}
	rows := func(change, cluster string) []string {
		return []string{"certificate " + change + " " + cluster + "/:api:443", "certificate " + change + " " + cluster + "/pool-0:/pki/kubelet-client-current.pem",
			"certificate " + change + " " + cluster + "/pool-1:/pki/kubelet-client-current.pem"}
	}
	tests := []struct {
		name             string
		old, new         *Report
		editOld, editNew func(*Report)
		want             []string
	}{
		{"broken", healthy("a"), healthy("a"), nil, verdict(RotationBroken), []string{"cluster verdict! a automatic broken"}},
		{"no longer sure", healthy("a"), healthy("a"), nil, verdict(RotationUnknown), []string{"cluster verdict! a automatic unknown"}},
		{"no longer sure, of a sample", healthy("a"), healthy("a"), nil, func(r *Report) { verdict(RotationUnknown)(r); r.Sampling = "per-pool=1" }, []string{"cluster verdict a automatic unknown"}},
		{"no longer sure, by another name", healthy("a"), healthy("a"), nil, func(r *Report) { verdict(RotationUnknown)(r); r.Scope = []string{"--name=a"} }, []string{"cluster verdict! a automatic unknown"}},
		{"by hand, in a sample", healthy("a"), healthy("a"), nil, func(r *Report) { verdict(RotationManual)(r); r.Sampling = "per-pool=1" }, []string{"cluster verdict! a automatic manual"}},
		{"no longer said", healthy("a"), healthy("a"), nil, func(r *Report) { r.Clusters[0].Rotation = nil }, []string{"cluster verdict! a automatic unknown"}},
		{"never was sure, and broken", healthy("a"), healthy("a"), verdict(RotationUnknown), verdict(RotationBroken), []string{"cluster verdict! a unknown broken"}},
		{"never was sure, and by hand", healthy("a"), healthy("a"), verdict(RotationUnknown), verdict(RotationManual), []string{"cluster verdict a unknown manual"}},
		{"mended", healthy("a"), healthy("a"), verdict(RotationBroken), nil, []string{"cluster verdict a broken automatic"}},
		{"new", fleet("a"), fleet("a", "b"), nil, nil, append([]string{"cluster new b"}, rows("new", "b")...)},
		{"new, and broken", fleet("b"), fleet("a", "b"), nil, verdict(RotationBroken), append([]string{"cluster new! a"}, rows("new", "a")...)},
		{"gone", fleet("a", "b"), fleet("a"), nil, nil, append([]string{"cluster gone b"}, rows("gone", "b")...)},
		{"a subscription cannot be listed", fleet("a", "b"), fleet("a"), nil, gap("", "/subscriptions/1", "no"),
			slices.Concat([]string{"cluster not-examined! b"}, rows("not-examined", "b"), []string{"gap new! /:/subscriptions/1"})},
		{"it never could be", fleet("a", "b"), fleet("a"), gap("", "/subscriptions/1", "no"), gap("", "/subscriptions/1", "no"), append([]string{"cluster gone b"}, rows("gone", "b")...)},
		{"it now can be", fleet("a"), fleet("a", "b"), gap("", "/subscriptions/1", "no"), nil,
			slices.Concat([]string{"cluster examined b"}, rows("examined", "b"), []string{"gap closed /:/subscriptions/1"})},
		{"the cluster alone cannot be read", fleet("a", "b"), fleet("a"), nil, gap("b", "", "no"),
			slices.Concat([]string{"cluster not-examined! b"}, rows("not-examined", "b"), []string{"gap new! b/:"})},
		{"another cluster cannot be read", fleet("a", "b"), fleet("a"), nil, gap("a", "/x", "no"), slices.Concat([]string{"cluster gone b"}, rows("gone", "b"), []string{"gap new a/:/x"})},
		{"another shard's", fleet("a", "b"), fleet("a"), nil, shard(0, 2, 3), append([]string{"cluster not-examined b"}, rows("not-examined", "b")...)},
		{"a sibling shard's", fleet("a", "b"), fleet("a"), shard(1, 2, 3), shard(0, 2, 3), append([]string{"cluster not-examined b"}, rows("not-examined", "b")...)},
		{"the same shard's", fleet("a", "b"), fleet("a"), shard(0, 2, 3), shard(0, 2, 2), append([]string{"cluster gone b"}, rows("gone", "b")...)},
		{"nothing matched", fleet("b"), empty(), nil, nil, append([]string{"cluster not-examined! b"}, rows("not-examined", "b")...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { compared(t, tt.old, tt.new, tt.editOld, tt.editNew, tt.want) })
	}

	interrupted := fleet("a")
	interrupted.Conclude(ExitSIGINT, false)
	c := Compare(fleet("a", "b"), interrupted)
	if want := append([]string{"cluster not-examined! b"}, rows("not-examined", "b")...); !slices.Equal(said(c), want) || c.Clusters[0].Why == "" || c.To.Outcome != OutcomeInterrupted {
		t.Errorf("interrupted: %q", said(c))
	}
}

// A source that was left out this time makes nothing worse, and one that failed does.
func TestCompareOfFewerSources(t *testing.T) {
	for status, want := range map[SourceStatus]bool{{Source: SourceARM, Status: StatusOK}: false, {Source: SourceNode, Status: StatusSkipped}: false, {Source: SourceNode, Status: StatusFailed}: true} {
		old, new := healthy("a"), healthy("a")
		new.Clusters[0].Rotation = &Rotation{RotationUnknown, []Evidence{}}
		new.Clusters[0].Sources = []SourceStatus{{Source: SourceAPIServer, Status: StatusOK}, status}
		c := Compare(old, new)
		if i := slices.IndexFunc(c.Clusters, func(c ClusterChange) bool { return c.To == RotationUnknown }); i < 0 || c.Clusters[i].Worse != want {
			t.Errorf("%s %s: %+v, want worse %t", status.Source, status.Status, c.Clusters, want)
		}
	}
}

func TestCompareFindings(t *testing.T) {
	find := func(rule string, severity Severity, certificate string) func(*Report) {
		return func(r *Report) {
			r.Findings = append(r.Findings, Finding{Rule: rule, Severity: severity, Cluster: "a", Certificate: certificate, Message: fmt.Sprint(len(r.Certificates), r.AsOf)})
		}
	}
	api := healthy("a").Certificates[0].ID
	partial := func(r *Report) {
		status(r, SourceNode, StatusPartial)
		find("x", SeverityWarning, api)(r)
	}
	tests := []struct {
		name     string
		old, new func(*Report)
		want     []string
	}{
		{"new", nil, find("ca-mismatch", SeverityCritical, ""), []string{"finding new! ca-mismatch"}},
		{"new, and mild", nil, find("renewal-due", SeverityDue, ""), []string{"finding new renewal-due"}},
		{"still there, in other words", find("x", SeverityWarning, api), func(r *Report) { r.AsOf = asOf.Add(time.Hour); find("x", SeverityWarning, api)(r) }, nil},
		{"one more of a kind", find("x", SeverityWarning, ""), func(r *Report) { find("x", SeverityWarning, "")(r); find("x", SeverityWarning, "")(r) }, []string{"finding new! x"}},
		{"gone", find("x", SeverityWarning, api), nil, []string{"finding gone x"}},
		{"of a cluster, and not all was examined", find("y", SeverityWarning, ""), partial, []string{"finding new! x", "finding not-examined y"}},
		{"of a certificate that was examined all the same", find("y", SeverityWarning, api), partial, []string{"finding new! x", "finding gone y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { compared(t, healthy("a"), healthy("a"), tt.old, tt.new, tt.want) })
	}
}

// What is given to inspect is of no cluster.
func TestCompareFiles(t *testing.T) {
	files := func(locations ...string) *Report {
		r := empty()
		for _, l := range locations {
			r.Certificates = append(r.Certificates, Certificate{ID: l, Source: SourceFile, Role: RoleOther, Location: l, Count: 1, NotAfter: days(9), State: StateOK})
		}
		return r
	}
	unread := func(location string) func(*Report) {
		return func(r *Report) {
			r.Gaps = []Gap{{Source: SourceFile, Location: location, Count: 1, Reason: ReasonForbidden}}
		}
	}
	compared(t, files("d/x.pem#0", "d/y.pem"), files("d/y.pem"), nil, nil, []string{"certificate gone /:d/x.pem#0"})
	compared(t, files("d/x.pem#0", "d/y.pem"), files("d/y.pem"), nil, unread("d/x.pem"), []string{"certificate not-examined /:d/x.pem#0", "gap new /:d/x.pem"})
	compared(t, files("d/x.pem", "e.pem"), files("e.pem"), nil, unread("d"), []string{"certificate not-examined /:d/x.pem", "gap new /:d"})
	compared(t, files("d/x.pem", "e.pem"), files("e.pem"), nil, unread("d/"), []string{"certificate not-examined /:d/x.pem", "gap new /:d/"})
	compared(t, files("d/x.pem", "e.pem"), files("e.pem"), nil, unread("d/x"), []string{"certificate gone /:d/x.pem", "gap new /:d/x"})
}

func TestCompareInAnyOrder(t *testing.T) {
	for seed := range uint64(100) {
		old, new := random(seed), random(seed+1000)
		want := Compare(old, new)
		shuffled := *new
		shuffled.Clusters, shuffled.Certificates = slices.Clone(new.Clusters), slices.Clone(new.Certificates)
		slices.Reverse(shuffled.Clusters)
		slices.Reverse(shuffled.Certificates)
		equal(t, Compare(old, &shuffled).Clusters, want.Clusters)
		c := Compare(new, new)
		if len(said(c)) > 0 || c.Worse || c.Summary.Certificates.Unchanged != len(new.Certificates) || c.Summary.Clusters.Unchanged != len(new.Clusters) {
			t.Fatalf("seed %d: with itself: %q", seed, said(c))
		}
	}
}
