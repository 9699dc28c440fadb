// Package discover says which clusters an audit is about: it turns kubeconfigs
// into targets. It reads kubeconfigs and nothing that they point to.
package discover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Error is a reason why there is nothing to audit, with a way out.
type Error struct {
	Message, Hint string
}

func (e *Error) Error() string { return e.Message }

// Scope says which contexts are asked for. Without any, it is the current one.
type Scope struct {
	Kubeconfig string // as kubectl's --kubeconfig; empty for KUBECONFIG or the default path
	Contexts   []string
	All        bool
	Listed     []Line // contexts of a clusters file: one that cannot be had is a gap
}

// Kubeconfig loads kubeconfigs exactly as kubectl does and returns a target for
// each context in scope, and a gap for each file that is broken while others
// are not. It gives up on a file that does not end when ctx does.
func Kubeconfig(ctx context.Context, s Scope) ([]target.Target, []report.Gap, error) {
	targets, gaps, err := fromKubeconfigs(ctx, s)
	var known *Error
	if len(s.Listed) > 0 && len(s.Contexts) == 0 && !s.All && errors.As(err, &known) {
		// The list may name other clusters, which are not in a kubeconfig.
		return nil, []report.Gap{{Source: report.SourceKubeconfig, Count: len(s.Listed), Location: s.Listed[0].Where, Reason: report.ReasonMalformed,
			Message: fmt.Sprintf("%d contexts cannot be looked up: %s", len(s.Listed), known.Message), Hint: known.Hint}}, nil
	}
	return targets, gaps, err
}

func fromKubeconfigs(ctx context.Context, s Scope) ([]target.Target, []report.Gap, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.Kubeconfig
	// kubectl would first move a pre-1.0 file to its new place. An audit only reads.
	rules.MigrationRules = nil
	config, err := load(ctx, rules)
	var gaps []report.Gap
	if err != nil {
		var known *Error
		if errors.As(err, &known) {
			return nil, nil, known
		}
		if ctx.Err() != nil {
			return nil, nil, err // what hung would hang again
		}
		gaps = broken(rules, err)
		// Only with several files can the others still be of use.
		if config == nil || len(config.Contexts) == 0 || rules.ExplicitPath != "" {
			return nil, nil, &Error{gaps[0].Message, gaps[0].Hint}
		}
	}
	if len(config.Contexts)+len(config.Clusters)+len(config.AuthInfos) == 0 {
		if t, ok := inCluster(); ok && s.Kubeconfig == "" && len(s.Contexts)+len(s.Listed) == 0 {
			return []target.Target{t}, gaps, nil
		}
		return nil, nil, none(rules)
	}
	names, err := scope(s, config)
	if err != nil {
		var unknown *Error
		if errors.As(err, &unknown) && len(gaps) > 0 { // it may well stand in the one that is broken
			unknown.Message += "; " + gaps[0].Message
		}
		return nil, nil, err
	}
	for _, l := range s.Listed {
		if _, ok := config.Contexts[l.Context]; !ok {
			gaps = append(gaps, report.Gap{Source: report.SourceKubeconfig, Count: 1, Location: l.Where, Reason: report.ReasonNotFound,
				Message: fmt.Sprintf("%s: context %q is not in the kubeconfig", l.Where, l.Context),
				Hint:    "kubectl config get-contexts lists those that are; " + oneALine})
		} else if !slices.Contains(names, l.Context) {
			names = append(names, l.Context)
		}
	}
	targets := make([]target.Target, 0, len(names))
	for _, name := range names {
		targets = append(targets, fromContext(name, config))
	}
	return targets, gaps, nil
}

// maxKubeconfig bounds a kubeconfig: clientcmd reads and decodes all of it.
const maxKubeconfig = 64 << 20

// load is rules.Load, bounded by ctx and in size.
func load(ctx context.Context, rules *clientcmd.ClientConfigLoadingRules) (*api.Config, error) {
	var size int64
	for _, file := range files(rules) {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
			if info.Size() > maxKubeconfig {
				return nil, &Error{fmt.Sprintf("kubeconfig %q is larger than %d MiB", file, maxKubeconfig>>20), "name the kubeconfig with --kubeconfig"}
			}
		}
	}
	if size > 1<<20 {
		// Decoded from YAML to JSON to structs, it is there many times over for a
		// moment: the most memory that a run of thousands of contexts takes.
		defer debug.SetGCPercent(debug.SetGCPercent(20))
	}
	type result struct {
		config *api.Config
		err    error
	}
	done := make(chan result, 1)
	go func() {
		config, err := rules.Load()
		done <- result{config, err}
	}()
	select {
	case r := <-done:
		return r.config, r.err
	case <-ctx.Done(): // a named pipe that nobody writes to
		return nil, waited(ctx, "reading the kubeconfig", "give it more time with --timeout, or name another with --kubeconfig")
	}
}

// files are the ones that rules read.
func files(rules *clientcmd.ClientConfigLoadingRules) []string {
	if rules.ExplicitPath != "" {
		return []string{rules.ExplicitPath}
	}
	return rules.Precedence
}

func none(rules *clientcmd.ClientConfigLoadingRules) error {
	if rules.ExplicitPath != "" {
		return &Error{fmt.Sprintf("kubeconfig %q holds no contexts", rules.ExplicitPath), "az aks get-credentials --file FILE writes one"}
	}
	return &Error{fmt.Sprintf("no kubeconfig found: looked at %s", strings.Join(rules.Precedence, ", ")),
		"name one with --kubeconfig or KUBECONFIG, or fetch one with az aks get-credentials"}
}

