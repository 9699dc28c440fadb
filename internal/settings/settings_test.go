package settings

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []Setting
		problems []string
	}{
		{"nothing", "", nil, nil},
		{"comments alone", "# warn-at: 30d\n", nil, nil},
		{"an empty document", "---\n", nil, nil},
		{"words, as they are written", "warn-at: 30d\nparallel: 4\nname: 007\nall-contexts: true\n", []Setting{
			{Key: "warn-at", Values: []string{"30d"}, From: "f:1"},
			{Key: "parallel", Values: []string{"4"}, From: "f:2"},
			{Key: "name", Values: []string{"007"}, From: "f:3"},
			{Key: "all-contexts", Values: []string{"true"}, IsBool: true, From: "f:4"}}, nil},
		{"lists", "\nsources: [arm, -node]\ntag:\n- env=prod\n- team=a,b\n", []Setting{
			{Key: "sources", Values: []string{"arm", "-node"}, IsList: true, From: "f:2"},
			{Key: "tag", Values: []string{"env=prod", "team=a,b"}, IsList: true, From: "f:3"}}, nil},
		{"no and on are words", "name: no\ncontext: on\n", []Setting{
			{Key: "name", Values: []string{"no"}, From: "f:1"}, {Key: "context", Values: []string{"on"}, From: "f:2"}}, nil},
		{"a key twice", "a: x\nb: y\na: z\n", []Setting{{Key: "a", Values: []string{"x"}, From: "f:1"}, {Key: "b", Values: []string{"y"}, From: "f:2"}}, []string{"f:3: a is there twice"}},
		{"a second document", "a: x\n---\nb: y\n", []Setting{{Key: "a", Values: []string{"x"}, From: "f:1"}}, []string{"f:2: a second document begins"}},
		{"a list of its own", "- a\n", nil, []string{"f:1: this is no mapping of keys to values"}},
		{"a secret that somebody linked here", "hunter2\n", nil, []string{"f:1: this is no mapping of keys to values"}},
		{"not YAML", "a: [x\n", nil, []string{"f:1: not valid YAML: did not find expected ',' or ']'"}},
		{"no value", "a:\n", nil, []string{"f:1: a: there is no value"}},
		{"an empty value", "a: ''\nb: ['']\nc: []\n", nil, []string{"f:1: a: the value is empty", "f:2: b: the value is empty", "f:3: c: the list is empty"}},
		{"deeper", "a: {b: c}\nd: [[e]]\n", nil, []string{"f:1: a: the value is neither text nor a list of text", "f:2: d: the value is neither text nor a list of text"}},
		{"anchors", "a: &x y\nb: *x\n", nil, []string{"f:1: a: anchors and aliases have no place here", "f:2: b: anchors and aliases have no place here"}},
		{"a merge", "<<: {a: b}\n", nil, []string{"f:1: a key is no name"}},
		{"tags", "a: !!binary aGk=\nb: !x y\n", nil, []string{"f:1: a: a tag has no place here", "f:2: b: a tag has no place here"}},
		{"true in a list", "a: [true]\n", nil, []string{"f:1: a: an entry of the list is true or false, not text"}},
		{"a key that is no name", "1: a\n? [b]\n: c\n", nil, []string{"f:1: a key is no name", "f:2: a key is no name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := Parse("f", []byte(test.in))
			var said []string
			for _, p := range problems {
				said = append(said, p.Error())
				if p.Hint == "" {
					t.Errorf("%s: no hint", p)
				}
			}
			if !reflect.DeepEqual(got, test.want) || !slices.Equal(said, test.problems) {
				t.Errorf("Parse(%q):\n%+v\n%q\nwant\n%+v\n%q", test.in, got, said, test.want, test.problems)
			}
		})
	}
}

// Whatever the bytes, there are settings or problems, and a setting has a value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"warn-at: 30d\n", "a: [b, c]\n", "a: &x [*x]\n", "? {a: b}\n: c\n", "\xff\xfea\x00", "a: !!float .nan\n", "--- a\n--- b\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, problems := Parse("f", data)
		for _, s := range found {
			if len(s.Values) == 0 || slices.Contains(s.Values, "") || !strings.HasPrefix(s.From, "f:") || !s.IsList && len(s.Values) != 1 {
				t.Errorf("%+v", s)
			}
		}
		for _, p := range problems {
			if p.Hint == "" || len(p.Message) > 300 {
				t.Errorf("%+v", p)
			}
		}
	})
}

func TestSplit(t *testing.T) {
	if got, err := Split("a, b=c"); err != nil || !slices.Equal(got, []string{"a", "b=c"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", ",", "a,", "a,,b", " "} {
		if got, err := Split(bad); err == nil {
			t.Errorf("Split(%q) is %q", bad, got)
		}
	}
}

func TestResolve(t *testing.T) {
	layer := func(from string, keys ...string) (l []Setting) {
		for _, key := range keys {
			l = append(l, Setting{Key: key, From: from})
		}
		return l
	}
	together := []string{"context", "tag"}
	for _, test := range []struct {
		name     string
		given    string
		answered bool
		layers   [][]Setting
		want     map[string]string
	}{
		{"the strongest has the word", "", false, [][]Setting{layer("env", "warn-at"), layer("here", "warn-at", "fail-on"), layer("own", "fail-on", "auth")},
			map[string]string{"warn-at": "env", "fail-on": "here", "auth": "own"}},
		{"a flag before all", "warn-at", false, [][]Setting{layer("env", "warn-at", "fail-on")}, map[string]string{"fail-on": "env"}},
		{"one answer to one question", "", false, [][]Setting{layer("env", "warn-at"), layer("here", "context"), layer("own", "tag", "auth")},
			map[string]string{"warn-at": "env", "context": "here", "auth": "own"}},
		{"one layer's is whole", "", false, [][]Setting{layer("here", "context", "tag")}, map[string]string{"context": "here", "tag": "here"}},
		{"a flag answers it", "tag", false, [][]Setting{layer("here", "context", "warn-at")}, map[string]string{"warn-at": "here"}},
		{"a false answers nothing", "", false, [][]Setting{{{Key: "context", Values: []string{"false"}, IsBool: true, From: "here"}}, layer("own", "tag", "context")},
			map[string]string{"context": "here", "tag": "own"}},
		{"the word false does", "", false, [][]Setting{{{Key: "context", Values: []string{"false"}, From: "here"}}, layer("own", "tag")},
			map[string]string{"context": "here"}},
		{"something else answers it", "", true, [][]Setting{layer("here", "context", "warn-at")}, map[string]string{"warn-at": "here"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := map[string]string{}
			for key, s := range Resolve(test.layers, func(key string) bool { return key == test.given }, together, test.answered) {
				got[key] = s.From
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
