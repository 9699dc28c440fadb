package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// SARIFRule is what a SARIF file says of a rule.
type SARIFRule struct {
	ID       string
	Severity report.Severity
	Means    string
	Help     string // what helps against it in general
}

// sarifMost is how many results GitHub shows of one run.
const sarifMost = 5000

// SARIF writes the report as SARIF 2.1.0, for code scanning: findings are
// results, worst first; gaps, and waivers that cover nothing, are notifications of
// the run.
//
// A result is about a file: the one that the certificate stands in, where that is
// in the repository, and else one that is not there, named for the cluster. Its
// fingerprint is made of where and what and of no date, so that a certificate
// that was renewed and nears its end again is the same alert. rules tell about
// what is found; one that is missing is told by its name alone.
func SARIF(w io.Writer, r *report.Report, rules []SARIFRule, in Checkout) error {
	s := sarif{lookup: newLookup(r), rules: rules, in: in, used: []sarifRuleElement{}, index: map[string]int{}, prints: map[string]int{}}
	findings := worstFirst(r.Findings)
	cut := len(findings) - sarifMost
	results := []sarifResult{}
	for _, f := range findings[:min(len(findings), sarifMost)] {
		results = append(results, s.result(f))
	}
	run := sarifRun{
		Invocations: []sarifInvocation{{
			ExecutionSuccessful: r.Outcome != report.OutcomeInterrupted, ExitCode: r.ExitCode,
			StartTimeUTC:  r.StartedAt.UTC().Format(time.RFC3339),
			EndTimeUTC:    r.StartedAt.Add(time.Duration(r.DurationSeconds * float64(time.Second))).UTC().Format("2006-01-02T15:04:05.000Z"),
			Notifications: []sarifNotification{},
		}},
		Results: results, ColumnKind: "utf16CodeUnits",
	}
	told := &run.Invocations[0].Notifications
	if cut > 0 {
		*told = append(*told, sarifNotification{Descriptor: sarifDescriptor{"results-cut"}, Level: "warning",
			Message: sarifMessage{fmt.Sprintf("%d more results, the least severe, are left out: see the report in another format", cut)}})
	}
	if sample := sampled(r); sample != "" {
		*told = append(*told, sarifNotification{Descriptor: sarifDescriptor{"sampled"}, Level: "note", Message: sarifMessage{sarifText(sample)}})
	}
	for _, g := range r.Gaps {
		*told = append(*told, s.gap(g))
	}
	for _, w := range waivers(r, report.WaiverExpired) {
		*told = append(*told, s.waiver(w, "warning", "expired on "+w.Expires+": what it covered counts again"))
	}
	for _, w := range waivers(r, report.WaiverUnused) {
		*told = append(*told, s.waiver(w, "note", "(until "+w.Expires+") is unused: nothing needs it"))
	}
	run.Tool.Driver = sarifDriver{Name: r.Tool.Name, Version: Visible(r.Tool.Version), InformationURI: "https://github.com/akscert/akscert", Rules: s.used}
	if run.Tool.Driver.Name = Visible(run.Tool.Driver.Name); run.Tool.Driver.Name == "" {
		run.Tool.Driver.Name = "akscert"
	}
	return JSON(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	ColumnKind  string            `json:"columnKind"`
	Results     []sarifResult     `json:"results"`
}

type sarifDriver struct {
	Name           string             `json:"name"`
	Version        string             `json:"version,omitempty"`
	InformationURI string             `json:"informationUri"`
	Rules          []sarifRuleElement `json:"rules"`
}

type sarifRuleElement struct {
	ID            string             `json:"id"`
	Name          string             `json:"name"`
	Short         sarifMessage       `json:"shortDescription"`
	Full          *sarifMessage      `json:"fullDescription,omitempty"`
	Help          *sarifMessage      `json:"help,omitempty"`
	Configuration sarifConfiguration `json:"defaultConfiguration"`
	Properties    sarifProperties    `json:"properties"`
}

type sarifConfiguration struct {
	Level string `json:"level"`
}

type sarifProperties struct {
	Tags []string `json:"tags"`
}

type sarifMessage struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool                `json:"executionSuccessful"`
	ExitCode            int                 `json:"exitCode"`
	StartTimeUTC        string              `json:"startTimeUtc"`
	EndTimeUTC          string              `json:"endTimeUtc"`
	Notifications       []sarifNotification `json:"toolExecutionNotifications"`
}

type sarifNotification struct {
	Descriptor sarifDescriptor `json:"descriptor"`
	Level      string          `json:"level"`
	Message    sarifMessage    `json:"message"`
	Locations  []sarifLocation `json:"locations,omitempty"`
}

