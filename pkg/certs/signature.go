package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "crypto/md5" // the hashes that hash.New finds
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"math/big"
)

// ErrUncheckable is in the error of [Certificate.SignedBy] where the signature
// or the parent's key is of a kind that cannot be checked here, so that nothing
// is known about the signature.
var ErrUncheckable = errors.New("signature cannot be checked")

var errWrongSignature = errors.New("signature does not match the key")

// SignedBy is nil if the public key of parent verifies the signature of c. It
// asks nothing else: no dates, no names, no CA flag, and old hashes such as
// SHA-1 are good enough to tell who signed. Neither certificate need be one
// that crypto/x509 reads.
func (c Certificate) SignedBy(parent Certificate) error {
	child, ok1 := splitDER(c.DER)
	signer, ok2 := splitDER(parent.DER)
	if !ok1 || !ok2 {
		return fmt.Errorf("%w: the certificate is known by its text alone", ErrUncheckable)
	}
	return child.verify(signer.key)
}

func splitDER(der []byte) (parts, bool) {
	outer, _, ok := readElement(der)
	if !ok {
		return parts{}, false
	}
	return split(outer), true
}

// selfSigned is what Certificate.SelfSigned means.
func (p parts) selfSigned() bool {
	if !bytes.Equal(p.issuer.full, p.subject.full) {
		return false
	}
	err := p.verify(p.key)
	if !errors.Is(err, ErrUncheckable) {
		return err == nil
	}
	var subject, authority []byte
	for _, x := range p.extensions {
		e, _, ok := readElement(x.value)
		if !ok {
			continue
		}
		switch x.id {
		case idSubjectKeyID:
			subject = e.octets()
		case idAuthorityKeyID:
			list := cursor{e.content}
			if id, ok := list.takeContext(0); ok {
				authority = id.octets()
			}
		}
	}
	return len(subject) == 0 || len(authority) == 0 || bytes.Equal(subject, authority)
}

// scheme is how a signature was made.
type scheme struct {
	key  keyKind
	hash crypto.Hash
	pss  bool
}

type keyKind int

const (
	keyUnknown keyKind = iota
	keyRSA
	keyECDSA
	keyEd25519
)

// verify checks the signature of p with the key of a SubjectPublicKeyInfo.
func (p parts) verify(spki element) error {
	algorithm := cursor{p.algorithm.content}
	id, _ := algorithm.next()
	parameters, _ := algorithm.next()
	how, ok := schemeOf(id, parameters)
	if !ok {
		return fmt.Errorf("%w: unknown signature algorithm", ErrUncheckable)
	}
	kind, key, err := publicKey(spki)
	if err != nil {
		return err
	}
	if kind != how.key {
		return errWrongSignature
	}
	signature := p.signature.bits()
	signed := p.tbs.full
	if how.hash != 0 {
		h := how.hash.New()
		h.Write(signed)
		signed = h.Sum(nil)
	}
	valid := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		if how.pss {
			return verifyPSS(key, how.hash, signed, signature)
		}
		valid = verifyPKCS1(key, how.hash, signed, signature)
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(key, signed, signature)
	case ed25519.PublicKey:
		valid = ed25519.Verify(key, signed, signature)
	}
	if !valid {
		return errWrongSignature
	}
	return nil
}

// smallestRSA is the least modulus crypto/rsa works with since Go 1.24.
const smallestRSA = 1024

func verifyPSS(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) error {
	if key.N.BitLen() < smallestRSA {
		return fmt.Errorf("%w: RSA-PSS with a key of %d bits", ErrUncheckable, key.N.BitLen())
	}
	if rsa.VerifyPSS(key, hash, digest, signature, nil) != nil {
		return errWrongSignature
	}
	return nil
}

// verifyPKCS1 is RSASSA-PKCS1-v1_5 (RFC 8017 8.2.2). Keys too small for
// crypto/rsa are still worth an answer: the padding is compared by hand.
func verifyPKCS1(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	if key.N.BitLen() >= smallestRSA {
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	}
	size := (key.N.BitLen() + 7) / 8
	info := append([]byte(digestInfo(hash)), digest...)
	s := new(big.Int).SetBytes(signature)
	if len(signature) != size || s.Cmp(key.N) >= 0 || size < len(info)+11 {
		return false
	}
	got := new(big.Int).Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-len(info)-3)...)
	want = append(append(want, 0), info...)
	return bytes.Equal(got, want)
}
