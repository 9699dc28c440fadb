package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"k8s.io/utils/lru"

	"github.com/akscert/akscert/pkg/certs"
)

// Memory is what a run has read already. Of one cluster the kubeconfig, the API
// server and the sources that sign in there all show the same CA, the contexts of
// its users do so again, and to read a CA is to check its own signature: a third of
// a millisecond for AKS's 4,096 bits, most of what a handshake takes.
//
// It remembers the last thousand, where they are of an ordinary size. What it hands
// out is shared: nobody writes to what a certificate points to. nil remembers
// nothing. It is safe for concurrent use.
type Memory struct{ last *lru.Cache }

const (
	remembered     = 1024     // certificates and files; of AKS's, some 8 MiB
	mostRemembered = 16 << 10 // octets of one
	mostHeld       = 4        // certificates in one file: a CA, and the one before it
)

// NewMemory remembers nothing yet.
func NewMemory() *Memory { return &Memory{lru.New(remembered)} }

// The keys: what a whole input held, and what one certificate is.
type (
	inputSum    [sha256.Size]byte
	fingerprint string
)

type held struct {
	found    []certs.Certificate
	problems []certs.Problem
}

// Read is certs.Read.
func (m *Memory) Read(data []byte) ([]certs.Certificate, []certs.Problem) {
	if m == nil || len(data) > mostRemembered {
		return certs.Read(data)
	}
	sum := inputSum(sha256.Sum256(data))
	if known, ok := m.last.Get(sum); ok {
		h := known.(held)
		return slices.Clone(h.found), slices.Clone(h.problems)
	}
	var h held
	h.found, h.problems = certs.Read(data)
	if len(h.found)+len(h.problems) > mostHeld {
		return h.found, h.problems
	}
	m.last.Add(sum, h)
	for _, c := range h.found {
		if c.DER != nil && c.Malformed == "" {
			c.Index, c.Count = 0, 1
			m.last.Add(fingerprint(c.Fingerprint), c)
		}
	}
	return slices.Clone(h.found), slices.Clone(h.problems)
}

// Parse is certs.Parse.
func (m *Memory) Parse(der []byte) (certs.Certificate, error) {
	if m == nil || len(der) > mostRemembered {
		return certs.Parse(der)
	}
	sum := sha256.Sum256(der)
	print := fingerprint(hex.EncodeToString(sum[:]))
	if known, ok := m.last.Get(print); ok {
		return known.(certs.Certificate), nil
	}
	c, err := certs.Parse(der)
	if err == nil && c.Malformed == "" {
		m.last.Add(print, c)
	}
	return c, err
}
