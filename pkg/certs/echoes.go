package certs

import (
	"strings"
	"time"
)

// withoutEchoes drops text about certificates that stand in the input
// themselves, as openssl x509 -text prints it before the PEM block, and
// s_client before and after it.
func (r *reader) withoutEchoes() []item {
	texts := 0
	for _, it := range r.items {
		if it.text != nil {
			texts++
		}
	}
	if texts == 0 {
		return r.items
	}
	known := r.identities()
	kept := make([]item, 0, len(r.items))
	for i, it := range r.items {
		if it.text == nil || !r.echoes(i, known) {
			kept = append(kept, it)
		}
	}
	return kept
}

// most candidates kept per identity, so that an input full of the same ones
// takes no quadratic time.
const mostCandidates = 4

// identities finds certificates by what a text may say about them.
func (r *reader) identities() map[string][]*Certificate {
	known := map[string][]*Certificate{}
	for _, it := range r.items {
		if it.cert == nil || it.text != nil {
			continue
		}
		for _, key := range identityKeys(it.cert) {
			if len(known[key]) < mostCandidates {
				known[key] = append(known[key], it.cert)
			}
		}
	}
	return known
}

func identityKeys(c *Certificate) (keys []string) {
	if c.Fingerprint != "" {
		keys = append(keys, "fingerprint "+c.Fingerprint)
	}
	if c.NotAfter == nil {
		return keys
	}
	after := c.NotAfter.Format(time.RFC3339)
	if c.Serial != "" {
		keys = append(keys, "serial "+c.Serial+" "+after)
	}
	if cn := commonName(c.Subject); cn != "" && c.NotBefore != nil {
		keys = append(keys, "name "+cn+" "+c.NotBefore.Format(time.RFC3339)+" "+after)
	}
	return keys
}

// echoes is whether item i says nothing that another does not say better: a
// certificate anywhere that it identifies, one right beside it that it agrees
// with, or the longer text that follows the short one (-dates -text).
func (r *reader) echoes(i int, known map[string][]*Certificate) bool {
	text := r.items[i].cert
	for _, key := range identityKeys(text) {
		for _, c := range known[key] {
			if agree(text, c) {
				return true
			}
		}
	}
	for _, j := range []int{i - 1, i + 1} {
		if j < 0 || j >= len(r.items) || r.items[j].cert == nil {
			continue
		}
		other := r.items[j]
		if other.text != nil && (j < i || !other.text.full || r.items[i].text.full) {
			continue
		}
		if agree(text, other.cert) {
			return true
		}
	}
	return false
}

// agree is whether nothing that text says is otherwise, or missing, in c.
func agree(text, c *Certificate) bool {
	same := func(a, b *time.Time) bool { return a == nil || b != nil && a.Equal(*b) }
	if !same(text.NotBefore, c.NotBefore) || !same(text.NotAfter, c.NotAfter) {
		return false
	}
	if text.Serial != "" && text.Serial != c.Serial || text.Fingerprint != "" && text.Fingerprint != c.Fingerprint {
		return false
	}
	cn := commonName(text.Subject)
	return cn == "" || cn == commonName(c.Subject)
}

// commonName takes the CN out of a printed name, up to anything that could be
// spelled in more than one way.
func commonName(s string) string {
	for i := 0; ; {
		j := strings.Index(s[i:], "CN")
		if j < 0 {
			return ""
		}
		i += j + 2
		value, ok := strings.CutPrefix(strings.TrimLeft(s[i:], " "), "=")
		start := i - 2
		if !ok || start > 0 && !strings.ContainsRune(",/+; ", rune(s[start-1])) {
			continue
		}
		if k := strings.IndexAny(value, `,/+;\`); k >= 0 {
			value = value[:k]
		}
		return strings.Trim(value, ` "`)
	}
}
