package apiserver

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
)

// clientHello is a hello that offers all there is: what is agreed on is never
// used, except for the three cipher suites and four groups of TLS 1.3 below.
type clientHello struct {
	message []byte                      // with its header
	keys    map[uint16]*ecdh.PrivateKey // by group
}

// Extensions (IANA TLS ExtensionType Values).
const (
	extServerName          = 0
	extSupportedGroups     = 10
	extPointFormats        = 11
	extSignatureAlgorithms = 13
	extSupportedVersions   = 43
	extKeyShare            = 51
)

// offeredSuites returns the cipher suites in which a server presents a
// certificate, as ranges of IANA's list without the anonymous and the
// pre-shared-key ones.
func offeredSuites() [][2]uint16 {
	return [][2]uint16{
		{0x1301, 0x1303}, // TLS 1.3: AES-GCM and ChaCha20-Poly1305
		{0xc023, 0xc032}, // ECDH(E) with AES, SHA-2 and GCM
		{0xcca8, 0xccaa}, // ECDHE, DHE with ChaCha20-Poly1305
		{0xc0ac, 0xc0af}, // ECDHE with AES-CCM
		{0xc09c, 0xc0a3}, // RSA, DHE with AES-CCM
		{0x009c, 0x00a5}, // RSA, DH(E) with AES-GCM
		{0x0067, 0x006b}, // DH(E) with AES-CBC and SHA-256
		{0x003b, 0x0040}, // RSA, DH(E) with AES-CBC and SHA-256
		{0xc001, 0xc014}, // ECDH(E) with CBC, RC4, NULL
		{0x002f, 0x0033}, // RSA, DH(E) with AES-128-CBC
		{0x0035, 0x0039}, // the same with AES-256-CBC
		{0xc03c, 0xc045}, // ARIA-CBC
		{0xc048, 0xc059}, // ARIA-CBC, ARIA-GCM
		{0xc05c, 0xc063}, // ARIA-GCM with ECDH(E)
		{0xc072, 0xc083}, // Camellia
		{0xc086, 0xc08d}, // Camellia-GCM with ECDH(E)
		{0x0041, 0x0045}, // Camellia-128-CBC
		{0x0084, 0x0088}, // Camellia-256-CBC
		{0x00ba, 0x00be}, // Camellia-128-CBC with SHA-256
		{0x00c0, 0x00c4}, // Camellia-256-CBC with SHA-256
		{0x0096, 0x009a}, // SEED
		{0x0001, 0x0016}, // RC4, DES, 3DES, IDEA, NULL, export
		{0x00ff, 0x00ff}, // "renegotiation is safe": some servers insist (RFC 5746 3.3)
	}
}

// newClientHello makes a hello for TLS 1.0 to 1.3.
func newClientHello(name string) (clientHello, error) {
	hello := clientHello{keys: make(map[uint16]*ecdh.PrivateKey)}
	shares := cryptobyte.NewBuilder(nil)
	for _, curve := range []struct {
		group uint16
		ecdh  ecdh.Curve
	}{
		{29, ecdh.X25519()}, {23, ecdh.P256()}, {24, ecdh.P384()}, {25, ecdh.P521()},
	} {
		key, err := curve.ecdh.GenerateKey(rand.Reader)
		if err != nil {
			return hello, fmt.Errorf("making a key: %w", err)
		}
		hello.keys[curve.group] = key
		shares.AddUint16(curve.group)
		shares.AddUint16LengthPrefixed(bytesOf(key.PublicKey().Bytes()))
	}
	random := make([]byte, 64)
	rand.Read(random) // never fails, by its documentation
	b := cryptobyte.NewBuilder(nil)
	b.AddUint8(1) // client_hello
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(tls.VersionTLS12) // where TLS 1.3 is meant as well (RFC 8446 4.1.2)
		b.AddBytes(random[:32])
		b.AddUint8LengthPrefixed(bytesOf(random[32:])) // a session id, for middleboxes (RFC 8446 D.4)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, r := range offeredSuites() {
				for id := r[0]; id <= r[1]; id++ {
					b.AddUint16(id)
				}
			}
		})
		b.AddUint8LengthPrefixed(bytesOf([]byte{0})) // no compression
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			addExtensions(b, name, shares.BytesOrPanic())
		})
	})
	var err error
	hello.message, err = b.Bytes()
	return hello, err
}

