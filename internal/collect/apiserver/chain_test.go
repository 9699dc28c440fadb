package apiserver

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func wantChain(t *testing.T, got [][]byte, want ...[]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d certificates, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("certificate %d is not the one the server presented", i)
		}
	}
}

// Whatever chain a crypto/tls server presents is brought home as it was sent.
func TestDialGoServer(t *testing.T) {
	ca := authority(t, "a CA", nil)
	intermediate := authority(t, "an intermediate", &ca)
	signed := issue(t, "leaf", &intermediate, nil)
	at := func(from, to time.Time) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
	}
	now := time.Now()
	tests := []struct {
		name   string
		config *tls.Config
		leaf   issued
		others [][]byte
	}{
		{name: "plain", leaf: issue(t, "plain", nil, nil)},
		{name: "expired", leaf: issue(t, "expired", nil, at(now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0)))},
		{name: "not yet valid", leaf: issue(t, "early", nil, at(now.AddDate(1, 0, 0), now.AddDate(2, 0, 0)))},
		{name: "year 9999", leaf: issue(t, "endless", nil, at(now, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)))},
		{name: "whole chain", leaf: signed, others: [][]byte{intermediate.der, ca.der}},
		{name: "incomplete chain", leaf: signed},
		{name: "chain in the wrong order", leaf: signed, others: [][]byte{ca.der, intermediate.der}},
		{name: "client certificate demanded", leaf: signed, config: &tls.Config{ClientAuth: tls.RequireAnyClientCert}},
		{name: "negative serial", leaf: negativeSerial(t)},
		{name: "negative serial, client certificate demanded", leaf: negativeSerial(t), config: &tls.Config{ClientAuth: tls.RequireAnyClientCert}},
		{name: "second certificate is garbage", leaf: signed, others: [][]byte{[]byte("no certificate at all")}},
		{name: "chain larger than a record", leaf: signed, others: repeat(negativeSerial(t).der, 100)},
		{name: "post-quantum key exchange alone", leaf: signed, config: &tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}},
		{name: "P-384 key exchange", leaf: negativeSerial(t), config: &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}},
	}
	for _, tt := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+"/"+tls.VersionName(version), func(t *testing.T) {
				config := &tls.Config{}
				if tt.config != nil {
					config = tt.config.Clone()
				}
				if version < config.MinVersion {
					t.Skip("not in this version")
				}
				config.MinVersion, config.MaxVersion = version, version
				chain, gap := dial(t, Collector{}, Endpoint{Address: serveTLS(t, config, tt.leaf, tt.others...)})
				if gap != nil {
					t.Fatalf("gap %+v", *gap)
				}
				wantChain(t, chain, append([][]byte{tt.leaf.der}, tt.others...)...)
			})
		}
	}
}

func repeat(der []byte, n int) [][]byte {
	var out [][]byte
	for range n {
		out = append(out, der)
	}
	return out
}

