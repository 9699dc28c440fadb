package render

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// JUnit writes the report as test results, in the dialect that both the schema of
// Ant's formatter and that of Jenkins' xunit plugin allow, and that GitHub,
// GitLab and Azure DevOps read: a suite for each cluster; in it a test for each
// certificate, for each finding that is about no certificate, and for each gap.
//
// A finding that fails the audit (at or above failOn) is a failure, a gap is an
// error, and what is waived is skipped, so that tests and exit code agree. What is
// found below failOn is told in the suite's output, and in the first suite's which
// waivers have expired and which nothing needs.
func JUnit(w io.Writer, r *report.Report) error {
	document := junitSuites{}
	for i, s := range suites(r) {
		document.Suites = append(document.Suites, s.close(i, r))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("writing XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Package    string          `xml:"package,attr"`
	ID         int             `xml:"id,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        string          `xml:"system-out"`
	Err        string          `xml:"system-err"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// junitCase has one result at most: more than one is against Ant's schema, and
// most readers take the first.
type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Time    string       `xml:"time,attr"`
	Skipped *junitResult `xml:"skipped"`
	Error   *junitResult `xml:"error"`
	Failure *junitResult `xml:"failure"`
}

type junitResult struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// suite is a cluster's tests while they are gathered.
type suite struct {
	junitSuite
	seconds float64
	notes   []string
	cases   []*junitTest
	names   map[[2]string]int
}

type junitTest struct {
	class, name string
	findings    []report.Finding
	gap         *report.Gap
}

// add makes a test whose name nothing else in the suite has.
func (s *suite) add(class, name string) *junitTest {
	class, name = Visible(class), Visible(cmp.Or(name, "(no place)"))
	s.names[[2]string{class, name}]++
	if n := s.names[[2]string{class, name}]; n > 1 {
		name += fmt.Sprintf(" (%d)", n)
	}
	t := &junitTest{class: class, name: name}
	s.cases = append(s.cases, t)
	return t
}

func suites(r *report.Report) []*suite {
	l := newLookup(r)
	var order []*suite
	byCluster := map[string]*suite{}
	of := func(cluster string) *suite {
		s := byCluster[cluster]
		if s == nil {
			s = &suite{names: map[[2]string]int{}, junitSuite: junitSuite{Name: Visible(cmp.Or(l.name(cluster), "no cluster")), Properties: []junitProperty{{"outcome", string(r.Outcome)}}}}
			if r.Sampling != "" {
				s.Properties = append(s.Properties, junitProperty{"sampling", Visible(sampled(r))})
			}
			byCluster[cluster], order = s, append(order, s)
		}
		return s
	}
	for _, c := range r.Clusters {
		s := of(c.ID)
		for _, source := range c.Sources {
			s.seconds += source.Seconds
		}
		s.Properties = append(s.Properties, junitProperty{"id", Visible(c.ID)})
		if c.Rotation != nil {
			s.Properties = append(s.Properties, junitProperty{"rotation", Visible(string(c.Rotation.Verdict))})
		}
	}
	tests := map[string]*junitTest{}
	for _, c := range r.Certificates {
		s := of(c.Cluster)
		tests[c.ID] = s.add(cmp.Or(l.name(c.Cluster), "akscert")+"."+string(c.Source)+"."+string(c.Role), spot(c.Node, c.Location))
	}
	for _, f := range worstFirst(r.Findings) {
		test := tests[f.Certificate]
		if test == nil {
			test = of(f.Cluster).add(cmp.Or(l.name(f.Cluster), "akscert")+".findings", spot(f.Node, f.Rule))
		}
		test.findings = append(test.findings, f)
	}
	for i, g := range r.Gaps {
		name := spot(strings.Join(nodesOf(g), ","), g.Location)
		of(g.Cluster).add(cmp.Or(l.name(g.Cluster), "akscert")+"."+string(g.Source)+".gaps", cmp.Or(name, string(g.Reason))).gap = &r.Gaps[i]
	}
	if len(order) == 0 { // silence is no result
		of("").add("akscert", "something to examine").gap = &report.Gap{Reason: report.ReasonNotFound, Message: "nothing was examined"}
	}
	for _, said := range idle(r) {
		order[0].notes = append(order[0].notes, Visible(said)) // they are no cluster's
	}
	for _, s := range order {
		for _, t := range s.cases {
			s.Cases = append(s.Cases, s.result(t, r, l))
		}
	}
	return order
}

// result is how a test went: its worst finding tells.
func (s *suite) result(t *junitTest, r *report.Report, l lookup) junitCase {
	c := junitCase{Name: t.name, Class: t.class, Time: "0.000"}
	if t.gap != nil {
		if t.gap.Waiver != nil {
			c.Skipped = &junitResult{Message: Visible(t.gap.Message + ": " + accepted(t.gap.Waiver, ""))}
			s.Skipped++
			return c
		}
		c.Error = &junitResult{Type: cmp.Or(Visible(string(t.gap.Reason)), "gap"), Message: Visible(t.gap.Message), Text: Visible(lines(t.gap.Hint, accepted(nil, t.gap.ExpiredWaiver)))}
		s.Errors++
		return c
	}
	var failing, waived []string
	for _, f := range t.findings {
		told := Visible(lines(fmt.Sprintf("%s (%s): %s", f.Rule, f.Severity, f.Message), accepted(f.Waiver, f.ExpiredWaiver)))
		switch {
		case f.Waiver != nil:
			waived = append(waived, told)
		case fails(r, f):
			if c.Failure == nil {
				c.Failure = &junitResult{Type: cmp.Or(Visible(f.Rule), "finding"), Message: Visible(f.Message)}
			}
			failing = append(failing, told+remedyText(l.remedies[f.RemedyID]))
		default:
			s.notes = append(s.notes, told)
		}
	}
	switch {
	case c.Failure != nil:
		c.Failure.Text = strings.Join(failing, "\n")
		s.Failures++
	case len(waived) > 0:
		c.Skipped = &junitResult{Message: strings.Join(waived, "; ")}
		s.Skipped++
	}
	return c
}

// lines joins what there is of two remarks.
func lines(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// remedyText is what to do, on lines of its own; nothing where there is nothing.
func remedyText(remedy report.Remedy) string {
	if remedy.Summary == "" {
		return ""
	}
	text := "\n  what to do: " + Visible(remedy.Summary)
	for _, command := range remedy.Commands {
		text += "\n    " + Visible(command)
	}
	return text + "\n  cost: " + Visible(remedy.Impact)
}

func (s *suite) close(id int, r *report.Report) junitSuite {
	s.ID, s.Package, s.Hostname = id, "akscert", "localhost" // Ant's schema asks for all three
	s.Timestamp = r.StartedAt.UTC().Format("2006-01-02T15:04:05")
	s.Tests, s.Time = len(s.Cases), fmt.Sprintf("%.3f", s.seconds)
	s.Out = strings.Join(s.notes, "\n")
	return s.junitSuite
}
