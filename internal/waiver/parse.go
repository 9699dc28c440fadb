package waiver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/akscert/akscert/pkg/report"
)

// MaxBytes is the size of the largest file that is read.
const MaxBytes = 512 << 10

const (
	maxWaivers = 1000
	maxText    = 1000 // characters of a reason or a glob
	maxAhead   = 180  // days
)

// Error is what is wrong with a file of waivers, and a way out.
type Error struct {
	File    string
	Line    int    // 0 where it is about the whole
	ID      string // of the waiver, where it is about one that has an id
	Message string
	Hint    string
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where += fmt.Sprintf(" line %d", e.Line)
	}
	if e.ID != "" {
		where += fmt.Sprintf(": waiver %q", e.ID)
	}
	return where + ": " + e.Message
}

// Parse reads a file of waivers, called name. No waiver may hold for more than
// 180 days from the day of asOf. rules are those that there are.
//
// It is strict: whoever mistypes a waiver learns it here, not on the night that
// it was to hold. What is wrong is an *Error, the first there is.
func Parse(name string, data []byte, asOf time.Time, rules []string) (*Set, error) {
	p := parser{file: name, last: day(asOf).AddDate(0, 0, maxAhead), rules: rules, ids: map[string]int{}}
	root, err := p.document(data)
	if err != nil {
		return nil, err
	}
	fields, err := p.mapping(root, "the file", "waivers", "gaps")
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, p.wrong(root, "has neither waivers nor gaps", "waivers: [] is a file without any")
	}
	set := &Set{notYetValid: p.notYetValid()}
	for _, list := range []struct {
		key  string
		kind report.WaiverKind
	}{{"waivers", report.WaiverOfFindings}, {"gaps", report.WaiverOfGaps}} {
		n := fields[list.key]
		if n == nil {
			continue
		}
		if n.Kind != yaml.SequenceNode {
			return nil, p.wrong(n, list.key+" is not a list", "begin each with - id:")
		}
		for _, entry := range n.Content {
			w, err := p.waiver(entry, list.kind)
			if err != nil {
				return nil, err
			}
			if set.all = append(set.all, w); len(set.all) > maxWaivers {
				return nil, p.wrong(entry, fmt.Sprintf("there are more than %d waivers", maxWaivers), "let a glob cover what has one reason")
			}
		}
	}
	return set, nil
}

type parser struct {
	file  string
	id    string    // of the waiver being read
	last  time.Time // the last day that a waiver may hold
	rules []string
	ids   map[string]int // and the lines they are on
}

// notYetValid is the rule about that state; "" for none.
func (p *parser) notYetValid() string {
	i := slices.IndexFunc(p.rules, func(rule string) bool { return strings.HasSuffix(rule, "-"+notYetValid) })
	if i < 0 {
		return ""
	}
	return p.rules[i]
}

func (p *parser) wrong(n *yaml.Node, message, hint string) *Error {
	e := &Error{File: p.file, ID: p.id, Message: message, Hint: hint}
	if n != nil {
		e.Line = n.Line
	}
	return e
}

// document is the only document of a file, without aliases in it.
func (p *parser) document(data []byte) (*yaml.Node, error) {
	const one = "a file of waivers is one YAML document with a list called waivers, a list called gaps, or both"
	if len(data) > MaxBytes {
		return nil, p.wrong(nil, fmt.Sprintf("is larger than %d KiB", MaxBytes>>10), one)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, p.wrong(nil, "is empty", "waivers: [] is a file without any")
	} else if err != nil {
		return nil, p.syntax(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, p.wrong(&second, "a second document begins", one)
	} else if !errors.Is(err, io.EOF) {
		return nil, p.syntax(err)
	}
	root := first.Content[0]
	return root, p.plain(root)
}

var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (p *parser) syntax(err error) *Error {
	e := p.wrong(nil, "", `a value with * or ? stands in quotes, as cluster: "*-dev"`)
	text := err.Error()
	found := lineOf.FindStringSubmatch(text)
	if found != nil {
		e.Line, _ = strconv.Atoi(found[1]) // 0 where there is none
		text = text[len(found[0]):]
	}
	e.Message = "not valid YAML: " + text
	return e
}

// plain refuses what lets a short file stand for a long one, or for another.
func (p *parser) plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return p.wrong(n, "anchors and aliases are not read", `write it out; a value with * or ? stands in quotes, as cluster: "*-dev"`)
	}
	for _, child := range n.Content {
		if err := p.plain(child); err != nil {
			return err
		}
	}
	return nil
}

