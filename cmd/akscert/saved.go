package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

// saved reads a report that akscert wrote: a file, or stdin for "-".
func saved(ctx context.Context, s streams, name string) (*report.Report, error) {
	var r *report.Report
	read := func(in io.Reader) (err error) {
		r, err = report.Read(in)
		return err
	}
	var err error
	if name == "-" {
		name = "stdin"
		err = read(s.in)
	} else if err = ctx.Err(); err == nil {
		var f *os.File
		if f, err = os.Open(name); err == nil {
			defer f.Close()
			err = read(f)
		}
	}
	var bad *report.Error
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &bad):
		return nil, hinted{fmt.Errorf("reading the report %s: %s", name, bad.Message), bad.Hint}
	}
	return nil, hinted{fmt.Errorf("reading the report %s: %w", name, collect.Cause(err)), "name a file that akscert audit -o json or -o ndjson wrote, or - for stdin"}
}
