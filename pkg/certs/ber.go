package certs

import "bytes"

// Universal tags used here (X.680 8.4).
const (
	tagBoolean         = 1
	tagInteger         = 2
	tagBitString       = 3
	tagOctetString     = 4
	tagOID             = 6
	tagUTF8String      = 12
	tagSequence        = 16
	tagT61String       = 20
	tagUTCTime         = 23
	tagGeneralizedTime = 24
	tagUniversalString = 28
	tagBMPString       = 30
)

const (
	classUniversal = 0
	classContext   = 2
)

// maxDepth bounds nesting: OpenSSL gives up at 30 (ASN1_MAX_CONSTRUCTED_NEST).
const maxDepth = 32

// element is one BER value. Unlike encoding/asn1 and cryptobyte it may have a
// length that is longer than it need be, or indefinite, or that points past
// the end of the input (truncated: content is then what is there).
type element struct {
	class       int
	tag         int
	constructed bool
	indefinite  bool
	truncated   bool
	content     []byte // without end-of-contents octets
	full        []byte // with header and end-of-contents octets
}

func (e element) is(tag int) bool { return e.class == classUniversal && e.tag == tag }

// isSequence also asks for the constructed bit, which X.690 8.9.1 demands.
func (e element) isSequence() bool { return e.is(tagSequence) && e.constructed }

func (e element) isContext(tag int) bool { return e.class == classContext && e.tag == tag }

// header is the first octets of an element, before its contents.
type header struct {
	class, tag  int
	constructed bool
	indefinite  bool
	size        int // octets of the header itself
	length      int // octets of the contents, if not indefinite
}

// readHeader reads identifier and length octets (X.690 8.1.2 and 8.1.3). Like
// OpenSSL's ASN1_get_object it lets a length start with zero octets.
func readHeader(data []byte) (h header, ok bool) {
	if len(data) < 2 {
		return h, false
	}
	h.class = int(data[0] >> 6)
	h.constructed = data[0]&0x20 != 0
	h.tag = int(data[0] & 0x1f)
	at := 1
	if h.tag == 0x1f {
		h.tag = 0
		for {
			if at >= len(data) || h.tag >= 1<<24 {
				return h, false
			}
			b := data[at]
			at++
			h.tag = h.tag<<7 | int(b&0x7f)
			if b&0x80 == 0 {
				break
			}
		}
	}
	if at >= len(data) {
		return h, false
	}
	first := data[at]
	at++
	switch {
	case first < 0x80:
		h.length = int(first)
	case first == 0x80:
		// X.690 8.1.3.2: only constructed values may be indefinite.
		if !h.constructed {
			return h, false
		}
		h.indefinite = true
	default:
		n := int(first & 0x7f)
		if at+n > len(data) {
			return h, false
		}
		for _, b := range data[at : at+n] {
			// No input reaches 2^31 octets here; a longer length is garbage.
			if h.length >= 1<<23 {
				return h, false
			}
			h.length = h.length<<8 | int(b)
		}
		at += n
	}
	h.size = at
	return h, true
}

// readElement reads the element that data starts with. It fails only where the
// header cannot be read or the nesting is too deep.
func readElement(data []byte) (e element, rest []byte, ok bool) {
	h, ok := readHeader(data)
	if !ok {
		return e, nil, false
	}
	e = element{class: h.class, tag: h.tag, constructed: h.constructed, indefinite: h.indefinite}
	if !h.indefinite {
		end := h.size + h.length
		if end > len(data) {
			e.truncated = true
			end = len(data)
		}
		e.content = data[h.size:end:end]
		e.full = data[:end:end]
		return e, data[end:], true
	}
	n, found, ok := contentsEnd(data[h.size:], maxDepth)
	if !ok {
		return e, nil, false
	}
	e.content = data[h.size : h.size+n : h.size+n]
	if !found {
		e.truncated = true
		e.full = data
		return e, nil, true
	}
	end := h.size + n + 2
	e.full = data[:end:end]
	return e, data[end:], true
}

