package collect

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

// The words for what goes wrong with a server are the same for every source that
// asks one, so that audit can tell that it is one fault.

// TimedOut reports whether err is a deadline's, of whatever kind.
func TimedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &network) && network.Timeout()
}

// Closed reports whether the peer, or something in between, ended the connection.
func Closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Plain puts an error into the words of what was seen, without the addresses that
// net and net/http add: the message around it has them.
func Plain(err error) string {
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
		return Clean(fmt.Sprintf("looking up %q: %s", dns.Name, dns.Err))
	case errors.As(err, &call):
		return Clean(call.Err.Error())
	case errors.As(err, &op):
		return Plain(op.Err)
	case errors.As(err, &inURL):
		return Plain(inURL.Err)
	}
	return Clean(err.Error())
}

// Clean makes text that a peer may have had a hand in fit for a message: short,
// on one line, every character visible, and nothing that looks like a token.
func Clean(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		if strings.Contains(word, "eyJ") || i > 0 && strings.EqualFold(strings.Trim(words[i-1], `:"`), "bearer") {
			words[i] = "REDACTED"
		}
	}
	var b strings.Builder
	for _, r := range Cut(strings.Join(words, " ")) {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// Cut shortens s to 200 bytes.
func Cut(s string) string {
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
