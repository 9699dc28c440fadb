package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("report.json", parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("report.json") // and validates it against the metaschema that it names
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid requires that every document of data is as the schema says.
func valid(t testing.TB, s *jsonschema.Schema, data []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(document); err != nil {
			t.Fatalf("%#v\n%s", err, raw)
		}
	}
}

// What this package's tests make is what its schema says.
func TestSchemaOfSamples(t *testing.T) {
	s := compiled(t)
	valid(t, s, encode(t, concluded(empty())))
	for seed := range uint64(50) {
		r, next := random(seed), random(seed+1)
		valid(t, s, encode(t, r))
		valid(t, s, stream(t, r))
		valid(t, s, encode(t, Compare(r, next)))
		parts := shards(r, 3, func(cluster string) int { return len(cluster) % 3 })
		for _, part := range parts {
			valid(t, s, encode(t, part))
		}
		merged, err := Merge(parts)
		if err != nil {
			t.Fatal(err)
		}
		valid(t, s, encode(t, merged))
	}
	saved, err := os.ReadFile("testdata/audit.json")
	if err != nil {
		t.Fatal(err)
	}
	valid(t, s, saved)
}

// A schema that allows everything would pass all else here.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	saved, err := os.ReadFile("testdata/audit.json")
	if err != nil {
		t.Fatal(err)
	}
	first := func(document map[string]any, list string) map[string]any {
		return document[list].([]any)[0].(map[string]any)
	}
	for name, spoil := range map[string]func(map[string]any){
		"no kind":             func(d map[string]any) { delete(d, "kind") },
		"another kind":        func(d map[string]any) { d["kind"] = "Pod" },
		"version 2":           func(d map[string]any) { d["schemaVersion"] = "2.0" },
		"no gaps":             func(d map[string]any) { delete(d, "gaps") },
		"null for a list":     func(d map[string]any) { d["findings"] = nil },
		"an exit code of 2":   func(d map[string]any) { d["exitCode"] = 2 },
		"a state unheard of":  func(d map[string]any) { first(d, "certificates")["state"] = "fine" },
		"a source unheard of": func(d map[string]any) { first(d, "certificates")["source"] = "moon" },
		"a local time":        func(d map[string]any) { d["asOf"] = "2026-06-01T00:00:00+02:00" },
		"no time":             func(d map[string]any) { d["asOf"] = "June" },
		"a severity of none":  func(d map[string]any) { first(d, "findings")["severity"] = "none" },
		"a count of zero":     func(d map[string]any) { first(d, "certificates")["count"] = 0 },
	} {
		var document map[string]any
		if err := json.Unmarshal(saved, &document); err != nil {
			t.Fatal(err)
		}
		spoil(document)
		if s.Validate(document) == nil {
			t.Errorf("%s is allowed", name)
		}
	}
	var document map[string]any
	if err := json.Unmarshal(saved, &document); err != nil {
		t.Fatal(err)
	}
	document["later"], first(document, "certificates")["later"] = "1.1", true
	if err := s.Validate(document); err != nil {
		t.Errorf("what version 1.1 adds is refused: %v", err)
	}
}

// definition is what the tests below read of an entry of $defs.
type definition struct {
	Ref         string `json:"$ref"`
	Type        string
	Description string
	Const       any
	Enum        []any
	Required    []string
	Properties  map[string]definition
	Items       *definition
}

