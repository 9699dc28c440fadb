package apiserver

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"testing"
	"time"
)

// A hello that is refused for its form would look like a server that refuses
// everything: crypto/tls has to understand all of it.
func TestClientHelloIsUnderstood(t *testing.T) {
	hello := make(chan *tls.ClientHelloInfo, 1)
	config := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hello <- h
		return nil, nil
	}}
	leaf := issue(t, "leaf", nil, nil)
	conn, err := net.Dial("tcp", serveTLS(t, config, leaf))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	chain, err := bare(t.Context(), conn, "kube.example")
	if err != nil {
		t.Fatal(err)
	}
	wantChain(t, chain, leaf.der)
	got := <-hello
	if got.ServerName != "kube.example" || len(got.SupportedVersions) != 4 || len(got.CipherSuites) < 180 ||
		len(got.SupportedCurves) < 15 || len(got.SignatureSchemes) < 25 {
		t.Errorf("the server understood %+v", got)
	}
	for _, id := range got.CipherSuites {
		if anonymous := map[uint16]bool{0x0018: true, 0x001b: true, 0x0034: true, 0x003a: true, 0x006c: true, 0x006d: true,
			0x00a6: true, 0x00a7: true, 0xc018: true, 0xc019: true, 0x00a8: true}; anonymous[id] {
			t.Errorf("cipher suite %#04x, which has no certificate, is offered", id)
		}
	}
}

// The key schedule and record protection, against RFC 8448 section 3.
func TestOpenerRFC8448(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s := schedule{newHash: sha256.New, size: 32}
	early := s.extract(make([]byte, 32), nil)
	if want := unhex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"); !bytes.Equal(early, want) {
		t.Errorf("early secret %x", early)
	}
	derived := s.expand(early, "derived", s.sum(), 32)
	if want := unhex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"); !bytes.Equal(derived, want) {
		t.Errorf("derived %x", derived)
	}
	handshake := s.extract(unhex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"), derived)
	if want := unhex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"); !bytes.Equal(handshake, want) {
		t.Errorf("handshake secret %x", handshake)
	}
	secret := unhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
	if got, want := s.expand(secret, "key", nil, 16), unhex("3fce516009c21727d0f2e4e86ee403bc"); !bytes.Equal(got, want) {
		t.Errorf("key %x", got)
	}
	if got, want := s.expand(secret, "iv", nil, 12), unhex("5d313eb2671276ee13000b30"); !bytes.Equal(got, want) {
		t.Errorf("iv %x", got)
	}
}

// reply is a connection on which the peer says what it says, and that is all.
type reply struct{ *bytes.Reader }

func (reply) Write(p []byte) (int, error)      { return len(p), nil }
func (reply) Close() error                     { return nil }
func (reply) LocalAddr() net.Addr              { return nil }
func (reply) RemoteAddr() net.Addr             { return nil }
func (reply) SetDeadline(time.Time) error      { return nil }
func (reply) SetReadDeadline(time.Time) error  { return nil }
func (reply) SetWriteDeadline(time.Time) error { return nil }

// A warning, such as about an unknown server name, is no end; a fatal alert is.
func TestBareAlert(t *testing.T) {
	for level, want := range map[string]bool{"\x01": true, "\x02": false} {
		said := "\x15\x03\x03\x00\x02" + level + "\x70" + noCertificate()
		_, err := bare(t.Context(), reply{bytes.NewReader([]byte(said))}, "kube.example")
		if got := errors.Is(err, errNoCertificate); got != want {
			t.Errorf("after an alert of level %q: %v", level, err)
		}
	}
}

// Whatever a server says, the second way ends with a chain or an error.
func FuzzBare(f *testing.F) {
	f.Add([]byte(noCertificate()))
	f.Add([]byte(alert))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte("\x15\x03\x01\x00\x02\x01\x70\x16\x03\x03\x00\x04\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		chain, err := bare(context.Background(), reply{bytes.NewReader(said)}, "kube.example")
		if (err == nil) != (len(chain) > 0) {
			t.Errorf("%d certificates and error %v", len(chain), err)
		}
	})
}

// The messages that TLS 1.3 hides from FuzzBare.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("\x0b\x00\x00\x03\x00\x00\x00"))
	f.Add([]byte("\x0b\x00\x00\x0a\x00\x00\x00\x06\x00\x00\x01\x30\x00\x00"))
	f.Add([]byte("\x0b\x00\x00\x07\x00\x00\x04\x00\x00\x01\x30"))
	f.Add([]byte(noCertificate()[5:]))
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) < 4 {
			return // messageReader makes no shorter ones
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			chain, err := parseCertificates(message, version)
			if err == nil && len(chain) == 0 || err != nil && !errors.Is(err, errMalformed) && !errors.Is(err, errNoCertificate) {
				t.Errorf("%d certificates and error %v", len(chain), err)
			}
		}
		server, err := parseServerHello(message)
		if err != nil {
			return
		}
		key, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		if o, err := openerFor(clientHello{keys: map[uint16]*ecdh.PrivateKey{29: key}}, server, message); err == nil {
			o.open(make([]byte, 5), message)
		}
	})
}
