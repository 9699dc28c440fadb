// Package waiver is what somebody has decided to live with, for a while: a file
// of waivers becomes a Set, and a Set marks the findings and gaps that it covers.
// It is pure: no clock, file or output. That what is marked does not gate is the
// report's to conclude.
package waiver

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// Set is the waivers of a file, in its order. A nil one covers nothing.
type Set struct {
	all         []Waiver
	notYetValid string // the rule that is about that state, of those there are
}

// Waiver is one of them.
type Waiver struct {
	ID      string
	Kind    report.WaiverKind
	Reason  string
	Expires time.Time // the beginning of the last day on which it holds, in UTC
	match   []pattern
	words   []string // the states, or the reasons of a gap, that it covers
}

// pattern is one key of a match.
type pattern struct{ key, glob string }

// notYetValid is the one state that is not a finding's severity. Its rule is the
// one whose name ends in it.
const notYetValid = string(report.StateNotYetValid)

// All returns the waivers.
func (s *Set) All() []Waiver {
	if s == nil {
		return nil
	}
	return slices.Clone(s.all)
}

// Report is the waivers as a report begins with them: those that have expired at
// an instant, and those that nothing has needed yet.
func (s *Set) Report(asOf time.Time) []report.Waiver {
	list := []report.Waiver{}
	for _, w := range s.All() {
		r := report.Waiver{ID: w.ID, Kind: w.Kind, Expires: w.Expires.Format(time.DateOnly), Reason: w.Reason, Status: report.WaiverUnused}
		if w.Left(asOf) < 0 {
			r.Status = report.WaiverExpired
		}
		list = append(list, r)
	}
	return list
}

// Left is how many days a waiver holds beyond that of an instant: 0 on its last,
// below zero once it has expired.
func (w Waiver) Left(asOf time.Time) int { return int(w.Expires.Sub(day(asOf)) / (24 * time.Hour)) }

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// Covers words what the waiver covers, as its file has it.
func (w Waiver) Covers() string {
	list := "states"
	if w.Kind == report.WaiverOfGaps {
		list = "reasons"
	}
	words := []string{}
	for _, p := range w.match {
		words = append(words, p.key+"="+p.glob)
	}
	return strings.Join(append(words, list+"="+strings.Join(w.words, ",")), " ")
}

// Apply marks the findings and gaps of a cluster that are covered at an instant,
// and those that would be by a waiver that has expired. A finding that only
// informs needs no waiver. Where several cover a row it is the one that holds
// longest. A gap of many nodes of which some are covered becomes several.
func (s *Set) Apply(p *report.Part, asOf time.Time) {
	if s == nil || len(s.all) == 0 {
		return
	}
	rows := map[string]report.Certificate{}
	for _, c := range p.Certificates {
		rows[c.ID] = c
	}
	for i := range p.Findings {
		f := &p.Findings[i]
		if f.Severity == report.SeverityInfo {
			continue
		}
		row := rows[f.Certificate] // none of one that is about the cluster
		word := string(f.Severity)
		if f.Rule == s.notYetValid {
			word = notYetValid
		}
		if w := s.longest(report.WaiverOfFindings, word, func(key string) []string {
			return values(key, p.Cluster, f.Cluster, f.Node, f.Rule, row)
		}); w != nil {
			f.Waiver, f.ExpiredWaiver = mark(*w, asOf)
		}
	}
	var gaps []report.Gap
	for _, g := range p.Gaps {
		gaps = append(gaps, s.gap(g, p.Cluster, asOf)...)
	}
	p.Gaps = gaps
}

func mark(w Waiver, asOf time.Time) (holds *report.Waived, expired string) {
	if w.Left(asOf) < 0 {
		return nil, w.ID
	}
	return &report.Waived{ID: w.ID, Expires: w.Expires.Format(time.DateOnly), Reason: w.Reason}, ""
}

// gap is g, marked, as one for each waiver that covers some of its nodes.
func (s *Set) gap(g report.Gap, c report.Cluster, asOf time.Time) []report.Gap {
	nodes := g.Nodes
	if len(nodes) == 0 {
		nodes = []string{g.Node}
	}
	var by []*Waiver
	parts := map[*Waiver][]string{}
	for _, node := range nodes {
		w := s.longest(report.WaiverOfGaps, string(g.Reason), func(key string) []string {
			return values(key, c, g.Cluster, node, "", report.Certificate{Source: g.Source, Location: g.Location})
		})
		if parts[w] == nil {
			by = append(by, w)
		}
		parts[w] = append(parts[w], node)
	}
	var gaps []report.Gap
	for _, w := range by {
		one := g
		if len(by) > 1 {
			one.Node, one.Nodes, one.Count = "", parts[w], len(parts[w])
			if one.Count == 1 {
				one.Node, one.Nodes = parts[w][0], nil
			}
		}
		if w != nil {
			one.Waiver, one.ExpiredWaiver = mark(*w, asOf)
		}
		gaps = append(gaps, one)
	}
	return gaps
}

// values are what a key of a match is compared with; a row that has none is not
// matched, not even by *.
func values(key string, c report.Cluster, cluster, node, rule string, row report.Certificate) []string {
	switch key {
	case "cluster":
		if cluster != "" && cluster == c.ID {
			return []string{c.ID, c.Name, c.Context}
		}
		return []string{cluster}
	case "source":
		return []string{string(row.Source)}
	case "role":
		return []string{string(row.Role)}
	case "node":
		return []string{node}
	case "subject":
		return []string{row.Subject}
	case "sha256":
		return []string{row.SHA256}
	case "rule":
		return []string{rule}
	case "location":
		return []string{row.Location}
	}
	panic(fmt.Sprintf("waiver: no key %q", key)) // Parse lets no other through
}

// longest is the waiver that covers a row and holds longest; the first of those
// that hold as long.
func (s *Set) longest(kind report.WaiverKind, word string, of func(key string) []string) *Waiver {
	var longest *Waiver
	for i := range s.all {
		w := &s.all[i]
		if w.Kind == kind && (longest == nil || w.Expires.After(longest.Expires)) && slices.Contains(w.words, word) && w.fits(of) {
			longest = w
		}
	}
	return longest
}

func (w *Waiver) fits(of func(key string) []string) bool {
	for _, p := range w.match {
		if !slices.ContainsFunc(of(p.key), func(value string) bool { return value != "" && matches(p.glob, value) }) {
			return false
		}
	}
	return true
}

// matches reports whether a glob fits the whole of a value, in any case: ARM's
// ids and names have none, Windows spells its nodes in capitals, and openssl its
// fingerprints. * stands for anything, slashes too, and ? for one character;
// nothing else is special, for locations hold backslashes and names brackets.
func matches(glob, value string) bool {
	g, v := []rune(strings.ToLower(glob)), []rune(strings.ToLower(value))
	star, from := -1, 0 // the last * seen, and where what follows it is tried
	i, n := 0, 0
	for n < len(v) {
		switch {
		case i < len(g) && g[i] == '*':
			star, from = i, n
			i++
		case i < len(g) && (g[i] == '?' || g[i] == v[n]):
			i++
			n++
		case star >= 0:
			from++
			i, n = star+1, from
		default:
			return false
		}
	}
	for i < len(g) && g[i] == '*' {
		i++
	}
	return i == len(g)
}
