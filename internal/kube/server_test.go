package kube

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
)

// secret is every token and password here: no error may show it.
const secret = "s3cret-t0ken-value"

// patience is far more than anything here takes; brief is the time limit of
// tests whose server never finishes.
const (
	patience = time.Minute
	brief    = time.Second
)

// recorder is an API server that keeps what it was asked.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func (r *recorder) asked() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// serve starts a server that speaks TLS with a certificate for 127.0.0.1.
func serve(t *testing.T, handle http.HandlerFunc, change ...func(*httptest.Server)) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, q)
		r.mu.Unlock()
		handle(w, q)
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, c := range change {
		c(r.Server)
	}
	r.StartTLS()
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

func http2(s *httptest.Server) { s.EnableHTTP2 = true }

func (r *recorder) address() string { return r.Listener.Addr().String() }

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// to is the target that a kubeconfig for r makes, with a token.
func to(r *recorder) target.Target {
	return target.Target{ID: "c", Name: "c",
		Cluster: &target.Cluster{Name: "c", File: "kc", Server: r.URL, CA: target.Material{Data: pemOf("CERTIFICATE", r.Certificate().Raw)}},
		User:    &target.User{Name: "u", File: "kc", Token: target.NewSecret(secret)}}
}

// pair makes a certificate and key, signed by itself.
func pair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", keyDER)
}

func askForCertificate(s *httptest.Server) {
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
}

// client is the client for a target that has one.
func client(t *testing.T, cfg Config, to target.Target) *Client {
	t.Helper()
	c, why := New(cfg).Client(t.Context(), to)
	if c == nil {
		t.Fatalf("no client: %+v", tell(why))
	}
	t.Cleanup(c.Close)
	return c
}

// get asks for /version and gives back the answer, or the *Error.
func get(t *testing.T, c *Client, r Request) ([]byte, *Error) {
	t.Helper()
	return getIn(t.Context(), t, c, r)
}

func getIn(ctx context.Context, t *testing.T, c *Client, r Request) ([]byte, *Error) {
	t.Helper()
	if r.Path == "" {
		r = Request{Path: "/version", What: "reading the version", Needs: "get on /version", Location: "/version", Limit: r.Limit, Proxied: r.Proxied}
	}
	var got bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- c.Get(ctx, r, func(body io.Reader) error {
			_, err := io.Copy(&got, body)
			return err
		})
	}()
	select {
	case err := <-done:
		if err == nil {
			return got.Bytes(), nil
		}
		var failed *Error
		if !errors.As(err, &failed) {
			t.Fatalf("error %T %v", err, err)
		}
		if shown := fmt.Sprintf("%+v %v", *failed, failed); strings.Contains(shown, secret) {
			t.Errorf("the error shows the token: %s", shown)
		}
		return got.Bytes(), failed
	case <-time.After(patience):
		t.Fatal("Get did not come back")
		return nil, nil
	}
}

func tell(o *collect.Observation) string {
	switch {
	case o == nil:
		return "nothing"
	case o.Skipped != nil:
		return "skipped: " + o.Skipped.Why
	case o.Gap != nil:
		return fmt.Sprintf("%s %s: %s (%s)", o.Gap.Reason, o.Gap.Location, o.Gap.Message, o.Gap.Hint)
	}
	return "something else"
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }
