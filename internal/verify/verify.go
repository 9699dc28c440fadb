// Package verify asks, after a rotation, whether the old credentials are dead:
// whether the old CA still verifies the API server, and whether an old client
// certificate or token still opens it. Nothing is called dead but by the API server
// that the kubeconfig of today verifies, at the address that the old credentials
// were for, and by each of several connections to it.
//
// It is a look and a judgement in one, because what is judged is the answer to a
// question that only an old credential can ask. It only reads, by GET. An old
// token goes to no server that the kubeconfig of today does not verify, nor to
// another address; the key of a certificate goes nowhere.
package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Verifier is what a verification is made with.
type Verifier struct {
	Servers apiserver.Collector
	Door    *kube.Door
	// AsOf is the instant that the old credentials' dates are judged at, and Now
	// the clock's, at which the server has to be verified.
	AsOf, Now time.Time
	// SystemRoots verify a server whose kubeconfig names no CA.
	SystemRoots *x509.CertPool
	// SameCluster is somebody's word that today's address is of the old cluster,
	// where it is not the old address.
	SameCluster bool
}

// Verify checks what is old. today is the context of the kubeconfig of today,
// which says where the API server is and what verifies it; without one, nil, the
// old address is asked, and nothing vouches for who answers. The caller
// concludes.
func (r Verifier) Verify(ctx context.Context, old Old, today *target.Target) *report.Verification {
	v := &verification{Verifier: r, old: old, today: today, at: old.at}
	if today != nil {
		v.at = *today
	}
	v.out = &report.Verification{SchemaVersion: report.SchemaVersion, Kind: report.KindVerification, AsOf: r.AsOf.UTC().Truncate(time.Second),
		Old: old.before, Checks: []report.Check{}, Notes: append([]string{}, old.notes...)}
	if today != nil {
		v.out.Context = today.Context
	}
	v.shake(ctx)
	if was, is := old.at.Cluster, v.at.Cluster; today != nil && !Same(was, is) {
		v.elsewhere = !r.SameCluster
		v.note(fmt.Sprintf("--old is of %s, and %s was asked: it proves something only if they are one cluster", Place(was), Place(is)))
	}
	for _, k := range old.cas {
		v.checkCA(k)
	}
	v.unchanged()
	for _, k := range old.serving {
		v.checkServing(k)
	}
	v.out.Checks = append(v.out.Checks, old.unread...)
	for _, k := range old.clients {
		v.checkClient(ctx, k)
	}
	for _, t := range old.tokens {
		v.checkToken(ctx, t)
	}
	if len(v.out.Checks) == 0 {
		v.note("there is nothing in what is old that could be verified")
	}
	return v.out
}

// verification is one under way.
type verification struct {
	Verifier
	old   Old
	today *target.Target
	at    target.Target // whose API server is asked
	out   *report.Verification

	address   string                // host:port
	presented [][]certs.Certificate // the chains that the server presents, the leaf first; empty when it could not be seen
	bundle    []certs.Certificate   // what the kubeconfig of today trusts
	missed    int                   // how many connections saw nothing
	unseen    collect.Gap           // and why
	// doubt is why the server may be another cluster's although there is a
	// kubeconfig of today; nil where it verifies the server, or vouches for
	// nothing.
	doubt error
	// elsewhere says that the old address is another, and nobody has said that
	// the cluster is not.
	elsewhere bool
}

const fetchToday = "fetch today's kubeconfig and name it: az aks get-credentials -g GROUP -n CLUSTER --file FILE, then --kubeconfig FILE"

const sayWhich = "name the cluster's own context of today; if it is the same cluster under another address, say so with --same-cluster"

const rotate = "az aks rotate-certs -g GROUP -n CLUSTER replaces the CA, and with it the client certificates it signed; up to 30 minutes of downtime"

