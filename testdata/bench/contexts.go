package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// contexts is a kubeconfig of 5,000 contexts, whose servers are one TLS
// listener, under 5,000 names. tlsx is given the same listener and names. Once
// the listener answers as if it were 50 ms away, as an API server may be; then at
// once, which measures nothing but the CPU that either takes.
//
// Found when this was profiled:
//
// Two thirds of the CPU were RSA: AKS's CAs have 4,096 bits, and to check one
// signature of theirs takes a third of a millisecond here, where all else of a
// handshake takes half of one. tlsx checks none. Six were checked for each context:
// the CA's own, wherever it was read, and the leaf's, twice. Now what was read and
// checked once in a run is remembered (collect.Memory, audit's chains), and here,
// where all contexts lead to one server, none is left: from 10 s of CPU to 5. Of
// 5,000 clusters with a CA each two would be left, and 3 s.
//
// A third of the handshake was ML-KEM, crypto/tls's key exchange against quantum
// computers. Nothing is sent that would be worth it, so it is only tried where a
// server will have nothing else: from 5 s to 4, and the server has less to do too.
//
// Of those, reading the kubeconfig takes one, before the first handshake, and that
// is what all of the run still loses against tlsx, which reads a list of names.
// Handshakes per second are therefore the listener's count, from the first to the
// last, and the other ratio stands beside it.
//
// The memory is the kubeconfig's, 20 MB of it: clientcmd has it as text, as a tree
// of YAML nodes, as JSON and as structs at once. Garbage is collected more often
// meanwhile. Later the run needs a third of that, since what is judged is written
// and forgotten. (Of AKS's own kubeconfigs with local accounts, some 9 kB a context,
// 5,000 in one file would be some 45 MB.)
func contexts(b *bench, ctx context.Context) error {
	const n = 5000
	tlsx := filepath.Join(b.dir, "tlsx")
	if err := goTool(ctx, "tlsx", "build", "-trimpath", "-ldflags", "-s -w", "-o", tlsx, "github.com/projectdiscovery/tlsx/cmd/tlsx"); err != nil {
		return err
	}
	title("5,000 contexts of one kubeconfig, one TLS listener (akscert audit --all-contexts --sources kubeconfig,apiserver -o ndjson)")
	for _, delay := range []time.Duration{50 * time.Millisecond, 0} {
		if err := b.shake(ctx, tlsx, n, delay); err != nil {
			return err
		}
	}
	return nil
}

// shake compares the two on a listener that lets everybody wait for delay.
func (b *bench) shake(ctx context.Context, tlsx string, n int, delay time.Duration) error {
	listener, err := b.help(ctx, "listener", b.dir, delay.String())
	if err != nil {
		return err
	}
	address, err := listener.line()
	if err != nil {
		return err
	}
	config, names := filepath.Join(b.dir, "kubeconfig"), filepath.Join(b.dir, "names")
	if _, err := b.ask(ctx, "kubeconfig", b.dir, address, strconv.Itoa(n)); err != nil {
		return err
	}
	for _, parallel := range []string{"16", "100"} {
		// How long the listener was at it, from the first hello to the last
		// handshake's end, is the client's alone: neither its start nor its end counts.
		var spans [2][]run
		seen := func(i int, r run, err error) (run, error) {
			if err != nil {
				return r, err
			}
			fmt.Fprintln(listener.in)
			line, err := listener.line()
			if err != nil {
				return r, err
			}
			span, err := time.ParseDuration(line)
			spans[i] = append(spans[i], run{wall: span})
			return r, err
		}
		all, err := turns(3, func() (run, error) {
			r, err := b.measure(ctx, nil, b.akscert, "audit", "--kubeconfig", config, "--all-contexts", "--sources", "kubeconfig,apiserver", "--parallel", parallel, "-o", "ndjson", "-q")
			return seen(0, r, err)
		}, func() (run, error) {
			r, err := b.measure(ctx, nil, tlsx, "-u", address, "-sni", names, "-c", parallel, "-sm", "ctls", "-j", "-nc", "-silent", "-duc")
			return seen(1, r, err)
		})
		if err != nil {
			return err
		}
		ours, theirs := median(all[0]), median(all[1])
		f, err := b.check(ctx, ours)
		if err != nil {
			return err
		}
		if lines, err := count(theirs.stdout); err != nil || lines != n {
			return fmt.Errorf("tlsx: %d lines, %w\n%s", lines, err, tail(theirs.stderr))
		}
		if f.Clusters != n {
			return fmt.Errorf("%d clusters in the report\n%s", f.Clusters, tail(ours.stderr))
		}
		told("", "the listener answers after %v, --parallel %s:", delay, parallel)
		rate := func(r run) float64 { return float64(n) / r.wall.Seconds() }
		here, there := rate(median(spans[0])), rate(median(spans[1]))
		b.result("handshakes", fmt.Sprintf("%.0f/s", here), fmt.Sprintf("as the listener counts them; × %.2f of %.0f/s, tlsx -c %s", here/there, there, parallel), here >= there, "× 1.00 at least")
		told("", "%.0f/s with all of the run counted, the reading of the kubeconfig too: × %.2f of %.0f/s", rate(ours), rate(ours)/rate(theirs), rate(theirs))
		b.memory("memory", ours.memory, 200<<20)
		told("besides", "%s, %.1f s of CPU, %d certificates, %d gaps; tlsx: %s, %.1f s of CPU, %d MiB", short(ours.wall), ours.cpu.Seconds(), f.Certificates, f.Gaps, short(theirs.wall), theirs.cpu.Seconds(), theirs.memory>>20)
	}
	_, err = listener.end()
	return err
}