// Servers that crypto/tls cannot be, by openssl.
func TestDialOpenSSLServer(t *testing.T) {
	const any = "ALL:@SECLEVEL=0"
	keys := map[string][]string{
		"rsa":     {"req", "-newkey", "rsa:2048"},
		"ec":      {"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"k1":      {"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"},
		"bp":      {"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
		"ed448":   {"req", "-newkey", "ed448"},
		"rsa-neg": {"req", "-newkey", "rsa:2048", "-set_serial", "-5"},
		"dsa":     {"req", "-newkey", "dsa:dsa.param"},
	}
	home := t.TempDir()
	openssl(t, home, "dsaparam", "-out", "dsa.param", "1024")
	for name, args := range keys {
		openssl(t, home, append(args, "-x509", "-nodes", "-subj", "/CN="+name,
			"-keyout", name+".key", "-out", name+".pem")...)
	}
	tests := []struct {
		key  string
		args string
	}{
		{"rsa", "-tls1 -cipher " + any},
		{"ec", "-tls1 -cipher " + any},
		{"rsa-neg", "-tls1 -cipher " + any},
		{"rsa", "-tls1_1 -cipher " + any},
		{"rsa", "-tls1_2 -Verify 1"},
		{"rsa", "-tls1_3 -Verify 1"},
		{"rsa-neg", "-tls1_2"},
		{"rsa-neg", "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256"},
		{"rsa-neg", "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384"},
		{"rsa-neg", "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256"},
		{"rsa-neg", "-tls1_3 -groups P-521"},
		{"rsa-neg", "-tls1_3 -groups X25519 -Verify 1"},
		{"rsa", "-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384"},
		{"rsa", "-tls1_2 -cipher DHE-RSA-CHACHA20-POLY1305"},
		{"rsa", "-tls1_2 -cipher ECDHE-ARIA128-GCM-SHA256"},
		{"rsa", "-tls1_2 -cipher CAMELLIA128-SHA:@SECLEVEL=0"},
		{"rsa", "-tls1_2 -cipher NULL-SHA256:@SECLEVEL=0"},
		{"rsa", "-tls1_2 -cipher AES256-CCM8"},
		{"dsa", "-tls1 -cipher " + any},
		{"dsa", "-tls1_2 -cipher " + any},
		{"k1", "-tls1_2"},
		{"bp", "-tls1_2"},
		{"ed448", "-tls1_2"},
		{"ed448", "-tls1_3"},
	}
	for _, tt := range tests {
		t.Run(tt.key+" "+tt.args, func(t *testing.T) {
			args := append([]string{"-cert", tt.key + ".pem", "-key", tt.key + ".key"}, strings.Fields(tt.args)...)
			chain, gap := dial(t, Collector{}, Endpoint{Address: opensslServer(t, home, args...)})
			if gap != nil {
				t.Fatalf("gap %+v", *gap)
			}
			wantChain(t, chain, readPEM(t, filepath.Join(home, tt.key+".pem")))
		})
	}
}

// The name asked for is the endpoint's, never an address.
func TestDialServerName(t *testing.T) {
	for way, leaf := range map[string]issued{"standard": issue(t, "plain", nil, nil), "bare": negativeSerial(t)} {
		for name, want := range map[string]string{"kube.example.": "kube.example", "": "", "::1": ""} {
			t.Run(fmt.Sprintf("%s/%q", way, name), func(t *testing.T) {
				asked := make(chan string, 2)
				config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					asked <- hello.ServerName
					return nil, nil
				}}
				_, gap := dial(t, Collector{}, Endpoint{Address: serveTLS(t, config, leaf), ServerName: name})
				if gap != nil {
					t.Fatalf("gap %+v", *gap)
				}
				for range len(asked) {
					if got := <-asked; got != want {
						t.Errorf("server was asked for %q, want %q", got, want)
					}
				}
			})
		}
	}
}

func TestDialIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 loopback here")
	}
	leaf := issue(t, "leaf", nil, nil)
	chain, gap := dial(t, Collector{}, Endpoint{Address: serveOn(t, l, tlsHandler(&tls.Config{}, leaf))})
	if gap != nil {
		t.Fatalf("gap %+v", *gap)
	}
	wantChain(t, chain, leaf.der)
}

// A server that hangs after its certificate has still shown it.
func TestDialHangsAfterCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leaf := issue(t, "leaf", nil, nil)
	writePEM(t, dir, leaf)
	server := opensslServer(t, dir, "-cert", "cert.pem", "-key", "key.pem", "-tls1_2")
	address := serve(t, func(client net.Conn) {
		upstream, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer upstream.Close()
		hello := make([]byte, 1<<14)
		n, _ := client.Read(hello)
		upstream.Write(hello[:n])
		// The first flight, hello to hello done, goes through; what the client
		// answers goes nowhere.
		go func() {
			flight := make([]byte, 1<<14)
			for {
				n, err := upstream.Read(flight)
				if err != nil {
					return
				}
				client.Write(flight[:n])
			}
		}()
		for {
			if _, err := client.Read(hello); err != nil {
				return
			}
		}
	})
	chain, gap := dial(t, Collector{ConnectTimeout: 5 * time.Second}, Endpoint{Address: address})
	if gap != nil {
		t.Fatalf("gap %+v", *gap)
	}
	wantChain(t, chain, leaf.der)
}