// scope is the names of the contexts asked for.
func scope(s Scope, config *api.Config) ([]string, error) {
	known := slices.Sorted(maps.Keys(config.Contexts))
	if s.All {
		if len(known) == 0 {
			return nil, &Error{"the kubeconfig holds no contexts", "az aks get-credentials writes one"}
		}
		return known, nil
	}
	names := s.Contexts
	if len(names) == 0 && len(s.Listed) == 0 {
		if config.CurrentContext == "" {
			return nil, &Error{"the kubeconfig has no current context", "name one with --context, or audit every one with --all-contexts"}
		}
		names = []string{config.CurrentContext}
	}
	var wanted []string
	for _, name := range names {
		if _, ok := config.Contexts[name]; !ok {
			return nil, &Error{fmt.Sprintf("context %q is not in the kubeconfig", name), "it has " + list(known)}
		}
		if !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	return wanted, nil
}

func list(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return "no contexts at all"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more: kubectl config get-contexts", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func fromContext(name string, config *api.Config) target.Target {
	c := config.Contexts[name]
	t := target.Target{ID: name, Name: name, Context: name}
	if name == "" { // clientcmd allows it, and an id may not be empty
		t.ID, t.Name = "(unnamed)", "(unnamed)"
	}
	if entry, ok := config.Clusters[c.Cluster]; ok {
		t.Cluster = &target.Cluster{Name: c.Cluster, File: entry.LocationOfOrigin, Server: entry.Server, TLSServerName: entry.TLSServerName,
			ProxyURL: entry.ProxyURL, InsecureSkipTLSVerify: entry.InsecureSkipTLSVerify,
			CA: target.Material{Data: entry.CertificateAuthorityData, File: entry.CertificateAuthority}}
	} else {
		t.Problems = append(t.Problems, fmt.Sprintf("context %q names cluster %q, which the kubeconfig does not have", name, c.Cluster))
	}
	if entry, ok := config.AuthInfos[c.AuthInfo]; ok {
		u := target.User{Name: c.AuthInfo, File: entry.LocationOfOrigin,
			ClientCertificate: target.Material{Data: entry.ClientCertificateData, File: entry.ClientCertificate},
			ClientKey:         target.NewSecret(string(entry.ClientKeyData)), ClientKeyFile: entry.ClientKey,
			Token: target.NewSecret(entry.Token), TokenFile: entry.TokenFile, Basic: entry.Username != "",
			Impersonate: target.Impersonate{User: entry.Impersonate, UID: entry.ImpersonateUID, Groups: entry.ImpersonateGroups, Extra: entry.ImpersonateUserExtra}}
		if entry.Exec != nil {
			u.Exec = plugin(*entry.Exec)
		}
		if entry.AuthProvider != nil {
			u.AuthProvider = entry.AuthProvider.Name
		}
		t.User = &u
	} else if c.AuthInfo != "" { // no user at all is an anonymous one
		t.Problems = append(t.Problems, fmt.Sprintf("context %q names user %q, which the kubeconfig does not have", name, c.AuthInfo))
	}
	return t
}

func plugin(e api.ExecConfig) *target.Exec {
	p := &target.Exec{Command: e.Command, Args: e.Args, APIVersion: e.APIVersion, InstallHint: e.InstallHint, ClusterInfo: e.ProvideClusterInfo}
	for _, v := range e.Env {
		p.Env = append(p.Env, target.Variable{Name: v.Name, Value: target.NewSecret(v.Value)})
	}
	return p
}

// inCluster is the pod's own cluster, which is what kubectl turns to without any
// kubeconfig. The paths are those of rest.InClusterConfig, which cannot be asked
// itself: it reads the token right away.
func inCluster() (target.Target, bool) {
	const dir = "/var/run/secrets/kubernetes.io/serviceaccount/"
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if _, err := os.Stat(dir + "token"); host == "" || port == "" || err != nil {
		return target.Target{}, false
	}
	return target.Target{ID: "in-cluster", Name: "in-cluster",
		Cluster: &target.Cluster{Name: "in-cluster", File: dir, Server: "https://" + net.JoinHostPort(host, port), CA: target.Material{File: dir + "ca.crt"}},
		User:    &target.User{Name: "in-cluster", File: dir, TokenFile: dir + "token"}}, true
}

// broken says which files could not be loaded, and why. The error that
// clientcmd returns is never printed: for two users of one name it quotes both,
// tokens and keys included.
func broken(rules *clientcmd.ClientConfigLoadingRules, loading error) []report.Gap {
	var gaps []report.Gap
	for _, file := range files(rules) {
		_, err := clientcmd.LoadFromFile(file)
		if err == nil || file == "" || errors.Is(err, fs.ErrNotExist) && rules.ExplicitPath == "" {
			continue
		}
		gaps = append(gaps, unloadable(file, err))
	}
	if len(gaps) == 0 { // it loads now, or its relative paths cannot be resolved
		gaps = append(gaps, report.Gap{Source: report.SourceKubeconfig, Count: 1, Reason: report.ReasonMalformed,
			Message: fmt.Sprintf("loading kubeconfig %s failed (%T)", strings.Join(files(rules), ", "), loading), Hint: "kubectl config view", Retryable: true})
	}
	return gaps
}

func unloadable(file string, err error) report.Gap {
	g := report.Gap{Source: report.SourceKubeconfig, Count: 1, Location: file, Reason: report.ReasonMalformed,
		Hint: "correct it, or fetch it again with az aks get-credentials --file FILE"}
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		g.Reason, g.Hint = report.ReasonNotFound, "name another with --kubeconfig, or fetch one with az aks get-credentials --file FILE"
		g.Message = fmt.Sprintf("reading kubeconfig %q: no such file", file)
	case errors.Is(err, fs.ErrPermission):
		g.Reason, g.Hint = report.ReasonForbidden, "run as a user who may read it"
		g.Message = fmt.Sprintf("reading kubeconfig %q: permission denied", file)
	case errors.As(err, &path):
		g.Message = fmt.Sprintf("reading kubeconfig %q: %s", file, path.Err)
	default:
		g.Message = fmt.Sprintf("reading kubeconfig %q: %s", file, diagnose(file))
	}
	return g
}
