package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// htmlPage is the report in the order in which the page tells it.
type htmlPage struct {
	R                *report.Report
	Title, Sentence  string
	Counts           []htmlCount
	Notes            []string
	Policy, Took     string
	AsOf, Started    *time.Time
	Overview, Copies string
	Fleet            bool         // by cluster, not by role
	Groups, Roles    []*htmlGroup // worst first
	Todo             []*htmlTodo
	Gaps             []htmlGap
	Places           int // that were not examined: a gap may stand for several
}

type htmlCount struct {
	State report.State
	N     int
}

// htmlGroup is what is told together: a cluster, or what is of none, or a role.
type htmlGroup struct {
	ID, Name string
	Cluster  *report.Cluster
	Size     int // certificates
	Found    int // findings
	Gaps     int // places
	Worst    string
	Verdict  string
	Next     *report.Certificate // the next to expire
	Lane     htmlLane

	Facts                     []htmlFact
	Evidence                  []report.Evidence
	Sources                   []report.SourceStatus
	EvidenceOpen, SourcesOpen bool
	Also                      []htmlFinding // findings without a remedy
	AlsoFold                  bool
	Shown, Folded             htmlTable

	certificates []*report.Certificate
	rank         int
}

type htmlFact struct{ Name, Value string }

type htmlTable struct {
	Caption, Summary string
	Rows             []htmlRow
}

type htmlRow struct {
	ID       string
	C        *report.Certificate
	Waived   bool
	Findings []htmlFinding
}

// htmlFinding is a finding, with where it leads: to the row it is about, and to
// what to do about it.
type htmlFinding struct {
	F      report.Finding
	Link   htmlDeadline
	Row    string
	Do     string
	Number int
}

type htmlDeadline struct {
	By  *time.Time
	Now bool
}

type htmlTodo struct {
	ID       string
	Number   int
	R        report.Remedy
	Severity report.Severity
	Link     htmlDeadline
	Until    string // the day until which it is waived
	Open     bool
	Clusters []*htmlGroup
	Others   int
	Findings []htmlFinding
	Fold     bool
}

type htmlGap struct {
	G               report.Gap
	ID, Name, Nodes string
}

const htmlNotExamined = "not examined"

// How much is told before the rest is folded. What is folded is in the page all
// the same, and on paper it is unfolded.
const (
	htmlMostOK    = 20 // certificates that are ok, in the whole report
	htmlMostTodo  = 10
	htmlMostFound = 5
)

func newHTMLPage(r *report.Report) *htmlPage {
	p := &htmlPage{R: r, Title: "AKS certificate audit", AsOf: &r.AsOf, Started: &r.StartedAt, Took: htmlTook(r.DurationSeconds), Overview: "When they expire"}
	s := r.Summary.States
	for _, c := range []htmlCount{{report.StateExpired, s.Expired}, {report.StateNotYetValid, s.NotYetValid}, {report.StateCritical, s.Critical},
		{report.StateWarning, s.Warning}, {report.StateDue, s.Due}, {report.StateOK, s.OK}} {
		if c.N > 0 {
			p.Counts = append(p.Counts, c)
		}
	}
	b := &htmlBuilder{htmlPage: p, groups: map[string]*htmlGroup{}, rows: map[string]int{}, todo: map[string]*htmlTodo{}, waived: waivedRows(p.R)}
	b.sort()
	b.findings()
	b.certificates()
	b.gaps()
	b.overview()
	p.Sentence, p.Notes, p.Policy = htmlSentence(r), htmlNotes(p), htmlPolicy(r.Policy)
	return p
}

// htmlBuilder gathers what belongs together.
type htmlBuilder struct {
	*htmlPage
	groups map[string]*htmlGroup // by cluster
	rows   map[string]int        // by certificate: the index of the first row, plus one
	found  map[int][]htmlFinding
	todo   map[string]*htmlTodo // by remedy
	waived map[string][]report.Waived
}

// of is the group of a cluster, which may be one that the report does not list,
// and "" for what is of none.
func (b *htmlBuilder) of(cluster string) *htmlGroup {
	g := b.groups[cluster]
	if g == nil {
		g = &htmlGroup{Name: cmp.Or(cluster, "Of no cluster"), Verdict: "not judged"}
		b.groups[cluster] = g
		b.Groups = append(b.Groups, g)
	}
	return g
}

