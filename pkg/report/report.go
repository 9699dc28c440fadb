// Package report is the public contract of akscert: the one value in the
// middle, as versioned JSON. Everything after an audit reads only this.
//
// Adding a field is a minor version of the schema; changing or removing one is
// a major one. Arrays are never null. Times are RFC 3339 in UTC. A field whose
// value is not known is absent, not zero.
package report

import "time"

// SchemaVersion and Kind identify the document.
const (
	SchemaVersion = "1.0"
	Kind          = "CertificateAudit"
)

// Report is one audit.
type Report struct {
	SchemaVersion   string        `json:"schemaVersion"`
	Kind            string        `json:"kind"`
	Tool            Tool          `json:"tool"`
	AsOf            time.Time     `json:"asOf"`            // the instant everything was judged at, whole seconds
	StartedAt       time.Time     `json:"startedAt"`       // when the audit began, by the wall clock
	DurationSeconds float64       `json:"durationSeconds"` // seconds, to the millisecond
	Policy          Policy        `json:"policy"`
	Shard           *Shard        `json:"shard,omitempty"`    // where this is a part of an audit that was split
	Scope           []string      `json:"scope,omitempty"`    // what was asked for, as flags in order; two audits of one scope can miss each other's clusters only for a reason
	Sampling        string        `json:"sampling,omitempty"` // where not every node was asked, which were: "per-pool=3"
	Outcome         Outcome       `json:"outcome"`
	ExitCode        int           `json:"exitCode"`
	Complete        bool          `json:"complete"` // all that was asked for was examined; false where there is a gap, also a waived one
	Summary         Summary       `json:"summary"`
	Clusters        []Cluster     `json:"clusters"`
	Nodes           []Node        `json:"nodes"`
	Certificates    []Certificate `json:"certificates"`
	Findings        []Finding     `json:"findings"`
	Remedies        []Remedy      `json:"remedies"`
	Gaps            []Gap         `json:"gaps"`
	Waivers         []Waiver      `json:"waivers"` // those that the audit was given, in its file's order
}

// Tool names the program that wrote the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Policy is what certificates were judged against, as given or by default.
type Policy struct {
	WarnAt          string   `json:"warnAt"`                 // "80%" of lifetime used, or time left such as "30d"
	CriticalAt      string   `json:"criticalAt"`             // as WarnAt
	WarnLead        string   `json:"warnLead,omitempty"`     // the warning point comes no earlier than this before notAfter; absent when WarnAt was given by hand
	CriticalLead    string   `json:"criticalLead,omitempty"` // as WarnLead
	UnknownLifetime Unknown  `json:"unknownLifetime"`        // used where only notAfter is known
	FailOn          Severity `json:"failOn"`                 // the least severity that makes the exit code 1; "none" for never
}

// Unknown holds the points used where only notAfter is known, as time left.
type Unknown struct {
	WarnAt     string `json:"warnAt"`
	CriticalAt string `json:"criticalAt"`
}

// Shard says which part of an audit's clusters a report is about, where several
// runs divided them.
type Shard struct {
	Index int `json:"index"` // from 0 to Count-1
	Count int `json:"count"` // how many shards there are, at least 1
	Fleet int `json:"fleet"` // how many clusters all of them have, as this one saw it
}

// Outcome is the result of an audit in a word.
type Outcome string

// The outcomes.
const (
	OutcomeOK          Outcome = "ok"          // nothing at or above failOn and nothing missing, but for what is waived
	OutcomeFindings    Outcome = "findings"    // something at or above failOn
	OutcomeIncomplete  Outcome = "incomplete"  // nothing that fails, but part could not be examined
	OutcomeInterrupted Outcome = "interrupted" // a signal ended it early
)

// The exit codes, which are API: one meaning each, the same for every format.
const (
	ExitOK         = 0 // all that was asked for was examined; nothing at or above failOn
	ExitFindings   = 1 // something at or above failOn, also when there are gaps too
	ExitError      = 2 // usage, configuration or internal error, or nothing readable at all; stdout is empty
	ExitIncomplete = 3 // nothing that fails, but part could not be examined, or nothing matched
	ExitSIGINT     = 130
	ExitSIGTERM    = 143
)

// State is the state of one certificate at the audited instant.
type State string

// The states, in rising order of severity. See the lifetime package.
const (
	StateOK          State = "ok"
	StateDue         State = "due"
	StateWarning     State = "warning"
	StateCritical    State = "critical"
	StateNotYetValid State = "not-yet-valid"
	StateExpired     State = "expired"
)

// Severity is how bad a finding is.
type Severity string

