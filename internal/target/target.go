// Package target says what a target is: one cluster and every way we have to
// look at it. Values only.
package target

// Target is one cluster. Any part may be absent.
type Target struct {
	// Operand is what inspect was given; such a target is no cluster.
	Operand string

	// ID is the lower-cased ARM id where known, else the context name.
	ID string
	// Name is what a person calls the cluster.
	Name string
	// Context is the kubeconfig context, empty without one.
	Context string
	// Cluster is the context's cluster entry; nil when there is none.
	Cluster *Cluster
	// User is the context's user entry; nil when there is none.
	User *User
	// Issued is the client certificate that ARM hands out now, for a target whose
	// kubeconfig is the user's own and may be a stale copy; zero when not known.
	Issued Material
	// ARM is the managed-cluster resource; nil when only a kubeconfig is known.
	ARM *ARM
	// Problems says what is wrong with the context itself, such as a cluster
	// entry it names and the kubeconfig does not have. Each is a gap.
	Problems []string
}

// Cluster is a kubeconfig's cluster entry.
type Cluster struct {
	Name string
	File string // the kubeconfig it stands in, as it was named to us

	Server                string // as written in the kubeconfig
	TLSServerName         string // overrides the server's host in the handshake
	ProxyURL              string // may hold a password: never print it unredacted
	InsecureSkipTLSVerify bool
	CA                    Material // the CA bundle; zero when the system's roots are trusted
	CAUnknown             bool     // there was no kubeconfig to name a CA: only dates can be judged
}

// User is a kubeconfig's user entry.
type User struct {
	Name string
	File string

	ClientCertificate Material
	ClientKey         Secret
	ClientKeyFile     string // used where ClientKey is empty, as in clientcmd
	Token             Secret
	TokenFile         string // takes precedence over Token, as in client-go
	Exec              *Exec  // nil for none
	AuthProvider      string // the auth provider's name; empty for none
	Basic             bool   // has a user name and password
	Impersonate       Impersonate
}

// Exec is an exec plugin: a program that the kubeconfig wants run to sign in. An
// audit runs it only when it was allowed to.
type Exec struct {
	Command     string
	Args        []string
	Env         []Variable // added to the environment
	APIVersion  string     // client.authentication.k8s.io/…
	InstallHint string
	ClusterInfo bool // provideClusterInfo
}

// Variable is an environment variable. Its value may be a secret.
type Variable struct {
	Name  string
	Value Secret
}

// Impersonate is whom the user acts as; zero for nobody else.
type Impersonate struct {
	User, UID string
	Groups    []string
	Extra     map[string][]string
}

// Material is bytes held inline, or the file they are in. Data wins over File,
// as in clientcmd.
type Material struct {
	Data []byte
	File string
}

// IsZero reports whether there is neither data nor a file.
func (m Material) IsZero() bool { return len(m.Data) == 0 && m.File == "" }

// Secret is a value that no formatting or encoding prints.
type Secret struct{ value string }

// NewSecret wraps v.
func NewSecret(v string) Secret { return Secret{v} }

// Reveal gives the value back, for the one place that uses it.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.value == "" }

// String says that there is something, and not what.
func (Secret) String() string { return "REDACTED" }

// GoString is String for %#v.
func (Secret) GoString() string { return "REDACTED" }

// MarshalText is String for encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }
