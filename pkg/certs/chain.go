package certs

import (
	"bytes"
	"errors"
	"slices"
)

// maxChecks bounds how many signatures are checked for one chain: a hostile
// server can present hundreds of certificates that all claim to be each other's
// issuer. crypto/x509 has the same bound.
const maxChecks = 100

// ChainsTo follows signatures, and nothing else, from the leaf of what a server
// presented, its first, to one of cas. uncheckable says that no answer could be
// had: an algorithm that is not known here, or too many signatures.
func ChainsTo(presented, cas []Certificate) (ok, uncheckable bool) {
	current, rest := presented[0], slices.Clone(presented[1:])
	checks := 0
	signed := func(c, by Certificate) bool {
		if c.Issuer != by.Subject {
			return false
		}
		if checks++; checks > maxChecks {
			uncheckable = true
			return false
		}
		err := c.SignedBy(by)
		uncheckable = uncheckable || errors.Is(err, ErrUncheckable)
		return err == nil
	}
	for {
		for _, ca := range cas {
			if current.DER != nil && bytes.Equal(current.DER, ca.DER) || signed(current, ca) {
				return true, false
			}
		}
		next := slices.IndexFunc(rest, func(c Certificate) bool { return signed(current, c) })
		if next < 0 {
			return false, uncheckable
		}
		current = rest[next]
		rest = slices.Delete(rest, next, next+1)
	}
}
