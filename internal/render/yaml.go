package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/akscert/akscert/pkg/report"
)

// YAML writes the very document that JSON does: it is made from it, so that names
// and what is left out agree. Instants are strings. As in JSON, text from outside
// stays as it is.
func YAML(w io.Writer, r *report.Report) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return err
	}
	// JSON is YAML, but for raw control characters, which YAML has no room for.
	var document yaml.Node
	if err := yaml.Unmarshal(inert(b.Bytes(), long), &document); err != nil {
		return fmt.Errorf("turning the report into YAML: %w", err)
	}
	block(&document)
	b.Reset()
	y := yaml.NewEncoder(&b)
	y.SetIndent(2)
	if err := y.Encode(&document); err != nil {
		return fmt.Errorf("turning the report into YAML: %w", err)
	}
	_, err := w.Write(inert(b.Bytes(), long))
	return err
}

// long is a character outside the basic plane, as YAML escapes it.
func long(r rune) string { return fmt.Sprintf(`\U%08x`, r) }

// bare is a string that no reader of any version of YAML takes for something
// else, apart from words.
var bare = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// block sets a node on lines of its own, and every string in double quotes that
// is not a plain word: as a block, a subject's lines would be lines of ours.
func block(n *yaml.Node) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
		n.Style = yaml.DoubleQuotedStyle
		words := []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
		if bare.MatchString(n.Value) && !slices.Contains(words, strings.ToLower(n.Value)) {
			n.Style = 0
		}
	case (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && len(n.Content) > 0:
		n.Style = 0
	}
	for _, child := range n.Content {
		block(child)
	}
}
