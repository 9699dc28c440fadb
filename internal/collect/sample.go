package collect

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
)

// Sample is at most perPool nodes of each pool, and all of them where perPool is
// 0. Which ones depends on their names alone: every source, and the same audit
// tomorrow, takes the same.
func Sample[T any](nodes []T, perPool int, of func(T) (pool, name string)) []T {
	if perPool <= 0 {
		return nodes
	}
	order := make([]int, len(nodes))
	draw := make([]uint64, len(nodes))
	for i, n := range nodes {
		_, name := of(n)
		h := fnv.New64a()
		_, _ = h.Write([]byte(strings.ToLower(name)))
		order[i], draw[i] = i, h.Sum64()
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(draw[x], draw[y]) })
	taken := map[string]int{}
	keep := make([]bool, len(nodes))
	for _, i := range order {
		pool, _ := of(nodes[i])
		keep[i] = taken[pool] < perPool
		taken[pool]++
	}
	var sample []T
	for i, n := range nodes {
		if keep[i] {
			sample = append(sample, n)
		}
	}
	return sample
}
