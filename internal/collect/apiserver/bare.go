package apiserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/cryptobyte"
)

// The second way to a chain: say hello, and read on until the server's
// Certificate message. No certificate is parsed, no signature checked, no
// session made, so there is nothing to refuse: a negative serial, a key or a
// cipher suite that crypto/tls does not know. Up to TLS 1.2 the message is
// plaintext (RFC 5246 7.4.2); on TLS 1.3 it is encrypted under keys that follow
// from the two hellos (tls13.go).

// Record types (RFC 8446 5.1).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplicationData  = 23
)

// Handshake message types (RFC 8446 4, RFC 5246 7.4).
const (
	messageHelloRequest        = 0
	messageServerHello         = 2
	messageEncryptedExtensions = 8
	messageCertificate         = 11
	messageCertificateRequest  = 13
)

const (
	maxRecord  = 1<<14 + 2048 // RFC 5246 6.2.3
	maxMessage = maxBytes
)

var (
	errNoCertificate = errors.New("the server presented no certificate")
	errMalformed     = errors.New("malformed handshake")
)

// bare is the second way.
func bare(_ context.Context, conn net.Conn, name string) ([][]byte, error) {
	hello, err := newClientHello(name)
	if err != nil {
		return nil, err
	}
	// A first record of TLS 1.0 is what everybody sends and accepts (RFC 8446 5.1).
	record := append([]byte{recordHandshake, 3, 1, byte(len(hello.message) >> 8), byte(len(hello.message))}, hello.message...)
	if _, err := conn.Write(record); err != nil {
		return nil, err
	}
	messages := &messageReader{r: conn}
	version := uint16(0)
	for {
		kind, message, err := messages.next()
		if err != nil {
			return nil, err
		}
		switch {
		case kind == messageServerHello && version == 0:
			server, err := parseServerHello(message)
			if err != nil {
				return nil, err
			}
			version = server.version
			if version == tls.VersionTLS13 {
				if messages.opener, err = openerFor(hello, server, message); err != nil {
					return nil, err
				}
			}
		case kind == messageCertificate && version != 0:
			return parseCertificates(message, version)
		case kind == messageHelloRequest, kind == messageEncryptedExtensions, kind == messageCertificateRequest:
			// None of them matters here.
		case version != 0:
			return nil, errNoCertificate // whatever it is, it comes after the certificate's turn
		default:
			return nil, fmt.Errorf("%w: message %d came first", errMalformed, kind)
		}
	}
}

// messageReader takes handshake messages out of records.
type messageReader struct {
	r       io.Reader
	opener  *opener // nil while records are in plaintext
	pending []byte
}

// next returns a message, with its four bytes of header.
func (m *messageReader) next() (kind byte, message []byte, err error) {
	for {
		if len(m.pending) >= 4 {
			n := 4 + (int(m.pending[1])<<16 | int(m.pending[2])<<8 | int(m.pending[3]))
			if n > maxMessage {
				return 0, nil, fmt.Errorf("%w: a message of %d bytes", errMalformed, n)
			}
			if len(m.pending) >= n {
				message, m.pending = m.pending[:n:n], m.pending[n:]
				return message[0], message, nil
			}
		}
		if err := m.fill(); err != nil {
			return 0, nil, err
		}
	}
}

// fill reads one record.
func (m *messageReader) fill() error {
	header := make([]byte, 5)
	if _, err := io.ReadFull(m.r, header); err != nil {
		return err
	}
	n := int(header[3])<<8 | int(header[4])
	if header[1] != 3 || n > maxRecord {
		return fmt.Errorf("%w: not a TLS record", errMalformed)
	}
	kind, body := header[0], make([]byte, n)
	if _, err := io.ReadFull(m.r, body); err != nil {
		return err
	}
	if kind == recordApplicationData && m.opener != nil {
		var err error
		if kind, body, err = m.opener.open(header, body); err != nil {
			return err
		}
	}
	switch kind {
	case recordHandshake:
		m.pending = append(m.pending, body...)
	case recordChangeCipherSpec: // for middleboxes, without meaning here (RFC 8446 D.4)
	case recordAlert:
		// Level 1 is a warning, such as unrecognized_name, and the server goes on.
		if len(body) != 2 || body[0] != 1 {
			return errors.New("the server sent an alert")
		}
	default:
		return fmt.Errorf("%w: a record of type %d", errMalformed, kind)
	}
	return nil
}

// parseCertificates reads a Certificate message (RFC 5246 7.4.2, RFC 8446 4.4.2).
func parseCertificates(message []byte, version uint16) ([][]byte, error) {
	s := cryptobyte.String(message[4:])
	var ignored, list cryptobyte.String
	if version == tls.VersionTLS13 && !s.ReadUint8LengthPrefixed(&ignored) || !s.ReadUint24LengthPrefixed(&list) {
		return nil, fmt.Errorf("%w: certificate message", errMalformed)
	}
	var chain [][]byte
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || version == tls.VersionTLS13 && !list.ReadUint16LengthPrefixed(&ignored) {
			return nil, fmt.Errorf("%w: certificate message", errMalformed)
		}
		chain = append(chain, der)
	}
	if len(chain) == 0 {
		return nil, errNoCertificate
	}
	return chain, nil
}