func definitions(t *testing.T) map[string]definition {
	t.Helper()
	var s struct {
		Defs map[string]definition `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s.Defs
}

// The Go types and the schema say the same, field by field: whoever adds a field
// to one adds it to both.
func TestSchemaHasEveryField(t *testing.T) {
	defs := definitions(t)
	seen := map[string]bool{"Time": true}
	var check func(reflect.Type)
	// is checks that a property is of type x.
	is := func(where string, have definition, x reflect.Type) {
		if x.Kind() == reflect.Pointer {
			x = x.Elem()
		}
		if x.Kind() == reflect.Slice {
			if have.Type != "array" || have.Items == nil {
				t.Errorf("%s is an array, and not in the schema", where)
				return
			}
			have, x = *have.Items, x.Elem()
		}
		switch {
		case x == reflect.TypeFor[time.Time]():
			if have.Ref != "#/$defs/Time" {
				t.Errorf("%s is an instant, and not in the schema", where)
			}
		case x.PkgPath() != "":
			if have.Ref != "#/$defs/"+x.Name() {
				t.Errorf("%s is a %s, and %q in the schema", where, x.Name(), have.Ref)
			}
			check(x)
		default:
			want := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number"}[x.Kind()]
			if closed := have.Const != nil || len(have.Enum) > 0; want == "" || have.Type != want && !closed {
				t.Errorf("%s is a %s, and of type %q in the schema", where, x, have.Type)
			}
		}
	}
	check = func(x reflect.Type) {
		if seen[x.Name()] {
			return
		}
		seen[x.Name()] = true
		def, ok := defs[x.Name()]
		if !ok {
			t.Errorf("schema.json has no $defs/%s", x.Name())
			return
		}
		if def.Description == "" {
			t.Errorf("$defs/%s has no description", x.Name())
		}
		if x.Kind() != reflect.Struct {
			return
		}
		fields := map[string]bool{}
		for _, f := range reflect.VisibleFields(x) {
			if f.Anonymous {
				continue
			}
			key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[key] = true
			p, ok := def.Properties[key]
			if !ok {
				t.Errorf("schema.json: $defs/%s has no property %q: add it, with what it means, and to required unless it may be absent", x.Name(), key)
				continue
			}
			if optional := strings.Contains(options, "omitempty"); optional == slices.Contains(def.Required, key) {
				t.Errorf("schema.json: $defs/%s: %q may be absent: %v, and is in required: %v", x.Name(), key, optional, !optional)
			}
			is(x.Name()+"."+f.Name, p, f.Type)
		}
		for key := range def.Properties {
			if !fields[key] {
				t.Errorf("schema.json: $defs/%s has a property %q, and the type has none", x.Name(), key)
			}
		}
		if kind, ok := def.Properties["kind"].Const.(string); ok {
			if kinds := strings.Join([]string{Kind, KindHeader, KindPart, KindClosing, KindComparison, KindVerification}, " "); !slices.Contains(strings.Fields(kinds), kind) {
				t.Errorf("$defs/%s: kind %q is none", x.Name(), kind)
			}
		}
	}
	for _, x := range []reflect.Type{reflect.TypeFor[Report](), reflect.TypeFor[Header](), reflect.TypeFor[Part](), reflect.TypeFor[Closing](),
		reflect.TypeFor[Comparison](), reflect.TypeFor[Verification]()} {
		check(x)
	}
	for name := range defs {
		if !seen[name] {
			t.Errorf("schema.json: $defs/%s is no type of a document", name)
		}
	}
}

// A word that Go has a constant for is in the schema's list, and no other.
func TestSchemaHasEveryWord(t *testing.T) {
	words := map[string][]string{}
	files := token.NewFileSet()
	sources, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, named := spec.Type.(*ast.Ident)
			value, literal := spec.Values[0].(*ast.BasicLit)
			if named && literal && value.Kind == token.STRING && ast.IsExported(spec.Names[0].Name) && typ.Name != "string" {
				word, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				words[typ.Name] = append(words[typ.Name], word)
			}
			return true
		})
	}
	defs := definitions(t)
	lists := 0
	for name, def := range defs {
		if len(def.Enum) == 0 {
			continue
		}
		lists++
		var have []string
		for _, word := range def.Enum {
			have = append(have, word.(string))
		}
		slices.Sort(have)
		want := slices.Sorted(slices.Values(words[name]))
		if !slices.Equal(have, want) {
			t.Errorf("schema.json: $defs/%s is %q, and the constants are %q", name, have, want)
		}
	}
	if lists < 10 {
		t.Errorf("%d lists of %d are checked", lists, len(slices.Collect(maps.Keys(words))))
	}
}
