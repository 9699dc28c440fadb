package main

import (
	"fmt"
	"testing"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Every cluster is in one shard, and shards are of a size, however regular the
// names are.
func TestMine(t *testing.T) {
	const clusters = 1200
	for _, pattern := range []string{"rg-aks-%03[1]d/aks-%03[1]d", "prod/aks-%03[1]d", "rg-%03[1]d/aks", "%03[1]d/%03[1]d/%03[1]d"} {
		var all []target.Target
		for i := range clusters {
			all = append(all, target.Target{ID: fmt.Sprintf("/subscriptions/1/"+pattern, i)})
		}
		for _, n := range []int{1, 2, 3, 4, 6, 8, 16} {
			in := map[string]int{}
			for i := range n {
				part := mine(all, &report.Shard{Index: i, Count: n})
				if want := clusters / n; len(part) < want/2 || len(part) > want*2 {
					t.Errorf("%s: %d of %d clusters in shard %d/%d", pattern, len(part), clusters, i, n)
				}
				for _, c := range part {
					in[c.ID]++
				}
			}
			if len(in) != clusters {
				t.Errorf("%s: %d clusters in all %d shards", pattern, len(in), n)
			}
		}
	}
}
