package render

import (
	"io"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// Every format that concludes something says where not every node was asked, and
// is silent where all were: the golden files are of reports that asked all.
func TestSampleIsTold(t *testing.T) {
	const sample = "only a sample of the nodes: per-pool=1"
	for name, test := range map[string]struct {
		draw func(io.Writer, *report.Report) error
		want []string
	}{
		"table":    {func(w io.Writer, r *report.Report) error { return Table(w, r, Look{}) }, []string{"\nresult: ok: 2 ok; " + sample + " (as of 2026-06-01 12:00:00Z, exit 0)\n"}},
		"wide":     {func(w io.Writer, r *report.Report) error { return Table(w, r, Look{Wide: true}) }, []string{"; " + sample + " (as of "}},
		"markdown": {Markdown, []string{"## akscert: ok; " + sample + "\n"}},
		"html":     {HTML, []string{"<title>AKS certificates, 2026-06-01: ok; " + sample + "</title>", " This is " + sample + ".</span></p>"}},
		"nagios":   {Nagios, []string{"AKSCERT OK - 2 ok; " + sample + " | "}},
		"junit":    {JUnit, []string{`<property name="sampling" value="` + sample + `"></property>`}},
		"sarif": {func(w io.Writer, r *report.Report) error {
			return SARIF(w, r, nil, Checkout{Root: "/src", Dir: "/src"})
		}, []string{`"id": "sampled"`, `"level": "note"`, `"text": "` + sample + `"`}},
		"prometheus": {Prometheus, []string{"\n# TYPE akscert_audit_sampled gauge\nakscert_audit_sampled{sampling=\"per-pool=1\"} 1\n"}},
	} {
		r := clean()
		whole := string(drawn(t, test.draw, r))
		r.Sampling = "per-pool=1"
		out := string(drawn(t, test.draw, r))
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
			if strings.Contains(whole, want) && want != `"level": "note"` {
				t.Errorf("%s: %q of what is whole", name, want)
			}
		}
		if read := readers()[name]; read != nil {
			read(t, []byte(out), r)
		}
	}
	if out := string(drawn(t, Prometheus, clean())); !strings.Contains(out, "\nakscert_audit_sampled 0\n") {
		t.Errorf("of what is whole:\n%s", out)
	}
}
