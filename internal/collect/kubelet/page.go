package kubelet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"
)

// The metrics that are read, in the order in which a kubelet writes them: by
// name.
const (
	clientErrors  = "kubelet_certificate_manager_client_expiration_renew_errors"
	clientTTL     = "kubelet_certificate_manager_client_ttl_seconds"
	servingTTL    = "kubelet_certificate_manager_server_ttl_seconds"
	servingErrors = "kubelet_server_expiration_renew_errors"
)

// sample is one metric's value and when its line came.
type sample struct {
	value float64
	at    time.Time
}

// page is what was found on a page of metrics, in Prometheus' text format.
type page struct {
	now func() time.Time

	samples    map[string]sample
	isKubelets bool      // there are other metrics of a kubelet's
	whole      bool      // it was read to its end, and nothing was passed over
	at         time.Time // when the last line that counts came
}

// maxLine bounds a line. Longer ones are other metrics', with long labels.
const maxLine = 16 << 10

// read reads a page until all that is wanted was seen, or its end.
func (p *page) read(r io.Reader) error {
	p.samples = map[string]sample{}
	lines := bufio.NewReaderSize(r, maxLine)
	complete := true
	for {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if long && (bytes.HasPrefix(line, []byte("kubelet_certificate_manager_")) || bytes.HasPrefix(line, []byte(servingErrors))) {
			complete = false // it may have been one of ours
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		if err == nil && !long && p.line(line) {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			return io.ErrUnexpectedEOF // every line has an end: this one was cut
		case errors.Is(err, io.EOF) && !p.isKubelets:
			return errors.New("not a kubelet's metrics")
		case errors.Is(err, io.EOF):
			p.whole = complete
			p.at = p.now()
			return nil
		case err != nil:
			return err
		}
	}
}

// line takes in one line and reports whether the rest of the page is of no
// interest.
func (p *page) line(line []byte) (enough bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return false
	}
	end := bytes.IndexAny(line, "{ \t")
	if end < 0 {
		end = len(line) // no value, and yet a name
	}
	name, rest := line[:end], line[end:]
	switch string(name) { // no copy: there are thousands
	case clientErrors, clientTTL, servingTTL, servingErrors:
		p.isKubelets = true
		if _, seen := p.samples[string(name)]; seen {
			return false
		}
		value, ok := valueOf(rest)
		if !ok {
			value = math.NaN() // that it is there counts too
		}
		p.at = p.now()
		p.samples[string(name)] = sample{value, p.at}
		return len(p.samples) == 4
	}
	p.isKubelets = p.isKubelets || bytes.HasPrefix(line, []byte("kubelet_"))
	_, rotates := p.samples[clientTTL]
	return rotates && string(name) > servingErrors
}

// valueOf reads what follows a metric's name: labels, perhaps, a value, and
// perhaps a time in milliseconds.
func valueOf(rest []byte) (float64, bool) {
	rest = bytes.TrimLeft(rest, " \t")
	if bytes.HasPrefix(rest, []byte("{")) {
		end := labels(rest)
		if end < 0 {
			return 0, false
		}
		rest = rest[end:]
	}
	fields := bytes.Fields(rest)
	if len(fields) != 1 && len(fields) != 2 {
		return 0, false
	}
	if len(fields) == 2 {
		if _, err := strconv.ParseInt(string(fields[1]), 10, 64); err != nil {
			return 0, false
		}
	}
	value, err := strconv.ParseFloat(string(fields[0]), 64)
	return value, err == nil
}

// labels is where the labels that s begins with end; -1 where they do not.
func labels(s []byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '}' && !quoted:
			return i + 1
		}
	}
	return -1
}

// count is a counter's value; nil where it has none that is a count.
func (p *page) count(name string) *int64 {
	s, ok := p.samples[name]
	if !ok || math.IsNaN(s.value) || s.value < 0 || s.value > 1e15 {
		return nil
	}
	n := int64(s.value)
	return &n
}
