package render

import (
	"fmt"
	"io"
	"slices"

	"github.com/akscert/akscert/pkg/report"
)

// accept lists what is waived, by whom and until when, and the waivers that have
// expired or that nothing needs.
func accept(w io.Writer, r *report.Report, look Look) {
	if len(r.Waivers) == 0 {
		return
	}
	covered := map[string][]string{} // by a waiver's id
	add := func(by *report.Waived, expired, what string) {
		if by != nil {
			expired = by.ID
		}
		covered[expired] = append(covered[expired], what)
	}
	for _, f := range r.Findings {
		add(f.Waiver, f.ExpiredWaiver, fmt.Sprintf("%s  %s: %s", severity(f, look), Visible(f.Rule), whose(r, f.Cluster)+Visible(f.Message)))
	}
	for _, g := range r.Gaps {
		add(g.Waiver, g.ExpiredWaiver, fmt.Sprintf("not examined: %s (%s)", whose(r, g.Cluster)+Visible(g.Message), Visible(string(g.Reason))))
	}
	fmt.Fprintln(w, "\nWaived")
	for _, waiver := range r.Waivers {
		name, expires := Visible(waiver.ID), Visible(waiver.Expires)
		switch waiver.Status {
		case report.WaiverExpired:
			counts := "what it covered counts again"
			if waiver.Matches == 0 {
				counts = "nothing needs it now"
			}
			fmt.Fprintf(w, "  waiver %s expired on %s: %s (%s)\n", name, expires, counts, Visible(waiver.Reason))
		case report.WaiverUnused:
			fmt.Fprintf(w, "  waiver %s (until %s) is unused: nothing needs it\n", name, expires)
			continue
		default:
			fmt.Fprintf(w, "  %s  until %s: %s\n", name, expires, Visible(waiver.Reason))
		}
		const most = 5
		rows := covered[waiver.ID]
		for i, what := range rows {
			if i == most && len(rows) > most+1 && !look.Wide && !look.All {
				fmt.Fprintf(w, "     and %d more\n", len(rows)-most)
				break
			}
			fmt.Fprintf(w, "     %s\n", what)
		}
	}
}

// severity is a finding's, in a colour that is no alarm where it is waived.
func severity(f report.Finding, look Look) string {
	as := string(f.Severity)
	if f.Waiver != nil {
		as = "info"
	}
	return paint(Visible(string(f.Severity)), as, look.Color)
}

// waivedBy is what stands behind a row that is waived.
func waivedBy(waiver *report.Waived) string {
	if waiver == nil {
		return ""
	}
	return " (waived by " + Visible(waiver.ID) + ")"
}

// waivedRows are the waivers, by the certificate's id, of those rows that are not
// ok and of which all that was found is waived or only informs: nobody has to act
// on their state.
func waivedRows(r *report.Report) map[string][]report.Waived {
	rows, acute := map[string][]report.Waived{}, map[string]bool{}
	for _, f := range r.Findings {
		switch {
		case f.Waiver == nil:
			acute[f.Certificate] = acute[f.Certificate] || f.Severity != report.SeverityInfo
		case !slices.Contains(rows[f.Certificate], *f.Waiver):
			rows[f.Certificate] = append(rows[f.Certificate], *f.Waiver)
		}
	}
	for _, c := range r.Certificates {
		if acute[c.ID] || c.State == report.StateOK {
			delete(rows, c.ID)
		}
	}
	return rows
}

// byNeed is the remedies in the report's order, but those last that nobody has to
// run now, for every finding that they help against is waived or only informs;
// until is the day until which that holds of each of these.
func byNeed(r *report.Report) (remedies []report.Remedy, until map[string]string) {
	acute := map[string]bool{}
	until = map[string]string{}
	for _, f := range r.Findings {
		first := until[f.RemedyID]
		switch {
		case f.Waiver == nil:
			acute[f.RemedyID] = acute[f.RemedyID] || f.Severity != report.SeverityInfo
		case first == "" || f.Waiver.Expires < first:
			until[f.RemedyID] = f.Waiver.Expires
		}
	}
	var waived []report.Remedy
	for _, remedy := range r.Remedies {
		if acute[remedy.ID] {
			delete(until, remedy.ID)
		}
		if until[remedy.ID] == "" {
			remedies = append(remedies, remedy)
		} else {
			waived = append(waived, remedy)
		}
	}
	return append(remedies, waived...), until
}
