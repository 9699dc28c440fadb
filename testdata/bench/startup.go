package main

import (
	"context"
	"os/exec"
)

// startUp is how long it takes to say something at all.
func startUp(b *bench, ctx context.Context) error {
	programs := []func() (run, error){func() (run, error) { return b.measure(ctx, nil, b.akscert, "version") }}
	kubectl, err := exec.LookPath("kubectl")
	if err == nil {
		programs = append(programs, func() (run, error) { return b.measure(ctx, nil, kubectl, "version", "--client") })
	}
	all, err := turns(20, programs...)
	if err != nil {
		return err
	}
	title("start-up (akscert version), median of 20")
	if len(all) < 2 {
		told("wall time", "%s; kubectl is not here to compare with", short(median(all[0]).wall))
		return nil
	}
	b.ratio("wall time", median(all[0]).wall, median(all[1]).wall, "kubectl version --client", 1)
	return nil
}
