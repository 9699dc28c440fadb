package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// Verification draws v for a person: a line for each check, the notes, what
// helps, and the result in one line.
func Verification(out io.Writer, v *report.Verification, look Look) error {
	w := bufio.NewWriter(out)
	if len(v.Checks) == 0 {
		fmt.Fprintln(w, "nothing to verify")
	} else if err := checks(w, v, look); err != nil {
		return err
	}
	list(w, "Notes", v.Notes)
	hints := []string{}
	for _, c := range v.Checks {
		if c.Hint != "" && !slices.Contains(hints, c.Hint) {
			hints = append(hints, c.Hint)
		}
	}
	list(w, "What to do", hints)
	count := map[report.Life]int{}
	for _, c := range v.Checks {
		count[c.Result]++
	}
	fmt.Fprintf(w, "\nresult: %s: %d dead, %d alive, %d unknown (old %s %s", paint(string(v.Outcome), outcomeColor(v.Outcome), look.Color),
		count[report.Dead], count[report.Alive], count[report.LifeUnknown], v.Old.From, Visible(v.Old.Name))
	if v.Server != "" {
		fmt.Fprintf(w, ", asked %s", Visible(v.Server))
	}
	fmt.Fprintf(w, ", as of %s, exit %d)\n", date(&v.AsOf), v.ExitCode)
	return w.Flush()
}

func checks(w io.Writer, v *report.Verification, look Look) error {
	colors := map[report.Life]string{report.Dead: "ok", report.Alive: "expired", report.LifeUnknown: "warning"}
	cells := make([][]string, 0, len(v.Checks))
	for _, c := range v.Checks {
		cells = append(cells, []string{paint(string(c.Result), colors[c.Result], look.Color), string(c.Check),
			Visible(cmp.Or(c.Subject, c.User, "-")), Visible(c.Detail)})
	}
	lines, err := grid([]string{"RESULT", "CHECK", "WHAT", "SEEN"}, cells)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	return err
}

func list(w io.Writer, head string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", head)
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", strings.TrimSpace(Visible(line)))
	}
}
