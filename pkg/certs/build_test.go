package certs

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"time"
)

// sample is a certificate put together piece by piece, so that a test can put
// a wrong piece in. The zero sample is a sound self-signed one, valid from
// 2024-01-01 to 2027-06-30 23:59:59, serial number 1234, CN=sample.
type sample struct {
	version    []byte // with its tag
	serial     []byte // contents
	issuer     []byte
	validity   []byte
	before     []byte // with their tags
	after      []byte
	subject    []byte
	key        []byte
	extensions [][]byte
	outer      func(tbs, algorithm, signature []byte) []byte
}

var (
	sampleKey    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	sampleBefore = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	sampleAfter  = time.Date(2027, 6, 30, 23, 59, 59, 0, time.UTC)
	ed25519ID    = encode(0x30, encode(tagOID, []byte(idEd25519)))
)

func utcTime(s string) []byte         { return encode(tagUTCTime, []byte(s)) }
func generalizedTime(s string) []byte { return encode(tagGeneralizedTime, []byte(s)) }

func commonNameDER(tag byte, s string) []byte {
	return encode(0x30, encode(0x31, encode(0x30, encode(tagOID, []byte("\x55\x04\x03")), encode(tag, []byte(s)))))
}

func extensionDER(id string, value ...[]byte) []byte {
	return encode(0x30, encode(tagOID, []byte(id)), encode(tagOctetString, value...))
}

func or(a, b []byte) []byte {
	if a != nil {
		return a
	}
	return b
}

// der signs with sampleKey.
func (s sample) der() []byte {
	public := sampleKey.Public().(ed25519.PublicKey)
	name := commonNameDER(tagUTF8String, "sample")
	tbs := [][]byte{
		or(s.version, encode(0xa0, encode(tagInteger, []byte{2}))),
		encode(tagInteger, or(s.serial, []byte{0x12, 0x34})),
		ed25519ID,
		or(s.issuer, name),
		or(s.validity, encode(0x30, or(s.before, utcTime("240101000000Z")), or(s.after, utcTime("270630235959Z")))),
		or(s.subject, name),
		or(s.key, encode(0x30, ed25519ID, encode(tagBitString, []byte{0}, public))),
	}
	if s.extensions != nil {
		tbs = append(tbs, encode(0xa3, encode(0x30, s.extensions...)))
	}
	signed := encode(0x30, tbs...)
	signature := encode(tagBitString, []byte{0}, ed25519.Sign(sampleKey, signed))
	if s.outer != nil {
		return s.outer(signed, ed25519ID, signature)
	}
	return encode(0x30, signed, ed25519ID, signature)
}

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// when prints a date that may be unknown.
func when(t *time.Time) string {
	if t == nil {
		return "unknown"
	}
	return t.Format(time.RFC3339)
}
