package certs

import "bytes"

// kind is what a DER value looks like, told by its first few elements.
type kind int

const (
	kindUnknown     kind = iota // nothing of ours: passed over
	kindCertificate             // or what is left of one
	kindOther                   // a key, a request, a revocation list, parameters: passed over
	kindPKCS7
	kindPKCS12
	kindGarbage // starts as a certificate does and then makes no sense
)

// Contents of OBJECT IDENTIFIERs of containers.
const (
	idPKCS7                = "\x2a\x86\x48\x86\xf7\x0d\x01\x07"     // 1.2.840.113549.1.7, RFC 2315 14
	idNetscapeCertificates = "\x60\x86\x48\x01\x86\xf8\x42\x02\x05" // 2.16.840.1.113730.2.5
)

// classify tells what a SEQUENCE is.
func classify(e element) kind {
	if !e.isSequence() {
		return kindUnknown
	}
	c := cursor{e.content}
	first, ok := c.next()
	if !ok {
		return kindUnknown
	}
	switch {
	case first.is(tagInteger):
		second, _ := c.next()
		inner := cursor{second.content}
		id, _ := inner.next()
		if second.isSequence() && id.is(tagOID) && isPKCS7(id.content) {
			return kindPKCS12 // PFX (RFC 7292 4): version, ContentInfo
		}
		return kindOther // PKCS#1, PKCS#8, SEC 1, DSA or DH parameters
	case first.is(tagOID):
		if isPKCS7(first.content) || string(first.content) == idNetscapeCertificates {
			return kindPKCS7
		}
	case first.isSequence():
		return classifyBody(first)
	}
	return kindUnknown
}

func isPKCS7(id []byte) bool { return len(id) == 9 && string(id[:8]) == idPKCS7 }

// classifyBody tells a SEQUENCE by the SEQUENCE it starts with: a certificate,
// a request (RFC 2986 4.1), a revocation list (RFC 5280 5.1), a public key, an
// encrypted private key, or something else.
func classifyBody(body element) kind {
	c := cursor{body.content}
	first, ok := c.next()
	if !ok {
		if len(body.content) > 0 {
			return kindGarbage
		}
		return kindUnknown
	}
	switch {
	case first.is(tagOID):
		return kindOther // AlgorithmIdentifier: a public or encrypted key
	case first.isContext(0):
		return kindCertificate
	case first.isSequence():
		return kindOther // a version 1 revocation list, an OCSP request
	case !first.is(tagInteger):
		return kindGarbage
	}
	// Version 1 certificate: INTEGER, algorithm, issuer, SEQUENCE of times.
	// Request:               INTEGER, subject, SEQUENCE key, [0].
	// Revocation list:       INTEGER, algorithm, issuer, time.
	// Attribute certificate: INTEGER, SEQUENCE or [1] holder, [0] issuer.
	second, _ := c.next()
	third, _ := c.next()
	fourth, _ := c.next()
	switch {
	case !second.isSequence() || !third.isSequence():
		return kindOther
	case fourth.is(tagUTCTime), fourth.is(tagGeneralizedTime):
		return kindOther
	case fourth.isSequence():
		return kindCertificate
	case len(fourth.full) == 0 && isKey(third):
		return kindOther
	case len(fourth.full) == 0:
		return kindCertificate // cut off
	}
	return kindOther
}

// isKey tells a SubjectPublicKeyInfo from a Name: the one starts with a
// SEQUENCE, the other with a SET.
func isKey(e element) bool {
	c := cursor{e.content}
	first, ok := c.next()
	return ok && first.isSequence()
}

// place is where in the input something stood.
type place struct {
	line int    // 0 for binary input
	note string // what was wrong with the block around it
}

// sequences reads the concatenated values that data starts with and reports
// what it made of them. rest is what follows them; it starts with no SEQUENCE.
func (r *reader) sequences(data []byte, at place) (found bool, seen kind, rest []byte) {
	for len(data) > 1 && data[0] == 0x30 {
		e, after, ok := readElement(data)
		if !ok {
			return found, seen, data
		}
		before := r.problems
		k := classify(e)
		seen = max(seen, k)
		switch k {
		case kindCertificate:
			r.certificate(e, at)
			found = true
		case kindGarbage:
			r.problem(at, Problem{Reason: Malformed, Message: "starts like a certificate and is none"})
			found = true
		case kindPKCS7:
			r.pkcs7(e, at)
			found = true
		case kindPKCS12:
			r.problem(at, pkcs12Problem())
			found = true
		default:
			// Such as the trust settings of a TRUSTED CERTIFICATE.
			if found {
				r.trailing()
			}
		}
		if e.truncated || r.problems > before {
			// What is cut off takes in what follows; PEM can still be told
			// from it.
			if i := bytes.Index(e.full, []byte("-----BEGIN ")); i >= 0 {
				return found, seen, data[i:]
			}
		}
		data = after
	}
	return found, seen, data
}

// certificate reads one that has been cut out.
func (r *reader) certificate(e element, at place) {
	c, err := parseElement(e, false, nil)
	if err != nil {
		r.problem(at, asProblem(err))
		return
	}
	if at.note != "" && c.Malformed == "" {
		c.Malformed = at.note
	}
	r.add(c)
}

// trailing notes on the last certificate that something follows it.
func (r *reader) trailing() {
	if len(r.items) == 0 {
		return
	}
	if c := r.items[len(r.items)-1].cert; c != nil && c.Malformed == "" {
		c.Malformed = "trailing data"
	}
}
