package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// PluginStatus is a report as a monitoring plugin says it: 0 OK, 1 WARNING, 2
// CRITICAL, 3 UNKNOWN. It is drawn from what the report concluded: where its exit
// code is 1, it is critical or a warning by the worst that failed it; where it is
// not complete, unknown; and OK where it is 0. Where something was not examined
// and there is no certificate to speak for, that is unknown too, also where the
// exit code is 0 because that is waived or allowed.
func PluginStatus(r *report.Report) (code int, word string) {
	switch r.ExitCode {
	case report.ExitOK:
		if r.Complete || len(r.Certificates) > 0 {
			return 0, "OK"
		}
	case report.ExitFindings:
		for _, f := range r.Findings {
			if fails(r, f) && f.Severity.Rank() >= report.SeverityCritical.Rank() {
				return 2, "CRITICAL"
			}
		}
		return 1, "WARNING"
	}
	return 3, "UNKNOWN"
}

// Nagios writes one line with performance data, as the Monitoring Plugins
// development guidelines have it. The line says the status in a word; which exit
// code goes with it is the caller's to decide.
func Nagios(w io.Writer, r *report.Report) error {
	_, word := PluginStatus(r)
	data := []string{}
	for _, n := range byState(r) {
		data = append(data, fmt.Sprintf("'%s'=%d;;;0", n.word, n.count))
	}
	line := "AKSCERT " + word + " - " + tally(r)
	places, accepted := places(r)
	if places > 0 {
		line += fmt.Sprintf("; %s not examined%s", counted(places, "place"), ofThem(places, accepted))
	}
	if r.Summary.Waived > 0 {
		line += fmt.Sprintf("; %d waived", r.Summary.Waived)
	}
	if n := len(waivers(r, report.WaiverExpired)); n > 0 {
		line += fmt.Sprintf("; %s expired", counted(n, "waiver"))
	}
	if sample := sampled(r); sample != "" {
		line += "; " + onOneLine(sample)
	}
	if r.Outcome == report.OutcomeInterrupted {
		line += "; interrupted"
	}
	if f := worst(r); f != nil {
		line += "; worst: " + onOneLine(f.Message)
		if name := newLookup(r).name(f.Cluster); name != "" && len(r.Clusters) > 1 {
			line += " (" + onOneLine(name) + ")"
		}
	}
	data = append(data, fmt.Sprintf("gaps=%d;;;0", places), fmt.Sprintf("gaps_waived=%d;;;0", accepted), fmt.Sprintf("clusters=%d;;;0", r.Summary.Clusters), fmt.Sprintf("findings=%d;;;0", r.Summary.Findings), fmt.Sprintf("waived=%d;;;0", r.Summary.Waived))
	if soonest := soonestExpiry(r); soonest != nil {
		data = append(data, fmt.Sprintf("next_expiry=%ds", *soonest))
	}
	data = append(data, fmt.Sprintf("duration=%.3fs;;;0", r.DurationSeconds))
	_, err := fmt.Fprintf(w, "%s | %s\n", line, strings.Join(data, " "))
	return err
}

// places is how many places were not examined, and how many of them are waived.
func places(r *report.Report) (all, waived int) {
	for _, g := range r.Gaps {
		all += g.Count
		if g.Waiver != nil {
			waived += g.Count
		}
	}
	return all, waived
}

// ofThem says after a number of places how many of them are waived.
func ofThem(all, waived int) string {
	switch waived {
	case 0:
		return ""
	case all:
		return ", all waived"
	}
	return fmt.Sprintf(", %d of them waived", waived)
}

// waivers are those of one status.
func waivers(r *report.Report, status report.WaiverStatus) []report.Waiver {
	var some []report.Waiver
	for _, w := range r.Waivers {
		if w.Status == status {
			some = append(some, w)
		}
	}
	return some
}

// idle says of each waiver that has expired, and then of each that nothing needs,
// that it is so; nothing of those that are used, which their rows name.
func idle(r *report.Report) []string {
	var said []string
	for _, w := range waivers(r, report.WaiverExpired) {
		said = append(said, fmt.Sprintf("the waiver %s expired on %s: what it covered counts again (%s)", w.ID, w.Expires, w.Reason))
	}
	for _, w := range waivers(r, report.WaiverUnused) {
		said = append(said, fmt.Sprintf("the waiver %s (until %s) is unused: nothing needs it (%s)", w.ID, w.Expires, w.Reason))
	}
	return said
}

// counted is "1 place", "2 places".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// worst is the first of the worst findings that fail the report; nil for none.
func worst(r *report.Report) *report.Finding {
	for _, f := range worstFirst(r.Findings) {
		if fails(r, f) {
			return &f
		}
	}
	return nil
}

// soonestExpiry is the time left of the certificate that expires next, in
// seconds, or that expired first. A copy that nothing uses does not count.
func soonestExpiry(r *report.Report) *int64 {
	var soonest *int64
	for _, c := range r.Certificates {
		if c.SecondsLeft != nil && c.Role != report.RoleAPIServerCopy && (soonest == nil || *c.SecondsLeft < *soonest) {
			soonest = c.SecondsLeft
		}
	}
	return soonest
}

// onOneLine is text from outside before the performance data, which | begins.
// It has no HTML either: web interfaces show it as it is.
func onOneLine(s string) string {
	const most = 300 // of what is read, some keep 4 KiB or less
	s = strings.NewReplacer("|", `\u007c`, "<", `\u003c`, ">", `\u003e`, "&", `\u0026`).Replace(Visible(s))
	return clipped(s, most)
}

// clipped is at most so many characters of s.
func clipped(s string, most int) string {
	if n := []rune(s); len(n) > most {
		return string(n[:most-1]) + "…"
	}
	return s
}
