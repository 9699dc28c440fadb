package certs

import (
	"bytes"
	"fmt"
)

// Read finds every certificate in data, whatever it is: PEM and DER, one or
// many, PKCS#7, the base64 of these, and text that openssl printed. Both
// results are in the order of the input. Data without anything like a
// certificate has neither. Results may share memory with data.
func Read(data []byte) (found []Certificate, problems []Problem) {
	var r reader
	r.read(data, 0)
	return r.results()
}

// maxUnwrap is how often base64 is taken off.
const maxUnwrap = 2

// mostProblems is how many are told one by one: an input of nothing but BEGIN
// lines would otherwise make a result many times its size.
const mostProblems = 1000

// reader collects what is found, in the order of the input.
type reader struct {
	items    []item
	problems int
}

// item is one thing found: a certificate, a problem, or a text record.
type item struct {
	cert    *Certificate
	problem *Problem
	text    *record // cert is then what the text said
}

func (r *reader) add(c Certificate) { r.items = append(r.items, item{cert: &c}) }

func (r *reader) problem(at place, p Problem) {
	r.problems++
	if r.problems > mostProblems {
		return
	}
	p.Line = at.line
	r.items = append(r.items, item{problem: &p})
}

// read reads any input; unwrapped counts the layers of base64 already off.
func (r *reader) read(data []byte, unwrapped int) {
	if p, ok := keystore(data); ok {
		r.problem(place{}, p)
	}
	if binary(data) {
		_, _, rest := r.sequences(data, place{})
		blank := len(bytes.Trim(rest, " \t\r\n\x00\x1a")) == 0
		if !blank && len(rest) < len(data) {
			before := len(r.items)
			r.text(rest, unwrapped, true)
			if len(r.items) == before {
				r.trailing()
			}
		}
		if blank || len(rest) < len(data) {
			return
		}
		data = rest
	}
	r.text(data, unwrapped, false)
}

// binary tells DER or BER from text that starts with a zero: a SEQUENCE that
// starts with a SEQUENCE, an INTEGER or an OBJECT IDENTIFIER.
func binary(data []byte) bool {
	h, ok := readHeader(data)
	if !ok || data[0] != 0x30 || h.size >= len(data) {
		return false
	}
	if data[1] >= 0x80 {
		return true
	}
	// A length below 128 is a printable octet: it must look right all through.
	e, _, ok := readElement(data)
	return ok && !e.truncated && classify(e) != kindUnknown && classify(e) != kindGarbage
}

// results numbers what was found, drops text about certificates that are there
// themselves, and folds duplicates into the first.
func (r *reader) results() (found []Certificate, problems []Problem) {
	items := r.withoutEchoes()
	first := make(map[string]int, len(items))
	for i, it := range items {
		if it.problem != nil {
			it.problem.Index = i
			problems = append(problems, *it.problem)
			continue
		}
		it.cert.Index = i
		if it.cert.DER != nil {
			if at, ok := first[it.cert.Fingerprint]; ok {
				found[at].Count++
				continue
			}
			first[it.cert.Fingerprint] = len(found)
		}
		found = append(found, *it.cert)
	}
	if more := r.problems - mostProblems; more > 0 {
		problems = append(problems, Problem{
			Index: len(items), Reason: Malformed,
			Message: fmt.Sprintf("%d more places look like certificates and cannot be read", more),
		})
	}
	return found, problems
}
