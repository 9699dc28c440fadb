// Package arm tells what the ARM resource that discovery read already says is
// out of reach: a stopped cluster, a stopped pool. It asks nothing itself.
package arm

import (
	"context"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Collector reads a target's ARM resource.
type Collector struct{}

// Source is report.SourceARM.
func (Collector) Source() report.Source { return report.SourceARM }

// Collect brings a gap for what is stopped. The facts of the resource are the
// target's own.
func (Collector) Collect(_ context.Context, t target.Target) []collect.Observation {
	if t.ARM == nil {
		return []collect.Observation{{Skipped: &collect.Skipped{Why: "no ARM resource: name the cluster with --resource-group and --name"}}}
	}
	if t.ARM.Listed { // and then not read, for which discovery has a gap
		return []collect.Observation{{Skipped: &collect.Skipped{Why: "the cluster's ARM resource could not be read"}}}
	}
	return collect.NotRunning(*t.ARM)
}
