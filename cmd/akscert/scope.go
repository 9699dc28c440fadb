package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/azure"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/discover"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// scope are the flags that say which clusters are meant, in kubeconfigs, in
// Azure, or both.
type scope struct {
	contexts      discover.Scope
	groups, names []string
	subscriptions []string
	subscribed    bool // subscriptions were named by hand: all of their clusters are meant
	everywhere    bool // all subscriptions
	tags          []string
	from          string // a clusters file
	in            inAzure

	listed discover.Listed // what that file names
	gaps   []report.Gap    // and what is wrong with it
}

func (s *scope) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.contexts.Kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` (default: $KUBECONFIG)")
	f.StringArrayVar(&s.contexts.Contexts, "context", nil, "this `CONTEXT` (default: the current); repeatable")
	f.BoolVar(&s.contexts.All, "all-contexts", false, "every context of the kubeconfig")
	f.StringArrayVarP(&s.groups, "resource-group", "g", nil, "clusters in this `GROUP`, or 'prod-*'; repeatable")
	f.StringArrayVarP(&s.names, "name", "n", nil, "clusters of this `NAME`, or pattern; repeatable")
	f.StringArrayVar(&s.tags, "tag", nil, "clusters with this `TAG`: env=prod; all must match")
	f.StringArrayVar(&s.subscriptions, "subscription", nil, "in this `SUBSCRIPTION`, id or name; repeatable")
	f.BoolVar(&s.everywhere, "all-subscriptions", false, "in every subscription that you can see")
	f.StringVar(&s.from, "clusters-from", "", "whose ids or contexts `FILE` lists; - for stdin")
	s.in.flags(c)
	_ = c.RegisterFlagCompletionFunc("context", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		targets, _, _ := discover.Kubeconfig(c.Context(), discover.Scope{Kubeconfig: s.contexts.Kubeconfig, All: true})
		names := make([]string, 0, len(targets))
		for _, t := range targets {
			if render.Visible(t.Context) == t.Context { // what a terminal would act on is not offered to it
				names = append(names, t.Context)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// check finds what cannot be meant. A flag that is given and empty, as from a CI
// job's unset variable, must not turn the audit to whatever cluster is at hand.
func (s *scope) check(c *cobra.Command) error {
	s.subscribed = c.Flags().Changed("subscription")
	for _, given := range []struct { // but for contexts: clientcmd allows one without a name
		flag   string
		values []string
	}{{"resource-group", s.groups}, {"name", s.names}, {"tag", s.tags}, {"subscription", s.subscriptions}} {
		if slices.Contains(given.values, "") {
			return hinted{fmt.Errorf("--%s is empty", given.flag), "is a variable not set that it was given from?"}
		}
	}
	for _, flag := range []string{"clusters-from", "kubeconfig", "shard", "sources", "nodes"} {
		if c.Flags().Changed(flag) && c.Flag(flag).Value.String() == "" {
			return hinted{fmt.Errorf("--%s is empty", flag), "is a variable not set that it was given from?"}
		}
	}
	switch {
	case s.from != "" && s.azured():
		return hinted{errors.New("--clusters-from excludes --resource-group, --name, --tag, --subscription and --all-subscriptions"), "the file says which clusters; filter it, or leave it out"}
	case s.contexts.All && len(s.contexts.Contexts) > 0:
		return hinted{errors.New("--context and --all-contexts exclude each other"), "name contexts, or audit every one"}
	case s.everywhere && len(s.subscriptions) > 0:
		return hinted{errors.New("--subscription and --all-subscriptions exclude each other"), "name subscriptions, or look in every one"}
	}
	if way := s.in.given(c); way != "" && !s.azured() && s.from == "" {
		return hinted{fmt.Errorf("--%s is for clusters in Azure, and none is named", way), "name one with -g GROUP -n CLUSTER, or many with --subscription or --all-subscriptions"}
	}
	return nil
}

// asked is the scope in the words of its flags, in one order, so that two reports
// tell whether they were asked for the same.
func (s *scope) asked(sources string) []string {
	var words []string
	add := func(flag string, values ...string) {
		for _, v := range slices.Sorted(slices.Values(values)) {
			words = append(words, "--"+flag+"="+v)
		}
	}
	if s.contexts.All {
		words = append(words, "--all-contexts")
	}
	add("context", s.contexts.Contexts...)
	add("resource-group", s.groups...)
	add("name", s.names...)
	add("tag", s.tags...)
	add("subscription", s.subscriptions...)
	if s.everywhere {
		words = append(words, "--all-subscriptions")
	}
	if s.from != "" {
		add("clusters-from", s.from)
	}
	if len(words) == 0 {
		words = []string{"current context"}
	}
	if sources != "" {
		add("sources", sources)
	}
	return words
}

// azured reports whether clusters are to be found in Azure.
func (s *scope) azured() bool {
	return len(s.groups)+len(s.names)+len(s.tags) > 0 || s.subscribed || s.everywhere
}

// inKubeconfig reports whether contexts were asked for.
func (s *scope) inKubeconfig() bool {
	return s.contexts.Kubeconfig != "" || s.contexts.All || len(s.contexts.Contexts)+len(s.contexts.Listed) > 0
}

// readList reads the clusters file.
func (s *scope) readList(ctx context.Context, stdin io.Reader) (err error) {
	if s.from == "" {
		return nil
	}
	in, name := stdin, "stdin"
	if s.from != "-" {
		f, err := os.Open(s.from)
		if err != nil {
			return hinted{fmt.Errorf("reading the clusters file %s: %w", s.from, collect.Cause(err)), "name a file with one ARM id or context a line, or - for stdin"}
		}
		defer f.Close()
		in, name = f, s.from
	}
	s.listed, s.gaps, err = discover.List(ctx, in, name)
	s.contexts.Listed = s.listed.Contexts
	return err
}

// needsAzure reports whether anything asked for is known by Azure alone.
func (s *scope) needsAzure() bool { return s.azured() || len(s.listed.Clusters) > 0 }

// one reports whether exactly one cluster is named in full: it is then read
// without any listing, which takes more rights.
func (s *scope) one() bool {
	plain := func(words []string) bool { return len(words) == 1 && !strings.ContainsAny(words[0], `*?[\`) }
	return plain(s.groups) && plain(s.names) && len(s.tags) == 0 && len(s.subscriptions) <= 1 && !s.everywhere && s.from == "" && !s.inKubeconfig()
}

// find is every target that the flags name. A cluster that is both a context and
// a resource is one target. client is nil where Azure is not needed.
func (s *scope) find(ctx context.Context, client *azure.Client) (targets []target.Target, gaps []report.Gap, err error) {
	if s.one() {
		subscription, err := client.Subscription(ctx, strings.Join(s.subscriptions, ""))
		if err != nil {
			return nil, nil, usage(err)
		}
		t, gaps, err := discover.ARM(ctx, client, subscription, s.groups[0], s.names[0], s.in.admin)
		if t.ID == "" {
			return nil, gaps, err
		}
		return []target.Target{t}, gaps, err
	}
	gaps = s.gaps
	clusters := s.listed.Clusters
	if s.azured() {
		fleet := discover.Fleet{Groups: s.groups, Names: s.names, Tags: s.tags}
		if err := fleet.Check(); err != nil {
			return nil, nil, err
		}
		var why *azure.Error
		if fleet.Subscriptions, err = s.look(ctx, client); errors.As(err, &why) && why.Retryable {
			gaps = append(gaps, report.Gap{Source: report.SourceARM, Count: 1, Reason: why.Reason, Message: why.Message, Hint: why.Hint, Retryable: true})
		} else if err != nil {
			return nil, nil, usage(err)
		} else {
			found, missing, err := fleet.Find(ctx, client)
			if err != nil {
				return nil, nil, err
			}
			clusters, gaps = append(clusters, found...), append(gaps, missing...)
		}
	}
	var contexts []target.Target
	if s.inKubeconfig() || !s.needsAzure() && s.from == "" {
		found, missing, err := discover.Kubeconfig(ctx, s.contexts)
		if err != nil {
			return nil, nil, err
		}
		contexts, gaps = found, append(gaps, missing...)
		if len(s.listed.Clusters) > 0 {
			described, missing := discover.Describe(ctx, client, clusters)
			clusters, gaps = described, append(gaps, missing...)
		}
	}
	return discover.Join(contexts, clusters), gaps, nil
}

// look is the ids of the subscriptions to look in.
func (s *scope) look(ctx context.Context, client *azure.Client) ([]string, error) {
	if s.everywhere {
		all, err := client.Subscriptions(ctx)
		if err != nil {
			return nil, err
		}
		ids := make([]string, 0, len(all))
		for _, one := range all {
			ids = append(ids, one.ID)
		}
		return ids, nil
	}
	names := s.subscriptions
	if len(names) == 0 {
		names = []string{""} // the default one
	}
	var ids []string
	for _, name := range names {
		id, err := client.Subscription(ctx, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
