package kube

import (
	"net"
	"strings"

	"github.com/akscert/akscert/internal/target"
)

// Place is where a cluster entry's server is, in the one way of writing it: for
// comparing, and for print, because what else the entry says may be a password.
// It is host:port, and the path that all others begin with where there is one.
// ok is false where no server can be made out.
func Place(cluster target.Cluster) (place string, ok bool) {
	cluster.InsecureSkipTLSVerify = true // without a scheme it is https
	at, gap := serverOf(cluster, &target.User{})
	if gap != nil {
		return "", false
	}
	host, port, err := net.SplitHostPort(at.address)
	if err != nil {
		return "", false
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(host), "."), port) + at.prefix, true
}
