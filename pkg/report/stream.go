package report

import "time"

// The kinds of a stream's documents. A stream is one Header, one Part for each
// cluster in whatever order they were finished, and one Closing, each on its own
// line. A stream without its closing document was cut.
const (
	KindHeader  = "CertificateAuditHeader"
	KindPart    = "CertificateAuditCluster"
	KindClosing = "CertificateAuditSummary"
)

// Header is the first document of a stream: what is known before anything is
// examined.
type Header struct {
	SchemaVersion string    `json:"schemaVersion"`
	Kind          string    `json:"kind"`
	Tool          Tool      `json:"tool"`
	AsOf          time.Time `json:"asOf"`
	StartedAt     time.Time `json:"startedAt"`
	Policy        Policy    `json:"policy"`
	Shard         *Shard    `json:"shard,omitempty"`
	Scope         []string  `json:"scope,omitempty"`
	Sampling      string    `json:"sampling,omitempty"`
}

// Part is one cluster and all that belongs to it. It stands for itself: a remedy
// that findings of several clusters name is in each one's part.
type Part struct {
	SchemaVersion string  `json:"schemaVersion"`
	Kind          string  `json:"kind"`
	Cluster       Cluster `json:"cluster"`
	Rows
}

// Closing is the last document of a stream: its conclusion, and the rows that
// belong to no cluster, such as a subscription that could not be listed.
type Closing struct {
	SchemaVersion   string  `json:"schemaVersion"`
	Kind            string  `json:"kind"`
	Outcome         Outcome `json:"outcome"`
	ExitCode        int     `json:"exitCode"`
	Complete        bool    `json:"complete"`
	DurationSeconds float64 `json:"durationSeconds"` // seconds, to the millisecond
	Summary         Summary `json:"summary"`         // of the whole stream
	Rows
	Waivers []Waiver `json:"waivers"` // counted over the whole stream
}

// Rows are the lists that a report and the parts of a stream have in common.
// None is null in JSON.
type Rows struct {
	Nodes        []Node        `json:"nodes"`
	Certificates []Certificate `json:"certificates"`
	Findings     []Finding     `json:"findings"`
	Remedies     []Remedy      `json:"remedies"`
	Gaps         []Gap         `json:"gaps"`
}

func noRows() Rows {
	return Rows{Nodes: []Node{}, Certificates: []Certificate{}, Findings: []Finding{}, Remedies: []Remedy{}, Gaps: []Gap{}}
}

func (r *Report) rows() Rows {
	return Rows{Nodes: r.Nodes, Certificates: r.Certificates, Findings: r.Findings, Remedies: r.Remedies, Gaps: r.Gaps}
}

// append adds more to what r has of its own, all but the remedies.
func (r *Rows) append(more Rows) {
	r.Nodes = append(r.Nodes, more.Nodes...)
	r.Certificates = append(r.Certificates, more.Certificates...)
	r.Findings = append(r.Findings, more.Findings...)
	r.Gaps = append(r.Gaps, more.Gaps...)
}

// Header is the first document of r as a stream.
func (r *Report) Header() Header {
	return Header{SchemaVersion: SchemaVersion, Kind: KindHeader, Tool: r.Tool, AsOf: r.AsOf, StartedAt: r.StartedAt,
		Policy: r.Policy, Shard: r.Shard, Scope: r.Scope, Sampling: r.Sampling}
}

// Parts are the documents of r's clusters, in r's order.
func (r *Report) Parts() []Part {
	parts, _ := r.split()
	return parts
}

// Rest is what belongs to none of r's clusters.
func (r *Report) Rest() Rows {
	_, rest := r.split()
	return rest
}

// Closing is the last document of r as a stream, with r's own conclusion.
func (r *Report) Closing() Closing {
	return Closing{SchemaVersion: SchemaVersion, Kind: KindClosing, Outcome: r.Outcome, ExitCode: r.ExitCode, Complete: r.Complete,
		DurationSeconds: r.DurationSeconds, Summary: r.Summary, Rows: r.Rest(), Waivers: append([]Waiver{}, r.Waivers...)}
}

// split divides r's rows among its clusters. Where two have one id, the first
// has the rows.
func (r *Report) split() (parts []Part, rest Rows) {
	parts, rest = make([]Part, len(r.Clusters)), noRows()
	index := make(map[string]*Rows, len(parts))
	for i, c := range r.Clusters {
		parts[i] = Part{SchemaVersion: SchemaVersion, Kind: KindPart, Cluster: c, Rows: noRows()}
		if index[c.ID] == nil {
			index[c.ID] = &parts[i].Rows
		}
	}
	of := func(cluster string) *Rows {
		if rows := index[cluster]; rows != nil {
			return rows
		}
		return &rest
	}
	for _, n := range r.Nodes {
		rows := of(n.Cluster)
		rows.Nodes = append(rows.Nodes, n)
	}
	for _, c := range r.Certificates {
		rows := of(c.Cluster)
		rows.Certificates = append(rows.Certificates, c)
	}
	type need struct {
		remedy string
		by     *Rows
	}
	needed, known := map[string][]*Rows{}, map[need]bool{} // a remedy's id, and by whom
	for _, f := range r.Findings {
		rows := of(f.Cluster)
		rows.Findings = append(rows.Findings, f)
		if n := (need{f.RemedyID, rows}); !known[n] {
			known[n] = true
			needed[f.RemedyID] = append(needed[f.RemedyID], rows)
		}
	}
	for _, g := range r.Gaps {
		rows := of(g.Cluster)
		rows.Gaps = append(rows.Gaps, g)
	}
	for _, remedy := range r.Remedies {
		by := needed[remedy.ID]
		if len(by) == 0 {
			by = []*Rows{&rest}
		}
		for _, rows := range by {
			rows.Remedies = append(rows.Remedies, remedy)
		}
	}
	return parts, rest
}
