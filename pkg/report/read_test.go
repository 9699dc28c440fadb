package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// edited is a sound report with one thing in its JSON changed.
func edited(t testing.TB, old, new string) string {
	t.Helper()
	b := string(encode(t, random(5)))
	if !strings.Contains(b, old) {
		t.Fatalf("no %s in %s", old, b)
	}
	return strings.Replace(b, old, new, 1)
}

func TestReadRefuses(t *testing.T) {
	whole, lines := string(encode(t, random(5))), strings.SplitAfter(string(stream(t, random(5))), "\n")
	join := func(lines ...string) string { return strings.Join(lines, "") }
	header, part, closing := lines[0], lines[1], lines[len(lines)-2]
	tests := []struct {
		name, in string
		want     Problem
		message  string
	}{
		{"nothing", "", ProblemCutShort, "empty"},
		{"white space", " \n", ProblemCutShort, "empty"},
		{"text", "cluster  expires\n", ProblemNotJSON, "not JSON"},
		{"UTF-16", "\xff\xfe{\x00", ProblemNotJSON, "UTF-16"},
		{"a list", "[" + whole + "]", ProblemKind, "not a report"},
		{"a number", strings.Repeat("1", 400), ProblemKind, "not a report"},
		{"a word", `"report"`, ProblemKind, "not a report"},
		{"no kind", "{}", ProblemKind, "no kind"},
		{"a Kubernetes list", `{"apiVersion":"v1","nodes":{"a":[[1]]},"items":[],"kind":"List"}`, ProblemKind, `"List"`},
		{"a comparison", `{"kind":"CertificateAuditComparison"}`, ProblemKind, "comparison"},
		{"a long kind", `{"kind":"` + strings.Repeat("x", 500) + `"}`, ProblemKind, "…"},
		{"the next major version", edited(t, `"schemaVersion":"1.0"`, `"schemaVersion":"2.0"`), ProblemVersion, "2.0"},
		{"no version", edited(t, `"schemaVersion":"1.0"`, `"schemaVersion":"one"`), ProblemInvalid, "one"},
		{"a stream of another version", join(header, strings.Replace(part, `"1.0"`, `"3.1"`, 1), closing), ProblemVersion, "3.1"},
		{"cut in the middle", whole[:len(whole)/2], ProblemCutShort, "cut short"},
		{"cut before the end", whole[:len(whole)-2], ProblemCutShort, "cut short"},
		{"a stream without its summary", join(lines[:len(lines)-2]...), ProblemCutShort, "no summary"},
		{"a stream cut in a line", join(header, part[:len(part)/2]), ProblemCutShort, "no summary"},
		{"a stream of a header", header, ProblemCutShort, "after 0 of its clusters"},
		{"a stream without its header", join(lines[1:]...), ProblemCutShort, "header"},
		{"a stream without one part", join(append([]string{header}, lines[2:]...)...), ProblemCutShort, "not all there"},
		{"a report without a row", edited(t, `"gaps":[`, `"gaps":[{"source":"arm","count":1,"reason":"busy","message":"more"},`), ProblemCutShort, "not all there"},
		{"text after it", whole + "done", ProblemTrailing, "follows"},
		{"a second report", whole + whole, ProblemTrailing, "follows"},
		{"a second stream", join(lines...) + join(lines...), ProblemTrailing, "follows"},
		{"a header in a stream", join(header, header), ProblemTrailing, "inside the stream"},
		{"a foreign line in a stream", join(header, "{}\n", closing), ProblemKind, "no kind"},
		{"null for a list", edited(t, `"nodes":[`, `"nodes":null,"was":[`), ProblemInvalid, "nodes is null"},
		{"null in a list", edited(t, `"nodes":[`, `"nodes":[null,`), ProblemInvalid, "nodes[0] is null"},
		{"no list", edited(t, `"gaps":[`, `"was":[`), ProblemInvalid, "no gaps"},
		{"null for a cluster's list", edited(t, `"sources":[`, `"sources":null,"was":[`), ProblemInvalid, "sources"},
		{"null for a remedy's commands", edited(t, `"commands":[]`, `"commands":null`), ProblemInvalid, "commands"},
		{"a list twice", edited(t, `"gaps":[`, `"gaps":[],"gaps":[`), ProblemInvalid, "twice"},
		{"an unknown state", edited(t, `"state":"expired"`, `"state":"doubtful"`), ProblemInvalid, "doubtful"},
		{"an unknown severity", edited(t, `"severity":"critical"`, `"severity":"none"`), ProblemInvalid, "none"},
		{"an unknown outcome", edited(t, `"outcome":"`, `"outcome":"not-`), ProblemInvalid, "outcome"},
		{"another exit code", edited(t, `"exitCode":`, `"exitCode":4`), ProblemInvalid, "exit code"},
		{"a date of its own", edited(t, `"asOf":"2026-`, `"asOf":"June 2026-`), ProblemInvalid, "RFC 3339"},
		{"a number for a word", edited(t, `"location":"/`, `"location":7,"was":"/`), ProblemInvalid, "location"},
		{"no instant", edited(t, `"asOf":"2026-06-01T12:00:00Z"`, `"asOf":"0001-01-01T00:00:00Z"`), ProblemInvalid, "asOf"},
		{"time running backwards", edited(t, `"durationSeconds":`, `"durationSeconds":-`), ProblemInvalid, "durationSeconds"},
		{"a shard beyond the last", edited(t, `"policy":`, `"shard":{"index":3,"count":3},"policy":`), ProblemInvalid, "shard"},
		{"a gap for nothing", edited(t, `"count":1,"reason"`, `"count":0,"reason"`), ProblemInvalid, "count"},
		{"nested for ever", `{"nodes":` + strings.Repeat(`{"a":`, 2*maxDepth), ProblemTooLarge, "nested"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Read(strings.NewReader(tt.in))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("report %v, error %v", r, err)
			}
			if e.Problem != tt.want || !strings.Contains(e.Message, tt.message) || e.Hint == "" || r != nil {
				t.Errorf("%s: %s (hint: %s)", e.Problem, e.Message, e.Hint)
			}
		})
	}
}

