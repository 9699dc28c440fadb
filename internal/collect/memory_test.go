package collect_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/certs"
)

func ca(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func asPEM(ders ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // to memory
	}
	return b.Bytes()
}

// What is remembered is what certs would have said, first or again, whichever way
// the certificate came first and whatever a caller does with what it got.
func TestMemory(t *testing.T) {
	one, two := ca(t, "one"), ca(t, "two")
	broken := slices.Concat([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), asPEM(one))
	inputs := [][]byte{nil, []byte("nothing"), one, asPEM(two, one, two), broken, asPEM(slices.Concat(one, []byte{0})), bytes.Repeat(asPEM(one), 100)}
	for name, m := range map[string]*collect.Memory{"nil": nil, "a memory": collect.NewMemory()} {
		for range 3 {
			for i, input := range inputs {
				found, problems := m.Read(input)
				want, wantProblems := certs.Read(input)
				if !reflect.DeepEqual(found, want) || !reflect.DeepEqual(problems, wantProblems) {
					t.Errorf("%s, input %d: %d certificates and %v, want %d and %v", name, i, len(found), problems, len(want), wantProblems)
				}
				for i := range found {
					found[i] = certs.Certificate{Subject: "changed"}
				}
			}
			for _, der := range [][]byte{one, two, slices.Concat(one, []byte{0}), {1, 2}} {
				got, err := m.Parse(der)
				want, wantErr := certs.Parse(der)
				if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(err, wantErr) {
					t.Errorf("%s: got %+v, %v, want %+v, %v", name, got, err, want, wantErr)
				}
			}
		}
	}
}

// What was read once is not read again: crypto/x509's certificate is the very same.
func TestMemoryRemembers(t *testing.T) {
	m, der := collect.NewMemory(), ca(t, "one")
	found, _ := m.Read(asPEM(der))
	again, _ := m.Read(asPEM(der))
	parsed, err := m.Parse(der)
	if err != nil || found[0].Strict == nil || again[0].Strict != found[0].Strict || parsed.Strict != found[0].Strict {
		t.Errorf("it was read again (%v)", err)
	}
}

func TestMemoryAtOnce(t *testing.T) {
	m := collect.NewMemory()
	inputs := [][]byte{asPEM(ca(t, "one")), asPEM(ca(t, "two"))}
	var at sync.WaitGroup
	for i := range 8 {
		at.Go(func() {
			for range 50 {
				if found, _ := m.Read(inputs[i%2]); len(found) != 1 {
					t.Errorf("%d certificates", len(found))
				}
			}
		})
	}
	at.Wait()
}
