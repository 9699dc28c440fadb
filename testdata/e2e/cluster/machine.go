package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// machineScript makes a machine out of new namespaces.
//
//go:embed machine.sh
var machineScript string

// machine is what a node runs on: a network, mounts and a hostname of its own,
// and a folder as its root directory. The kernel keeps all of it for as long as
// a program of the machine runs, so that nothing is left behind however we end.
type machine struct {
	root   string   // its root directory, as seen from here
	addr   net.IP   // its address
	host   net.IP   // our end of the cable
	holder *process // keeps the namespaces while nothing else runs in them
}

// CanHaveNode says why no node can be made here, if so.
func CanHaveNode(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return errors.New("a kubelet needs Linux")
	}
	if os.Geteuid() != 0 {
		return errors.New("a kubelet needs root")
	}
	// A container's root may not be allowed to do what root can.
	try := "mount -t tmpfs none /run && ip link add akscert0 type veth peer name akscert1"
	if err := run(ctx, "unshare", "--net", "--mount", "--uts", "sh", "-c", try); err != nil {
		return fmt.Errorf("a kubelet needs namespaces, mounts and a veth pair: %w", err)
	}
	return nil
}

// startMachine makes a machine that has the programs in /opt/bin.
func (c *Cluster) startMachine(ctx context.Context, name string, programs ...string) (*machine, error) {
	m := &machine{root: filepath.Join(c.Dir, name)}
	if err := os.Mkdir(m.root, 0o755); err != nil {
		return nil, fmt.Errorf("making machine %q: %w", name, err)
	}
	args := append([]string{"--net", "--mount", "--uts", "sh", "-c", machineScript, "machine.sh", m.root, name}, programs...)
	var err error
	if m.holder, err = start(c.Dir, "machine", "unshare", args...); err != nil {
		return nil, err
	}
	c.processes = append(c.processes, m.holder)
	err = c.wait(ctx, m.holder, func() error {
		_, err := os.Stat(filepath.Join(m.root, "run/ready"))
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := m.connect(ctx); err != nil {
		return nil, fmt.Errorf("connecting machine %q: %w", name, err)
	}
	return m, nil
}

// connect lays a veth pair between the machine and us. The addresses are of a
// block meant for tests between networks (RFC 2544): private ones may be in use
// here, and the kubelet refuses loopback and link-local ones.
func (m *machine) connect(ctx context.Context) error {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	// Four addresses each, of which the first names the network.
	subnet := []byte{198, 18 + random[0]%2, random[1], random[2] &^ 3}
	m.host = net.IPv4(subnet[0], subnet[1], subnet[2], subnet[3]+1)
	m.addr = net.IPv4(subnet[0], subnet[1], subnet[2], subnet[3]+2)
	link := "akscert-" + hex.EncodeToString(random[:3])
	pid := strconv.Itoa(m.holder.os.Pid)
	for _, args := range [][]string{
		{"ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pid},
		{"ip", "addr", "add", m.host.String() + "/30", "dev", link},
		{"ip", "link", "set", link, "up"},
		{"nsenter", "--target", pid, "--net", "ip", "addr", "add", m.addr.String() + "/30", "dev", "eth0"},
		{"nsenter", "--target", pid, "--net", "ip", "link", "set", "eth0", "up"},
		{"nsenter", "--target", pid, "--net", "ip", "link", "set", "lo", "up"},
	} {
		if err := run(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// command is how a program is run on the machine. Not with ip netns exec,
// which mounts a /sys without cgroups.
func (m *machine) command(args ...string) []string {
	pid := strconv.Itoa(m.holder.os.Pid)
	return append([]string{"nsenter", "--target", pid, "--net", "--mount", "--uts", "--root", "--wd"}, args...)
}

// run runs a program to its end.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
