package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSample(t *testing.T) {
	var nodes []string
	for i := range 40 {
		nodes = append(nodes, fmt.Sprintf("%s/node-%02d", []string{"system", "work"}[i%2], i))
	}
	of := func(n string) (string, string) {
		pool, name, _ := strings.Cut(n, "/")
		return pool, name
	}
	got := Sample(nodes, 3, of)
	if len(got) != 6 || !slices.IsSorted(indexes(nodes, got)) {
		t.Errorf("%q, want three of each pool in their order", got)
	}
	shouted := make([]string, len(nodes))
	for i, n := range nodes {
		pool, name := of(n)
		shouted[len(nodes)-1-i] = pool + "/" + strings.ToUpper(name)
	}
	again := Sample(shouted, 3, of)
	for i := range again {
		pool, name := of(again[i])
		again[i] = pool + "/" + strings.ToLower(name)
	}
	slices.Sort(got)
	slices.Sort(again)
	if !slices.Equal(got, again) {
		t.Errorf("%q and, in another order and spelling, %q", got, again)
	}
	if got := Sample(nodes, 0, of); len(got) != len(nodes) {
		t.Errorf("all of them are %d", len(got))
	}
	if got := Sample(nodes, 100, of); len(got) != len(nodes) {
		t.Errorf("at most 100 of each are %d", len(got))
	}
}

func indexes(all, some []string) []int {
	var at []int
	for _, s := range some {
		at = append(at, slices.Index(all, s))
	}
	return at
}
