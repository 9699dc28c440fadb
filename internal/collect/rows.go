package collect

import (
	"strconv"

	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Rows are what certs.Read found in one place, as observations: location, with
// #0, #1 … appended where it holds several. role says what the certificate of
// an index is for.
func Rows(found []certs.Certificate, problems []certs.Problem, location string, role func(index int) report.Role) []Observation {
	place := func(index int) string {
		if len(found)+len(problems) == 1 {
			return location
		}
		return location + "#" + strconv.Itoa(index)
	}
	rows := make([]Observation, 0, len(found)+len(problems))
	for _, c := range found {
		rows = append(rows, Observation{Certificate: &Certificate{Certificate: c, Role: role(c.Index), Location: place(c.Index)}})
	}
	for _, p := range problems {
		message := p.Message
		if p.Line > 0 {
			message = "line " + strconv.Itoa(p.Line) + ": " + message
		}
		rows = append(rows, Observation{Gap: &Gap{Location: place(p.Index), Reason: report.Reason(p.Reason), Message: message, Hint: p.Hint}})
	}
	return rows
}
