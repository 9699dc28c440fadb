package target

import (
	"strings"
	"time"
)

// ARM is a cluster's managed-cluster resource, as discovery read it, once.
// Fields that ARM left out are zero or nil.
type ARM struct {
	// Listed says that this is only what a listing tells, or an id alone; the
	// resource itself has not been read.
	Listed bool

	ID             string // as ARM spells it; Target.ID is this in lower case
	SubscriptionID string
	ResourceGroup  string
	Name           string
	Location       string

	KubernetesVersion string // currentKubernetesVersion, else kubernetesVersion
	FQDN              string // public, else private; without a port
	PrivateFQDN       string // what a private cluster's virtual network calls it
	PowerState        string // Running, Stopped
	ProvisioningState string // an open string: Succeeded, Failed, RotatingClusterCertificates, …
	RBAC              *bool  // enableRBAC: Kubernetes' own, not Azure's
	CreatedAt         *time.Time
	Tags              map[string]string

	Entra                bool // aadProfile is set: credentials are an exec block for kubelogin
	DisableLocalAccounts bool

	NodeResourceGroup string
	NodesLockedDown   bool // nodeResourceGroupProfile.restrictionLevel is ReadOnly
	Pools             []Pool
}

// Flags name the cluster to az aks, in its own subscription: az has one of its
// own otherwise, in which a cluster of the same name may run.
func (a ARM) Flags() string { return a.flags("--name ") }

// PoolFlags name the cluster to az aks nodepool.
func (a ARM) PoolFlags() string { return a.flags("--cluster-name ") }

func (a ARM) flags(name string) string {
	s := "--resource-group " + Quote(a.ResourceGroup) + " " + name + Quote(a.Name)
	if a.SubscriptionID != "" {
		s += " --subscription " + Quote(a.SubscriptionID)
	}
	return s
}

// Busy reports whether another operation is under way, during which Azure refuses
// a second one.
func (a ARM) Busy() bool {
	switch strings.ToLower(a.ProvisioningState) {
	case "", "succeeded", "failed", "canceled":
		return false
	}
	return !a.Stopped()
}

// HandedOut reports whether file, where a kubeconfig's entry stands, is none: ARM
// handed the entry out.
func HandedOut(file string) bool {
	return file == UserCredential || file == AdminCredential
}

// What stands for a file where ARM handed a kubeconfig out: its own words.
const (
	UserCredential  = "listClusterUserCredential"
	AdminCredential = "listClusterAdminCredential"
)

// Stopped reports whether the cluster is known to be stopped.
func (a ARM) Stopped() bool { return strings.EqualFold(a.PowerState, "Stopped") }

// Pool is an agent pool.
type Pool struct {
	Name              string
	Type              string // AvailabilitySet, VirtualMachineScaleSets, VirtualMachines
	OS                string // Linux, Windows
	PowerState        string
	ProvisioningState string
	KubernetesVersion string
	NodeImageVersion  string
	Count             int
}

// Stopped reports whether the pool is known to be stopped.
func (p Pool) Stopped() bool { return strings.EqualFold(p.PowerState, "Stopped") }

// Machine is one node's virtual machine.
type Machine struct {
	Node       string // the node's name as Kubernetes knows it
	Pool       string // empty for a node-auto-provisioned machine without a known pool
	OS         string // Linux, Windows
	ResourceID string // of the VM, or of the scale set's instance
}
