package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// longName is where printing a name is cut short: pkix puts the text together
// attribute by attribute, in time quadratic in their number.
const longName = 16 << 10

// name is n.String(). That takes a fifth of the time of parsing a certificate,
// so names of the usual attributes and plain values are written directly.
func name(n *pkix.Name, raw []byte) string {
	if len(raw) > longName {
		e, _, _ := readElement(raw)
		return lenientName(e)
	}
	for _, attribute := range n.Names {
		// 2.5.4.x, RFC 4519; pkix writes others by their numbers.
		t := attribute.Type
		if len(t) != 4 || t[0] != 2 || t[1] != 5 || t[2] != 4 || t[3] < 3 || t[3] == 4 || t[3] > 11 && t[3] != 17 {
			return n.String()
		}
		if v, ok := attribute.Value.(string); !ok || !plainValue(v) {
			return n.String()
		}
	}
	out := make([]byte, 0, len(raw)+32)
	one := func(key, value string) {
		if value != "" {
			out = appendAttribute(out, key, value)
		}
	}
	all := func(key string, values []string) {
		for i, v := range values {
			if i > 0 {
				out = append(append(append(append(out, '+'), key...), '='), v...)
				continue
			}
			out = appendAttribute(out, key, v)
		}
	}
	one("SERIALNUMBER", n.SerialNumber)
	one("CN", n.CommonName)
	all("OU", n.OrganizationalUnit)
	all("O", n.Organization)
	all("POSTALCODE", n.PostalCode)
	all("STREET", n.StreetAddress)
	all("L", n.Locality)
	all("ST", n.Province)
	all("C", n.Country)
	return string(out)
}

func appendAttribute(out []byte, key, value string) []byte {
	if len(out) > 0 {
		out = append(out, ',')
	}
	out = append(append(out, key...), '=')
	return append(out, value...)
}

// plainValue is one that needs no escape.
func plainValue(s string) bool {
	return !strings.ContainsAny(s, `,+"\<>;#`) && strings.TrimSpace(s) == s && utf8.ValidString(s)
}

// lenientName prints a Name (RFC 5280 4.1.2.4) as pkix.Name prints those that
// crypto/x509 reads, whatever string types and characters are in it. What
// cannot be read is left out.
func lenientName(name element) string {
	var sequence pkix.RDNSequence
	content := name.content
	if len(content) > longName {
		content = content[:longName]
	}
	sets := cursor{content}
	for {
		set, ok := sets.next()
		if !ok {
			break
		}
		var rdn pkix.RelativeDistinguishedNameSET
		attributes := cursor{set.content}
		for {
			attribute, ok := attributes.next()
			if !ok {
				break
			}
			parts := cursor{attribute.content}
			kind, ok1 := parts.next()
			value, ok2 := parts.next()
			arcs, ok3 := oid(kind.content)
			if !ok1 || !ok2 || !ok3 || !kind.is(tagOID) {
				continue
			}
			rdn = append(rdn, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier(arcs), Value: stringValue(value)})
		}
		if len(rdn) > 0 {
			sequence = append(sequence, rdn)
		}
	}
	var n pkix.Name
	n.FillFromRDNSequence(&sequence)
	return n.String()
}

// stringValue is the text of a directory string. Bytes that are no UTF-8 where
// UTF-8 is promised are taken as Latin-1, as most software takes T61String.
func stringValue(e element) string {
	b := e.octets()
	switch {
	case e.is(tagBMPString) && len(b)%2 == 0:
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(units))
	case e.is(tagUniversalString) && len(b)%4 == 0:
		var s strings.Builder
		for i := 0; i < len(b); i += 4 {
			s.WriteRune(rune(uint32(b[i])<<24 | uint32(b[i+1])<<16 | uint32(b[i+2])<<8 | uint32(b[i+3])))
		}
		return s.String()
	case !e.is(tagT61String) && utf8.Valid(b):
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}
