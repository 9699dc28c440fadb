package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
)

// text reads PEM blocks, and between them what openssl printed. Where there is
// neither, the whole may be base64. encoding/pem is not used since it skips
// what it does not understand without a word.
func (r *reader) text(data []byte, unwrapped int, afterDER bool) {
	data = utf8Text(data)
	s := pemReader{
		reader: r, data: data, unwrapped: unwrapped,
		lines: lineCounter{data: data, off: unwrapped > 0 || afterDER},
	}
	before := len(r.items)
	if marked := s.blocks(); !marked && len(r.items) == before {
		s.whole()
	}
}

type pemReader struct {
	*reader
	data      []byte
	unwrapped int
	lines     lineCounter
}

func (r *pemReader) at(offset int) place { return place{line: r.lines.at(offset)} }

// blocks goes from marker to marker. A block ends at the next marker of either
// kind, so that none swallows another.
func (r *pemReader) blocks() (marked bool) {
	scan := markers{data: r.data}
	done := 0
	m, ok := scan.next()
	for ok {
		marked = true
		if !m.begin {
			r.headless(done, m)
			done = m.end
			m, ok = scan.next()
			continue
		}
		r.records(done, m.start)
		end, more := scan.next()
		switch {
		case more && !end.begin:
			r.block(m, end, true)
			done = end.end
			m, ok = scan.next()
		case more:
			r.block(m, end, false)
			done = end.start
			m, ok = end, more
		default:
			r.block(m, marker{start: len(r.data)}, false)
			done, ok = len(r.data), false
		}
	}
	r.records(done, len(r.data))
	return marked
}

// block reads what is between begin and end; closed says that end is an END.
func (r *pemReader) block(begin, end marker, closed bool) {
	if !begin.wanted() && (!closed || !end.wanted()) {
		if !closed {
			// Nothing of an unfinished key is base64 of ours, but text may
			// follow it.
			r.records(begin.end, end.start)
		}
		return
	}
	before, after := line(r.data, begin.start, begin.end)
	text := r.data[begin.end:end.start]
	b := decodeBody(text, quotation(before))
	if (hasWord(before) || hasWord(after)) && prose(text, closed) {
		return
	}
	at := r.at(begin.start)
	switch {
	case !closed:
		at.note = "no END line"
	case begin.label != end.label:
		at.note = "the END line does not match the BEGIN line"
	case !begin.exact || !end.exact:
		at.note = "damaged BEGIN or END line"
	}
	first := len(r.items)
	r.payload(b, begin.end, at)
	if closed {
		return
	}
	for _, it := range r.items[first:] {
		if it.problem != nil {
			it.problem.Reason = Truncated
			it.problem.Message = "PEM block has no END line; " + it.problem.Message
		}
	}
	r.records(begin.end, end.start)
}

// quotation is what stands before a marker on its line if it is a mark such as
// > or # or //, which then starts the other lines too.
func quotation(before []byte) []byte {
	if len(before) > 32 || hasWord(before) || bytes.ContainsAny(before, "\"'`") {
		return nil
	}
	return before
}

// prose tells a mention of a marker in a sentence from a block.
func prose(text []byte, closed bool) bool {
	if closed && (bytes.ContainsAny(text, "\r\n") || bytes.Contains(text, []byte(`\n`))) {
		return false
	}
	text = bytes.TrimLeft(text, " \t\r\n\"'`")
	for bytes.HasPrefix(text, []byte(`\n`)) || bytes.HasPrefix(text, []byte(`\r`)) {
		text = text[2:]
	}
	if closed && len(text) == 0 {
		return false
	}
	const word = 16
	for i, c := range text {
		if _, ok := sixBits(c); !ok {
			return i < word
		}
		if i >= word {
			return false
		}
	}
	return true
}

// headless reads a block whose BEGIN line is gone: the lines of base64 just
// before an END line.
func (r *pemReader) headless(done int, end marker) {
	start := end.start
	if end.wanted() {
		start = base64Suffix(r.data, done, end.start)
	}
	r.records(done, start)
	if !end.wanted() {
		return
	}
	b := decodeBody(r.data[start:end.start], nil)
	if len(b.data) < 32 {
		if before, after := line(r.data, end.start, end.end); !hasWord(before) && !hasWord(after) {
			r.problem(r.at(end.start), Problem{Reason: Malformed, Message: "END line without a BEGIN line"})
		}
		return
	}
	at := r.at(start)
	at.note = "no BEGIN line"
	r.payload(b, start, at)
}

