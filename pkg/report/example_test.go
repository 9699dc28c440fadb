package report_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/akscert/akscert/pkg/report"
)

// What akscert audit -o ndjson has written so far: a header and one cluster.
const begun = `{"schemaVersion":"1.0","kind":"CertificateAuditHeader","tool":{"name":"akscert","version":"1.0.0"},"asOf":"2026-06-01T00:00:00Z","startedAt":"2026-06-01T00:00:00Z","policy":{"warnAt":"80%","criticalAt":"95%","unknownLifetime":{"warnAt":"30d","criticalAt":"7d"},"failOn":"warning"}}
{"schemaVersion":"1.0","kind":"CertificateAuditCluster","cluster":{"id":"shop","name":"shop","sources":[{"source":"apiserver","status":"ok","seconds":0.1}],"credentials":[]},"nodes":[],"certificates":[{"id":"shop/api:443","cluster":"shop","source":"apiserver","role":"apiserver","location":"api:443","count":1,"notAfter":"2026-05-31T00:00:00Z","state":"expired","renewal":"unknown"}],"findings":[{"rule":"certificate-expired","severity":"expired","cluster":"shop","certificate":"shop/api:443","message":"expired"}],"remedies":[],"gaps":[]}
`

// The line that it ends with.
const ended = `{"schemaVersion":"1.0","kind":"CertificateAuditSummary","outcome":"findings","exitCode":1,"complete":true,"durationSeconds":0.2,"summary":{"clusters":1,"nodes":0,"certificates":1,"states":{"ok":0,"due":0,"warning":0,"critical":0,"not-yet-valid":0,"expired":1},"findings":1,"gaps":0},"nodes":[],"certificates":[],"findings":[],"remedies":[],"gaps":[]}
`

func ExampleRead() {
	r, err := report.Read(strings.NewReader(begun + ended))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Certificates {
		fmt.Printf("%s %s: %s since %s\n", c.Cluster, c.Role, c.State, c.NotAfter.Format("2006-01-02"))
	}
	fmt.Println(r.Outcome, r.ExitCode)

	_, err = report.Read(strings.NewReader(begun))
	var bad *report.Error
	if errors.As(err, &bad) {
		fmt.Println(bad.Message)
		fmt.Println("hint:", bad.Hint)
	}
	// Output:
	// shop apiserver: expired since 2026-05-31
	// findings 1
	// the stream was cut after 1 of its clusters: it has no summary
	// hint: wait for the audit to end, or run the audit again and keep all of what it writes
}

func ExampleCompare() {
	monday, err := report.Read(strings.NewReader(begun + ended))
	if err != nil {
		fmt.Println(err)
		return
	}
	tuesday := *monday
	renewed := monday.Certificates[0]
	until := renewed.NotAfter.AddDate(2, 0, 0)
	renewed.NotAfter, renewed.State = &until, report.StateOK
	tuesday.Certificates, tuesday.Findings = []report.Certificate{renewed}, []report.Finding{}

	c := report.Compare(monday, &tuesday)
	for _, x := range c.Certificates {
		fmt.Printf("%s %s: %s, until %s\n", x.Cluster, x.Role, x.Change, x.To.NotAfter.Format("2006-01-02"))
	}
	fmt.Println("worse:", c.Worse)
	// Output:
	// shop apiserver: renewed, until 2028-05-31
	// worse: false
}
