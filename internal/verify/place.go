package verify

import (
	"cmp"
	"strings"

	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/target"
)

// Place names a cluster's server for print.
func Place(c *target.Cluster) string {
	if c == nil || c.Server == "" {
		return "an address that is not known"
	}
	place, ok := kube.Place(*c)
	if !ok {
		return "an address that cannot be read"
	}
	if c.TLSServerName != "" {
		place += " as " + c.TLSServerName
	}
	return place
}

// Same reports whether two entries are of one server for certain: by the
// address, and by the name that its certificate has to have, where both are
// known to name one.
func Same(a, b *target.Cluster) bool {
	if a == nil || b == nil {
		return false
	}
	at, ok := kube.Place(*a)
	other, okOther := kube.Place(*b)
	return ok && okOther && at == other && (a.CAUnknown || b.CAUnknown || name(*a, at) == name(*b, at))
}

func name(c target.Cluster, place string) string {
	host, _, _ := strings.Cut(place, "/")
	return strings.ToLower(cmp.Or(c.TLSServerName, host[:strings.LastIndex(host, ":")]))
}