func addExtensions(b *cryptobyte.Builder, name string, shares []byte) {
	extension := func(id uint16, body cryptobyte.BuilderContinuation) {
		b.AddUint16(id)
		b.AddUint16LengthPrefixed(body)
	}
	name = strings.TrimSuffix(name, ".")
	if _, err := netip.ParseAddr(name); err != nil && name != "" { // an address is no name (RFC 6066 3)
		extension(extServerName, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8(0) // host_name
				b.AddUint16LengthPrefixed(bytesOf([]byte(name)))
			})
		})
	}
	extension(extSupportedGroups, prefixed16s(
		29, 23, 24, 25, 30, // x25519, NIST P-256, P-384, P-521, x448
		26, 27, 28, 22, // brainpool, secp256k1: for certificates on TLS 1.2
		9, 10, 11, 12, 13, 14, // sect283 to sect571
		256, 257, 258, 259, 260, // finite fields (RFC 7919)
	))
	extension(extPointFormats, bytesOf([]byte{3, 0, 1, 2}))
	extension(extSignatureAlgorithms, prefixed16s(
		0x0403, 0x0503, 0x0603, 0x0807, 0x0808, // ECDSA, Ed25519, Ed448
		0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, // RSA-PSS
		0x0401, 0x0501, 0x0601, // RSA
		0x081a, 0x081b, 0x081c, // brainpool on TLS 1.3 (RFC 8734)
		0x0904, 0x0905, 0x0906, // ML-DSA
		0x0303, 0x0203, 0x0301, 0x0201, 0x0101, // ECDSA, RSA with SHA-224, SHA-1, MD5
		0x0402, 0x0502, 0x0602, 0x0302, 0x0202, // DSA
	))
	extension(extSupportedVersions, func(b *cryptobyte.Builder) {
		b.AddUint8LengthPrefixed(bytesOf([]byte{3, 4, 3, 3, 3, 2, 3, 1}))
	})
	extension(extKeyShare, func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(bytesOf(shares))
	})
}

func bytesOf(p []byte) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) { b.AddBytes(p) }
}

// prefixed16s is a list of numbers with its length before it.
func prefixed16s(list ...uint16) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, v := range list {
				b.AddUint16(v)
			}
		})
	}
}

// serverHello is what matters of a ServerHello.
type serverHello struct {
	version uint16
	suite   uint16
	group   uint16 // TLS 1.3 only, as is share
	share   []byte
}

// retryRandom marks a HelloRetryRequest (RFC 8446 4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// parseServerHello reads a ServerHello message (RFC 8446 4.1.3).
func parseServerHello(message []byte) (serverHello, error) {
	malformed := fmt.Errorf("%w: server hello", errMalformed)
	var h serverHello
	var session, extensions cryptobyte.String
	random := make([]byte, 32)
	s := cryptobyte.String(message[4:])
	if !s.ReadUint16(&h.version) || !s.CopyBytes(random) || !s.ReadUint8LengthPrefixed(&session) ||
		!s.ReadUint16(&h.suite) || !s.Skip(1) {
		return h, malformed
	}
	if bytes.Equal(random, []byte(retryRandom)) {
		return h, errors.New("the server asks for a key exchange that is not offered")
	}
	if h.version>>8 != 3 {
		return h, malformed
	}
	if s.Empty() {
		return h, nil // no extensions: TLS 1.2 or older
	}
	if !s.ReadUint16LengthPrefixed(&extensions) {
		return h, malformed
	}
	for !extensions.Empty() {
		var id uint16
		var body, share cryptobyte.String
		if !extensions.ReadUint16(&id) || !extensions.ReadUint16LengthPrefixed(&body) {
			return h, malformed
		}
		switch id {
		case extSupportedVersions:
			if !body.ReadUint16(&h.version) {
				return h, malformed
			}
		case extKeyShare:
			if !body.ReadUint16(&h.group) || !body.ReadUint16LengthPrefixed(&share) {
				return h, malformed
			}
			h.share = share
		}
	}
	return h, nil
}
