package report

import (
	"slices"
	"time"
)

// KindVerification is the kind of a Verification.
const KindVerification = "CertificateVerification"

// Verification says, after a rotation, whether the credentials of before are
// dead. It holds no secret: fingerprints, names and dates alone.
type Verification struct {
	SchemaVersion   string    `json:"schemaVersion"`
	Kind            string    `json:"kind"`
	Tool            Tool      `json:"tool"`
	AsOf            time.Time `json:"asOf"` // the instant that dates were judged at
	StartedAt       time.Time `json:"startedAt"`
	DurationSeconds float64   `json:"durationSeconds"`
	Old             Before    `json:"old"`
	Server          string    `json:"server,omitempty"`  // who was asked, as host:port
	Context         string    `json:"context,omitempty"` // of the kubeconfig of today, which said so; absent without one
	// ServerVerified says that the kubeconfig of today verifies the server: that
	// it is the cluster's, and that a token could be shown to it.
	ServerVerified bool    `json:"serverVerified"`
	Outcome        Outcome `json:"outcome"` // findings: something is alive
	ExitCode       int     `json:"exitCode"`
	Complete       bool    `json:"complete"` // nothing is unknown
	// Checks are in a fixed order: CAs, serving certificates, what is old and could
	// not be read, client certificates, tokens.
	Checks []Check  `json:"checks"`
	Notes  []string `json:"notes"`
}

// Before is where the old credentials come from.
type Before struct {
	From   Source `json:"from"`             // kubeconfig, or SourceReport
	Name   string `json:"name"`             // of the context or the cluster
	Server string `json:"server,omitempty"` // as it is written there
}

// SourceReport is Before.From for an earlier report. It is no source of an audit.
const SourceReport Source = "report"

// Check is one old credential, and whether it still works.
type Check struct {
	Check    CheckKind  `json:"check"`
	Role     Role       `json:"role,omitempty"` // of a certificate
	Subject  string     `json:"subject,omitempty"`
	User     string     `json:"user,omitempty"` // the kubeconfig user's name
	SHA256   string     `json:"sha256,omitempty"`
	NotAfter *time.Time `json:"notAfter,omitempty"`
	Result   Life       `json:"result"`
	Detail   string     `json:"detail"` // what was seen
	Hint     string     `json:"hint,omitempty"`
}

// CheckKind is what a check is about.
type CheckKind string

// The kinds of check.
const (
	CheckCA                 CheckKind = "cluster-ca"
	CheckServingCertificate CheckKind = "serving-certificate"
	CheckClientCertificate  CheckKind = "client-certificate"
	CheckToken              CheckKind = "token"
)

// Life is the result of a check.
type Life string

// The results.
const (
	Dead        Life = "dead"
	Alive       Life = "alive"
	LifeUnknown Life = "unknown"
)

// Conclude draws the one conclusion from the checks: Outcome, ExitCode and
// Complete. interrupted and allowIncomplete are as in Report.Conclude; that there
// was nothing to check is never excused. A serving certificate alone is nothing: it
// is renewed without a rotation.
func (v *Verification) Conclude(interrupted int, allowIncomplete bool) {
	alive := false
	checked := slices.ContainsFunc(v.Checks, func(c Check) bool { return c.Check != CheckServingCertificate })
	v.Complete = checked && interrupted == 0
	for _, c := range v.Checks {
		alive = alive || c.Result == Alive
		v.Complete = v.Complete && c.Result != LifeUnknown
	}
	switch {
	case interrupted != 0:
		v.Outcome, v.ExitCode = OutcomeInterrupted, interrupted
	case alive:
		v.Outcome, v.ExitCode = OutcomeFindings, ExitFindings
	case !v.Complete:
		v.Outcome, v.ExitCode = OutcomeIncomplete, ExitIncomplete
		if allowIncomplete && checked {
			v.ExitCode = ExitOK
		}
	default:
		v.Outcome, v.ExitCode = OutcomeOK, ExitOK
	}
}
