// Package settings reads what a file says in place of flags, and decides which of
// several places has the word. What the settings are, and which file may say
// what, is the caller's.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Setting is one key and what one place says of it.
type Setting struct {
	Key    string
	Values []string // one, unless IsList
	IsList bool
	IsBool bool   // written as true or false, not as text
	From   string // the variable, or the file and line
	Here   bool   // in a file of the working directory
}

// Problem is what is wrong with a file.
type Problem struct {
	At      string // the file, and the line where there is one
	Message string
	Hint    string
}

func (p *Problem) Error() string { return p.At + ": " + p.Message }

// Parse reads a file: one YAML mapping of keys to words or lists of words. It
// returns all it could make out, and all that is wrong.
func Parse(name string, data []byte) (found []Setting, problems []*Problem) {
	wrong := func(line int, hint, format string, args ...any) {
		at := name
		if line > 0 {
			at = fmt.Sprintf("%s:%d", name, line)
		}
		problems = append(problems, &Problem{at, fmt.Sprintf(format, args...), hint})
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil // nothing, or comments alone
	} else if err != nil {
		line, message := explained(err)
		wrong(line, "a line is a key, a colon and a value, as warn-at: 30d", "not valid YAML: %s", message)
		return nil, problems
	}
	var next yaml.Node
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		wrong(next.Line, "a file holds one", "a second document begins")
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null":
		return nil, problems
	case root.Kind != yaml.MappingNode:
		wrong(root.Line, "a line is a key, a colon and a value, as warn-at: 30d", "this is no mapping of keys to values")
		return nil, problems
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			wrong(key.Line, "keys are the names of flags", "a key is no name")
			continue
		}
		if before := lines[key.Value]; before > 0 {
			wrong(key.Line, fmt.Sprintf("keep one; the other is in line %d", before), "%s is there twice", Clip(key.Value))
			continue
		}
		lines[key.Value] = key.Line
		s := Setting{Key: key.Value, From: fmt.Sprintf("%s:%d", name, key.Line), IsList: value.Kind == yaml.SequenceNode}
		words := []*yaml.Node{value}
		if s.IsList {
			words = value.Content
		}
		broken := ""
		for _, word := range words {
			if broken = unfit(word, s.IsList); broken != "" {
				break
			}
			s.IsBool = word.ShortTag() == "!!bool"
			s.Values = append(s.Values, word.Value)
		}
		switch {
		case broken != "":
			wrong(key.Line, "give text, as in the flag; what YAML takes for something else stands in quotes", "%s: %s", Clip(key.Value), broken)
		case len(s.Values) == 0:
			wrong(key.Line, "leave the line out, or give a value", "%s: the list is empty", Clip(key.Value))
		default:
			found = append(found, s)
		}
	}
	return found, problems
}

// unfit says why a value is none; empty for one that is.
func unfit(n *yaml.Node, inList bool) string {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return "anchors and aliases have no place here"
	}
	if n.Kind != yaml.ScalarNode {
		return "the value is neither text nor a list of text"
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!timestamp":
	case "!!bool":
		if inList {
			return "an entry of the list is true or false, not text"
		}
	case "!!null":
		return "there is no value"
	default:
		return "a tag has no place here"
	}
	if n.Value == "" {
		return "the value is empty"
	}
	return ""
}

// explained is yaml's error, without its prefix and with its line apart: it says
// what is wrong, and quotes nothing but what YAML allows in names of anchors and
// the like.
func explained(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`(?s)^line (\d+): (.*)$`).FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = m[2]
	}
	return line, Clip(message)
}

// Clip keeps what is quoted of a file short.
func Clip(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// Split reads a list out of an environment variable: words between commas.
func Split(value string) ([]string, error) {
	var words []string
	for word := range strings.SplitSeq(value, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			return nil, errors.New("an entry of the list is empty")
		}
		words = append(words, word)
	}
	return words, nil
}

// denies reports whether a setting is a false: it chooses nothing.
func (s Setting) denies() bool {
	if !s.IsBool || len(s.Values) != 1 {
		return false
	}
	yes, err := strconv.ParseBool(s.Values[0])
	return err == nil && !yes
}

// Resolve decides, of layers from the strongest to the weakest, what holds. Keys
// of together are one answer: the strongest layer with any of them has the word
// about all, and no layer has where answered says that the question was, or one
// of them was given by hand. A false is no answer.
func Resolve(layers [][]Setting, given func(key string) bool, together []string, answered bool) map[string]Setting {
	one := map[string]bool{}
	for _, key := range together {
		one[key] = true
		answered = answered || given(key)
	}
	holds := map[string]Setting{}
	for _, layer := range layers {
		answers := false
		for _, s := range layer {
			if _, have := holds[s.Key]; have || given(s.Key) || one[s.Key] && answered {
				continue
			}
			holds[s.Key] = s
			answers = answers || one[s.Key] && !s.denies()
		}
		answered = answered || answers
	}
	return holds
}
