package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// Contents of OBJECT IDENTIFIERs: the algorithms of RFC 3279, 4055, 5758, 8410.
const (
	idRSA       = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
	idRSAPSS    = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
	idEC        = "\x2a\x86\x48\xce\x3d\x02\x01" // 1.2.840.10045.2.1
	idEd25519   = "\x2b\x65\x70"                 // 1.3.101.112
	idPKCS1     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
	idECDSASHA1 = "\x2a\x86\x48\xce\x3d\x04\x01" // 1.2.840.10045.4.1
	idECDSASHA2 = "\x2a\x86\x48\xce\x3d\x04\x03" // 1.2.840.10045.4.3
	idOIWSHA1   = "\x2b\x0e\x03\x02\x1d"         // 1.3.14.3.2.29, sha1WithRSA of old Windows
	idSHA1      = "\x2b\x0e\x03\x02\x1a"
	idSHA2      = "\x60\x86\x48\x01\x65\x03\x04\x02" // 2.16.840.1.101.3.4.2
)

// schemeOf reads a signature AlgorithmIdentifier.
func schemeOf(id, parameters element) (scheme, bool) {
	if !id.is(tagOID) || len(id.content) < 3 {
		return scheme{}, false
	}
	name := string(id.content)
	switch name {
	case idEd25519:
		return scheme{key: keyEd25519}, true
	case idECDSASHA1:
		return scheme{key: keyECDSA, hash: crypto.SHA1}, true
	case idOIWSHA1:
		return scheme{key: keyRSA, hash: crypto.SHA1}, true
	case idRSAPSS:
		hash, ok := pssHash(parameters)
		return scheme{key: keyRSA, hash: hash, pss: true}, ok
	}
	family, last := name[:len(name)-1], name[len(name)-1]
	s := scheme{}
	switch family {
	case idPKCS1:
		s.key = keyRSA
		switch last {
		case 4:
			s.hash = crypto.MD5
		case 5:
			s.hash = crypto.SHA1
		case 11:
			s.hash = crypto.SHA256
		case 12:
			s.hash = crypto.SHA384
		case 13:
			s.hash = crypto.SHA512
		case 14:
			s.hash = crypto.SHA224
		}
	case idECDSASHA2:
		s.key = keyECDSA
		if last >= 1 && last <= 4 {
			s.hash = [...]crypto.Hash{crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}[last-1]
		}
	}
	return s, s.hash != 0
}

// pssHash reads RSASSA-PSS-params (RFC 4055 3.1). The mask hash must be the
// same one, since crypto/rsa knows no other.
func pssHash(parameters element) (crypto.Hash, bool) {
	hash, mask := crypto.SHA1, crypto.SHA1
	c := cursor{parameters.content}
	if e, ok := c.takeContext(0); ok {
		hash = hashOf(e)
	}
	if e, ok := c.takeContext(1); ok {
		wrapped := cursor{e.content}
		generator, _ := wrapped.next()
		inner := cursor{generator.content}
		inner.next() // id-mgf1
		mask = hashOf(element{content: inner.rest})
	}
	return hash, hash != 0 && hash == mask
}

// hashOf reads the AlgorithmIdentifier of a hash inside e.
func hashOf(e element) crypto.Hash {
	wrapped := cursor{e.content}
	algorithm, _ := wrapped.next()
	c := cursor{algorithm.content}
	id, _ := c.next()
	switch string(id.content) {
	case idSHA1:
		return crypto.SHA1
	case idSHA2 + "\x01":
		return crypto.SHA256
	case idSHA2 + "\x02":
		return crypto.SHA384
	case idSHA2 + "\x03":
		return crypto.SHA512
	case idSHA2 + "\x04":
		return crypto.SHA224
	}
	return 0
}

// digestInfo is the DER of RFC 8017 9.2 note 1 that stands before a digest.
func digestInfo(hash crypto.Hash) string {
	id := ""
	switch hash {
	case crypto.MD5:
		id = "\x2a\x86\x48\x86\xf7\x0d\x02\x05"
	case crypto.SHA1:
		id = idSHA1
	case crypto.SHA224:
		id = idSHA2 + "\x04"
	case crypto.SHA256:
		id = idSHA2 + "\x01"
	case crypto.SHA384:
		id = idSHA2 + "\x02"
	case crypto.SHA512:
		id = idSHA2 + "\x03"
	}
	size := hash.Size()
	algorithm := encode(0x30, encode(tagOID, []byte(id)), []byte{5, 0})
	return string([]byte{0x30, byte(len(algorithm) + 2 + size)}) + string(algorithm) + string([]byte{tagOctetString, byte(size)})
}

// publicKey reads a SubjectPublicKeyInfo, more leniently than crypto/x509,
// which for one thing wants NULL parameters with RSA.
func publicKey(spki element) (keyKind, any, error) {
	c := cursor{spki.content}
	algorithm, _ := c.next()
	bits, _ := c.next()
	a := cursor{algorithm.content}
	id, _ := a.next()
	parameters, _ := a.next()
	var key any
	kind := keyUnknown
	switch string(id.content) {
	case idRSA, idRSAPSS:
		kind, key = keyRSA, rsaKey(bits.bits())
	case idEC:
		kind, key = keyECDSA, ecKey(string(parameters.content), bits.bits())
	case idEd25519:
		if raw := bits.bits(); len(raw) == ed25519.PublicKeySize {
			kind, key = keyEd25519, ed25519.PublicKey(raw)
		}
	default:
		return kind, nil, fmt.Errorf("%w: unknown key algorithm", ErrUncheckable)
	}
	if key != nil {
		return kind, key, nil
	}
	return kind, nil, fmt.Errorf("%w: unusable public key", ErrUncheckable)
}

// rsaKey reads RSAPublicKey (RFC 8017 A.1.1), within bounds that keep one
// verification short; nil if it is none.
func rsaKey(der []byte) any {
	outer, _, _ := readElement(der)
	c := cursor{outer.content}
	n, _ := c.next()
	e, _ := c.next()
	modulus, exponent := new(big.Int).SetBytes(n.content), new(big.Int).SetBytes(e.content)
	if modulus.BitLen() < 256 || modulus.BitLen() > 16384 || modulus.Bit(0) == 0 ||
		exponent.BitLen() > 31 || exponent.Cmp(big.NewInt(3)) < 0 {
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
}

// ecKey reads a point of a named curve (RFC 5480 2.1.1.1, 2.2); nil
// if it is none that crypto/elliptic has.
func ecKey(curveID string, point []byte) any {
	var curve elliptic.Curve
	switch curveID {
	case "\x2b\x81\x04\x00\x21":
		curve = elliptic.P224()
	case "\x2a\x86\x48\xce\x3d\x03\x01\x07":
		curve = elliptic.P256()
	case "\x2b\x81\x04\x00\x22":
		curve = elliptic.P384()
	case "\x2b\x81\x04\x00\x23":
		curve = elliptic.P521()
	default:
		return nil
	}
	if len(point) > 0 && (point[0] == 2 || point[0] == 3) {
		x, y := elliptic.UnmarshalCompressed(curve, point)
		if x == nil {
			return nil
		}
		size := (curve.Params().BitSize + 7) / 8
		point = append([]byte{4}, make([]byte, 2*size)...)
		x.FillBytes(point[1 : 1+size])
		y.FillBytes(point[1+size:])
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil
	}
	return key
}
