package kube

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/report"
)

var errTooLarge = errors.New("the answer is too large")

// bounded reads so much and no more, and remembers what stopped it.
type bounded struct {
	r    io.Reader
	left int64
	err  error // other than the end
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One byte more than is left tells an answer that is too large from one
	// that ends just there.
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		n, err = n-1, errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		b.err = err
	}
	return n, err
}

// unread tells why an answer that began well could not be read: the connection's
// fault, or else the reader's complaint.
func (a *attempt) unread(broken, complaint error) *Error {
	e := &Error{Location: a.request.Location, Reason: report.ReasonMalformed, Hint: "is a proxy or a portal page in between?"}
	_, corrupt := errors.AsType[flate.CorruptInputError](broken)
	switch {
	case over(a.ctx):
		return ended(a.ctx, a.client.server)
	case errors.Is(broken, errTooLarge):
		e.Message = fmt.Sprintf("the answer is larger than %d MiB", max(a.limit(), 1<<20)>>20)
	case broken != nil && (over(a.limited) || collect.TimedOut(broken)):
		e.Reason, e.Retryable = report.ReasonTimeout, true
		e.Message = fmt.Sprintf("the answer was not complete within %s", a.client.door.cfg.Timeout)
		e.Hint = "for a slow network raise --connect-timeout"
	case errors.Is(broken, gzip.ErrHeader), errors.Is(broken, gzip.ErrChecksum), corrupt:
		e.Message = "the answer cannot be unpacked"
	case broken != nil, errors.Is(complaint, io.ErrUnexpectedEOF), errors.Is(complaint, io.EOF):
		e.Reason, e.Retryable, e.Hint = report.ReasonTruncated, true, "try again"
		e.Message = "the answer ended in the middle"
	default:
		// The decoder's own words quote the answer.
		e.Message = "the answer is not what Kubernetes documents"
	}
	e.Message = a.request.What + ": " + e.Message
	return e
}

func (a *attempt) limit() int64 {
	if a.request.Limit > 0 {
		return a.request.Limit
	}
	return maxAnswer
}
