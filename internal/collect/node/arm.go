package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// unreachable is the one gap for a cluster none of whose nodes can be asked, as
// its ARM resource says; nil for any other.
func unreachable(a target.ARM) *collect.Gap {
	switch {
	case strings.EqualFold(a.PowerState, "Stopped"):
		return &collect.Gap{Reason: report.ReasonNotRunning, Message: "the cluster is stopped",
			Hint: "az aks start -g " + quote(a.ResourceGroup) + " -n " + quote(a.Name)}
	case a.NodesLockedDown:
		return &collect.Gap{Reason: report.ReasonLockedDown,
			Message: fmt.Sprintf("the node resource group %q is locked down: it refuses run-command", a.NodeResourceGroup), Hint: runByHand}
	}
	return nil
}

func stopped(p target.Pool) bool { return strings.EqualFold(p.PowerState, "Stopped") }

// stoppedPools has a gap for each stopped pool, whose nodes are not asked.
func stoppedPools(a target.ARM) []collect.Observation {
	var seen []collect.Observation
	for _, p := range a.Pools {
		if stopped(p) {
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: "agentPools/" + p.Name,
				Reason: report.ReasonNotRunning, Message: fmt.Sprintf("the node pool %q is stopped", p.Name),
				Hint: "az aks nodepool start -g " + quote(a.ResourceGroup) + " --cluster-name " + quote(a.Name) + " -n " + quote(p.Name)}})
		}
	}
	return seen
}

// runs says whether m is to be asked: all but the machines of a stopped pool.
func runs(a target.ARM, m target.Machine) bool {
	return !slices.ContainsFunc(a.Pools, func(p target.Pool) bool { return stopped(p) && strings.EqualFold(p.Name, m.Pool) })
}

// unlisted has a gap for each running pool that says it has nodes and of which
// no machine was listed.
func unlisted(a target.ARM, machines []target.Machine) []collect.Observation {
	var seen []collect.Observation
	for _, p := range a.Pools {
		listed := slices.ContainsFunc(machines, func(m target.Machine) bool { return strings.EqualFold(p.Name, m.Pool) })
		if !listed && !stopped(p) && p.Count > 0 {
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: "agentPools/" + p.Name,
				Reason: report.ReasonNotFound, Message: fmt.Sprintf("the node pool %q should have nodes (%d), and none was listed", p.Name, p.Count), Retryable: true,
				Hint: "try again when the pool is not being scaled or upgraded"}})
		}
	}
	return seen
}

// quote makes s one word for a POSIX shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == "" && s[0] != '-' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
