package waiver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const sound = `# who decided this: the shop team
waivers:
- id: legacy-until-migration
  match: {cluster: "*/legacy", role: client, rule: certificate-*}
  states: [expired, critical]
  expires: 2026-11-28
  reason: >
    the cluster is gone
    by then
- id: "1"
  match:
    sha256: "1234567890123456789012345678901234567890123456789012345678901234"
    node: 7
  states: [not-yet-valid]
  expires: "2020-01-01"
  reason: "*"
gaps:
- id: private
  match: {cluster: Legacy, location: "*:443", source: api*, reasons: [unreachable, timeout]}
  expires: 2026-06-01
  reason: reached over the VPN only
`

func TestParse(t *testing.T) {
	s, err := Parse("w.yaml", []byte(sound), asOf, rules)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range s.All() {
		got = append(got, fmt.Sprintf("%s %s %s %d: %s", w.ID, w.Kind, w.Covers(), w.Left(asOf), w.Reason))
	}
	want := `legacy-until-migration finding cluster=*/legacy role=client rule=certificate-* states=expired,critical 180: the cluster is gone by then
1 finding node=7 sha256=1234567890123456789012345678901234567890123456789012345678901234 states=not-yet-valid -2343: *
private gap cluster=Legacy source=api* location=*:443 reasons=unreachable,timeout 0: reached over the VPN only`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("%s", s)
	}
	for _, empty := range []string{"waivers: []", "gaps: []\nwaivers: []\n...\n", "\xef\xbb\xbf{gaps: []}", "# none\n---\nwaivers: []"} {
		if s, err := Parse("w.yaml", []byte(empty), asOf, rules); err != nil || len(s.All()) > 0 {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	edit := func(old, new string) string {
		if strings.Count(sound, old) != 1 {
			t.Fatalf("%q is not there once", old)
		}
		return strings.Replace(sound, old, new, 1)
	}
	tests := []struct{ name, in, want string }{
		{"nothing", "", `w.yaml: is empty`},
		{"a comment", "# later\n", `w.yaml: is empty`},
		{"null", "---\n", `w.yaml line 2: the file is not a mapping`},
		{"a list", "- id: a\n", `w.yaml line 1: the file is not a mapping`},
		{"no list", "{}", `w.yaml line 1: has neither waivers nor gaps`},
		{"null for a list", "waivers:\n", `w.yaml line 1: waivers is not a list`},
		{"no YAML", "waivers: [", `w.yaml line 1: not valid YAML: `},
		{"a star that is no alias", edit(`"*/legacy"`, `*/legacy`), `not valid YAML: `},
		{"a star that could be one", edit(`"*/legacy"`, `*legacy`), `w.yaml: not valid YAML: unknown anchor`},
		{"a second document", sound + "---\nwaivers: []\n", `w.yaml line 22: a second document begins`},
		{"a second document of nothing", sound + "---\n", `a second document begins`},
		{"and then no YAML", sound + "---\n[", `not valid YAML`},
		{"an anchor", edit(`"*:443"`, `&a "*:443"`), `w.yaml line 19: anchors and aliases are not read`},
		{"an alias", "x: &a []\nwaivers: *a\n", `w.yaml line 1: anchors`},
		{"a merge", "waivers:\n- <<: {id: a}\n", `w.yaml line 2: a waiver has no key "<<"`},
		{"a key that is none", edit("gaps:", "gap:"), `w.yaml line 17: the file has no key "gap"`},
		{"a key twice", sound + "waivers: []\n", `w.yaml line 22: waivers stands there twice`},
		{"a key of a waiver that is none", edit("  reason: >", "  until: 2026-01-01\n  reason: >"), `line 7: waiver "legacy-until-migration": a waiver has no key "until"`},
		{"a key of a waiver twice", edit("  reason: >", "  expires: 2026-01-01\n  reason: >"), `line 7: waiver "legacy-until-migration": expires stands there twice`},
		{"a key of a match that is none", edit("role: client", "user: client"), `line 4: waiver "legacy-until-migration": match has no key "user"`},
		{"a key of a match twice", edit("role: client", "cluster: client"), `line 4: waiver "legacy-until-migration": cluster stands there twice`},
		{"a gap's role", edit("source: api*", "role: client"), `line 19: waiver "private": match has no key "role"`},
		{"a gap's states", edit("  expires: 2026-06-01", "  states: [expired]"), `line 20: waiver "private": a waiver has no key "states"`},
		{"no id", edit("- id: legacy-until-migration\n ", "-"), `w.yaml line 3: id is missing`},
		{"an id of spaces", edit("legacy-until-migration", "not one"), `w.yaml line 3: id "not one" cannot be one`},
		{"an empty id", edit("legacy-until-migration", ""), `w.yaml line 3: id is empty`},
		{"an id twice", edit("id: private", "id: legacy-until-migration"), `line 18: waiver "legacy-until-migration": the id is that of line 3, too`},
		{"no match", edit("  match: {cluster: Legacy, location: \"*:443\", source: api*, reasons: [unreachable, timeout]}\n", ""), `waiver "private": match is missing`},
		{"an empty match", edit(`{cluster: "*/legacy", role: client, rule: certificate-*}`, "{}"), `line 4: waiver "legacy-until-migration": match says nothing`},
		{"a match of everything", edit(`{cluster: "*/legacy", role: client, rule: certificate-*}`, `{cluster: "*", rule: "**"}`), `line 4: waiver "legacy-until-migration": match says nothing`},
		{"a match of everything but nothing", edit(`{cluster: "*/legacy", role: client, rule: certificate-*}`, `{cluster: "?*", node: "*?*?"}`), `line 4: waiver "legacy-until-migration": match says nothing`},
		{"a match of every rule", edit(`{cluster: "*/legacy", role: client, rule: certificate-*}`, `{rule: "*-*"}`), `line 4: waiver "legacy-until-migration": match says nothing`},
		{"a match of every role", edit(`{cluster: "*/legacy", role: client, rule: certificate-*}`, `{role: "*e*"}`), `line 4: waiver "legacy-until-migration": match says nothing`},
		{"a match of every gap's source", edit(`cluster: Legacy, location: "*:443", source: api*`, `source: "?*"`), `line 19: waiver "private": match says nothing`},
		{"a match of all gaps", edit(`cluster: Legacy, location: "*:443", source: api*, `, ""), `line 19: waiver "private": match says nothing`},
		{"null for a match", edit(`{cluster: "*/legacy", role: client, rule: certificate-*}`, ""), `match is not a mapping`},
		{"an empty glob", edit(`"*/legacy"`, `""`), `cluster is empty`},
		{"null for a glob", edit(`"*/legacy"`, `~`), `cluster is empty`},
		{"a list for a glob", edit(`"*/legacy"`, `[a]`), `cluster is not a text`},
		{"bytes for a glob", edit(`"*/legacy"`, `!!binary YQ==`), `cluster is not a text`},
		{"a glob of two lines", edit(`"*/legacy"`, `"a\nb"`), `control characters`},
		{"a glob that ends in a space", edit(`"*/legacy"`, `"a "`), `spaces`},
		{"a long glob", edit(`"*/legacy"`, strings.Repeat("x", 1001)), `cluster is longer than 1000 characters`},
		{"an unknown role", edit("role: client", "role: cleint"), `line 4: waiver "legacy-until-migration": role "cleint" is none`},
		{"an unknown source", edit("api*", "vpi*"), `source "vpi*" is none, and fits none`},
		{"an unknown rule", edit("certificate-*", "certificate_*"), `rule "certificate_*" is none`},
		{"half a fingerprint", edit("1234567890123456789012345678901234567890123456789012345678901234", "1234"), `sha256 "1234" is no fingerprint`},
		{"no fingerprint", edit("1234567890123456789012345678901234567890123456789012345678901234", "xyz*"), `sha256 "xyz*" is no fingerprint`},
		{"no states", edit("  states: [expired, critical]\n", ""), `waiver "legacy-until-migration": states is missing`},
		{"an empty list of states", edit("[expired, critical]", "[]"), `line 5: waiver "legacy-until-migration": states is not a list of at least one`},
		{"a word for the states", edit("[expired, critical]", "expired"), `states is not a list`},
		{"a state that needs no waiver", edit("[expired, critical]", "[ok]"), `states has "ok", which is none`},
		{"a state twice", edit("[expired, critical]", "[expired, expired]"), `states has "expired" twice`},
		{"null for a state", edit("[expired, critical]", "[~]"), `states is empty`},
		{"no reasons", edit(", reasons: [unreachable, timeout]", ""), `line 19: waiver "private": match has no reasons`},
		{"an unknown reason", edit("timeout", "time-out"), `reasons has "time-out", which is none`},
		{"a run that was cut short", edit("timeout", "interrupted"), `line 19: waiver "private": reasons has "interrupted", which is none`},
		{"a day before there were any", edit("2026-11-28", "1026-11-28"), `line 6: waiver "legacy-until-migration": expires 1026-11-28 is before the year 2000`},
		{"the last of those days", edit("2026-11-28", "1999-12-31"), `expires 1999-12-31 is before`},
		{"no day", edit("2026-11-28", "soon"), `line 6: waiver "legacy-until-migration": expires "soon" is no day`},
		{"a day that is none", edit("2026-11-28", "2026-11-31"), `expires "2026-11-31" is no day`},
		{"an instant", edit("2026-11-28", "2026-11-28T00:00:00Z"), `is no day`},
		{"for ever", edit("  expires: 2026-11-28\n", ""), `waiver "legacy-until-migration": expires is missing`},
		{"too far ahead", edit("2026-11-28", "2026-11-29"), `line 6: waiver "legacy-until-migration": expires 2026-11-29 is more than 180 days ahead`},
		{"no reason", edit("  reason: reached over the VPN only\n", ""), `waiver "private": reason is missing`},
		{"a blank reason", edit("reached over the VPN only", `" "`), `waiver "private": reason is empty`},
		{"a waiver of null", "gaps:\n-\n", `w.yaml line 2: a waiver is not a mapping`},
		{"many", "waivers:" + strings.Repeat("\n-", 1+maxWaivers), `a waiver is not a mapping`},
		{"more than may be", "waivers:" + several(1+maxWaivers), `line 1002: there are more than 1000 waivers`},
		{"too large", "#" + strings.Repeat("x", MaxBytes), `w.yaml: is larger than 512 KiB`},
		{"a bomb", "a: &a [x, x]\nb: &b [*a, *a]\nwaivers: [*b, *b]\n", `anchors and aliases`},
		{"nested for ever", "waivers: " + strings.Repeat("[", 50_000), `not valid YAML: `},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("w.yaml", []byte(tt.in), asOf, rules)
			var e *Error
			if !errors.As(err, &e) || s != nil {
				t.Fatalf("%v, %v", s, err)
			}
			if !strings.Contains(e.Error(), tt.want) || e.Hint == "" || e.File != "w.yaml" {
				t.Errorf("%s (hint: %s)\nwant %s", e, e.Hint, tt.want)
			}
		})
	}
	if _, err := Parse("w.yaml", []byte("waivers:"+several(maxWaivers)), asOf, rules); err != nil {
		t.Error(err)
	}
}

func several(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\n- {id: w%d, match: {cluster: c}, states: [due], expires: 2026-06-01, reason: x}", i)
	}
	return b.String()
}

// Whatever the bytes, it is a set whose every waiver ends, matches something less
// than all, and says why, or an error with a way out.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("waivers: []\n---\n"))
	f.Add([]byte("gaps: &a [*a]"))
	f.Add([]byte("{waivers: [{id: a, match: {sha256: \"AB:*\"}, states: [due], expires: 2026-06-01, reason: x}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("w.yaml", data, asOf, rules)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Hint == "" || s != nil {
				t.Fatalf("%v: %#v", s, err)
			}
			return
		}
		ids := map[string]bool{}
		for _, w := range s.All() {
			if w.ID == "" || ids[w.ID] || w.Reason == "" || w.Left(asOf) > 180 || len(w.match) == 0 || len(w.words) == 0 {
				t.Fatalf("%+v", w)
			}
			ids[w.ID] = true
		}
	})
}