// The severities, in rising order. None is only a value of Policy.FailOn.
const (
	SeverityInfo     Severity = "info"
	SeverityDue      Severity = "due"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
	SeverityExpired  Severity = "expired"
	SeverityNone     Severity = "none"
)

// Rank orders severities: info 0, due 1, warning 2, critical 3, expired 4.
// Anything else, "none" among it, is 5: above all that a finding can be.
func (s Severity) Rank() int {
	switch s {
	case SeverityInfo:
		return 0
	case SeverityDue:
		return 1
	case SeverityWarning:
		return 2
	case SeverityCritical:
		return 3
	case SeverityExpired:
		return 4
	}
	return 5
}

// Source is a place that is looked at.
type Source string

// The sources.
const (
	SourceKubeconfig Source = "kubeconfig"
	SourceAPIServer  Source = "apiserver"
	SourceARM        Source = "arm"
	SourceNode       Source = "node"
	SourceKubelet    Source = "kubelet"
	SourceKubeAPI    Source = "kubeapi"
	SourceFile       Source = "file"
)

// Role is what a certificate is for.
type Role string

// The roles.
const (
	RoleClient           Role = "client"                 // a kubeconfig user's client certificate
	RoleClusterCA        Role = "cluster-ca"             // trusted by a kubeconfig, or found as ca.crt on a node
	RoleClientCA         Role = "client-ca"              // the API server accepts the client certificates it signed
	RoleRequestHeaderCA  Role = "requestheader-ca"       // the API server accepts the aggregator's certificates it signed
	RoleAPIServer        Role = "apiserver"              // the serving certificate presented in the handshake
	RoleIntermediate     Role = "apiserver-intermediate" // any other certificate presented in the handshake
	RoleAPIServerCopy    Role = "apiserver-copy"         // a node's apiserver.crt: a copy made with the node, never refreshed
	RoleKubeletClient    Role = "kubelet-client"         // kubelet-client-current.pem
	RoleKubeletServing   Role = "kubelet-serving"        // kubelet-server-current.pem, kubeletserver.crt, kubelet.crt
	RoleNodeStaticClient Role = "node-static-client"     // client.crt of a node without TLS bootstrapping
	RoleOther            Role = "other"
)

// Renewal is how a certificate is renewed, from its role and from
// configuration evidence only.
type Renewal string

// The kinds of renewal.
const (
	RenewalManual    Renewal = "manual"    // somebody has to fetch a new one
	RenewalNone      Renewal = "none"      // never renews by itself: CAs and self-signed certificates
	RenewalAutomatic Renewal = "automatic" // renews itself
	RenewalUnknown   Renewal = "unknown"
)

// Summary counts what follows it.
type Summary struct {
	Clusters     int         `json:"clusters"`
	Nodes        int         `json:"nodes"`
	Certificates int         `json:"certificates"` // rows, not occurrences
	States       StateCounts `json:"states"`
	Findings     int         `json:"findings"`
	Gaps         int         `json:"gaps"`
	Waived       int         `json:"waived"` // of the findings and gaps, those that a waiver covers
}

// StateCounts counts certificates by state.
type StateCounts struct {
	OK          int `json:"ok"`
	Due         int `json:"due"`
	Warning     int `json:"warning"`
	Critical    int `json:"critical"`
	NotYetValid int `json:"not-yet-valid"`
	Expired     int `json:"expired"`
}