func count(path string) (lines int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		lines++
	}
	return lines, in.Err()
}

// listener shakes hands with whoever comes. For each line of its input it says how
// long it has been at it since the last. Its
// chain is what AKS has, a leaf of the cluster's RSA CA, but the leaf's key is of
// an elliptic curve: an RSA signature for each handshake would take more of the
// machine than what is measured.
func listener(args []string) error {
	delay, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	authority, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(29, 0, 0)}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, authority.Public(), authority)
	if err != nil {
		return err
	}
	issue := func(name pkix.Name, names ...string) ([]byte, error) {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: name, DNSNames: names,
			NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: time.Now().AddDate(2, -1, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		return x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), authority)
	}
	server, err := issue(pkix.Name{CommonName: "apiserver"}, "*.bench.test")
	if err != nil {
		return err
	}
	client, err := issue(pkix.Name{CommonName: "masterclient", Organization: []string{"system:masters"}})
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: caDER}, "client.pem": {Type: "CERTIFICATE", Bytes: client}, "client.key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(args[0], name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	settings := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{server, caDER}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	var mu sync.Mutex
	var first, last time.Time
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				mu.Lock()
				if first.IsZero() {
					first = time.Now()
				}
				mu.Unlock()
				time.Sleep(delay)
				_ = tls.Server(c, settings).Handshake()
				mu.Lock()
				last = time.Now()
				mu.Unlock()
			}()
		}
	}()
	fmt.Println(l.Addr())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		mu.Lock()
		fmt.Println(last.Sub(first))
		first = time.Time{}
		mu.Unlock()
	}
	return in.Err()
}

// kubeconfig writes one of n contexts, each with a cluster and a user of its own,
// and the list of their servers' names.
func kubeconfig(args []string) error {
	dir, address := args[0], args[1]
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	data := map[string]string{}
	for _, name := range []string{"ca.pem", "client.pem", "client.key"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		data[name] = base64.StdEncoding.EncodeToString(content)
	}
	var config, names strings.Builder
	config.WriteString("apiVersion: v1\nkind: Config\ncurrent-context: c0001\nclusters:\n")
	for i := range n {
		fmt.Fprintf(&config, "- name: c%04d\n  cluster:\n    certificate-authority-data: %s\n    server: https://%s\n    tls-server-name: c%04d.bench.test\n", i, data["ca.pem"], address, i)
		fmt.Fprintf(&names, "c%04d.bench.test\n", i)
	}
	config.WriteString("users:\n")
	for i := range n {
		fmt.Fprintf(&config, "- name: clusterUser_group_c%04d\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n", i, data["client.pem"], data["client.key"])
	}
	config.WriteString("contexts:\n")
	for i := range n {
		fmt.Fprintf(&config, "- name: c%04d\n  context:\n    cluster: c%04d\n    user: clusterUser_group_c%04d\n", i, i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "kubeconfig"), []byte(config.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "names"), []byte(names.String()), 0o600)
}