// mapping is the fields of a mapping that may have only these.
func (p *parser) mapping(n *yaml.Node, what string, keys ...string) (map[string]*yaml.Node, error) {
	hint := "it has " + strings.Join(keys, ", ")
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		return nil, p.wrong(n, what+" is not a mapping", hint)
	}
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(keys, key.Value):
			return nil, p.wrong(key, fmt.Sprintf("%s has no key %q", what, clip(key.Value)), hint)
		case fields[key.Value] != nil:
			return nil, p.wrong(key, key.Value+" stands there twice", "keep one of them")
		}
		fields[key.Value] = value
	}
	return fields, nil
}

// text is a scalar, which may look like a number.
func (p *parser) text(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode || !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!null"}, n.ShortTag()):
		return "", p.wrong(n, what+" is not a text", "write one value after "+what+":")
	case strings.TrimSpace(n.Value) == "" || n.ShortTag() == "!!null":
		return "", p.wrong(n, what+" is empty", "write one value after "+what+":")
	case len([]rune(n.Value)) > maxText:
		return "", p.wrong(n, fmt.Sprintf("%s is longer than %d characters", what, maxText), "say it shorter")
	}
	return n.Value, nil
}

// words is a list of words, each one of those there are.
func (p *parser) words(n *yaml.Node, what, hint string, known []string) ([]string, error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, p.wrong(n, what+" is not a list of at least one", hint)
	}
	var words []string
	for _, item := range n.Content {
		word, err := p.text(item, what)
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains(known, word):
			return nil, p.wrong(item, fmt.Sprintf("%s has %q, which is none", what, clip(word)), hint)
		case slices.Contains(words, word):
			return nil, p.wrong(item, fmt.Sprintf("%s has %q twice", what, word), "keep one of them")
		}
		words = append(words, word)
	}
	return words, nil
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (p *parser) waiver(n *yaml.Node, kind report.WaiverKind) (w Waiver, err error) {
	p.id = ""
	defer func() { p.id = "" }()
	keys := []string{"id", "match", "states", "expires", "reason"}
	if kind == report.WaiverOfGaps {
		keys = []string{"id", "match", "expires", "reason"}
	}
	if n.Kind == yaml.MappingNode { // its id goes with whatever is wrong with it
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "id" && idForm.MatchString(n.Content[i+1].Value) {
				p.id = n.Content[i+1].Value
			}
		}
	}
	fields, err := p.mapping(n, "a waiver", keys...)
	if err != nil {
		return w, err
	}
	for _, key := range keys {
		if fields[key] == nil {
			return w, p.wrong(n, key+" is missing", "every waiver has "+strings.Join(keys, ", "))
		}
	}
	w = Waiver{Kind: kind}
	if w.ID, err = p.text(fields["id"], "id"); err != nil {
		return w, err
	}
	if !idForm.MatchString(w.ID) {
		return w, p.wrong(fields["id"], fmt.Sprintf("id %q cannot be one", clip(w.ID)), "letters, digits, dots, dashes and underscores, at most 64")
	}
	if line, twice := p.ids[w.ID]; twice {
		return w, p.wrong(fields["id"], fmt.Sprintf("the id is that of line %d, too", line), "give each waiver, also of gaps, an id of its own")
	}
	p.ids[w.ID] = fields["id"].Line
	if err = p.match(&w, fields["match"]); err != nil {
		return w, err
	}
	if kind == report.WaiverOfFindings {
		states := []string{string(report.StateDue), string(report.StateWarning), string(report.StateCritical), string(report.StateExpired)}
		if p.notYetValid() != "" {
			states = slices.Insert(states, 3, notYetValid)
		}
		if w.words, err = p.words(fields["states"], "states", "the states are "+strings.Join(states, ", ")+"; for a finding of no certificate, its severity; ok and info need no waiver", states); err != nil {
			return w, err
		}
	}
	if w.Expires, err = p.expires(fields["expires"]); err != nil {
		return w, err
	}
	reason, err := p.text(fields["reason"], "reason")
	w.Reason = strings.Join(strings.Fields(reason), " ")
	return w, err
}

