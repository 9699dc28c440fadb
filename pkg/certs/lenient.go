package certs

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"time"
)

// parts are the pieces of a Certificate (RFC 5280 4.1), each as far as it
// could be told from the next.
type parts struct {
	outer, tbs          element
	serial              element
	innerAlgorithm      element
	issuer, subject     element
	validity            element
	key                 element
	extensions          []extension
	algorithm           element
	signature           element
	notBefore, notAfter element
	// plain is set when the outer SEQUENCE holds its three elements and no more.
	plain bool
}

type extension struct {
	id    string // the contents of the OBJECT IDENTIFIER
	value []byte
}

// Contents of the OBJECT IDENTIFIERs of the extensions read here
// (RFC 5280 4.2.1: 2.5.29.x).
const (
	idSubjectKeyID     = "\x55\x1d\x0e"
	idSubjectAltName   = "\x55\x1d\x11"
	idBasicConstraints = "\x55\x1d\x13"
	idAuthorityKeyID   = "\x55\x1d\x23"
)

// split takes a certificate apart. Missing or damaged pieces stay empty.
func split(outer element) (p parts) {
	p.outer = outer
	c := cursor{outer.content}
	var ok bool
	if p.tbs, ok = c.next(); !ok || !p.tbs.isSequence() {
		return p
	}
	p.splitTBS()
	if p.algorithm, ok = c.next(); !ok {
		return p
	}
	p.signature, ok = c.next()
	p.plain = ok && len(c.rest) == 0 && p.algorithm.isSequence() && p.signature.is(tagBitString) && !outer.truncated && !p.tbs.truncated && !p.algorithm.truncated && !p.signature.truncated
	return p
}

func (p *parts) splitTBS() {
	c := cursor{p.tbs.content}
	c.takeContext(0) // version, absent in version 1
	take := func(into *element, want func(element) bool) bool {
		e, ok := c.next()
		if !ok || !want(e) {
			return false
		}
		*into = e
		return true
	}
	isInteger := func(e element) bool { return e.is(tagInteger) }
	// Not isSequence: OpenSSL reads names without the constructed bit.
	isSequence := func(e element) bool { return e.is(tagSequence) }
	if !take(&p.serial, isInteger) ||
		!take(&p.innerAlgorithm, isSequence) ||
		!take(&p.issuer, isSequence) ||
		!take(&p.validity, isSequence) {
		return
	}
	v := cursor{p.validity.content}
	p.notBefore, _ = v.next()
	p.notAfter, _ = v.next()
	if !take(&p.subject, isSequence) || !take(&p.key, isSequence) {
		return
	}
	c.takeContext(1)
	c.takeContext(2)
	if wrapped, ok := c.takeContext(3); ok {
		w := cursor{wrapped.content}
		list, _ := w.next()
		p.extensions = splitExtensions(list)
	}
}

func splitExtensions(list element) (all []extension) {
	c := cursor{list.content}
	for {
		e, ok := c.next()
		if !ok {
			return all
		}
		f := cursor{e.content}
		id, ok := f.next()
		if !ok || !id.is(tagOID) {
			continue
		}
		value, ok := f.next()
		if ok && value.is(tagBoolean) { // critical
			value, ok = f.next()
		}
		if !ok || !value.is(tagOctetString) {
			continue
		}
		// Only those that are read are kept: a list of empty ones would
		// otherwise need many times the memory of the input.
		switch name := string(id.content); name {
		case idSubjectKeyID, idSubjectAltName, idBasicConstraints, idAuthorityKeyID:
			all = append(all, extension{id: name, value: value.octets()})
		}
	}
}

// date reads one of the two times.
func date(e element) *time.Time {
	if e.class != classUniversal || e.truncated {
		return nil
	}
	t, ok := asn1Time(e.tag, e.octets())
	if !ok {
		return nil
	}
	return instant(t)
}

// der is the certificate as DER writes it. The signed part stays as it is, as
// in OpenSSL, which re-encodes only what is around it; so the fingerprint of a
// certificate with BER lengths is the one OpenSSL prints.
func (p parts) der() []byte {
	if !p.plain {
		return p.outer.full
	}
	return encode(p.outer.full[0], p.tbs.full, shorten(p.algorithm, maxDepth), shorten(p.signature, maxDepth))
}

