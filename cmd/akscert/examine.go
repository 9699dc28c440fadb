package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// examination is the middle of the sentence: what is looked at, with what, and
// what it is judged by.
type examination struct {
	targets    []target.Target
	collectors []collect.Collector
	fleet      collect.Fleet
	input      audit.Input
	progress   *progress           // nil for none
	visited    func(collect.Visit) // told of each target; nil for nobody
}

// examine collects from every target and judges each as it comes back. A stream
// is written meanwhile; then the report that comes back holds only what is of no
// cluster.
func (j judge) examine(ctx context.Context, e examination) (*report.Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := audit.New(e.input)
	stream := j.output == "ndjson"
	var failed error
	var kept []report.Part
	write := func(document any) {
		if err := render.Line(j.s.out, document); err != nil && failed == nil {
			failed = unwritten(err)
			cancel(failed) // nobody reads what would still come
		}
	}
	// What inspect is given may turn out to be nothing, which leaves stdout empty.
	if stream && len(e.targets) > 0 && e.targets[0].Operand == "" {
		header := a.Header()
		header.Tool, header.StartedAt = tool(), j.started.UTC().Truncate(time.Second)
		write(header)
		*j.begun = true
	}
	if e.progress != nil {
		e.progress.expect(len(e.targets))
		defer e.progress.end()
	}
	collect.Each(ctx, e.targets, e.collectors, e.fleet, func(v collect.Visit) {
		for _, b := range v.Batches {
			j.said("looked at %s of %s in %s", b.Source, render.Visible(b.Target.Name+b.Target.Operand), b.Took.Round(time.Millisecond))
		}
		if e.progress != nil {
			e.progress.visited(v)
		}
		if e.visited != nil {
			e.visited(v)
		}
		a.Add(v)
		if stream && len(v.Batches) > 0 && v.Batches[0].Target.Operand == "" {
			part := a.Take()
			write(part)
			if len(j.files) > 0 || j.annotate != "" {
				kept = append(kept, part)
			}
		}
	})
	code := 0
	var by interrupted
	if errors.As(context.Cause(ctx), &by) {
		code = by.code()
	}
	return whole(a.Close(code), kept), failed
}

// whole is a report with the parts of a stream that were kept, for what is
// written besides the stream.
func whole(r *report.Report, parts []report.Part) *report.Report {
	have := map[string]bool{} // clusters may share a remedy
	for _, remedy := range r.Remedies {
		have[remedy.ID] = true
	}
	for _, p := range parts {
		r.Clusters, r.Nodes, r.Certificates = append(r.Clusters, p.Cluster), append(r.Nodes, p.Nodes...), append(r.Certificates, p.Certificates...)
		r.Findings, r.Gaps = append(r.Findings, p.Findings...), append(r.Gaps, p.Gaps...)
		for _, remedy := range p.Remedies {
			if !have[remedy.ID] {
				have[remedy.ID], r.Remedies = true, append(r.Remedies, remedy)
			}
		}
	}
	r.Sort()
	return r
}

func tool() report.Tool { return report.Tool{Name: "akscert", Version: version()} }

func unwritten(err error) error {
	return hinted{fmt.Errorf("writing the report: %w", err), "nothing of a partly written report can be trusted: make room and run it again"}
}