// base64Suffix is where the lines of base64 start that end at offset end.
func base64Suffix(data []byte, least, end int) int {
	start := end
	for start > least {
		from := start - 1
		for from > least && data[from-1] != '\n' && data[from-1] != '\r' {
			from--
		}
		if !isBase64(bytes.TrimSpace(data[from:start])) {
			break
		}
		start = from
	}
	return start
}

// payload reads what a block of base64 holds, or says what is wrong with it.
// Nothing of its contents is ever in a message: it might be a key.
func (r *pemReader) payload(b body, offset int, at place) {
	if b.bad >= 0 {
		r.damaged(b, offset, at)
		return
	}
	if len(b.data) == 0 {
		r.problem(at, Problem{Reason: Malformed, Message: "empty PEM block"})
		return
	}
	first := len(r.items)
	found, seen, rest := r.sequences(b.data, at)
	if found {
		if len(rest) > 0 {
			r.trailing()
		}
		return
	}
	if p, ok := keystore(b.data); ok {
		r.problem(at, p)
		return
	}
	if r.unwrapped < maxUnwrap && bytes.Contains(b.data, []byte("-----BEGIN ")) {
		r.text(b.data, r.unwrapped+1, false)
		if len(r.items) > first {
			return
		}
	}
	message := "no certificate in the PEM block"
	if seen == kindOther {
		message = "no certificate in the PEM block but a key, a request or a revocation list"
	}
	r.problem(at, Problem{Reason: Malformed, Message: message})
}

// damaged reads a block with characters in it that are no base64. If what is
// before them is complete, or if all is well without them, they did no harm.
func (r *pemReader) damaged(b body, offset int, at place) {
	what := fmt.Sprintf("invalid base64 on line %d", r.lines.at(offset+b.bad))
	if r.lines.off {
		what = "invalid base64"
	}
	if at.note == "" {
		at.note = what
	}
	for _, data := range [][]byte{b.data[:b.sound], b.without} {
		e, _, ok := readElement(data)
		if !ok || e.truncated || !e.isSequence() {
			continue
		}
		k := classify(e)
		if k == kindCertificate || k == kindPKCS7 {
			if _, err := x509.ParseCertificate(e.full); err == nil || len(data) == b.sound {
				r.sequences(data, at)
				return
			}
		}
	}
	e, _, ok := readElement(b.data)
	p := Problem{Reason: Malformed, Message: what}
	if ok && classify(e) == kindCertificate {
		p.Message += readable(date(split(e).notAfter))
	}
	r.problem(at, p)
}

// whole reads an input that is nothing but base64.
func (r *pemReader) whole() {
	if r.unwrapped >= maxUnwrap {
		return
	}
	text := bytes.Trim(bytes.TrimSpace(r.data), "\"'")
	const shortest = 40
	if len(text) < shortest || !isBase64(text[:shortest/2]) && !urlSafe(text[:shortest/2]) {
		return
	}
	if bytes.ContainsAny(text, "-_") && !bytes.ContainsAny(text, "+/") {
		text = bytes.Map(func(c rune) rune {
			switch c {
			case '-':
				return '+'
			case '_':
				return '/'
			}
			return c
		}, text)
	}
	b := decodeBody(text, nil)
	if len(b.data) < shortest/2 {
		return
	}
	_, isStore := keystore(b.data)
	switch {
	case b.bad < 0 && (isStore || binary(b.data) || bytes.Contains(b.data, []byte("-----BEGIN ")) || isBase64(b.data[:shortest/2])):
		r.read(b.data, r.unwrapped+1)
	case b.bad >= 0 && binary(b.data):
		e, _, ok := readElement(b.data)
		if k := classify(e); ok && k != kindOther && k != kindUnknown {
			r.damaged(b, bytes.Index(r.data, text[:1]), r.at(0))
		}
	}
}

func urlSafe(text []byte) bool {
	for _, c := range text {
		if _, ok := sixBits(c); !ok && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
