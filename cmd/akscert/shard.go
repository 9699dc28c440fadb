package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// The environment of a pod of an Indexed Job says which one it is. Kubernetes
// sets the first; the manifest sets the second.
const (
	shardIndex = "JOB_COMPLETION_INDEX"
	shardCount = "AKSCERT_SHARD_COUNT"
)

// readShard reads --shard I/N, or the environment of an Indexed Job; nil for the
// whole.
func readShard(flag string) (*report.Shard, error) {
	index, count, from := os.Getenv(shardIndex), os.Getenv(shardCount), shardIndex+" and "+shardCount
	if flag != "" {
		from = "--shard"
		var ok bool
		if index, count, ok = strings.Cut(flag, "/"); !ok {
			return nil, hinted{fmt.Errorf("invalid --shard %q", flag), "give it as 0/3, 1/3 and 2/3: which part, counted from 0, of how many"}
		}
	}
	switch {
	case index == "" && count == "":
		return nil, nil
	case count == "":
		return nil, hinted{errors.New(shardIndex + " says that this is one of several, and not of how many"), "set " + shardCount + " to the Job's completions, or give --shard I/N; for an audit of everything unset " + shardIndex}
	case index == "":
		return nil, hinted{errors.New(shardCount + " says of how many this is one, and not which"), "make the Job's completionMode Indexed, or give --shard I/N"}
	}
	i, errIndex := strconv.Atoi(index)
	n, errCount := strconv.Atoi(count)
	if errIndex != nil || errCount != nil || i < 0 || n < 1 || i >= n || n > 10000 || index != strconv.Itoa(i) || count != strconv.Itoa(n) {
		return nil, hinted{fmt.Errorf("invalid shard %s/%s from %s", index, count, from), "parts are counted from 0: 0/3, 1/3 and 2/3"}
	}
	return &report.Shard{Index: i, Count: n}, nil
}

// mine are the targets of a shard. A cluster is always in the same one: what
// decides is a hash of its id, not the order it was found in. The hash mixes well:
// of FNV-1a's the lowest bit is but the bytes' parity, which for rg-aks-07/aks-07
// and all its like is the same.
func mine(targets []target.Target, shard *report.Shard) []target.Target {
	if shard == nil {
		return targets
	}
	var kept []target.Target
	for _, t := range targets {
		sum := sha256.Sum256([]byte(t.ID))
		if binary.BigEndian.Uint64(sum[:8])%uint64(shard.Count) == uint64(shard.Index) {
			kept = append(kept, t)
		}
	}
	return kept
}

// readSampling reads --nodes: how many of a pool, and 0 for all.
func readSampling(flag string) (perPool int, err error) {
	if flag == "all" {
		return 0, nil
	}
	if number, ok := strings.CutPrefix(flag, "per-pool="); ok {
		if perPool, err = strconv.Atoi(number); err == nil && perPool > 0 {
			return perPool, nil
		}
	}
	return 0, hinted{fmt.Errorf("invalid --nodes %q", flag), "give all, or how many of each pool, as per-pool=3"}
}
