package report

import "time"

// KindComparison identifies a comparison of two reports.
const KindComparison = "CertificateAuditComparison"

// Comparison is what changed from one report to a later one. What did not is not
// listed.
type Comparison struct {
	SchemaVersion string              `json:"schemaVersion"`
	Kind          string              `json:"kind"`
	Tool          Tool                `json:"tool"` // that compared
	From          Side                `json:"from"`
	To            Side                `json:"to"`
	Worse         bool                `json:"worse"`    // something got worse
	ExitCode      int                 `json:"exitCode"` // ExitFindings where something got worse, else ExitOK
	Summary       ComparisonSummary   `json:"summary"`
	Clusters      []ClusterChange     `json:"clusters"`
	Certificates  []CertificateChange `json:"certificates"`
	Findings      []FindingChange     `json:"findings"`
	Gaps          []GapChange         `json:"gaps"`
}

// Side is one of the two reports. States move by the policy too: a reader may
// want to know whether both were judged by the same.
type Side struct {
	Tool      Tool      `json:"tool"`
	AsOf      time.Time `json:"asOf"`
	StartedAt time.Time `json:"startedAt"`
	Policy    Policy    `json:"policy"`
	Shard     *Shard    `json:"shard,omitempty"`
	Scope     []string  `json:"scope,omitempty"`
	Sampling  string    `json:"sampling,omitempty"`
	Outcome   Outcome   `json:"outcome"`
	ExitCode  int       `json:"exitCode"`
	Complete  bool      `json:"complete"`
	Summary   Summary   `json:"summary"`
}

// Change is what happened, in a word.
type Change string

// The changes.
const (
	ChangeNew         Change = "new"          // was not there, where the old report had looked
	ChangeGone        Change = "gone"         // is not there, where the new report has looked
	ChangeExamined    Change = "examined"     // the old report had not looked there
	ChangeNotExamined Change = "not-examined" // the new report has not looked there: whether it is still there is not known
	ChangeRenewed     Change = "renewed"      // another certificate, which expires later
	ChangeReplaced    Change = "replaced"     // another certificate, which does not
	ChangeState       Change = "state"        // the same certificate in another state
	ChangeVerdict     Change = "verdict"      // a cluster's rotation verdict
	ChangeClosed      Change = "closed"       // a gap: the place has been looked at, or is gone
)

// ComparisonSummary counts what follows it.
type ComparisonSummary struct {
	Worse        int               `json:"worse"` // of all lists
	Clusters     ClusterCounts     `json:"clusters"`
	Certificates CertificateCounts `json:"certificates"`
	Findings     FindingCounts     `json:"findings"`
	Gaps         GapCounts         `json:"gaps"`
}

// ClusterCounts counts clusters by what happened to them.
type ClusterCounts struct {
	Unchanged   int `json:"unchanged"`
	New         int `json:"new"`
	Gone        int `json:"gone"`
	Examined    int `json:"examined"`
	NotExamined int `json:"not-examined"`
	Verdict     int `json:"verdict"`
}

// CertificateCounts counts places of certificates by what happened there.
type CertificateCounts struct {
	Unchanged   int `json:"unchanged"`
	New         int `json:"new"`
	Gone        int `json:"gone"`
	Examined    int `json:"examined"`
	NotExamined int `json:"not-examined"`
	Renewed     int `json:"renewed"`
	Replaced    int `json:"replaced"`
	State       int `json:"state"`
}

// FindingCounts counts findings by what happened to them.
type FindingCounts struct {
	Unchanged   int `json:"unchanged"`
	New         int `json:"new"`
	Gone        int `json:"gone"`
	Examined    int `json:"examined"`
	NotExamined int `json:"not-examined"`
}

// GapCounts counts the entries of Comparison.Gaps.
type GapCounts struct {
	New    int `json:"new"`
	Closed int `json:"closed"`
}

// ClusterChange is what happened to one cluster: new, gone, examined,
// not-examined or verdict.
type ClusterChange struct {
	Change  Change `json:"change"`
	Worse   bool   `json:"worse"`
	Cluster string `json:"cluster"` // Cluster.ID
	Name    string `json:"name"`
	// Sources are those that brought certificates before and none now; empty
	// where it is the whole cluster.
	Sources []Source `json:"sources,omitempty"`
	From    Verdict  `json:"from,omitempty"` // the rotation verdicts
	To      Verdict  `json:"to,omitempty"`
	Why     string   `json:"why,omitempty"` // it was not examined
}

// CertificateChange is what happened in one place: cluster, source, role, node
// and location. From and To are the rows, absent where there was none.
type CertificateChange struct {
	Change   Change       `json:"change"`
	Worse    bool         `json:"worse"`
	Cluster  string       `json:"cluster,omitempty"`
	Source   Source       `json:"source"`
	Role     Role         `json:"role"`
	Node     string       `json:"node,omitempty"`
	Location string       `json:"location"`
	From     *Certificate `json:"from,omitempty"`
	To       *Certificate `json:"to,omitempty"`
	Why      string       `json:"why,omitempty"` // it was not examined
}

// FindingChange is a finding that is new, gone, examined or not-examined.
type FindingChange struct {
	Change  Change  `json:"change"`
	Worse   bool    `json:"worse"`
	Finding Finding `json:"finding"`
}

// GapChange is a gap that is new or closed, with the nodes of which that is true.
type GapChange struct {
	Change Change `json:"change"`
	Worse  bool   `json:"worse"`
	Gap    Gap    `json:"gap"`
}
