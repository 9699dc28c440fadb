package discover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Lister is what discovery of a fleet asks of ARM.
type Lister interface {
	Clusters(ctx context.Context, subscriptions []string) (clusters []target.ARM, problems []error)
}

// Fleet says which of Azure's clusters are asked for. Groups and names are
// patterns as in path.Match, in any case, as ARM is; without any, all match.
type Fleet struct {
	Subscriptions []string // ids
	Groups, Names []string
	// Tags are NAME=VALUE, or NAME alone for a cluster that has the tag; all have
	// to match. VALUE is a pattern; unlike NAME, it is compared in its own case.
	Tags []string
}

// Check says what is wrong with the patterns.
func (f Fleet) Check() error {
	for _, given := range []struct {
		flag     string
		patterns []string
	}{{"--resource-group", f.Groups}, {"--name", f.Names}, {"--tag", f.Tags}} {
		for _, pattern := range given.patterns {
			_, err := path.Match(pattern, "")
			if name, _, _ := strings.Cut(pattern, "="); err == nil && name != "" {
				continue
			}
			hint := `*, ? and [a-z] match; \[ stands for a bracket`
			if given.flag == "--tag" {
				hint = "write NAME=VALUE, or NAME alone; in VALUE, " + hint
			}
			return &Error{fmt.Sprintf("%s %q is not a pattern", given.flag, pattern), hint}
		}
	}
	return nil
}

// Find lists the clusters in scope; what only their resources know is still to
// be read, by Resolve. What could not be listed is a gap, and so is a cluster or
// group that was named and is not there, and a scope that matches nothing.
func (f Fleet) Find(ctx context.Context, azure Lister) ([]target.Target, []report.Gap, error) {
	if err := f.Check(); err != nil {
		return nil, nil, err
	}
	if len(f.Subscriptions) == 0 {
		return nil, []report.Gap{{Source: report.SourceARM, Count: 1, Reason: report.ReasonNotFound,
			Message: "there is no subscription to look in: this identity sees none", Hint: "az account list; is it the right tenant? --tenant names another"}}, nil
	}
	listed, problems := azure.Clusters(ctx, f.Subscriptions)
	var gaps []report.Gap
	for _, err := range problems {
		gaps = append(gaps, gap(err, "listing clusters failed"))
	}
	targets := []target.Target{}
	for _, a := range listed {
		if oneOf(f.Groups, a.ResourceGroup) && oneOf(f.Names, a.Name) && tagged(f.Tags, a.Tags) {
			targets = append(targets, inARM(a))
		}
	}
	if ctx.Err() != nil {
		return targets, gaps, nil // what is missing was just not seen yet
	}
	group, name := func(a target.ARM) string { return a.ResourceGroup }, func(a target.ARM) string { return a.Name }
	gaps = append(gaps, f.unmet(f.Groups, listed, group, "no cluster is in a group %q", func(a target.ARM) bool { return oneOf(f.Names, a.Name) && tagged(f.Tags, a.Tags) })...)
	gaps = append(gaps, f.unmet(f.Names, listed, name, "no cluster is called %q", func(a target.ARM) bool { return oneOf(f.Groups, a.ResourceGroup) && tagged(f.Tags, a.Tags) })...)
	if len(targets) == 0 && len(gaps) == 0 {
		gaps = append(gaps, f.absent(fmt.Sprintf("none of %d clusters is what was asked for", len(listed))))
	}
	return targets, gaps, nil
}

// unmet is a gap for each word that names no cluster, or only ones that the other
// filters leave out.
func (f Fleet) unmet(words []string, listed []target.ARM, of func(target.ARM) string, none string, others func(target.ARM) bool) []report.Gap {
	left := slices.DeleteFunc(slices.Clone(listed), func(a target.ARM) bool { return !others(a) })
	var gaps []report.Gap
	for _, word := range words {
		switch {
		case named(word, left, of):
		case named(word, listed, of):
			gaps = append(gaps, f.absent(fmt.Sprintf(none+" that the other filters leave", word)))
		default:
			gaps = append(gaps, f.absent(fmt.Sprintf(none, word)))
		}
	}
	return gaps
}

