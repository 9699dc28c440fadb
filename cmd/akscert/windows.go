package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// windowsAnswer says of the sample's Windows node, whose disk is in dir, what
// probe.ps1 would print there: there is no PowerShell to run here.
func windowsAnswer(dir string) string {
	lines := []string{"host akswin22000000"}
	for _, name := range []string{"pki/kubelet-client-current.pem", "pki/kubelet-server-current.pem", "pki/kubelet.crt", "ca.crt"} {
		path := `C:\k\` + strings.ReplaceAll(name, "/", `\`)
		data, err := os.ReadFile(filepath.Join(dir, "k", filepath.FromSlash(name)))
		if err != nil {
			lines = append(lines, "none "+path)
			continue
		}
		lines = append(lines, "file "+path)
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				lines = append(lines, described(block.Bytes)...)
			}
		}
	}
	lines = append(lines, `seen C:\k\bootstrap-config`, "fact rotate-flag true", "fact kubelet-uses current", "done")
	return fmt.Sprintf("akscert-probe begin 1 windows\r\n%s\r\nakscert-probe end %d\r\n", strings.Join(lines, "\r\n"), len(lines))
}

// described is a certificate as .NET tells it.
func described(der []byte) []string {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return []string{"bad"}
	}
	const stamp = "2006-01-02 15:04:05Z"
	lines := []string{"cert", "from=" + c.NotBefore.UTC().Format(stamp), "to=" + c.NotAfter.UTC().Format(stamp), fmt.Sprintf("sha256=%X", sha256.Sum256(der)),
		"subject=" + spaced(c.Subject.String()), "issuer=" + spaced(c.Issuer.String()), fmt.Sprintf("serial=%X", c.SerialNumber.Bytes())}
	if c.IsCA {
		lines = append(lines, "ca=true")
	}
	return lines
}

// spaced has the separators of X509Certificate2.Subject.
func spaced(name string) string { return strings.ReplaceAll(name, ",", ", ") }