// shake learns what the API server presents, and whether it is the cluster's.
func (v *verification) shake(ctx context.Context) {
	shakes, missed, gap := v.handshakes(ctx)
	v.missed, v.unseen = missed, gap
	if len(shakes) == 0 {
		v.out.Server, v.address = gap.Location, gap.Location
		return
	}
	handshake := shakes[0] // but for what is presented they are alike
	v.address, v.out.Server = handshake.Location, handshake.Location
	for _, h := range shakes {
		v.presented = append(v.presented, h.Presented)
	}
	if len(shakes) > 1 {
		v.note(fmt.Sprintf("%s presents %d different chains: its API servers are not alike, as in the middle of a rotation", v.address, len(shakes)))
	}
	switch {
	case v.today == nil:
		v.note("no kubeconfig of today vouches for " + v.address + ": that it is the cluster's API server is taken on trust")
	case handshake.Insecure:
		v.note("the kubeconfig of today verifies nothing (insecure-skip-tls-verify): that " + v.address + " is the cluster's API server is taken on trust")
	case handshake.CAUnread:
		v.doubt = errors.New("its CA could not be read: " + v.unseen.Message)
	default:
		v.bundle = handshake.CA
		for _, h := range shakes {
			if v.doubt == nil {
				v.doubt = v.verify(h)
			}
		}
		v.out.ServerVerified = v.doubt == nil
	}
}

// verify is what kubectl does.
func (v *verification) verify(h collect.Handshake) error {
	if h.Presented[0].Strict == nil {
		return errors.New("crypto/x509 refuses to parse the server's certificate")
	}
	options := x509.VerifyOptions{DNSName: h.ServerName, Roots: v.SystemRoots, Intermediates: x509.NewCertPool(), CurrentTime: v.Now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if len(h.CA) > 0 {
		options.Roots = x509.NewCertPool()
	} else if options.Roots == nil {
		return errors.New("the system's roots could not be read")
	}
	for _, ca := range h.CA {
		if ca.Strict != nil {
			options.Roots.AddCert(ca.Strict)
		}
	}
	for _, c := range h.Presented[1:] {
		if c.Strict != nil {
			options.Intermediates.AddCert(c.Strict)
		}
	}
	_, err := h.Presented[0].Strict.Verify(options)
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown): // whose words are about the name it goes by
		return errors.New("it is signed by a CA that is not trusted")
	case err != nil:
		return errors.New(strings.TrimPrefix(err.Error(), "x509: "))
	}
	return nil
}

// dead is a check's result where the server's behaviour says so: a server that
// may be another's proves nothing.
func (v *verification) dead(c *report.Check, detail string) {
	c.Result, c.Detail = report.Dead, detail
	but, hint := "", fetchToday
	switch {
	case v.doubt != nil:
		but = "the kubeconfig of today does not verify that server either, so it may be another's: " + v.doubt.Error()
	case !v.out.ServerVerified:
		but = "nothing of today verifies that server, and anybody may have answered"
	case v.elsewhere:
		but, hint = "--old is of "+Place(v.old.at.Cluster)+", which may be another cluster", sayWhich
	default:
		return
	}
	c.Result, c.Detail, c.Hint = report.LifeUnknown, detail+"; but "+but, hint
}

// gone is dead for what was looked for in what the server presents, which takes
// all of its handshakes.
func (v *verification) gone(c *report.Check, detail string) {
	v.dead(c, detail)
	if v.missed > 0 && c.Result == report.Dead {
		c.Result, c.Hint = report.LifeUnknown, v.unseen.Hint
		c.Detail = fmt.Sprintf("%s; but %d of %d connections saw nothing: %s", detail, v.missed, connections, v.unseen.Message)
	}
}

