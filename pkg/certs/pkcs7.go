package certs

// pkcs7 reads the certificates of a ContentInfo (RFC 2315 7, RFC 5652 3), and
// of Netscape's sequence of certificates.
func (r *reader) pkcs7(e element, at place) {
	c := cursor{e.content}
	id, _ := c.next()
	wrapped, ok := c.takeContext(0)
	if !ok {
		if e.truncated {
			r.problem(at, Problem{Reason: Truncated, Message: "PKCS#7 ends before it is complete"})
		}
		return
	}
	w := cursor{wrapped.content}
	content, _ := w.next()
	list, truncated := certificateList(id, content)
	s := cursor{list.content}
	for len(s.rest) > 0 {
		item, ok := s.next()
		if !ok {
			if !e.truncated {
				r.problem(at, Problem{Reason: Malformed, Message: "PKCS#7 holds a damaged certificate"})
			}
			break
		}
		// CertificateChoices (RFC 5652 10.2.2): a certificate is the one
		// without a context tag; attribute certificates are passed over.
		if item.isSequence() {
			r.certificate(item, at)
		}
	}
	if e.truncated || truncated {
		r.problem(at, Problem{Reason: Truncated, Message: "PKCS#7 ends before it is complete"})
	}
}

// certificateList finds the certificates inside the content. Those of
// SignedData (7.2) and SignedAndEnvelopedData (7.4) stand under the first [0]
// among its elements.
func certificateList(id, content element) (list element, truncated bool) {
	if string(id.content) == idNetscapeCertificates {
		return content, content.truncated
	}
	switch string(id.content) {
	case idPKCS7 + "\x02", idPKCS7 + "\x04":
	default:
		return element{}, false
	}
	c := cursor{content.content}
	for {
		e, ok := c.next()
		if !ok {
			return element{}, content.truncated
		}
		if e.isContext(0) {
			return e, e.truncated
		}
	}
}