// Cluster is one target and how far it could be looked at.
type Cluster struct {
	ID      string `json:"id"` // the lower-cased ARM id where known, else the context name
	Name    string `json:"name"`
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`

	// From ARM, where the audit had it.
	ResourceID        string     `json:"resourceId,omitempty"`
	SubscriptionID    string     `json:"subscriptionId,omitempty"`
	ResourceGroup     string     `json:"resourceGroup,omitempty"`
	Location          string     `json:"location,omitempty"`
	KubernetesVersion string     `json:"kubernetesVersion,omitempty"`
	PowerState        string     `json:"powerState,omitempty"`
	ProvisioningState string     `json:"provisioningState,omitempty"`
	CreatedAt         *time.Time `json:"createdAt,omitempty"`

	Sources     []SourceStatus `json:"sources"`
	Credentials []Credential   `json:"credentials"`
	Rotation    *Rotation      `json:"rotation,omitempty"`
}

// Rotation says whether a cluster's certificates renew themselves.
type Rotation struct {
	Verdict  Verdict    `json:"verdict"`
	Evidence []Evidence `json:"evidence"`
}

// Verdict is the answer in a word.
type Verdict string

// The verdicts, in the order in which evidence settles them.
const (
	RotationManual    Verdict = "manual"    // something rules self-renewal out
	RotationBroken    Verdict = "broken"    // it should be on, and evidence says it is not working
	RotationAutomatic Verdict = "automatic" // every node examined, each with positive evidence
	RotationUnknown   Verdict = "unknown"
)

// Evidence is what one check saw.
type Evidence struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Detail string `json:"detail"`
}

// Result is the result of a check.
type Result string

// The results.
const (
	ResultPass    Result = "pass"
	ResultFail    Result = "fail"
	ResultUnknown Result = "unknown"
)

// Status says how far a source could be looked at.
type Status string

// The statuses.
const (
	StatusOK      Status = "ok"
	StatusPartial Status = "partial"
	StatusFailed  Status = "failed"
	StatusSkipped Status = "skipped" // left out by design, with the reason in Why; not a gap
)

// SourceStatus is the outcome of one source for one cluster.
type SourceStatus struct {
	Source  Source  `json:"source"`
	Status  Status  `json:"status"`
	Why     string  `json:"why,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Credential is how a kubeconfig user authenticates; never the secret itself.
type Credential struct {
	User           string     `json:"user"`
	Kinds          []string   `json:"kinds"` // client-certificate, token, token-file, exec, auth-provider, basic; empty for none
	TokenExpiresAt *time.Time `json:"tokenExpiresAt,omitempty"`
}

// Node is one node of a cluster.
type Node struct {
	Cluster             string               `json:"cluster,omitempty"`
	Name                string               `json:"name"`
	Pool                string               `json:"pool,omitempty"`
	OS                  string               `json:"os,omitempty"` // linux, windows
	ResourceID          string               `json:"resourceId,omitempty"`
	BootstrapKubeconfig *BootstrapKubeconfig `json:"bootstrapKubeconfig,omitempty"`
	RotateCertificates  *bool                `json:"rotateCertificates,omitempty"`
	BootstrapMode       BootstrapMode        `json:"bootstrapMode,omitempty"`

	// From the Kubernetes API.
	CreatedAt        *time.Time `json:"createdAt,omitempty"`        // of the Node object
	ImageVersion     string     `json:"imageVersion,omitempty"`     // label kubernetes.azure.com/node-image-version
	KubeletServingCA string     `json:"kubeletServingCA,omitempty"` // label kubernetes.azure.com/kubelet-serving-ca: cluster, where the cluster's CA signs what the kubelet serves with
	Virtual          bool       `json:"virtual,omitempty"`          // a virtual kubelet's: it has no certificate of a node's

	Kubelet *Kubelet `json:"kubelet,omitempty"`
}

// Kubelet is what a node's kubelet says of its own certificates in its metrics.
// The times to live are whole seconds from ReadAt to notAfter, negative once
// that is past.
type Kubelet struct {
	ReadAt             time.Time `json:"readAt"`
	ClientTTLSeconds   *int64    `json:"clientTtlSeconds,omitempty"`
	RenewErrors        *int64    `json:"renewErrors,omitempty"`        // of the client certificate, since the kubelet started
	ServingTTLSeconds  *int64    `json:"servingTtlSeconds,omitempty"`  // only where the serving certificate rotates
	ServingRenewErrors *int64    `json:"servingRenewErrors,omitempty"` // as RenewErrors
	// It renews its certificate and has no valid one: it has expired, or never
	// came. A kubelet's time to live is then +Inf.
	NoClientCertificate  bool `json:"noClientCertificate,omitempty"`
	NoServingCertificate bool `json:"noServingCertificate,omitempty"`
}

// BootstrapKubeconfig says whether a node's bootstrap-kubeconfig is there, and
// where it was found or looked for.
type BootstrapKubeconfig struct {
	Present bool   `json:"present"`
	Path    string `json:"path"`
}

// BootstrapMode is how a node's kubelet came by its first certificate.
type BootstrapMode string

// The bootstrap modes.
const (
	BootstrapToken   BootstrapMode = "token"   // bootstrap-kubeconfig is there
	BootstrapSecure  BootstrapMode = "secure"  // the secure TLS bootstrap unit is there
	BootstrapStatic  BootstrapMode = "static"  // client.crt is what the kubelet uses: it never rotates
	BootstrapUnknown BootstrapMode = "unknown" // absence alone proves nothing
)

// Certificate is one certificate in one place.
type Certificate struct {
	ID              string     `json:"id"` // sha256:<fingerprint> and the place, or the place alone
	Cluster         string     `json:"cluster,omitempty"`
	Source          Source     `json:"source"`
	Role            Role       `json:"role"`
	Node            string     `json:"node,omitempty"`
	Location        string     `json:"location"`
	Count           int        `json:"count"` // how often it stands in that place
	Subject         string     `json:"subject,omitempty"`
	Issuer          string     `json:"issuer,omitempty"`
	Serial          string     `json:"serial,omitempty"` // as openssl x509 -serial prints it, in lower case
	SHA256          string     `json:"sha256,omitempty"` // lower-case hex of the certificate's DER alone
	IsCA            *bool      `json:"isCA,omitempty"`
	SelfSigned      *bool      `json:"selfSigned,omitempty"`
	Malformed       string     `json:"malformed,omitempty"` // why crypto/x509 refuses it; the fields were then read leniently
	NotBefore       *time.Time `json:"notBefore,omitempty"`
	NotAfter        *time.Time `json:"notAfter,omitempty"`
	Approximate     bool       `json:"approximate,omitempty"` // dates worked out, not read
	LifetimeSeconds *int64     `json:"lifetimeSeconds,omitempty"`
	SecondsLeft     *int64     `json:"secondsLeft,omitempty"`  // negative once expired
	LifetimeUsed    *float64   `json:"lifetimeUsed,omitempty"` // fraction, 0 to 1, above 1 once expired
	WarnsAt         *time.Time `json:"warnsAt,omitempty"`
	CriticalAt      *time.Time `json:"criticalAt,omitempty"`
	State           State      `json:"state"`
	Renewal         Renewal    `json:"renewal"`
}

// Finding is something that gates and sorts.
type Finding struct {
	Rule        string   `json:"rule"` // stable name; akscert explain tells about each
	Severity    Severity `json:"severity"`
	Cluster     string   `json:"cluster,omitempty"`
	Certificate string   `json:"certificate,omitempty"` // Certificate.ID
	Node        string   `json:"node,omitempty"`
	Message     string   `json:"message"`
	RemedyID    string   `json:"remedyId,omitempty"` // Remedy.ID
	// By is the instant by which to act, where one is known.
	By *time.Time `json:"by,omitempty"`
	// Waiver covers it: it keeps its severity, and does not gate.
	Waiver *Waived `json:"waiver,omitempty"`
	// ExpiredWaiver is the Waiver.ID of one that would cover it, had it not
	// expired: it counts again.
	ExpiredWaiver string `json:"expiredWaiver,omitempty"`
}

// Remedy is what to do about findings.
type Remedy struct {
	ID       string   `json:"id"`
	Summary  string   `json:"summary"`
	Commands []string `json:"commands"`
	Impact   string   `json:"impact"` // what it costs
	Docs     string   `json:"docs,omitempty"`
}

// Reason is why something could not be looked at, from a closed list.
type Reason string

// The reasons.
const (
	ReasonUnreachable     Reason = "unreachable" // refused, reset, closed, DNS, proxy
	ReasonTimeout         Reason = "timeout"     // hang, drip
	ReasonUnauthenticated Reason = "unauthenticated"
	ReasonForbidden       Reason = "forbidden"
	ReasonNotFound        Reason = "not-found"
	ReasonThrottled       Reason = "throttled"
	ReasonLockedDown      Reason = "locked-down"
	ReasonNotRunning      Reason = "not-running"
	ReasonBusy            Reason = "busy"
	ReasonAgentNotReady   Reason = "agent-not-ready"
	ReasonTruncated       Reason = "truncated"
	ReasonMalformed       Reason = "malformed"   // garbage, plain HTTP
	ReasonUnsupported     Reason = "unsupported" // a TLS alert, an unknown format
	ReasonInterrupted     Reason = "interrupted"
)

// Gap is something that could not be looked at.
type Gap struct {
	Cluster string `json:"cluster,omitempty"`
	// SubscriptionID is the subscription that could not be looked in, or that the
	// cluster is in; empty where neither is known.
	SubscriptionID string   `json:"subscriptionId,omitempty"`
	Source         Source   `json:"source"`
	Node           string   `json:"node,omitempty"`
	Nodes          []string `json:"nodes,omitempty"` // where one gap stands for many nodes
	Count          int      `json:"count"`           // how many places this gap stands for, at least 1
	Location       string   `json:"location,omitempty"`
	Reason         Reason   `json:"reason"`
	Message        string   `json:"message"`
	Hint           string   `json:"hint,omitempty"`
	Retryable      bool     `json:"retryable"`        // whether the same audit may see it later
	Waiver         *Waived  `json:"waiver,omitempty"` // it is not examined all the same, and does not gate
	// ExpiredWaiver is as a finding's.
	ExpiredWaiver string `json:"expiredWaiver,omitempty"`
}
