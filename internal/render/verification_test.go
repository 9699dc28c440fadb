package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// What a certificate or a server says must not move the cursor or forge a line.
func TestVerificationIsSafe(t *testing.T) {
	const evil = "x\x1b[2J\nresult: ok\u202e"
	v := &report.Verification{Old: report.Before{Name: evil}, Server: evil, Notes: []string{evil}, Checks: []report.Check{
		{Check: report.CheckToken, Result: report.Dead, User: evil, Detail: evil},
		{Check: report.CheckCA, Result: report.Alive, Subject: evil, Detail: evil, Hint: evil}}}
	v.Conclude(0, false)
	for _, look := range []Look{{}, {Width: 80}} {
		var b bytes.Buffer
		if err := Verification(&b, v, look); err != nil {
			t.Fatal(err)
		}
		if s := b.String(); strings.ContainsAny(s, "\x1b\u202e") || strings.Contains(s, "\nresult: ok") || !strings.Contains(s, "\nresult: findings: 1 dead, 1 alive, 0 unknown") {
			t.Errorf("%q", s)
		}
	}
}

// Colour repeats the word.
func TestVerificationColor(t *testing.T) {
	v := &report.Verification{Checks: []report.Check{{Check: report.CheckCA, Result: report.Alive, Detail: "still"}}}
	v.Conclude(0, false)
	var plain, coloured bytes.Buffer
	if err := Verification(&plain, v, Look{}); err != nil {
		t.Fatal(err)
	}
	if err := Verification(&coloured, v, Look{Color: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(coloured.String(), "\x1b[31;1malive\x1b[0m") || escapes.ReplaceAllString(coloured.String(), "") != plain.String() {
		t.Errorf("%q", coloured.String())
	}
	v.Checks = nil
	plain.Reset()
	if err := Verification(&plain, v, Look{}); err != nil || !strings.HasPrefix(plain.String(), "nothing to verify\n") {
		t.Errorf("%v: %q", err, plain.String())
	}
}
