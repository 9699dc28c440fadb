package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// What was not asked for is not gone, and what nobody may read any more is not
// either.
func TestCompareKnowsTheScope(t *testing.T) {
	of := func(scope string, names ...string) *Report {
		var all []*Report
		for _, n := range names {
			all = append(all, healthy(n))
		}
		r, err := Merge(all)
		if err != nil {
			t.Fatal(err)
		}
		r.Scope = []string{scope}
		for i := range r.Clusters {
			r.Clusters[i].SubscriptionID = "s-" + r.Clusters[i].ID
		}
		return r
	}
	change := func(old, new *Report) (Change, bool) {
		d := Compare(old, new)
		for _, c := range d.Clusters {
			if c.Cluster == "b" {
				return c.Change, d.Worse
			}
		}
		return "", d.Worse
	}
	if got, worse := change(of("--all", "a", "b"), of("--name=a", "a")); got != ChangeNotExamined || worse {
		t.Errorf("another scope: %s, worse %t", got, worse)
	}
	if got, worse := change(of("--all", "a", "b"), of("--all", "a")); got != ChangeNotExamined || !worse {
		t.Errorf("the last of its subscription: %s, worse %t", got, worse)
	}
	old, new := of("--all", "a", "b"), of("--all", "a")
	old.Clusters[1].SubscriptionID = new.Clusters[0].SubscriptionID
	if got, worse := change(old, new); got != ChangeGone || worse {
		t.Errorf("the same scope, and others of its subscription are there: %s, worse %t", got, worse)
	}
}

func TestComparable(t *testing.T) {
	old, new := healthy("a"), healthy("a")
	if err := Comparable(old, new); err != nil {
		t.Error(err)
	}
	new.Policy.FailOn = SeverityExpired // makes nothing worse
	if err := Comparable(old, new); err != nil {
		t.Error(err)
	}
	new.Policy.WarnAt = "1d"
	if err := Comparable(old, new); err == nil || !strings.Contains(err.Error(), "1d") {
		t.Error(err)
	}
	new = healthy("a")
	new.AsOf = old.AsOf.Add(-time.Hour)
	if err := Comparable(old, new); err == nil || !strings.Contains(err.Error(), "older") {
		t.Error(err)
	}
}

// A value is bounded before it is held, and so are spaces.
func TestReadHoldsNoHugeValue(t *testing.T) {
	for name, junk := range map[string]string{"a string": `"` + strings.Repeat("x", 3*maxRow) + `"`, "spaces": strings.Repeat(" ", 3*maxRow) + `1`} {
		m := &counting{r: strings.NewReader(`{"kind":"CertificateAudit","junk":` + junk + `}`)}
		_, err := Read(m)
		if err == nil || !strings.Contains(err.Error(), "larger than") || m.n > 2*maxRow+1<<20 {
			t.Errorf("%s: %v after %d bytes", name, err, m.n)
		}
	}
}

type counting struct {
	r *strings.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// Last week's part is not this week's.
func TestMergeOfOldParts(t *testing.T) {
	a, b := healthy("a"), healthy("b")
	b.AsOf = a.AsOf.AddDate(0, 0, -7)
	r, err := Merge([]*Report{a, b})
	if err != nil || !r.AsOf.Equal(b.AsOf) || len(r.Gaps) != 1 || !strings.Contains(r.Gaps[0].Message, "may not be now") || r.Complete {
		t.Errorf("%v: as of %s, %+v", err, r.AsOf, r.Gaps)
	}
	if !bytes.Contains(encode(t, r), []byte("may not be now")) {
		t.Error("not in the report")
	}
}