func (v *verification) checkCA(k known) {
	c := report.Check{Check: report.CheckCA, Role: report.RoleClusterCA, Subject: k.subject, SHA256: k.sha256, NotAfter: k.notAfter, Result: report.LifeUnknown}
	defer func() { v.out.Checks = append(v.out.Checks, c) }()
	if len(v.presented) == 0 {
		c.Detail, c.Hint = v.unseen.Message, v.unseen.Hint
		return
	}
	kept, trusted := find(v.bundle, k.sha256)
	if !trusted {
		kept, _ = find(slices.Concat(v.presented...), k.sha256)
	}
	if k.cert == nil {
		k.cert = kept // a report knows the fingerprint alone
	}
	still := ""
	if trusted {
		still = ", and the kubeconfig of today trusts it still"
	}
	if k.cert == nil {
		if !v.out.ServerVerified {
			c.Detail, c.Hint = "whether it verifies "+v.address+" cannot be told by its fingerprint alone", fetchToday
			return
		}
		v.gone(&c, "the kubeconfig of today does not trust it, and verifies what "+v.address+" presents by another")
		return
	}
	signs, uncheckable := false, false
	for _, chain := range v.presented {
		yes, maybe := certs.ChainsTo(chain, []certs.Certificate{*k.cert})
		signs, uncheckable = signs || yes, uncheckable || maybe
	}
	switch {
	case signs:
		c.Result, c.Hint = report.Alive, rotate
		c.Detail = "still verifies what " + v.address + " presents" + still
		if v.past(k.notAfter) {
			c.Detail += "; it expired on " + day(k.notAfter)
		}
	case uncheckable:
		c.Detail, c.Hint = "whether it signed what "+v.address+" presents could not be checked: an unsupported signature algorithm, or too many certificates", "openssl verify -CAfile CA CHAIN"
	default:
		if still = ""; trusted && v.doubt == nil {
			still, c.Hint = "; though the kubeconfig of today trusts it still", "when the rotation has ended fetch the kubeconfig again: az aks get-credentials --overwrite-existing"
		}
		v.gone(&c, "no longer verifies what "+v.address+" presents"+still)
	}
}

// unchanged says where a CA rotation did not happen, or has not ended: only that
// kills what the CA signed.
func (v *verification) unchanged() {
	kept := 0
	for _, k := range v.old.cas {
		if _, ok := find(v.bundle, k.sha256); ok {
			kept++
		}
	}
	same := kept == len(v.old.cas) && kept == distinct(v.bundle)
	switch {
	case kept == 0:
	case same && v.doubt != nil:
		v.note("the kubeconfig of today trusts what the old one does, and does not verify the server: it is itself from before the rotation, or the server is another's")
	case same:
		v.note("the CA did not change: no CA rotation happened, and only that kills client certificates")
	default:
		v.note(fmt.Sprintf("the kubeconfig of today trusts %d of the %d old CAs, and %d in all: a rotation is under way, or its kubeconfig was merged", kept, len(v.old.cas), distinct(v.bundle)))
	}
}

func (v *verification) checkServing(k known) {
	c := report.Check{Check: report.CheckServingCertificate, Role: report.RoleAPIServer, Subject: k.subject, SHA256: k.sha256, NotAfter: k.notAfter, Result: report.LifeUnknown}
	defer func() { v.out.Checks = append(v.out.Checks, c) }()
	_, presented := find(slices.Concat(v.presented...), k.sha256)
	switch {
	case len(v.presented) == 0:
		c.Detail, c.Hint = v.unseen.Message, v.unseen.Hint
	case k.sha256 == "":
		c.Detail = "the report has no fingerprint of it"
	case presented:
		c.Result, c.Detail, c.Hint = report.Alive, v.address+" still presents it", rotate
	default:
		v.gone(&c, v.address+" no longer presents it")
	}
}

func (v *verification) checkClient(ctx context.Context, k known) {
	c := report.Check{Check: report.CheckClientCertificate, Role: report.RoleClient, Subject: k.subject, User: k.user, SHA256: k.sha256, NotAfter: k.notAfter}
	said := answer{said: "a report holds no key to try it with", hint: keepOne}
	if k.cert != nil {
		said = v.tryClient(ctx)
	}
	v.judge(&c, said, rotate)
	v.out.Checks = append(v.out.Checks, c)
}

