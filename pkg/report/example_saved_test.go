package report_test

import (
	"fmt"
	"os"

	"github.com/akscert/akscert/pkg/report"
)

// What akscert audit -o json > audit.json saved: which certificate expires next,
// and what helps?
func Example() {
	f, err := os.Open("testdata/audit.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		fmt.Println(err)
		return
	}

	var next *report.Certificate
	for i, c := range r.Certificates {
		if c.NotAfter == nil || c.NotAfter.Before(r.AsOf) {
			continue // a date that is not known, or past
		}
		if next == nil || c.NotAfter.Before(*next.NotAfter) {
			next = &r.Certificates[i]
		}
	}
	fmt.Printf("%s on %s: %s, until %s\n", next.Role, next.Node, next.State, next.NotAfter.Format("2006-01-02"))

	for _, finding := range r.Findings {
		for _, remedy := range r.Remedies {
			if finding.Certificate == next.ID && finding.RemedyID == remedy.ID {
				fmt.Println(remedy.Commands[0])
			}
		}
	}
	if !r.Complete {
		fmt.Println(len(r.Gaps), "places could not be looked at")
	}
	// Output:
	// kubelet-client on aks-system-10417857-vmss000001: warning, until 2026-12-20
	// az aks nodepool upgrade --resource-group billing --cluster-name overdue --name system --node-image-only
}
