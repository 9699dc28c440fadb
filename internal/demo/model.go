package demo

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// The words that estate.go is written in.

// span is a certificate's place in time: how long ago it began, and for how
// long it is valid.
type span struct{ age, life time.Duration }

const day = 24 * time.Hour

func days(age, life int) span {
	return span{time.Duration(age) * day, time.Duration(life) * day}
}

// The kinds of pool, as ARM spells them. A standalone machine was made by node
// auto-provisioning: it stands in the node resource group, and in no pool.
const (
	availabilitySet = "AvailabilitySet"
	scaleSet        = "VirtualMachineScaleSets"
	virtualMachines = "VirtualMachines"
	standalone      = "standalone"
)

// The restrictions and states that make a difference.
const (
	running = "Running"
	stopped = "Stopped"
)

// cluster is one managed cluster.
type cluster struct {
	name, group, location string
	subscription          string // empty: the first
	env                   string // its tag
	what                  string // what is special about it, in a line
	stuck                 bool   // only a deadline ends an audit of it

	kubernetes   string
	age          int  // days since it was created
	noSystemData bool // ARM does not say when; the generic resource list does
	noRBAC       bool
	entra        bool
	noLocal      bool // disableLocalAccounts
	lockedDown   bool // nodeResourceGroupProfile.restrictionLevel is ReadOnly
	power        string
	provisioning string

	ca, apiserver, client span
	pools                 []pool

	// What Start fills in.
	index    int
	pki      *authority
	next     *authority // in the middle of a rotation
	front    *authority // of the API server's aggregator
	token    string
	account  func() ([]byte, error) // the client certificate of local accounts
	server   string                 // https://127.0.0.1:port
	machines []*machine
	sorted   []*machine // those that are nodes, by name
}

// pool is an agent pool, or the standalone machines of node auto-provisioning.
type pool struct {
	name, kind string
	os         string // empty: Linux
	power      string // empty: as the cluster's
	image      string
	nodes      []node
}

// node is a machine and what is on its disk.
type node struct {
	boot   bootstrap
	client span // kubelet-client-current.pem, or client.crt where boot is static
	server span // kubelet-server-current.pem; zero: a self-signed kubeletserver.crt
	copy   span // apiserver.crt, the copy made with the node; zero: there is none
	twoCAs bool // ca.crt holds the next CA as well, as in the middle of a rotation
	fault  fault
}

// bootstrap is how a kubelet came by its first certificate.
type bootstrap int

const (
	tokenBootstrap  bootstrap = iota // a bootstrap-kubeconfig with a token
	secureBootstrap                  // secure TLS bootstrapping: no such file, but a drop-in of its unit
	staticClient                     // client.crt, which nothing will ever renew
)

// alike is n nodes of one make.
func alike(n int, of node) []node {
	nodes := make([]node, n)
	for i := range nodes {
		nodes[i] = of
	}
	return nodes
}

// machine is a node's virtual machine.
type machine struct {
	node
	cluster *cluster
	pool    *pool
	number  int
	name    string // the node's name as Kubernetes knows it
	vm      string // the VM's name, or the instance id in its scale set
	set     string // the scale set; empty for a VM
	dir     string // its file system, once it is made

	made    sync.Once
	madeErr error
	issued  func() (certificates, error)

	rehearsed map[string]printed // by script; nil: it runs when it is asked for

	mu       sync.Mutex
	busy     bool // a script is running
	attempts int
	runs     bucket
	polls    bucket
}

func (p *pool) osType() string {
	if p.os == "" {
		return "Linux"
	}
	return p.os
}

func (p *pool) powerState(c *cluster) string {
	if p.power != "" {
		return p.power
	}
	return c.powerState()
}

func (c *cluster) powerState() string {
	if c.power == "" {
		return running
	}
	return c.power
}

func (c *cluster) state() string {
	if c.provisioning == "" {
		return "Succeeded"
	}
	return c.provisioning
}

// hash stands for the eight digits that AKS puts into its names.
func (c *cluster) hash() string { return fmt.Sprintf("%08d", 10402019+c.index*7919) }

func (c *cluster) dns() string {
	return fmt.Sprintf("%s-%s.hcp.%s.azmk8s.test", c.name, c.hash(), c.location)
}

func (c *cluster) subscriptionID() string {
	if c.subscription == "" {
		return subscriptionID
	}
	return c.subscription
}

func (c *cluster) inSubscription() string { return "/subscriptions/" + c.subscriptionID() }

// tags are the resource's.
func (c *cluster) tags() object { return object{"env": c.env, "team": c.group} }

// id spells the segment resourcegroups in lower case, as AKS does.
func (c *cluster) id() string {
	return c.inSubscription() + "/resourcegroups/" + c.group + "/providers/Microsoft.ContainerService/managedClusters/" + c.name
}

func (c *cluster) nodeGroup() string {
	return "MC_" + c.group + "_" + c.name + "_" + c.location
}

// id is in the spelling of the machines' list; Compute's own lists have the
// resource group in capitals.
func (m *machine) id() string { return m.idIn(m.cluster.nodeGroup()) }

func (m *machine) computeID() string { return m.idIn(strings.ToUpper(m.cluster.nodeGroup())) }

func (m *machine) idIn(group string) string {
	id := m.cluster.inSubscription() + "/resourceGroups/" + group + "/providers/Microsoft.Compute/"
	if m.set != "" {
		return id + "virtualMachineScaleSets/" + m.set + "/virtualMachines/" + m.vm
	}
	return id + "virtualMachines/" + m.vm
}

// setName fills in how AKS names the machine, which differs by the pool's kind.
func (m *machine) setName() {
	hash, pool := m.cluster.hash(), m.pool.name
	switch m.pool.kind {
	case scaleSet:
		m.set = "aks-" + pool + "-" + hash + "-vmss"
		m.vm = fmt.Sprint(m.number)
		m.name = m.set + base36(m.number)
		if m.pool.osType() == "Windows" {
			m.set = "aks" + pool
			m.name = m.set + base36(m.number)
		}
	case availabilitySet:
		m.vm = fmt.Sprintf("aks-%s-%s-%d", pool, hash, m.number)
		m.name = m.vm
	case virtualMachines:
		m.vm = fmt.Sprintf("aks-%s-%s-vms%d", pool, hash, m.number+1)
		m.name = m.vm
	case standalone:
		m.vm = fmt.Sprintf("aks-%s-%s", pool, string(rune('a'+m.number))+"7x2q")
		m.name = m.vm
	}
}

// trusted is the CAs of the cluster, as PEM.
func (c *cluster) trusted() []byte {
	if c.next == nil {
		return c.pki.pem
	}
	return slices.Concat(c.pki.pem, c.next.pem)
}

// off says whether the machine is stopped with its pool or cluster.
func (m *machine) off() bool { return m.pool.powerState(m.cluster) == stopped }

// base36 is how a scale set numbers its computers: six digits.
func base36(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	out := []byte("000000")
	for i := len(out) - 1; n > 0 && i >= 0; i-- {
		out[i] = digits[n%36]
		n /= 36
	}
	return string(out)
}