// sort puts everything where it belongs, and clusters in order, the worst first.
func (b *htmlBuilder) sort() {
	r := b.R
	remedies, waived := byNeed(r)
	for i, remedy := range remedies {
		until := waived[remedy.ID]
		item := &htmlTodo{ID: fmt.Sprintf("do%d", i+1), Number: i + 1, R: remedy, Until: until, Open: i < htmlMostTodo && until == ""}
		b.Todo = append(b.Todo, item)
		b.todo[remedy.ID] = item
	}
	for i := range r.Clusters {
		c := &r.Clusters[i]
		g := b.of(c.ID)
		g.Cluster, g.Name = c, cmp.Or(c.Name, c.ID, "a cluster without a name")
		htmlDescribe(g, c, r.AsOf)
	}
	for i := range r.Certificates {
		c := &r.Certificates[i]
		g := b.of(c.Cluster)
		g.certificates = append(g.certificates, c)
		if _, ok := b.rows[c.ID]; !ok {
			b.rows[c.ID] = i + 1
		}
	}
	for _, f := range r.Findings {
		if f.Cluster == "" && b.groups[""] == nil && b.todo[f.RemedyID] != nil {
			continue // what to do says it
		}
		g := b.of(f.Cluster)
		g.Found++
		if f.Waiver != nil {
			g.judge(htmlWaived, 1)
			continue
		}
		g.judge(string(f.Severity), htmlSeverityRank(f.Severity))
	}
	for _, x := range r.Gaps {
		if g := b.groups[x.Cluster]; g != nil {
			g.Gaps += x.Count
		}
	}
	for _, g := range b.Groups {
		g.close(r.AsOf, b.waived)
	}
	slices.SortStableFunc(b.Groups, htmlWorstFirst)
	for i, g := range b.Groups {
		g.ID = fmt.Sprintf("c%d", i+1)
	}
}

func htmlWorstFirst(x, y *htmlGroup) int {
	ends := func(g *htmlGroup) int64 {
		if g.Next == nil {
			return 1 << 62
		}
		return g.Next.NotAfter.Unix()
	}
	return cmp.Or(cmp.Compare(y.rank, x.rank), cmp.Compare(ends(x), ends(y)), cmp.Compare(x.Name, y.Name))
}

// The ranks of a group: what was not examined stands above what is due.
func htmlStateRank(s report.State) int {
	return map[report.State]int{report.StateDue: 1, report.StateWarning: 3, report.StateCritical: 4, report.StateNotYetValid: 5, report.StateExpired: 6}[s]
}

func htmlSeverityRank(s report.Severity) int {
	return map[report.Severity]int{report.SeverityDue: 1, report.SeverityWarning: 3, report.SeverityCritical: 4, report.SeverityExpired: 6}[s]
}

func (g *htmlGroup) judge(word string, rank int) {
	if rank > g.rank {
		g.Worst, g.rank = word, rank
	}
}

// htmlWaived is the worst of a cluster that somebody has decided to live with: it
// ranks with what is due.
const htmlWaived = "waived"

// close sums up a group. A copy of the API server's certificate counts for
// nothing, here as in the exit code.
func (g *htmlGroup) close(asOf time.Time, waived map[string][]report.Waived) {
	var counted []*report.Certificate
	for _, c := range g.certificates {
		if c.Role == report.RoleAPIServerCopy {
			continue
		}
		counted = append(counted, c)
		if waived[c.ID] != nil {
			g.judge(htmlWaived, 1)
			continue
		}
		g.judge(string(c.State), htmlStateRank(c.State))
	}
	g.Size, g.Next, g.Lane = len(g.certificates), htmlNext(asOf, counted), newHTMLLane(asOf, counted)
	switch {
	case g.Gaps > 0 && g.Size == 0:
		g.judge(htmlNotExamined, 2)
	case g.Gaps > 0:
		g.judge(string(report.OutcomeIncomplete), 2)
	}
	if g.Worst == "" {
		g.Worst = "ok"
		if g.Size == 0 {
			g.Worst = "nothing read"
		}
	}
}

func htmlNext(asOf time.Time, certificates []*report.Certificate) *report.Certificate {
	var first *report.Certificate
	for _, c := range certificates {
		if c.NotAfter != nil && !c.NotAfter.Before(asOf) && (first == nil || c.NotAfter.Before(*first.NotAfter)) {
			first = c
		}
	}
	return first
}