// tryClient shows the old client certificate to the API server. A server that
// cannot be verified may be asked too: no more than the certificate and a
// signature over this one handshake reaches it.
func (v *verification) tryClient(ctx context.Context) answer {
	if len(v.presented) == 0 {
		return answer{said: v.unseen.Message, hint: v.unseen.Hint}
	}
	cluster, user := *v.at.Cluster, *v.old.at.User
	cluster.InsecureSkipTLSVerify = cluster.InsecureSkipTLSVerify || !v.out.ServerVerified
	user.Token, user.TokenFile = target.Secret{}, ""
	return v.ask(ctx, cluster, user)
}

func (v *verification) checkToken(ctx context.Context, t token) {
	c := report.Check{Check: report.CheckToken, User: t.user, NotAfter: t.expiresAt}
	said := answer{said: "a report holds no token to try", hint: keepOne}
	switch {
	case t.lost:
	case len(v.presented) == 0:
		said = answer{said: v.unseen.Message, hint: v.unseen.Hint}
	case v.doubt != nil:
		said = answer{said: "not sent: the kubeconfig of today does not verify " + v.address + ": " + v.doubt.Error(), hint: fetchToday}
	case !v.out.ServerVerified:
		said = answer{said: "not sent: no kubeconfig of today verifies " + v.address + ", and whoever answers would have it", hint: fetchToday}
	case v.elsewhere:
		said = answer{said: "not sent: --old is of " + Place(v.old.at.Cluster) + ", and " + v.address + " may be another cluster's", hint: sayWhich}
	default:
		user := *v.old.at.User
		user.ClientCertificate, user.ClientKey, user.ClientKeyFile = target.Material{}, target.Secret{}, ""
		said = v.ask(ctx, *v.at.Cluster, user)
		if t.file {
			said.said += " (it is in a file, which may have been renewed since)"
		}
	}
	v.judge(&c, said, "a service account's token dies with its Secret or its account; others with their keys, as by az aks rotate-certs, up to 30 minutes of downtime")
	v.out.Checks = append(v.out.Checks, c)
}

// judge turns an answer into a result. A credential that has expired is dead by
// its date, unless it was seen to work.
func (v *verification) judge(c *report.Check, said answer, alive string) {
	switch {
	case said.verdict == accepted:
		c.Result, c.Detail, c.Hint = report.Alive, "still works: "+said.said, alive
		if v.past(c.NotAfter) {
			c.Detail += ", although it expired on " + day(c.NotAfter)
		}
	case v.past(c.NotAfter):
		c.Result, c.Detail = report.Dead, "expired on "+day(c.NotAfter)+": dead by its date, which proves nothing about the rotation; "+said.said
	case said.verdict == refused:
		v.dead(c, said.said)
	default:
		c.Result, c.Detail, c.Hint = report.LifeUnknown, "not examined: "+said.said, said.hint
	}
}

func (v *verification) past(t *time.Time) bool { return t != nil && v.AsOf.After(*t) }

func (v *verification) note(s string) { v.out.Notes = append(v.out.Notes, s) }

func day(t *time.Time) string { return t.UTC().Format("2006-01-02") }

// find is the certificate of that fingerprint in list.
func find(list []certs.Certificate, sha256 string) (*certs.Certificate, bool) {
	i := slices.IndexFunc(list, func(c certs.Certificate) bool { return sha256 != "" && c.Fingerprint == sha256 })
	if i < 0 {
		return nil, false
	}
	return &list[i], true
}

// distinct counts certificates.
func distinct(list []certs.Certificate) int {
	seen := map[string]bool{}
	for _, c := range list {
		seen[c.Fingerprint] = true
	}
	return len(seen)
}
