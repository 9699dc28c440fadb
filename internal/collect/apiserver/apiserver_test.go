package apiserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

var _ collect.Collector = Collector{}

// seen sorts observations by kind.
type seen struct {
	certificates []collect.Certificate
	handshakes   []collect.Handshake
	gaps         []collect.Gap
	skipped      []collect.Skipped
}

func look(t *testing.T, cluster *target.Cluster) seen {
	t.Helper()
	var s seen
	for _, o := range (Collector{ConnectTimeout: patience}).Collect(t.Context(), target.Target{Cluster: cluster}) {
		switch {
		case o.Certificate != nil:
			s.certificates = append(s.certificates, *o.Certificate)
		case o.Handshake != nil:
			s.handshakes = append(s.handshakes, *o.Handshake)
		case o.Gap != nil:
			s.gaps = append(s.gaps, *o.Gap)
		case o.Skipped != nil:
			s.skipped = append(s.skipped, *o.Skipped)
		}
	}
	return s
}

func pemOf(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func TestCollect(t *testing.T) {
	ca := authority(t, "a CA", nil)
	intermediate := authority(t, "an intermediate", &ca)
	leaf := issue(t, "leaf", &intermediate, nil)
	// The intermediate and the leaf come twice.
	address := serveTLS(t, &tls.Config{}, leaf, intermediate.der, ca.der, intermediate.der, leaf.der)
	got := look(t, &target.Cluster{
		Name: "prod", File: "config", Server: "https://" + address + "/k8s/clusters/c-1", TLSServerName: "kube.example",
		InsecureSkipTLSVerify: true, CA: target.Material{Data: pemOf(ca.der)},
	})
	if len(got.gaps) > 0 || len(got.certificates) != 3 || len(got.handshakes) != 1 {
		t.Fatalf("got %+v", got)
	}
	want := []struct {
		der      []byte
		role     report.Role
		location string
		count    int
	}{
		{leaf.der, report.RoleAPIServer, address + "#0", 2},
		{intermediate.der, report.RoleIntermediate, address + "#1", 2},
		{ca.der, report.RoleIntermediate, address + "#2", 1},
	}
	h := got.handshakes[0]
	for i, w := range want {
		c := got.certificates[i]
		if !bytes.Equal(c.DER, w.der) || c.Role != w.role || c.Location != w.location || c.Count != w.count || c.Index != i {
			t.Errorf("certificate %d: role %s, location %s, count %d, index %d; want %+v", i, c.Role, c.Location, c.Count, c.Index, w)
		}
		if !bytes.Equal(h.Presented[i].DER, w.der) {
			t.Errorf("Presented[%d] is another certificate", i)
		}
	}
	if h.Location != address || h.ServerName != "kube.example" || !h.Insecure || h.CAUnread || len(h.Presented) != 3 {
		t.Errorf("handshake %+v", h)
	}
	if len(h.CA) != 1 || !bytes.Equal(h.CA[0].DER, ca.der) {
		t.Errorf("CA %v", h.CA)
	}
}

func TestCollectOneCertificate(t *testing.T) {
	leaf := negativeSerial(t)
	address := serveTLS(t, &tls.Config{}, leaf)
	got := look(t, &target.Cluster{Name: "prod", Server: "https://" + address})
	if len(got.certificates) != 1 || got.certificates[0].Location != address || got.certificates[0].Malformed == "" || got.certificates[0].NotAfter == nil {
		t.Errorf("got %+v", got.certificates)
	}
	if len(got.handshakes) != 1 || got.handshakes[0].ServerName != "127.0.0.1" || got.handshakes[0].CA != nil || got.handshakes[0].CAUnread || got.handshakes[0].Insecure {
		t.Errorf("got %+v", got.handshakes)
	}
}

// What cannot be read in a chain is a gap with its place, and the rest is rows.
func TestCollectUnreadable(t *testing.T) {
	leaf := issue(t, "leaf", nil, nil)
	junk := []byte("no certificate at all")
	t.Run("intermediate", func(t *testing.T) {
		address := serveTLS(t, &tls.Config{}, leaf, junk, junk)
		got := look(t, &target.Cluster{Server: "https://" + address})
		if len(got.certificates) != 1 || len(got.handshakes) != 1 || len(got.gaps) != 1 {
			t.Fatalf("got %+v", got)
		}
		gap := got.gaps[0]
		wantGap(t, &gap, report.ReasonMalformed, false, "reading certificate 2 of 3 presented by "+address)
		if gap.Location != address+"#1" {
			t.Errorf("location %q", gap.Location)
		}
	})
	t.Run("leaf", func(t *testing.T) {
		// The certificate after it must not be judged as if it were the leaf.
		address := serveTLS(t, &tls.Config{}, issued{junk, leaf.key}, leaf.der)
		got := look(t, &target.Cluster{Server: "https://" + address})
		if len(got.certificates) != 1 || got.certificates[0].Role != report.RoleIntermediate || len(got.handshakes) != 0 || len(got.gaps) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestCollectCA(t *testing.T) {
	ca, other := authority(t, "a CA", nil), authority(t, "another", nil)
	address := serveTLS(t, &tls.Config{}, issue(t, "leaf", &ca, nil))
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(file, pemOf(ca.der, other.der), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		ca       target.Material
		certs    int
		reason   report.Reason // of the gap, if any
		location string
		says     string
	}{
		{"a file", target.Material{File: file}, 2, "", "", ""},
		{"data before a file", target.Material{Data: pemOf(other.der), File: file}, 1, "", "", ""},
		{"no such file", target.Material{File: filepath.Join(dir, "missing")}, 0, report.ReasonNotFound, "config#clusters/prod", "reading certificate authority "},
		{"one broken of two", target.Material{Data: append(pemOf([]byte("broken")), pemOf(ca.der)...)}, 1, report.ReasonMalformed, "config#clusters/prod#0", "line 1: "},
		{"no certificate", target.Material{Data: []byte("hello")}, 0, report.ReasonMalformed, "config#clusters/prod", "reading certificate authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := look(t, &target.Cluster{Name: "prod", File: "config", Server: "https://" + address, CA: tt.ca})
			if len(got.handshakes) != 1 || len(got.certificates) != 1 {
				t.Fatalf("got %+v", got)
			}
			h := got.handshakes[0]
			if len(h.CA) != tt.certs || h.CAUnread != (tt.reason != "" && tt.certs == 0) {
				t.Errorf("%d certificates, unread %v", len(h.CA), h.CAUnread)
			}
			if tt.reason == "" {
				if len(got.gaps) > 0 {
					t.Errorf("gaps %+v", got.gaps)
				}
				return
			}
			if len(got.gaps) != 1 {
				t.Fatalf("gaps %+v", got.gaps)
			}
			// Word for word the kubeconfig source's, for audit to fold.
			gap := got.gaps[0]
			if gap.Reason != tt.reason || gap.Location != tt.location || !strings.HasPrefix(gap.Message, tt.says) {
				t.Errorf("gap %+v", gap)
			}
		})
	}
}

func TestCollectWithoutCluster(t *testing.T) {
	got := look(t, nil)
	if len(got.skipped) != 1 || got.skipped[0].Why == "" || len(got.gaps)+len(got.certificates) > 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCollectGap(t *testing.T) {
	address := refusing(t)
	got := look(t, &target.Cluster{Server: "https://" + address})
	if len(got.gaps) != 1 || len(got.handshakes)+len(got.certificates) > 0 {
		t.Fatalf("got %+v", got)
	}
	wantGap(t, &got.gaps[0], report.ReasonUnreachable, true, address)
}

func TestReadCAInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, gaps := Collector{}.readCA(ctx, target.Cluster{Name: "prod", CA: target.Material{File: filepath.Join(t.TempDir(), "ca.crt")}})
	if len(gaps) != 1 {
		t.Fatalf("gaps %v", gaps)
	}
	wantGap(t, gaps[0].Gap, report.ReasonInterrupted, true)
}