// match reads what a waiver matches. The reasons of a gap belong to that.
func (p *parser) match(w *Waiver, n *yaml.Node) error {
	keys := []string{"cluster", "source", "role", "node", "subject", "rule", "sha256"}
	if w.Kind == report.WaiverOfGaps {
		keys = []string{"cluster", "source", "node", "location", "reasons"}
	}
	fields, err := p.mapping(n, "match", keys...)
	if err != nil {
		return err
	}
	anything := true
	for _, key := range keys {
		value := fields[key]
		if value == nil || key == "reasons" {
			continue
		}
		glob, err := p.text(value, key)
		if err != nil {
			return err
		}
		if glob, err = p.glob(value, key, glob); err != nil {
			return err
		}
		anything = anything && p.fitsAll(key, glob)
		w.match = append(w.match, pattern{key, glob})
	}
	if anything {
		return p.wrong(n, "match says nothing that not everything matches", "name at least one of "+strings.Join(keys[:len(keys)-1], ", "))
	}
	if w.Kind != report.WaiverOfGaps {
		return nil
	}
	if fields["reasons"] == nil {
		return p.wrong(n, "match has no reasons", "list the reasons of the gaps, as reasons: [unreachable, timeout]")
	}
	// A run that was cut short has seen too little to live with.
	known := names(slices.DeleteFunc(report.Reasons(), func(r report.Reason) bool { return r == report.ReasonInterrupted }))
	w.words, err = p.words(fields["reasons"], "reasons", "the reasons are "+strings.Join(known, ", "), known)
	return err
}

var fingerprint = regexp.MustCompile(`^([0-9a-f]{64}|[0-9a-f?*]*[?*][0-9a-f?*]*)$`)

// glob checks a glob that can be checked: one that fits nothing there is was
// mistyped.
func (p *parser) glob(n *yaml.Node, key, glob string) (string, error) {
	known := p.known(key)
	switch {
	case strings.ContainsFunc(glob, unicode.IsControl) || glob != strings.TrimSpace(glob):
		return "", p.wrong(n, key+" has control characters, or spaces around it", "write it on one line")
	case key == "sha256":
		glob = strings.ToLower(strings.ReplaceAll(glob, ":", "")) // as openssl prints it
		if !fingerprint.MatchString(glob) {
			return "", p.wrong(n, fmt.Sprintf("sha256 %q is no fingerprint", clip(glob)), "64 hexadecimal digits, or the first of them and a *")
		}
	case known != nil && !slices.ContainsFunc(known, func(word string) bool { return matches(glob, word) }):
		return "", p.wrong(n, fmt.Sprintf("%s %q is none, and fits none", key, clip(glob)), "there are "+strings.Join(known, ", "))
	}
	return glob, nil
}

// known is the words that there are for a key; nil where it may be any.
func (p *parser) known(key string) []string {
	return map[string][]string{"source": names(report.Sources()), "role": names(report.Roles()), "rule": p.rules}[key]
}

// fitsAll reports whether a glob leaves nothing out that a key can be.
func (p *parser) fitsAll(key, glob string) bool {
	if strings.Trim(glob, "*?") == "" {
		return true
	}
	known := p.known(key)
	return known != nil && !slices.ContainsFunc(known, func(word string) bool { return !matches(glob, word) })
}

func names[T ~string](words []T) []string {
	var plain []string
	for _, word := range words {
		plain = append(plain, string(word))
	}
	return plain
}

// expires is the last day on which a waiver holds.
func (p *parser) expires(n *yaml.Node) (time.Time, error) {
	text, err := p.text(n, "expires")
	if err != nil {
		return time.Time{}, err
	}
	last := p.last.Format(time.DateOnly)
	const first = 2000 // before this there was nothing to waive
	expires, err := time.Parse(time.DateOnly, text)
	switch {
	case err != nil:
		return time.Time{}, p.wrong(n, fmt.Sprintf("expires %q is no day", clip(text)), "write the last day on which it holds, in UTC, as "+last)
	case expires.Year() < first:
		return time.Time{}, p.wrong(n, fmt.Sprintf("expires %s is before the year %d", text, first), "is a digit missing or wrong? "+last+" at the latest")
	case expires.After(p.last):
		return time.Time{}, p.wrong(n, fmt.Sprintf("expires %s is more than %d days ahead", text, maxAhead), last+" at the latest; somebody is to look at it again by then")
	}
	return expires, nil
}

// clip keeps what is quoted short.
func clip(s string) string {
	const most = 64
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
