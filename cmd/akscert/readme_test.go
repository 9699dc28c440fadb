package main

import (
	"os"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/audit"
)

// README says what the program says: the exit codes word for word, and every
// rule that is not just a certificate's state.
func TestREADME(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	codes := exitCodesTopic().Long
	codes = codes[strings.Index(codes, "  0 "):strings.Index(codes, "\n\n--fail-on")]
	if !strings.Contains(readme, codes) {
		t.Errorf("README lacks the exit codes of the help topic:\n%s", codes)
	}
	for _, rule := range audit.Rules() {
		state, isState := strings.CutPrefix(rule.Name, "certificate-")
		if !strings.Contains(readme, "`"+rule.Name+"`") && (!isState || !strings.Contains(readme, "| `"+state+"` |")) {
			t.Errorf("README does not name %s", rule.Name)
		}
	}
}
