package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &network) && network.Timeout()
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// plain puts an error into the words of what was seen, as the apiserver source
// does, without the addresses that net and net/http add.
func plain(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var call *os.SyscallError
	var inURL *url.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &dns):
		return clean(fmt.Sprintf("looking up %q: %s", dns.Name, dns.Err))
	case errors.As(err, &call):
		return clean(call.Err.Error())
	case errors.As(err, &op):
		return plain(op.Err)
	case errors.As(err, &inURL):
		return plain(inURL.Err)
	}
	return clean(err.Error())
}

// clean makes text that a server may have had a hand in fit for a message:
// short, on one line, every character visible, and nothing that looks like a
// token.
func clean(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		if strings.Contains(word, "eyJ") || i > 0 && strings.EqualFold(strings.Trim(words[i-1], `:"`), "bearer") {
			words[i] = "REDACTED"
		}
	}
	var b strings.Builder
	for _, r := range cut(strings.Join(words, " ")) {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// cut shortens s to 200 bytes.
func cut(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