// htmlDescribe fills in what a cluster says of itself.
func htmlDescribe(g *htmlGroup, c *report.Cluster, asOf time.Time) {
	if c.Rotation != nil {
		g.Verdict, g.Evidence = string(c.Rotation.Verdict), c.Rotation.Evidence
		g.EvidenceOpen = c.Rotation.Verdict != report.RotationAutomatic
	}
	g.Sources = c.Sources
	g.SourcesOpen = slices.ContainsFunc(c.Sources, func(s report.SourceStatus) bool { return s.Status != report.StatusOK })
	created := ""
	if c.CreatedAt != nil {
		created = date(c.CreatedAt)
	}
	g.Facts = []htmlFact{{"Kubernetes", c.KubernetesVersion}, {"Power", c.PowerState}, {"Provisioning", c.ProvisioningState}, {"Created", created},
		{"Resource group", c.ResourceGroup}, {"Location", c.Location}, {"Server", c.Server}, {"Context", c.Context}, {"Resource ID", c.ResourceID}}
	for _, credential := range c.Credentials {
		g.Facts = append(g.Facts, htmlFact{"User", credential.User + " signs in with " + kinds(credential, asOf)})
	}
	g.Facts = slices.DeleteFunc(g.Facts, func(f htmlFact) bool { return f.Value == "" })
}

// findings puts each finding under what answers it, or else under its cluster.
func (b *htmlBuilder) findings() {
	r := b.R
	b.found = map[int][]htmlFinding{}
	for _, f := range r.Findings {
		item := htmlFinding{F: f}
		if f.By != nil {
			item.Link = htmlDeadline{f.By, f.By.Before(r.AsOf)}
		}
		row := b.rows[f.Certificate]
		if f.Certificate != "" && row > 0 {
			item.Row = fmt.Sprintf("k%d", row)
		}
		if do := b.todo[f.RemedyID]; do != nil {
			item.Do, item.Number = do.ID, do.Number
			do.add(item, b.groups[f.Cluster])
		} else {
			g := b.of(f.Cluster)
			g.Also = append(g.Also, item)
		}
		if item.Row != "" {
			b.found[row-1] = append(b.found[row-1], item)
		}
	}
	for _, do := range b.Todo {
		do.Fold = len(do.Findings) > htmlMostFound
	}
	for _, g := range b.Groups {
		g.AlsoFold = len(g.Also) > htmlMostFound
	}
}

func (t *htmlTodo) add(f htmlFinding, g *htmlGroup) {
	const most = 3
	t.Findings = append(t.Findings, f)
	urges := f.F.Waiver == nil && f.F.Severity != report.SeverityInfo // what is waived presses nobody
	if t.Severity == "" || urges && f.F.Severity.Rank() > t.Severity.Rank() {
		t.Severity = f.F.Severity
	}
	if t.Link.By == nil && urges {
		t.Link = f.Link
	}
	if g != nil && !slices.Contains(t.Clusters, g) {
		if len(t.Clusters) < most {
			t.Clusters = append(t.Clusters, g)
		} else {
			t.Others++
		}
	}
}

// certificates makes the rows; those that are ok are folded where they are many.
func (b *htmlBuilder) certificates() {
	fold := b.R.Summary.States.OK > htmlMostOK
	for i := range b.R.Certificates {
		c := &b.R.Certificates[i]
		row := htmlRow{C: c, Waived: b.waived[c.ID] != nil, Findings: b.found[i]}
		if len(row.Findings) > 0 {
			row.ID = fmt.Sprintf("k%d", i+1)
		}
		g := b.of(c.Cluster)
		into := &g.Shown
		if fold && c.State == report.StateOK {
			into = &g.Folded
		}
		into.Rows = append(into.Rows, row)
	}
	for _, g := range b.Groups {
		n := len(g.Folded.Rows)
		g.Shown.Caption = fmt.Sprintf("%s of %s, worst first", htmlCounted(g.Size, "certificate"), htmlVisible(g.Name))
		if n == 0 {
			continue
		}
		g.Folded.Caption = fmt.Sprintf("%s of %s in state ok, the soonest first", htmlCounted(n, "certificate"), htmlVisible(g.Name))
		if shown := len(g.Shown.Rows); shown > 0 {
			g.Shown.Caption = fmt.Sprintf("%s of %s that %s not ok, worst first", htmlCounted(shown, "certificate"), htmlVisible(g.Name), htmlAre(shown))
		}
		g.Folded.Summary = fmt.Sprintf("%s %s ok", htmlCounted(n, "certificate"), htmlAre(n))
		if c := g.Folded.Rows[0].C; c.SecondsLeft != nil {
			g.Folded.Summary += ", the first expires " + left(*c)
		}
	}
}

func htmlAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (b *htmlBuilder) gaps() {
	b.Places, _ = places(b.R)
	for _, x := range b.R.Gaps {
		row := htmlGap{G: x, Name: x.Cluster, Nodes: strings.Join(x.Nodes, ", ")}
		if g := b.groups[x.Cluster]; g != nil && x.Cluster != "" {
			row.ID, row.Name = g.ID, g.Name
		}
		b.Gaps = append(b.Gaps, row)
	}
}

// overview sums up by cluster, or by role where there is only one.
func (b *htmlBuilder) overview() {
	copies := slices.ContainsFunc(b.R.Certificates, func(c report.Certificate) bool { return c.Role == report.RoleAPIServerCopy })
	if b.Fleet = len(b.Groups) > 1; b.Fleet {
		b.Overview = "Clusters"
		if copies {
			b.Copies = "A node's copy of the API server's certificate, which nothing uses, does not count here."
		}
		return
	}
	roles := map[report.Role]*htmlGroup{}
	for i := range b.R.Certificates {
		c := &b.R.Certificates[i]
		g := roles[c.Role]
		if g == nil {
			g = &htmlGroup{Name: string(c.Role), Worst: "ok"}
			roles[c.Role] = g
			b.Roles = append(b.Roles, g)
		}
		g.certificates = append(g.certificates, c)
		g.judge(string(c.State), htmlStateRank(c.State))
	}
	for _, g := range b.Roles {
		g.Size, g.Next, g.Lane = len(g.certificates), htmlNext(b.R.AsOf, g.certificates), newHTMLLane(b.R.AsOf, g.certificates)
		if g.Name == string(report.RoleAPIServerCopy) {
			g.rank = -1
			b.Copies = "Nothing uses a node's copy of the API server's certificate."
		}
	}
	slices.SortStableFunc(b.Roles, htmlWorstFirst)
}

// htmlSentence is the result, as the table's last line has it.
func htmlSentence(r *report.Report) string {
	s := map[report.Outcome]string{
		report.OutcomeOK:          "nothing is at or above " + string(r.Policy.FailOn) + ".",
		report.OutcomeFindings:    "something is at or above " + string(r.Policy.FailOn) + ".",
		report.OutcomeIncomplete:  "nothing is at or above " + string(r.Policy.FailOn) + ".",
		report.OutcomeInterrupted: "the audit was ended early; what it had not reached is not here.",
	}[r.Outcome]
	if r.Summary.Waived > 0 && r.Outcome == report.OutcomeOK {
		s = "nothing that is not waived is at or above " + string(r.Policy.FailOn) + "."
	}
	if r.Complete {
		s += " Everything that was asked for was examined."
	} else {
		s += " Part of what was asked for could not be examined."
	}
	if r.Sampling != "" {
		s += " This is " + sampled(r) + "."
	}
	if all, waived := places(r); all > 0 {
		s += " See " + htmlCounted(all, "place") + " under Not examined" + ofThem(all, waived) + "."
	}
	if n := r.Summary.Waived; n > 0 {
		s += fmt.Sprintf(" Of findings and gaps %d %s waived.", n, htmlAre(n))
	}
	return htmlVisible(s)
}

// htmlNotes are what a reader must know before anything else.
func htmlNotes(p *htmlPage) []string {
	r := p.R
	var list []string
	if len(p.Groups) == 1 && p.Groups[0].Cluster != nil {
		list = append(list, fmt.Sprintf("Does %s renew its certificates itself? %s", htmlVisible(p.Groups[0].Name), htmlVisible(p.Groups[0].Verdict)+"."))
	}
	if r.Shard != nil {
		list = append(list, fmt.Sprintf("This is part %d of %d of an audit of %s.", r.Shard.Index+1, r.Shard.Count, htmlCounted(r.Shard.Fleet, "cluster")))
	}
	return list
}

func htmlPolicy(p report.Policy) string {
	point := func(at, lead string) string {
		if lead != "" {
			at += " (no earlier than " + lead + " before the end)"
		}
		return at
	}
	return htmlVisible(fmt.Sprintf("Policy: warning at %s, critical at %s; where only the end is known, %s and %s before it. Fails on: %s.",
		point(p.WarnAt, p.WarnLead), point(p.CriticalAt, p.CriticalLead), p.UnknownLifetime.WarnAt, p.UnknownLifetime.CriticalAt, p.FailOn))
}