// lenient reads what can be read of a certificate that crypto/x509 refused for
// the reason why. Without a notAfter there is no certificate, only a Problem.
func lenient(p parts, why string) (Certificate, error) {
	before, after := date(p.notBefore), date(p.notAfter)
	if p.outer.truncated || p.tbs.truncated {
		return Certificate{}, truncatedProblem(after)
	}
	if after == nil {
		return Certificate{}, Problem{Reason: Malformed, Message: "certificate whose notAfter cannot be read" + written(p.notAfter)}
	}
	if before == nil {
		why = "notBefore cannot be read" + written(p.notBefore)
	}
	der := p.der()
	c := Certificate{
		DER: der, Count: 1,
		Issuer: lenientName(p.issuer), Subject: lenientName(p.subject),
		Serial:    serialText(p.serial),
		NotBefore: before, NotAfter: after,
		Fingerprint: fingerprint(der),
		Malformed:   why,
	}
	isCA := false
	c.IsCA = &isCA
	for _, x := range p.extensions {
		switch x.id {
		case idBasicConstraints:
			if ca := caFlag(x.value); ca == nil {
				c.IsCA = nil
			} else if c.IsCA != nil {
				*c.IsCA = *c.IsCA || *ca
			}
		case idSubjectAltName:
			c.DNSNames, c.IPs = appendAltNames(c.DNSNames, c.IPs, x.value)
		}
	}
	if len(p.issuer.full) > 0 && len(p.subject.full) > 0 {
		self := p.selfSigned()
		c.SelfSigned = &self
	}
	return c, nil
}

func truncatedProblem(notAfter *time.Time) Problem {
	return Problem{Reason: Truncated, Message: "certificate ends before it is complete" + readable(notAfter)}
}

// readable tells a date that survived in something that is no certificate any
// more.
func readable(notAfter *time.Time) string {
	if notAfter == nil {
		return ""
	}
	return fmt.Sprintf("; its notAfter reads %s", notAfter.Format(time.RFC3339))
}

// written quotes a time that is none, if it is short and made of the
// characters of a time, so that the date is not lost and nothing else can leak.
func written(e element) string {
	if len(e.content) == 0 || len(e.content) > 24 || e.class != classUniversal || e.tag != tagUTCTime && e.tag != tagGeneralizedTime {
		return ""
	}
	for _, b := range e.content {
		if (b < '0' || b > '9') && b != 'Z' && b != '+' && b != '-' && b != '.' && b != ' ' && b != ':' {
			return ""
		}
	}
	return fmt.Sprintf("; it is written %q", e.content)
}

// serialText is what `openssl x509 -serial` prints, in lower case.
func serialText(e element) string {
	b := e.content
	if !e.is(tagInteger) || len(b) == 0 {
		return ""
	}
	if b[0]&0x80 != 0 {
		n := new(big.Int).SetBytes(b)
		n.Sub(new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8), n)
		return "-" + hex.EncodeToString(n.Bytes())
	}
	b = bytes.TrimLeft(b, "\x00")
	if len(b) == 0 {
		return "00"
	}
	return hex.EncodeToString(b)
}

// caFlag reads BasicConstraints (RFC 5280 4.2.1.9); nil if it is malformed.
func caFlag(value []byte) *bool {
	outer, _, ok := readElement(value)
	if !ok || !outer.isSequence() || outer.truncated {
		return nil
	}
	flag := false
	c := cursor{outer.content}
	if e, ok := c.next(); ok && e.is(tagBoolean) {
		flag = len(e.content) == 1 && e.content[0] != 0
	}
	return &flag
}

// appendAltNames reads the dNSName [2] and iPAddress [7] of a SubjectAltName
// (RFC 5280 4.2.1.6), skipping those that are none.
func appendAltNames(names []string, ips []net.IP, value []byte) ([]string, []net.IP) {
	outer, _, ok := readElement(value)
	if !ok || !outer.isSequence() {
		return names, ips
	}
	c := cursor{outer.content}
	for {
		e, ok := c.next()
		if !ok {
			return names, ips
		}
		switch {
		case e.isContext(2) && len(e.content) > 0:
			names = append(names, stringValue(element{content: e.content}))
		case e.isContext(7) && (len(e.content) == net.IPv4len || len(e.content) == net.IPv6len):
			ips = append(ips, net.IP(bytes.Clone(e.content)))
		}
	}
}