func TestReadTolerates(t *testing.T) {
	want := random(5)
	tests := []struct{ name, in string }{
		{"a newer minor version", edited(t, `"schemaVersion":"1.0"`, `"schemaVersion":"1.9"`)},
		{"fields that are not known", edited(t, `"clusters":[`, `"invented":{"a":[1,null]},"clusters":[`)},
		{"fields of a row that are not known", edited(t, `{"rule":`, `{"invented":[[]],"rule":`)},
		{"a byte order mark", "\xef\xbb\xbf" + string(encode(t, want))},
		{"white space after it", string(encode(t, want)) + "\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Read(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got.SchemaVersion = want.SchemaVersion
			equal(t, got, want)
		})
	}
	// Words that describe are kept, not judged.
	got, err := Read(strings.NewReader(edited(t, `"reason":"`, `"reason":"not-thought-of-`)))
	if err != nil || !strings.HasPrefix(string(got.Gaps[0].Reason), "not-thought-of-") {
		t.Errorf("%v", err)
	}
}

func TestReadBounds(t *testing.T) {
	whole := encode(t, random(5))
	for name, read := range map[string]func() (*Report, error){
		"bytes":  func() (*Report, error) { return read(bytes.NewReader(whole), int64(len(whole)-1), maxValues) },
		"values": func() (*Report, error) { return read(bytes.NewReader(whole), maxBytes, 10) },
		"one value": func() (*Report, error) {
			return Read(strings.NewReader(`{"kind":"` + strings.Repeat("x", maxRow) + `"}`))
		},
	} {
		var e *Error
		if _, err := read(); !errors.As(err, &e) || e.Problem != ProblemTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read(bytes.NewReader(whole), int64(len(whole)), maxValues); err != nil {
		t.Errorf("a report as large as may be: %v", err)
	}
}

// A reader that fails is told from a report that is damaged.
func TestReadFails(t *testing.T) {
	broken := errors.New("the disk is on fire")
	whole := encode(t, random(5))
	for _, n := range []int{0, 1, len(whole) / 2, len(whole) - 1, len(whole)} {
		_, err := Read(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken)))
		var e *Error
		if !errors.Is(err, broken) || errors.As(err, &e) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// However a report is cut, it is not taken for a whole one.
func TestReadCutAnywhere(t *testing.T) {
	for name, whole := range map[string][]byte{"json": encode(t, random(5)), "ndjson": stream(t, random(5))} {
		for n := 0; n < len(whole)-1; n += 7 {
			var e *Error
			if _, err := Read(bytes.NewReader(whole[:n])); !errors.As(err, &e) || e.Problem != ProblemCutShort {
				t.Fatalf("%s, %d bytes: %v", name, n, err)
			}
		}
	}
}

// What is read once is written and read again as the same, by either way.
func FuzzRead(f *testing.F) {
	small := healthy("a")
	small.Findings, small.Remedies = []Finding{{Rule: "x", Severity: SeverityDue, Cluster: "a", RemedyID: "r"}}, []Remedy{{ID: "r", Commands: []string{}}}
	small.Gaps = []Gap{{Cluster: "a", Source: SourceNode, Node: "pool-0", Count: 1}, {Source: SourceARM, Count: 1}}
	for _, r := range []*Report{concluded(empty()), concluded(small)} {
		f.Add(encode(f, r))
		f.Add(stream(f, r))
	}
	f.Add([]byte(`{"kind":"CertificateAudit","nodes":{"a":[[`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Read(bytes.NewReader(in))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" || r != nil {
				t.Fatalf("%v: %v", r, err)
			}
			return
		}
		again, err := Read(bytes.NewReader(encode(t, r)))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, again, r)
		r.SchemaVersion = SchemaVersion
		r.Sort()
		if again, err = Read(bytes.NewReader(stream(t, r))); err != nil {
			t.Fatal(err)
		}
		equal(t, again, r)
		if merged, err := Merge([]*Report{r, again}); err != nil || len(merged.Clusters) > len(r.Clusters) {
			t.Fatal(fmt.Errorf("merging it with itself: %w", err))
		}
		if c := Compare(r, again); c.Worse || len(c.Certificates)+len(c.Clusters)+len(c.Findings)+len(c.Gaps) > 0 {
			t.Fatalf("comparing it with itself: %+v", c)
		}
	})
}
