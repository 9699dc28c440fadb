package audit

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// trust compares what an API server presented with what the kubeconfig trusts.
// Dates are left out of it: every certificate's own row judges those, and an
// expired certificate of the right CA is not a mismatch.
func (a *Auditor) trust(h collect.Handshake) {
	if len(h.Presented) == 0 {
		return
	}
	leaf := h.Presented[0]
	if leaf.SelfSigned != nil && *leaf.SelfSigned {
		a.findOn(ruleSelfSigned, fmt.Sprintf("%s presents a self-signed certificate (%s)", h.Location, leaf.Subject))
	}
	if h.Insecure {
		return // the kubeconfig asks for no verification, which is a finding of its own
	}
	if err := covers(leaf, h.ServerName); err != nil {
		a.findOn(ruleNameMismatch, fmt.Sprintf("%s presents a certificate for %s, not for %s", h.Location, names(leaf), h.ServerName))
	}
	switch {
	case h.CAUnread: // a gap already says so
	case len(h.CA) == 0:
		if err := systemTrusts(h.Presented, a.in.SystemRoots); err != nil {
			a.findOn(ruleCAMismatch, fmt.Sprintf("%s: the kubeconfig names no CA, and the system's roots do not verify the chain issued by %q: %s", h.Location, leaf.Issuer, err))
		}
	default:
		why, uncheckable := a.mismatch(h.Presented, h.CA)
		if uncheckable {
			a.gap(report.SourceAPIServer, collect.Gap{Location: h.Location, Reason: report.ReasonUnsupported,
				Message: "whether the kubeconfig's CA signed the chain could not be checked: an unsupported signature algorithm, or too many certificates",
				Hint:    "openssl verify -CAfile CA CHAIN"})
		} else if why != "" {
			a.add(a.disagree(), report.Finding{Message: h.Location + ": " + why}, a.leaf)
		}
	}
}

// mismatch is mismatch, remembered: contexts of one cluster, of which a kubeconfig
// can have thousands, all show the same chain, and to check a signature of AKS's CA
// takes nearly as long as the handshake did.
func (a *Auditor) mismatch(presented, cas []certs.Certificate) (why string, uncheckable bool) {
	var prints strings.Builder
	for i, c := range slices.Concat(presented, cas) {
		if c.DER == nil {
			return mismatch(presented, cas, a.asOf) // text has no fingerprint that must be its own
		}
		if i == len(presented) {
			prints.WriteString("by ")
		}
		prints.WriteString(c.Fingerprint + " ")
	}
	chain := prints.String()
	known, ok := a.chains[chain]
	if !ok {
		if len(a.chains) == mostChains {
			clear(a.chains)
		}
		known.why, known.uncheckable = mismatch(presented, cas, a.asOf)
		a.chains[chain] = known
	}
	return known.why, known.uncheckable
}

// checked is what was found of a chain.
type checked struct {
	why         string
	uncheckable bool
}

const mostChains = 1024 // that are remembered

// mismatch says why presented does not verify against cas, "" when it does.
func mismatch(presented, cas []certs.Certificate, at time.Time) (why string, uncheckable bool) {
	leaf := presented[0]
	strict := verify(presented, pool(cas), at)
	if strict == nil {
		return "", false
	}
	signed, uncheckable := certs.ChainsTo(presented, cas)
	if uncheckable {
		return "", true
	}
	var invalid x509.CertificateInvalidError
	dates := errors.As(strict, &invalid) && invalid.Reason == x509.Expired
	switch {
	case signed && (dates || errors.Is(strict, errNotStrict)):
		return "", false
	case signed:
		return fmt.Sprintf("the chain is signed by the kubeconfig's CA and still does not verify: %s", strings.TrimPrefix(strict.Error(), "x509: ")), false
	}
	trusted := make([]string, 0, len(cas))
	for _, ca := range cas {
		trusted = append(trusted, fmt.Sprintf("%q", ca.Subject))
		if ca.Subject == leaf.Issuer {
			return fmt.Sprintf("issued by a CA named %q, which is not the one of that name that the kubeconfig trusts", leaf.Issuer), false
		}
	}
	return fmt.Sprintf("issued by %q, but the kubeconfig trusts %s", leaf.Issuer, few(trusted)), false
}

var errNotStrict = errors.New("a certificate that crypto/x509 refuses to parse")

// verify is what kubectl does.
func verify(presented []certs.Certificate, roots *x509.CertPool, at time.Time) error {
	if presented[0].Strict == nil {
		return errNotStrict
	}
	// A root that the server presents too leads nowhere else than the one that is
	// trusted, and crypto/x509 would check its signature once more to find out.
	between := slices.DeleteFunc(slices.Clone(presented[1:]), func(c certs.Certificate) bool { return c.SelfSigned != nil && *c.SelfSigned })
	_, err := presented[0].Strict.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool(between), CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

func systemTrusts(presented []certs.Certificate, roots *x509.CertPool) error {
	if roots == nil {
		return errors.New("the system's roots could not be read")
	}
	if presented[0].NotAfter == nil {
		return errNotStrict
	}
	// At the leaf's last second: whether the roots know the chain, not whether
	// it has expired since.
	return verify(presented, roots, *presented[0].NotAfter)
}

func pool(cs []certs.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range cs {
		if c.Strict != nil {
			p.AddCert(c.Strict)
		}
	}
	return p
}

// covers reports whether leaf's names cover name, by crypto/x509's rules also
// where crypto/x509 refused the certificate.
func covers(leaf certs.Certificate, name string) error {
	if leaf.Strict != nil {
		return leaf.Strict.VerifyHostname(name)
	}
	names := x509.Certificate{DNSNames: leaf.DNSNames, IPAddresses: leaf.IPs}
	return names.VerifyHostname(name)
}

func names(c certs.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPs {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all (no subject alternative names)"
	}
	return few(all)
}

// few lists at most five of list.
func few(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
