package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// bundle is a PEM file of 10,000 certificates, each with its own key and subject,
// and signed by itself, as most in a bundle are.
//
// Found when this was profiled: half of the time goes into checking those
// signatures, which is how a certificate that signed itself is told from one that
// only looks so; a sixth into finding out that the file is no Kubernetes manifest;
// an eighth into writing JSON. crypto/x509's own parsing is a twentieth.
func bundle(b *bench, ctx context.Context) error {
	const n = 10_000
	file := filepath.Join(b.dir, "bundle.pem")
	if _, err := b.ask(ctx, "bundle", file, strconv.Itoa(n)); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	programs := []func() (run, error){
		func() (run, error) { return b.measure(ctx, nil, b.akscert, "inspect", file, "-o", "json", "-q") },
		func() (run, error) { return b.measure(ctx, nil, b.akscert, "inspect", file, "-q") },
		func() (run, error) { return b.measure(ctx, nil, self, "parse", file) },
	}
	openssl, err := exec.LookPath("openssl")
	if err == nil {
		programs = append(programs, func() (run, error) {
			return b.measure(ctx, nil, openssl, "storeutl", "-noout", "-text", "-certs", file)
		})
	}
	all, err := turns(3, programs...)
	if err != nil {
		return err
	}
	ours, table, plain := median(all[0]), median(all[1]), median(all[2])
	f, err := b.check(ctx, ours)
	if err != nil {
		return err
	}
	if f.Certificates != n {
		return fmt.Errorf("%d certificates in the report\n%s", f.Certificates, tail(ours.stderr))
	}
	title("a bundle of 10,000 certificates (akscert inspect bundle.pem -o json)")
	if len(all) > 3 {
		b.ratio("wall time", ours.wall, median(all[3]).wall, "openssl storeutl -noout -text -certs", 1)
	}
	told("", "× %.1f of %s, x509.ParseCertificate in a loop, which judges and prints nothing", ours.wall.Seconds()/plain.wall.Seconds(), short(plain.wall))
	told("as a table", "%s", short(table.wall))
	told("memory", "%d MiB; as a table %d MiB", ours.memory>>20, table.memory>>20)
	return nil
}

// bundleFile writes a bundle.
func bundleFile(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	file, err := os.Create(args[0])
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	for i := range n {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: fmt.Sprintf("host-%05d.example.com", i), Organization: []string{"Example"}},
			DNSNames: []string{fmt.Sprintf("host-%05d.example.com", i)}, NotBefore: time.Now().AddDate(0, 0, -i%700), NotAfter: time.Now().AddDate(0, 0, 730-i%700)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return err
		}
		if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}

// parse is the least that can be done with a bundle.
func parse(args []string) error {
	data, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return err
		}
		n++
	}
	fmt.Println(n)
	return nil
}
