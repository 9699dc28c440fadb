package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// saved reads a report that akscert wrote: a file, or stdin for "-".
func saved(ctx context.Context, s streams, name string) (*report.Report, error) {
	from := name
	if name == "-" {
		from = "stdin"
	}
	r, err := collect.Await(ctx, func() (*report.Report, error) {
		if name == "-" {
			return report.Read(s.in)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return report.Read(f)
	})
	var bad *report.Error
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &bad):
		return nil, hinted{fmt.Errorf("reading the report %s: %s", from, bad.Message), bad.Hint}
	}
	var by interrupted
	if errors.As(err, &by) {
		return nil, fmt.Errorf("reading the report %s: %w", from, err)
	}
	return nil, hinted{fmt.Errorf("reading the report %s: %w", from, collect.Cause(err)), "name a file that akscert audit -o json or -o ndjson wrote, or - for stdin"}
}
