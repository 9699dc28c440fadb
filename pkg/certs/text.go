package certs

import (
	"bytes"
	"net"
	"strings"
	"time"
)

// record is what openssl (or curl -v) printed about one certificate.
type record struct {
	// set holds the fields seen as `key: value` and as `key=value`: the same
	// field twice in one form starts the next record.
	set        [2][fields]bool
	values     [fields]string
	dates      [2]*time.Time // of notBefore and notAfter, where readable
	line       int
	full       bool // it started with "Certificate:"
	extensions bool // within the extensions of -text
	names      []string
	ips        []net.IP
	isCA       *bool
}

type field int

const (
	fieldNotBefore field = iota
	fieldNotAfter
	fieldSubject
	fieldIssuer
	fieldSerial
	fieldFingerprint
	fields
)

const (
	formColon = iota
	formEquals
)

// textReader reads the lines of one stretch of text.
type textReader struct {
	*pemReader
	record
	// next takes the line after one that announced it, as -text does with long
	// serial numbers and with extensions.
	next func(*textReader, string)
}

// records reads what openssl printed between two offsets of the input.
func (r *pemReader) records(start, end int) {
	t := textReader{pemReader: r}
	for start < end {
		text := r.data[start:end]
		length := len(text)
		if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
			length = i
		}
		// No line of interest is longer; a line of base64 may be a megabyte.
		if length > 0 && length <= 16<<10 {
			t.read(string(text[:length]), start)
		}
		start += length + 1
	}
	t.finish()
}

func (t *textReader) read(text string, offset int) {
	text = strings.TrimSpace(strings.TrimLeft(text, " \t*#>\uFEFF"))
	if next := t.next; next != nil && text != "" {
		t.next = nil
		next(t, text)
		return
	}
	switch {
	case text == "Certificate:":
		t.finish()
		t.full = true
		return
	case strings.HasPrefix(text, "v:NotBefore: "):
		// s_client: "v:NotBefore: …; NotAfter: …"
		before, after, _ := strings.Cut(strings.TrimPrefix(text, "v:NotBefore: "), "; NotAfter: ")
		t.put(fieldNotBefore, formColon, before, offset)
		t.put(fieldNotAfter, formColon, after, offset)
		return
	case t.full && t.extension(text):
		return
	}
	i := strings.IndexAny(text, "=:")
	if i <= 0 || i > 24 {
		return
	}
	form := formColon
	if text[i] == '=' {
		form = formEquals
	}
	key, value := strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:])
	if f, ok := fieldNamed(key, form); ok {
		if f == fieldSerial && value == "" {
			t.next = func(t *textReader, s string) { t.put(fieldSerial, form, s, offset) }
			return
		}
		if t.extensions && form == formColon && (f == fieldNotBefore || f == fieldNotAfter) {
			return // of the extension Private Key Usage Period
		}
		t.put(f, form, value, offset)
	}
}

// fieldNamed knows the keys of openssl x509 1.1.1 and 3, s_client and curl.
func fieldNamed(key string, form int) (field, bool) {
	if form == formEquals {
		switch key {
		case "notBefore":
			return fieldNotBefore, true
		case "notAfter":
			return fieldNotAfter, true
		case "subject":
			return fieldSubject, true
		case "issuer":
			return fieldIssuer, true
		case "serial":
			return fieldSerial, true
		case "SHA256 Fingerprint", "sha256 Fingerprint":
			return fieldFingerprint, true
		}
		return 0, false
	}
	switch key {
	case "Not Before", "start date":
		return fieldNotBefore, true
	case "Not After", "expire date":
		return fieldNotAfter, true
	case "Subject", "subject", "0 s", "1 s", "2 s", "3 s", "4 s":
		return fieldSubject, true
	case "Issuer", "issuer", "i":
		return fieldIssuer, true
	case "Serial Number":
		return fieldSerial, true
	}
	return 0, false
}

// extension reads the two extensions of -text that are kept.
func (t *textReader) extension(text string) bool {
	switch {
	case text == "X509v3 extensions:":
		t.extensions = true
	case strings.HasPrefix(text, "X509v3 Basic Constraints:"):
		t.next = func(t *textReader, s string) {
			flag := strings.HasPrefix(s, "CA:TRUE")
			if flag || strings.HasPrefix(s, "CA:FALSE") {
				t.isCA = &flag
			}
		}
	case strings.HasPrefix(text, "X509v3 Subject Alternative Name:"):
		t.next = (*textReader).altNames
	default:
		return false
	}
	return true
}

func (t *textReader) altNames(text string) {
	for _, s := range strings.Split(text, ", ") {
		if name, ok := strings.CutPrefix(s, "DNS:"); ok && name != "" {
			t.names = append(t.names, name)
		} else if ip, ok := strings.CutPrefix(s, "IP Address:"); ok {
			if ip := net.ParseIP(ip); ip != nil {
				if v4 := ip.To4(); v4 != nil {
					ip = v4
				}
				t.ips = append(t.ips, ip)
			}
		}
	}
}

// put sets a field. One that is there already in the same form, or with
// another value in the other (-text -dates prints both), is of the next
// certificate.
func (t *textReader) put(f field, form int, value string, offset int) {
	var date *time.Time
	switch f {
	case fieldNotBefore, fieldNotAfter:
		if !dateLike(value) {
			return
		}
		if at, ok := textDate(value); ok {
			date = instant(at)
			value = date.Format(time.RFC3339)
		}
	case fieldSerial:
		value = textSerial(value)
	case fieldFingerprint:
		value = strings.ToLower(strings.ReplaceAll(value, ":", ""))
		if len(value) != 64 || strings.Trim(value, hexDigits) != "" {
			return
		}
	}
	other := 1 - form
	if t.set[form][f] || t.set[other][f] && t.values[f] != value {
		t.finish()
	}
	if t.set == (record{}).set {
		t.line = t.lines.at(offset)
	}
	t.set[form][f] = true
	t.values[f] = value
	if f <= fieldNotAfter {
		t.dates[f] = date
	}
}

func (t *record) has(f field) bool { return t.set[formColon][f] || t.set[formEquals][f] }

// finish turns the record into a certificate, or a Problem if it has a
// notAfter that is no date. A record without any date says nothing about
// expiry, and is none.
func (t *textReader) finish() {
	done := t.record
	t.record = record{}
	t.next = nil
	before, after := done.dates[fieldNotBefore], done.dates[fieldNotAfter]
	at := place{line: done.line}
	switch {
	case done.has(fieldNotAfter) && after == nil:
		t.problem(at, Problem{Reason: Malformed, Message: "text about a certificate whose notAfter is no date"})
		return
	case after == nil && done.has(fieldNotBefore) && before == nil:
		t.problem(at, Problem{Reason: Malformed, Message: "text about a certificate whose notBefore is no date"})
		return
	case before == nil && after == nil:
		return
	}
	c := Certificate{
		Count: 1, NotBefore: before, NotAfter: after,
		Subject: textName(done.values[fieldSubject]), Issuer: textName(done.values[fieldIssuer]),
		Serial: done.values[fieldSerial], Fingerprint: done.values[fieldFingerprint],
		IsCA: done.isCA, DNSNames: done.names, IPs: done.ips,
	}
	if done.has(fieldNotBefore) && before == nil {
		c.Malformed = "notBefore is no date"
	}
	t.items = append(t.items, item{cert: &c, text: &done})
}
