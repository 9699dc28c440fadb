package report

import "strings"

// about is what a finding is about, without what its message says of the time.
type about struct {
	rule    string
	cluster string
	node    string
	at      place // of the certificate
	nth     int
}

// concerns numbers a report's findings by what they are about.
func (v *view) concerns() (order []about, findings map[about]Finding) {
	findings = map[about]Finding{}
	for _, f := range v.report.Findings {
		a := about{rule: f.Rule, cluster: f.Cluster, node: strings.ToLower(f.Node)}
		if c := v.byID[f.Certificate]; c != nil {
			a.at = place{c.Cluster, c.Source, c.Role, strings.ToLower(c.Node), c.Location, 0}
		}
		for {
			if _, taken := findings[a]; !taken {
				break
			}
			a.nth++
		}
		findings[a] = f
		order = append(order, a)
	}
	return order, findings
}

func (c *comparer) findings() {
	counts := &c.out.Summary.Findings
	now, to := c.to.concerns()
	then, from := c.from.concerns()
	for _, a := range now {
		if _, ok := from[a]; ok {
			counts.Unchanged++
			continue
		}
		change := FindingChange{Change: ChangeNew, Finding: to[a], Worse: to[a].Severity.Rank() >= SeverityWarning.Rank() && to[a].Waiver == nil}
		if c.from.silent(a) {
			change.Change = ChangeExamined
			counts.Examined++
		} else {
			counts.New++
		}
		c.out.Findings = append(c.out.Findings, change)
	}
	for _, a := range then {
		if _, ok := to[a]; ok {
			continue
		}
		change := FindingChange{Change: ChangeGone, Finding: from[a]}
		if c.to.silent(a) {
			change.Change = ChangeNotExamined
			counts.NotExamined++
		} else {
			counts.Gone++
		}
		c.out.Findings = append(c.out.Findings, change)
	}
}

// silent reports whether a report without a finding says nothing by that: the
// place has not been examined or, for a finding that is about a cluster or a
// node, not every source has told what it should.
func (v *view) silent(a about) bool {
	if a.at.location != "" {
		return v.rows[a.at] == nil && v.unexamined(a.at.cluster, a.at.source, a.at.node, a.at.location) != nil
	}
	c := v.clusters[a.cluster]
	if c == nil {
		return v.unexamined(a.cluster, "", a.node, "") != nil
	}
	for _, s := range c.Sources {
		if s.Status == StatusFailed || s.Status == StatusPartial {
			return true
		}
	}
	return false
}
