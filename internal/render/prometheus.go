package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/akscert/akscert/pkg/report"
)

// Prometheus writes the report as metrics in the text exposition format, for the
// textfile collector of node_exporter or for a Pushgateway. There are no sample
// timestamps, which either refuses, and a certificate's labels say where it is
// and not which it is: a renewal moves a series, and makes no new one.
//
// What is one of several words (a state, a verdict) has one series, of the word
// that holds, with the value 1: a fleet has too many certificates for a zero for
// every word that does not.
func Prometheus(out io.Writer, r *report.Report) error {
	w := bufio.NewWriter(out)
	for _, f := range append(ofCertificates(r), append(ofClusters(r), ofAudit(r)...)...) {
		f.write(w)
	}
	return w.Flush()
}

// family is a metric: all are gauges.
type family struct {
	name, help string
	samples    []sample
}

type sample struct {
	labels labels
	value  float64
}

// labels are pairs of name and value, in order; without a value one is not there.
type labels [][2]string

func (l labels) String() string {
	var b strings.Builder
	for _, pair := range l {
		if pair[1] == "" {
			continue
		}
		b.WriteString(map[bool]string{true: "{", false: ","}[b.Len() == 0])
		fmt.Fprintf(&b, `%s="%s"`, pair[0], quotedLabel(pair[1]))
	}
	if b.Len() > 0 {
		b.WriteByte('}')
	}
	return b.String()
}

// quotedLabel escapes a label's value: a backslash, a quote and a line end are
// the three that the format has escapes for.
func quotedLabel(s string) string {
	if s = Visible(s); !strings.ContainsAny(s, "\\\"\n") {
		return s
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

func (f family) write(w io.Writer) {
	if len(f.samples) == 0 {
		return
	}
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", f.name, f.help, f.name)
	lines := make([]string, len(f.samples))
	for i, s := range f.samples {
		lines[i] = f.name + s.labels.String() + " " + strconv.FormatFloat(s.value, 'f', -1, 64) + "\n"
	}
	slices.Sort(lines)
	for _, line := range lines {
		_, _ = io.WriteString(w, line) // Flush tells
	}
}

func ofCertificates(r *report.Report) []family {
	after := family{name: "akscert_cert_not_after_timestamp_seconds", help: "When the certificate expires, in seconds since 1970."}
	before := family{name: "akscert_cert_not_before_timestamp_seconds", help: "When the certificate begins to be valid, in seconds since 1970."}
	state := family{name: "akscert_cert_state", help: "1 for the state that the certificate was in when it was judged."}
	l := newLookup(r)
	rows := slices.Clone(r.Certificates)
	slices.SortStableFunc(rows, func(x, y report.Certificate) int { return cmp.Compare(x.ID, y.ID) })
	seen := map[string]int{}
	for _, c := range rows {
		at := append(l.cluster(c.Cluster), [2]string{"source", string(c.Source)}, [2]string{"role", string(c.Role)}, [2]string{"node", c.Node}, [2]string{"location", c.Location})
		seen[at.String()]++
		if n := seen[at.String()]; n > 1 { // several in one place: a series is there once
			at = append(at, [2]string{"nth", strconv.Itoa(n)})
		}
		if c.NotAfter != nil {
			after.samples = append(after.samples, sample{at, seconds(*c.NotAfter)})
		}
		if c.NotBefore != nil {
			before.samples = append(before.samples, sample{at, seconds(*c.NotBefore)})
		}
		state.samples = append(state.samples, sample{slices.Concat(at, labels{{"state", string(c.State)}}), 1})
	}
	return []family{after, before, state}
}

// cluster is the labels that name a cluster; none for rows of no cluster.
func (l lookup) cluster(id string) labels {
	return labels{{"cluster", l.name(id)}, {"cluster_id", id}}
}

func ofClusters(r *report.Report) []family {
	up := family{name: "akscert_source_up", help: "Whether the source of the cluster answered, in part at least; one that was left out by design is not there."}
	rotation := family{name: "akscert_rotation_verdict", help: "1 for the verdict whether the certificates of the cluster renew themselves."}
	l := newLookup(r)
	sources, verdicts, gaps, findings := counts{}, counts{}, counts{}, counts{}
	for _, c := range r.Clusters {
		for _, s := range c.Sources {
			if s.Status != report.StatusSkipped {
				sources.add(append(l.cluster(c.ID), [2]string{"source", string(s.Source)}), map[bool]int{true: 1}[s.Status != report.StatusFailed])
			}
		}
		if c.Rotation != nil {
			verdicts.add(append(l.cluster(c.ID), [2]string{"verdict", string(c.Rotation.Verdict)}), 1)
		}
	}
	for _, g := range r.Gaps {
		gaps.add(append(l.cluster(g.Cluster), [2]string{"source", string(g.Source)}, [2]string{"reason", string(g.Reason)}, [2]string{"waived", isWaived(g.Waiver)}), g.Count)
	}
	for _, f := range r.Findings {
		findings.add(append(l.cluster(f.Cluster), [2]string{"rule", f.Rule}, [2]string{"severity", string(f.Severity)}, [2]string{"waived", isWaived(f.Waiver)}), 1)
	}
	up.samples, rotation.samples = sources.atMost(1), verdicts.atMost(1)
	return []family{up,
		{"akscert_gaps", "Places that could not be examined.", gaps.samples()}, rotation,
		{"akscert_findings", "Findings.", findings.samples()}}
}

// isWaived is a label that is there for what is waived alone.
func isWaived(by *report.Waived) string { return map[bool]string{true: "true"}[by != nil] }

// counts adds up by labels, so that none is there twice.
type counts map[string]sample

func (c counts) add(of labels, n int) {
	key := of.String()
	c[key] = sample{of, c[key].value + float64(n)}
}

func (c counts) samples() []sample {
	var all []sample
	for _, s := range c {
		all = append(all, s)
	}
	return all
}

func (c counts) atMost(most float64) []sample {
	all := c.samples()
	for i := range all {
		all[i].value = min(all[i].value, most)
	}
	return all
}

func ofAudit(r *report.Report) []family {
	var shard labels // of several files, each has its own audit
	if r.Shard != nil {
		shard = labels{{"shard", fmt.Sprintf("%d/%d", r.Shard.Index, r.Shard.Count)}}
	}
	nodes := append(slices.Clone(shard), [2]string{"sampling", r.Sampling})
	one := func(name, help string, value float64) family {
		return family{name, help, []sample{{shard, value}}}
	}
	given := counts{}
	for _, w := range r.Waivers {
		given.add(labels{{"id", w.ID}, {"kind", string(w.Kind)}, {"status", string(w.Status)}}, 1)
	}
	return []family{
		{"akscert_waiver", "1 for each waiver that the audit was given, with what became of it: used, unused, expired.", given.atMost(1)},
		one("akscert_audit_complete", "Whether all that was asked for was examined.", map[bool]float64{true: 1}[r.Complete]),
		{"akscert_audit_sampled", "Whether only a sample of the nodes was asked; the label says which.", []sample{{nodes, map[bool]float64{true: 1}[r.Sampling != ""]}}},
		one("akscert_audit_exit_code", "The exit code of the audit: 0 nothing, 1 findings, 3 incomplete, 130 or 143 interrupted.", float64(r.ExitCode)),
		one("akscert_audit_last_run_timestamp_seconds", "When the audit began, in seconds since 1970.", seconds(r.StartedAt)),
		one("akscert_audit_duration_seconds", "How long the audit took.", r.DurationSeconds),
	}
}

func seconds(t time.Time) float64 { return float64(t.Unix()) }
