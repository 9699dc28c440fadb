package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// lockedDown is the one gap for a cluster whose node resource group refuses
// run-command.
func lockedDown(a target.ARM) *collect.Gap {
	return &collect.Gap{Reason: report.ReasonLockedDown, Hint: runByHand,
		Message: fmt.Sprintf("the node resource group %q is locked down: it refuses run-command", a.NodeResourceGroup)}
}

// runs says whether m is to be asked: all but the machines of a stopped pool.
func runs(a target.ARM, m target.Machine) bool {
	return !slices.ContainsFunc(a.Pools, func(p target.Pool) bool { return p.Stopped() && strings.EqualFold(p.Name, m.Pool) })
}

// unlisted has a gap for each running pool that says it has nodes and of which
// no machine was listed.
func unlisted(a target.ARM, machines []target.Machine) []collect.Observation {
	var seen []collect.Observation
	for _, p := range a.Pools {
		listed := slices.ContainsFunc(machines, func(m target.Machine) bool { return strings.EqualFold(p.Name, m.Pool) })
		if !listed && !p.Stopped() && p.Count > 0 {
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: "agentPools/" + p.Name,
				Reason: report.ReasonNotFound, Message: fmt.Sprintf("the node pool %q should have nodes (%d), and none was listed", p.Name, p.Count), Retryable: true,
				Hint: "try again when the pool is not being scaled or upgraded"}})
		}
	}
	return seen
}
