package report

// Error is a report that cannot be read, or reports that cannot be merged: what
// is wrong, and a way out.
type Error struct {
	Problem       Problem
	Message, Hint string
}

func (e *Error) Error() string { return e.Message }

// Problem is what is wrong, from a closed list.
type Problem string

// The problems.
const (
	ProblemNotJSON  Problem = "not-json"  // neither a JSON document nor a stream of them
	ProblemKind     Problem = "kind"      // a document, but not a report
	ProblemVersion  Problem = "version"   // a report of another major version of the schema
	ProblemCutShort Problem = "cut-short" // the end is missing, or something in between
	ProblemTrailing Problem = "trailing"  // something follows the end
	ProblemInvalid  Problem = "invalid"   // a report that breaks its own contract
	ProblemTooLarge Problem = "too-large"
	ProblemMismatch Problem = "mismatch" // reports that do not belong together
)
