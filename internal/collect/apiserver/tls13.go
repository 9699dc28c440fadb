package apiserver

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/cryptobyte"
)

// opener decrypts the records of a TLS 1.3 server's handshake.
type opener struct {
	aead cipher.AEAD
	iv   []byte
	seq  uint64
}

// openerFor derives the server's handshake keys from the two hellos, as the key
// schedule of RFC 8446 7.1 has it.
func openerFor(hello clientHello, server serverHello, serverMessage []byte) (*opener, error) {
	var newHash func() hash.Hash
	var keyBytes int
	newAEAD := newGCM
	switch server.suite {
	case 0x1301: // TLS_AES_128_GCM_SHA256
		newHash, keyBytes = sha256.New, 16
	case 0x1302: // TLS_AES_256_GCM_SHA384
		newHash, keyBytes = sha512.New384, 32
	case 0x1303: // TLS_CHACHA20_POLY1305_SHA256
		newHash, keyBytes, newAEAD = sha256.New, 32, chacha20poly1305.New
	default:
		return nil, fmt.Errorf("%w: cipher suite %#04x was not offered", errMalformed, server.suite)
	}
	key := hello.keys[server.group]
	if key == nil {
		return nil, fmt.Errorf("%w: group %d was not offered", errMalformed, server.group)
	}
	peer, err := key.Curve().NewPublicKey(server.share)
	if err != nil {
		return nil, fmt.Errorf("%w: key share", errMalformed)
	}
	shared, err := key.ECDH(peer)
	if err != nil {
		return nil, fmt.Errorf("%w: key share", errMalformed)
	}

	s := schedule{newHash: newHash, size: newHash().Size()}
	early := s.extract(make([]byte, s.size), nil)
	handshake := s.extract(shared, s.expand(early, "derived", s.sum(), s.size))
	secret := s.expand(handshake, "s hs traffic", s.sum(hello.message, serverMessage), s.size)
	o := &opener{iv: s.expand(secret, "iv", nil, 12)}
	aeadKey := s.expand(secret, "key", nil, keyBytes)
	if s.err != nil {
		return nil, fmt.Errorf("deriving keys: %w", s.err)
	}
	o.aead, err = newAEAD(aeadKey)
	return o, err
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// schedule is the key schedule's functions over one hash. Their first error,
// which only lengths that never occur could bring, is kept in err.
type schedule struct {
	newHash func() hash.Hash
	size    int
	err     error
}

func (s *schedule) extract(secret, salt []byte) []byte {
	out, err := hkdf.Extract(s.newHash, secret, salt)
	s.err = errors.Join(s.err, err)
	return out
}

// expand is HKDF-Expand-Label.
func (s *schedule) expand(secret []byte, label string, context []byte, size int) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddUint16(uint16(size))
	b.AddUint8LengthPrefixed(bytesOf([]byte("tls13 " + label)))
	b.AddUint8LengthPrefixed(bytesOf(context))
	out, err := hkdf.Expand(s.newHash, secret, string(b.BytesOrPanic()), size)
	s.err = errors.Join(s.err, err)
	return out
}

func (s *schedule) sum(messages ...[]byte) []byte {
	h := s.newHash()
	for _, m := range messages {
		h.Write(m)
	}
	return h.Sum(nil)
}

// open decrypts a record into its true type and content (RFC 8446 5.2, 5.3).
func (o *opener) open(header, body []byte) (kind byte, content []byte, err error) {
	nonce := bytes.Clone(o.iv)
	tail := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^o.seq)
	o.seq++
	content, err = o.aead.Open(nil, nonce, body, header)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: a record that does not decrypt", errMalformed)
	}
	content = bytes.TrimRight(content, "\x00") // the padding
	if len(content) == 0 {
		return 0, nil, fmt.Errorf("%w: an empty record", errMalformed)
	}
	return content[len(content)-1], content[:len(content)-1], nil
}
