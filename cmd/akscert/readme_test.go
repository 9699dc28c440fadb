package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/audit"
)

// README says what the program says, word for word: the exit codes and the rules.
func TestREADME(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	codes := exitCodesTopic().Long
	codes = codes[strings.Index(codes, "  0 "):strings.Index(codes, "\n\nCommands that")]
	if !strings.Contains(readme, codes) {
		t.Errorf("README lacks the exit codes of the help topic:\n%s", codes)
	}
	var table strings.Builder
	for _, r := range audit.Rules() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", r.Name, r.Severity, r.Means)
	}
	if !strings.Contains(readme, table.String()) {
		t.Errorf("README lacks the rules of akscert explain:\n%s", &table)
	}
}
