package node

import (
	"strconv"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// parser reads the lines of one probe.
type parser struct {
	os    string
	host  string
	files map[string]status // by path
	facts map[string]string // by name
	seen  []collect.Observation

	file     string // whose certificates are being read; empty between files
	index    int    // of the next certificate in it
	found    []certs.Certificate
	problems []certs.Problem
	fields   map[string]string // of the certificate being read; nil between them

	withoutOpenssl int // files that were there and openssl was not
}

// status is what became of one file. The zero status is that of a file that was
// not told of, as when the front of the answer was cut off.
type status int

const (
	there status = iota + 1
	absent
	failed
)

// maxItems bounds the certificates of one file; the probes stop at eight.
const maxItems = 100

func (p *parser) line(text string) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "cert", "bad", "more", "file", "seen", "none", "fail", "fact", "done":
		p.endCertificate()
	}
	switch word {
	case "file", "seen", "none", "fail", "fact", "done":
		p.endFile()
	}
	switch word {
	case "host":
		p.host = hostname(rest)
	case "file":
		p.file, p.files[rest] = rest, there
	case "cert":
		p.fields = map[string]string{}
	case "bad":
		p.problem(certs.Malformed, "this certificate cannot be read")
	case "more":
		if n, err := strconv.Atoi(rest); err == nil && n > 0 {
			p.problem(certs.Truncated, strconv.Itoa(n)+" more certificates were not looked at")
		}
	case "seen":
		p.files[rest] = there
	case "none":
		p.files[rest] = absent
	case "fail":
		p.fail(rest)
	case "fact":
		if name, value, ok := strings.Cut(rest, " "); ok {
			p.facts[name] = value
		}
	default:
		if key, value, ok := strings.Cut(text, "="); ok && p.fields != nil {
			p.fields[key] = value
		}
	}
}

// endCertificate turns the fields read so far into a certificate of the file.
func (p *parser) endCertificate() {
	fields := p.fields
	p.fields = nil
	if fields == nil || p.file == "" || p.index >= maxItems {
		return
	}
	// certs reads the dates, the serial number and the fingerprint as openssl
	// prints them. Names it would have to guess the order of: here it is known.
	read, _ := certs.Read([]byte("notBefore=" + fields["from"] + "\nnotAfter=" + fields["to"] +
		"\nserial=" + fields["serial"] + "\nSHA256 Fingerprint=" + fields["sha256"] + "\n"))
	if len(read) != 1 || read[0].NotAfter == nil {
		p.problem(certs.Malformed, "the dates of this certificate cannot be read")
		return
	}
	c := read[0]
	c.Index = p.index
	p.index++
	for i := range p.found {
		if c.Fingerprint != "" && p.found[i].Fingerprint == c.Fingerprint {
			p.found[i].Count++
			return
		}
	}
	c.SelfSigned = selfSigned(fields["subject"], fields["issuer"])
	c.Subject, c.Issuer = p.name(fields["subject"]), p.name(fields["issuer"])
	if ca, err := strconv.ParseBool(fields["ca"]); err == nil {
		c.IsCA = &ca
	}
	p.found = append(p.found, c)
}

func (p *parser) problem(reason certs.Reason, message string) {
	if p.file == "" || p.index >= maxItems {
		return
	}
	p.problems = append(p.problems, certs.Problem{Index: p.index, Reason: reason, Message: message,
		Hint: "look at it on the node: openssl x509 -noout -text -in " + target.Quote(p.file)})
	p.index++
}

// endFile turns what was read of one file into observations.
func (p *parser) endFile() {
	if p.file == "" {
		return
	}
	if len(p.found)+len(p.problems) == 0 {
		p.problem(certs.Malformed, "holds no certificate")
	}
	role := roleOf(p.file)
	p.seen = append(p.seen, collect.Rows(p.found, p.problems, p.file, func(int) report.Role { return role })...)
	p.file, p.index, p.found, p.problems = "", 0, nil, nil
}

func (p *parser) gap(g collect.Gap) {
	p.seen = append(p.seen, collect.Observation{Gap: &g})
}

// fail reads "PATH REASON"; a path of Windows may hold blanks.
func (p *parser) fail(rest string) {
	at := strings.LastIndexByte(rest, ' ')
	if at < 0 {
		return
	}
	path, why := rest[:at], rest[at+1:]
	p.files[path] = failed
	g := collect.Gap{Location: path, Reason: report.ReasonMalformed, Message: "cannot be read on the node"}
	switch why {
	case "no-openssl":
		p.withoutOpenssl++
		return // one gap for all
	case "denied":
		g.Reason, g.Message, g.Hint = report.ReasonForbidden, "the probe may not read it", "run the probe as root"
	case "no-file":
		g.Message = "is there, and is no file"
	case "dangling":
		g.Reason, g.Message = report.ReasonNotFound, "is a link to a file that is not there"
	}
	p.gap(g)
}

// selfSigned tells from the names alone, as they were printed: different names,
// not self-signed. The signature and the key identifiers stayed on the node.
func selfSigned(subject, issuer string) *bool {
	same := subject == issuer
	if subject == "" || issuer == "" || same && strings.HasSuffix(subject, "...") {
		return nil // not known, or cut before they may differ
	}
	return &same
}