type sarifDescriptor struct {
	ID string `json:"id"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifMessage       `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

// sarif is a file being made.
type sarif struct {
	lookup
	in     Checkout
	rules  []SARIFRule
	used   []sarifRuleElement
	index  map[string]int // into used, by id
	prints map[string]int // how often a fingerprint was made
}

func (s *sarif) result(f report.Finding) sarifResult {
	c := s.about(f)
	message := f.Message
	if f.ExpiredWaiver != "" {
		message += "; " + accepted(nil, f.ExpiredWaiver)
	}
	if remedy := s.remedies[f.RemedyID]; remedy.Summary != "" {
		message += ". What to do: " + remedy.Summary
	}
	location := s.at(f.Cluster, c.Source, c.Location)
	where := c.Location
	if inside, entry, ok := s.in.place(c.Source, c.Location); ok {
		where = inside + entry // the same from whichever folder it was found
	}
	name := []string{}
	for _, part := range []string{s.name(f.Cluster), string(c.Source), string(c.Role), f.Node, c.Location} {
		if part != "" {
			name = append(name, Visible(part))
		}
	}
	if len(name) > 0 {
		location.Logical = []sarifLogical{{strings.Join(name, "/"), "resource"}}
	}
	// In lower case, for Windows calls its nodes in upper case.
	about := where
	if about == "" { // of what is not about one certificate, what to do tells it apart
		about = f.RemedyID
	}
	key := strings.Join([]string{f.Cluster, string(c.Source), string(c.Role), strings.ToLower(f.Node), about, f.Rule}, "\x00")
	s.prints[key]++
	sum := sha256.Sum256([]byte(key))
	print := fmt.Sprintf("%s:%d", hex.EncodeToString(sum[:16]), s.prints[key])
	out := sarifResult{
		RuleID: Visible(f.Rule), RuleIndex: s.rule(f), Level: level(f.Severity), Message: sarifMessage{sarifText(message)}, Locations: []sarifLocation{location},
		// The second is the one that GitHub compares.
		Fingerprints: map[string]string{"akscertPlace/v1": print, "primaryLocationLineHash": print},
	}
	if f.Waiver != nil {
		out.Suppressions = []sarifSuppression{{"external", Visible(accepted(f.Waiver, ""))}}
	}
	return out
}

// rule is the index of a finding's rule, which is taken up when it is first used.
func (s *sarif) rule(f report.Finding) int {
	if i, ok := s.index[f.Rule]; ok {
		return i
	}
	e := sarifRuleElement{ID: Visible(f.Rule), Name: Visible(f.Rule), Short: sarifMessage{sarifText(f.Rule)}, Configuration: sarifConfiguration{level(f.Severity)},
		Properties: sarifProperties{[]string{"certificates", "kubernetes"}}}
	if i := slices.IndexFunc(s.rules, func(r SARIFRule) bool { return r.ID == f.Rule }); i >= 0 {
		known := s.rules[i]
		e.Short, e.Full = sarifMessage{sarifText(clipped(known.Means, 200))}, &sarifMessage{sarifText(known.Means)}
		e.Help, e.Configuration.Level = &sarifMessage{sarifText(known.Help)}, level(known.Severity)
	}
	s.index[f.Rule], s.used = len(s.used), append(s.used, e)
	return s.index[f.Rule]
}

func (s *sarif) gap(g report.Gap) sarifNotification {
	message := "not examined: " + g.Message
	if nodes := nodesOf(g); len(nodes) > 0 {
		message += " (" + few(nodes) + ")"
	}
	if g.Hint != "" {
		message += "; " + g.Hint
	}
	level := "warning"
	if why := accepted(g.Waiver, g.ExpiredWaiver); why != "" {
		message += "; " + why
	}
	if g.Waiver != nil {
		level = "note"
	}
	return sarifNotification{sarifDescriptor{"gap/" + Visible(string(g.Reason))}, level, sarifMessage{sarifText(message)}, []sarifLocation{s.at(g.Cluster, g.Source, g.Location)}}
}

// waiver tells of one that covers nothing.
func (s *sarif) waiver(w report.Waiver, level, what string) sarifNotification {
	return sarifNotification{Descriptor: sarifDescriptor{"waiver/" + Visible(string(w.Status))}, Level: level,
		Message: sarifMessage{sarifText("the waiver " + w.ID + " " + what + " (" + w.Reason + ")")}}
}

// at is the file that a result is about.
func (s *sarif) at(cluster string, source report.Source, location string) sarifLocation {
	inside, _, ok := s.in.place(source, location)
	if !ok {
		inside = "akscert/" + strings.ReplaceAll(cmp.Or(s.name(cluster), "files"), "/", "_")
	}
	segments := strings.Split(inside, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
		if segment == "." || segment == ".." { // only of a name that somebody chose to look like a path
			segments[i] = "_"
		}
	}
	// A segment with a colon, were it the first, would read as a scheme.
	return sarifLocation{Physical: sarifPhysical{sarifArtifact{strings.ReplaceAll(strings.Join(segments, "/"), ":", "%3A")}, sarifRegion{1}}}
}

func level(s report.Severity) string {
	switch s {
	case report.SeverityCritical, report.SeverityExpired:
		return "error"
	case report.SeverityWarning:
		return "warning"
	}
	return "note"
}

// sarifText is a message without what readers take for a link (SARIF 2.1.0
// section 3.11.6), and with braces doubled, which would be a place for an
// argument (section 3.11.5).
func sarifText(s string) string {
	s = strings.NewReplacer("{", "{{", "}", "}}").Replace(Visible(s))
	if strings.Contains(s, "](") {
		s = strings.NewReplacer("[", `\[`, "]", `\]`).Replace(s)
	}
	return s
}
