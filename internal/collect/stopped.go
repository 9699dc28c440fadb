package collect

import (
	"fmt"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// NotRunning is one gap for a stopped cluster, or one for each stopped pool of
// one that runs. Their nodes are not asked. Every source that meets them words
// them by this, and audit folds them into one.
func NotRunning(a target.ARM) []Observation {
	if a.Stopped() {
		return []Observation{{Gap: &Gap{Reason: report.ReasonNotRunning, Message: "the cluster is stopped",
			Hint: "az aks start " + a.Flags()}}}
	}
	var seen []Observation
	for _, p := range a.Pools {
		if p.Stopped() {
			seen = append(seen, Observation{Gap: &Gap{Location: "agentPools/" + p.Name, Reason: report.ReasonNotRunning,
				Message: fmt.Sprintf("the node pool %q is stopped", p.Name),
				Hint:    "az aks nodepool start " + a.PoolFlags() + " --name " + target.Quote(p.Name)}})
		}
	}
	return seen
}