// oneOf reports whether name fits one of the patterns, or there are none.
func oneOf(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(strings.ToLower(p), strings.ToLower(name))
		return ok
	})
}

// tagged reports whether a cluster has all the tags that are wanted.
func tagged(wanted []string, tags map[string]string) bool {
	for _, want := range wanted {
		name, pattern, valued := strings.Cut(want, "=")
		if !slices.ContainsFunc(slices.Collect(maps.Keys(tags)), func(have string) bool {
			ok, _ := path.Match(noSlash(pattern), noSlash(tags[have]))
			return strings.EqualFold(have, name) && (ok || !valued)
		}) {
			return false
		}
	}
	return true
}

// noSlash makes a star match a slash too: a tag is no path.
func noSlash(s string) string { return strings.ReplaceAll(s, "/", "\x00") }

// named reports whether there is a cluster that word names. A pattern names none
// in particular.
func named(word string, listed []target.ARM, of func(target.ARM) string) bool {
	return strings.ContainsAny(word, `*?[\`) || slices.ContainsFunc(listed, func(a target.ARM) bool { return strings.EqualFold(word, of(a)) })
}

func (f Fleet) absent(what string) report.Gap {
	where, only := fmt.Sprintf("the %d subscriptions that were looked in", len(f.Subscriptions)), ""
	if len(f.Subscriptions) == 1 {
		only = f.Subscriptions[0]
		where = "subscription " + only
	}
	return report.Gap{SubscriptionID: only, Source: report.SourceARM, Count: 1, Reason: report.ReasonNotFound,
		Message: what + " in " + where, Hint: "az aks list --query '[].id' shows those that this identity can see"}
}

// inARM is the target that a listing tells of.
func inARM(a target.ARM) target.Target {
	return target.Target{ID: strings.ToLower(a.ID), Name: a.Name, ARM: &a}
}

// gap makes a gap of an error of Azure's, in the words it has for it.
func gap(err error, otherwise string) report.Gap {
	g := report.Gap{Source: report.SourceARM, Count: 1, Reason: report.ReasonUnreachable, Message: otherwise}
	var why explained
	if errors.As(err, &why) {
		g.Reason, g.Message, g.Hint, g.Retryable = why.Gap()
	}
	var one interface{ In() string }
	if errors.As(err, &one) {
		g.SubscriptionID = one.In()
	}
	return g
}

// Describe adds to clusters that are known by their ids alone what a listing of
// their subscriptions tells, such as the names of their API servers, by which
// Join knows them again. What cannot be listed is a gap: a cluster that is not
// known again may be audited twice, by its context and by its id.
func Describe(ctx context.Context, azure Lister, clusters []target.Target) ([]target.Target, []report.Gap) {
	var in []string
	for _, t := range clusters {
		if t.ARM != nil && t.ARM.Listed && t.ARM.FQDN == "" && !slices.Contains(in, strings.ToLower(t.ARM.SubscriptionID)) {
			in = append(in, strings.ToLower(t.ARM.SubscriptionID))
		}
	}
	if len(in) == 0 {
		return clusters, nil
	}
	known := map[string]target.ARM{}
	listed, problems := azure.Clusters(ctx, in)
	var gaps []report.Gap
	for _, err := range problems {
		g := gap(err, "listing clusters failed")
		g.Message += "; a cluster that is named by its id and by a context may have been audited twice"
		gaps = append(gaps, g)
	}
	for _, a := range listed {
		known[strings.ToLower(a.ID)] = a
	}
	clusters = slices.Clone(clusters)
	for i, t := range clusters {
		if a, ok := known[t.ID]; ok && t.ARM.Listed {
			clusters[i] = inARM(a)
		}
	}
	return clusters, gaps
}