// contentsEnd finds the end-of-contents octets that close contents of
// indefinite length. It descends only into values of indefinite length, so
// each call is linear, and depth bounds how often an octet is seen.
func contentsEnd(data []byte, depth int) (n int, found, ok bool) {
	if depth == 0 {
		return 0, false, false
	}
	for n < len(data) {
		if data[n] == 0 && n+1 < len(data) && data[n+1] == 0 {
			return n, true, true
		}
		h, ok := readHeader(data[n:])
		if !ok {
			// Cut inside a header, or garbage: what is there is all there is.
			return len(data), false, true
		}
		n += h.size
		if !h.indefinite {
			if h.length > len(data)-n {
				return len(data), false, true
			}
			n += h.length
			continue
		}
		inner, found, ok := contentsEnd(data[n:], depth-1)
		if !ok {
			return 0, false, false
		}
		if !found {
			return len(data), false, true
		}
		n += inner + 2
	}
	return len(data), false, true
}

// cursor walks the elements of some contents.
type cursor struct{ rest []byte }

func (c *cursor) next() (element, bool) {
	e, rest, ok := readElement(c.rest)
	if !ok {
		return e, false
	}
	c.rest = rest
	return e, true
}

// peek is the next element without taking it.
func (c *cursor) peek() (element, bool) {
	e, _, ok := readElement(c.rest)
	return e, ok
}

// takeContext takes the next element if it has that context tag.
func (c *cursor) takeContext(tag int) (element, bool) {
	e, ok := c.peek()
	if !ok || !e.isContext(tag) {
		return element{}, false
	}
	return c.next()
}

// octets is the value of a string type, whose segments are put together where
// it is constructed (X.690 8.7.3), as in PKCS#7 of indefinite length.
func (e element) octets() []byte { return gather(e, maxDepth) }

func gather(e element, depth int) []byte {
	if !e.constructed {
		return e.content
	}
	var all []byte
	c := cursor{e.content}
	for depth > 0 {
		part, ok := c.next()
		if !ok {
			break
		}
		all = append(all, gather(part, depth-1)...)
	}
	return all
}

// bits is the contents of a BIT STRING without its count of unused bits.
func (e element) bits() []byte {
	if len(e.content) == 0 || e.constructed {
		return nil
	}
	return e.content[1:]
}

// encode writes an element as DER does, with the shortest length.
func encode(identifier byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := make([]byte, 0, n+6)
	out = append(out, identifier)
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// shorten writes e again as DER has it: with the shortest lengths throughout.
func shorten(e element, depth int) []byte {
	if len(e.full) == 0 || e.tag >= 0x1f || e.truncated || depth == 0 {
		return e.full
	}
	if !e.constructed {
		content := e.content
		if e.is(tagBitString) && len(content) > 1 && content[0] < 8 {
			// X.690 11.2.1: unused bits are zero.
			content = bytes.Clone(content)
			content[len(content)-1] &= 0xff << content[0]
		}
		return encode(e.full[0], content)
	}
	var parts [][]byte
	c := cursor{e.content}
	for len(c.rest) > 0 {
		part, ok := c.next()
		if !ok {
			return e.full
		}
		parts = append(parts, shorten(part, depth-1))
	}
	return encode(e.full[0], parts...)
}

// oid reads an OBJECT IDENTIFIER as dotted numbers would (X.690 8.19). Arcs
// beyond 31 bits, which no attribute we name has, make it unreadable.
func oid(content []byte) ([]int, bool) {
	if len(content) == 0 || len(content) > 64 {
		return nil, false
	}
	var out []int
	arc := 0
	for i, b := range content {
		if arc >= 1<<24 {
			return nil, false
		}
		arc = arc<<7 | int(b&0x7f)
		if b&0x80 != 0 {
			if i == len(content)-1 {
				return nil, false
			}
			continue
		}
		if out == nil {
			first := min(arc/40, 2)
			out = append(out, first, arc-40*first)
		} else {
			out = append(out, arc)
		}
		arc = 0
	}
	return out, true
}
