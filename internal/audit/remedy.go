package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// remedy names what to do about a rule; what exactly depends on the cluster and
// on the certificate's role.
type remedy int

const (
	nothingToDo remedy = iota
	renewCertificate
	refetchKubeconfig
	fixServerName
	verifyServer
	checkClock
	rotateByHand
	upgradeCluster
	recreatePool
	restartKubelet
	approveServing
	waitForRotation
)

const rotationDocs = "https://learn.microsoft.com/azure/aks/certificate-rotation"

// remedyFor is what to do, with the cluster's own names filled in; nil when
// there is nothing to do. row is zero for a finding that is not about one
// certificate.
func (a *Auditor) remedyFor(do remedy, row report.Certificate) *report.Remedy {
	t, pool := a.target, a.known.of(row.Node).Pool
	switch do {
	case renewCertificate:
		return a.renew(row, pool)
	case refetchKubeconfig:
		return refetch(t)
	case rotateByHand:
		return byHand(t)
	case upgradeCluster:
		return a.upgrade()
	case recreatePool:
		return recreate(t, pool)
	case restartKubelet:
		return &report.Remedy{ID: "kubelet/" + t.ID, Commands: []string{"date -u"},
			Summary: "compare this machine's clock with the nodes'; where they agree, restart the kubelets named (systemctl restart kubelet; on Windows Restart-Service kubelet)",
			Impact:  "a node reports nothing for some seconds; its pods run on"}
	case approveServing:
		return &report.Remedy{ID: "csr/" + t.ID, Commands: []string{"kubectl get csr"}, Impact: "none: it only looks",
			Summary: "see whether the kubelets' requests for a serving certificate are approved; on AKS that is done by itself"}
	case waitForRotation:
		name, ok := aksName(t)
		if !ok {
			return nil
		}
		return &report.Remedy{ID: "wait/" + t.ID, Commands: []string{"az aks wait " + name + " --updated"}, Impact: "none: it only waits", Docs: rotationDocs,
			Summary: "wait until the rotation is done, then audit again"}
	case fixServerName:
		if t.Cluster == nil {
			return nil
		}
		return &report.Remedy{ID: "server-name/" + t.ID,
			Summary:  "call the API server by a name its certificate covers",
			Commands: edited(t, "--tls-server-name=NAME_IN_THE_CERTIFICATE"),
			Impact:   "none on the cluster: it only rewrites the kubeconfig", Docs: rotationDocs}
	case verifyServer:
		if t.Cluster == nil {
			return nil
		}
		return &report.Remedy{ID: "verify-server/" + t.ID,
			Summary:  "let the kubeconfig verify the API server again",
			Commands: edited(t, "--insecure-skip-tls-verify=false --embed-certs --certificate-authority=CA_FILE"),
			Impact:   "none on the cluster; clients refuse the API server if the CA is not its issuer"}
	case checkClock:
		return &report.Remedy{ID: "clock", Summary: "compare the clocks of this machine and of the issuer; wait, or have the certificate issued again",
			Commands: []string{"date -u"}, Impact: "none"}
	}
	return nil
}

func (a *Auditor) renew(row report.Certificate, pool string) *report.Remedy {
	t := a.target
	if t.Operand != "" {
		return replace(row)
	}
	switch row.Role {
	case report.RoleClient:
		// What ARM has only just handed out is not younger for being fetched again.
		if t.User == nil || !target.HandedOut(t.User.File) {
			return refetch(t)
		}
		return a.handedOut()
	case report.RoleClusterCA, report.RoleClientCA, report.RoleRequestHeaderCA:
		return byHand(t)
	case report.RoleAPIServer, report.RoleIntermediate:
		name, ok := aksName(t)
		if !ok {
			return byHand(t)
		}
		// Where it is known whether it rotates by itself there is nothing to check.
		if off := a.rbac().Result == report.ResultFail; !off && !a.autoRotates() {
			return &report.Remedy{ID: "apiserver/" + t.ID,
				Summary: "the API server's certificate renews itself on RBAC clusters created or upgraded after March 2022: check that this is one, and rotate by hand if it is not",
				Commands: []string{"az aks show " + name + " --query '{rbac: enableRbac, version: currentKubernetesVersion, created: systemData.createdAt}'",
					"az aks rotate-certs " + name},
				Impact: "looking costs nothing; rotating recreates every node, with up to 30 minutes of downtime", Docs: rotationDocs}
		}
		return byHand(t)
	}
	if _, ok := aksName(t); row.Node != "" && ok {
		return a.renewNode(row, pool)
	}
	if row.Node != "" {
		return &report.Remedy{ID: "nodes/" + t.ID, Commands: []string{}, Summary: fmt.Sprintf("have the nodes of cluster %q replaced, or their kubelets bootstrapped anew, by whoever runs it", t.Name),
			Impact: "pods move"}
	}
	return replace(row)
}

func replace(row report.Certificate) *report.Remedy {
	return &report.Remedy{ID: "replace/" + row.Location, Commands: []string{}, Impact: "depends on who uses it",
		Summary: fmt.Sprintf("have the certificate in %s issued again and replace it", row.Location)}
}

// handedOut is for a client certificate that ARM has only just handed out.
func (a *Auditor) handedOut() *report.Remedy {
	if !a.autoRotates() {
		return byHand(a.target)
	}
	name, _ := aksName(a.target)
	fetch, _ := getCredentials(a.target)
	return &report.Remedy{ID: "issued/" + a.target.ID, Summary: "where rotation works, AKS hands out a younger one by itself: fetch it again before that day, and rotate by hand if it is still the same",
		Commands: started(a.target, fetch, "az aks rotate-certs "+name),
		Impact:   "fetching costs nothing; rotating recreates every node, with up to 30 minutes of downtime", Docs: rotationDocs}
}

// byHand is what renews everything at once, by hand.
func byHand(t target.Target) *report.Remedy {
	name, ok := aksName(t)
	if !ok {
		return &report.Remedy{ID: "rotate/" + t.ID, Commands: []string{},
			Summary: fmt.Sprintf("have the certificates of cluster %q rotated by whoever runs it, then fetch its kubeconfig again", t.Name),
			Impact:  "depends on the cluster; every kubeconfig that trusts the old CA stops working"}
	}
	refetched, _ := getCredentials(t)
	return &report.Remedy{ID: "rotate/" + t.ID, Summary: "rotate the cluster's certificates, then fetch its kubeconfig again",
		Commands: started(t, "az aks rotate-certs "+name, refetched),
		Impact:   "recreates every node; up to 30 minutes of downtime; every kubeconfig in use has to be fetched again", Docs: rotationDocs}
}

// started puts starting the cluster first where it is stopped: rotating a stopped
// cluster is not supported (AKS, "Certificate rotation").
func started(t target.Target, commands ...string) []string {
	switch {
	case t.ARM != nil && t.ARM.Stopped():
		return append([]string{"az aks start " + t.ARM.Flags()}, commands...)
	case t.ARM != nil && t.ARM.Busy():
		return append([]string{"az aks wait " + t.ARM.Flags() + " --updated"}, commands...)
	}
	return commands
}

// renewNode is what renews a node's own certificates: nodes of a new image
// bootstrap anew. Where there is no TLS bootstrapping all are rotated by hand,
// and so they are where certificates have expired: an upgrade is then refused
// (AKS#2184).
func (a *Auditor) renewNode(row report.Certificate, pool string) *report.Remedy {
	t := a.target
	if row.Role == report.RoleNodeStaticClient || a.known.expired || availabilitySet(t, pool) {
		return byHand(t)
	}
	if pool == "" && t.ARM != nil {
		return &report.Remedy{ID: "node/" + t.ID + "/" + row.Node, Commands: []string{}, Impact: "its pods move", Docs: rotationDocs,
			Summary: "replace node " + row.Node + ": it is in no agent pool, and node auto-provisioning makes a new one once its NodeClaim is deleted"}
	}
	if pool == "" {
		pool = "POOL"
	}
	return &report.Remedy{ID: "nodes/" + t.ID + "/" + pool, Summary: "give the nodes a new image, which makes each bootstrap anew",
		Commands: started(t, "az aks nodepool upgrade "+inCluster(t)+" --name "+target.Quote(pool)+" --node-image-only"),
		Impact:   "recreates the pool's nodes one after the other; pods move", Docs: rotationDocs}
}

// availabilitySet reports whether the pool is of the kind that takes no new node
// image by itself (AKS, "Upgrade node images").
func availabilitySet(t target.Target, pool string) bool {
	return t.ARM != nil && slices.ContainsFunc(t.ARM.Pools, func(p target.Pool) bool { return p.Name == pool && p.Type == "AvailabilitySet" })
}

// edited is how to change the kubeconfig's cluster entry. What ARM handed out is
// in no file yet.
func edited(t target.Target, change string) []string {
	file := t.Cluster.File
	var commands []string
	if target.HandedOut(file) {
		file = "kubeconfig.yaml"
		name, _ := aksName(t)
		commands = []string{"az aks get-credentials " + name + " --file " + file}
	}
	return append(commands, fmt.Sprintf("kubectl config --kubeconfig %s set-cluster %s %s", target.Quote(file), target.Quote(t.Cluster.Name), change))
}

// upgrade switches self-renewal on. It is refused once certificates have expired
// (AKS#2184), which rotating by hand mends first.
func (a *Auditor) upgrade() *report.Remedy {
	name, ok := aksName(a.target)
	if !ok || a.known.expired {
		return byHand(a.target)
	}
	return &report.Remedy{ID: "upgrade/" + a.target.ID, Summary: "upgrade the cluster, which switches self-renewal on",
		Commands: started(a.target, "az aks get-upgrades "+name+" --output table", "az aks upgrade "+name+" --kubernetes-version VERSION"),
		Impact:   "recreates every node, one after the other; pods move", Docs: rotationDocs}
}

// recreate makes a pool that slept through a rotation anew.
func recreate(t target.Target, pool string) *report.Remedy {
	if _, ok := aksName(t); !ok {
		return byHand(t)
	}
	of := inCluster(t)
	return &report.Remedy{ID: "pool/" + t.ID + "/" + pool, Summary: "make node pool " + pool + " anew: add one like it, then delete it",
		Commands: started(t, "az aks nodepool show "+of+" --name "+target.Quote(pool),
			"az aks nodepool add "+of+" --name NEW_POOL --mode MODE --node-count COUNT --node-vm-size SIZE",
			"az aks nodepool delete "+of+" --name "+target.Quote(pool)),
		Impact: "the pool's pods stop and start on the new one", Docs: rotationDocs}
}

// inCluster names the cluster as az aks nodepool wants it named.
func inCluster(t target.Target) string {
	if t.ARM != nil {
		return t.ARM.PoolFlags()
	}
	name, _ := aksName(t)
	return strings.Replace(name, "--name ", "--cluster-name ", 1)
}

func refetch(t target.Target) *report.Remedy {
	r := report.Remedy{ID: "kubeconfig/" + t.ID, Commands: []string{}, Docs: rotationDocs,
		Summary: "fetch the kubeconfig again", Impact: "none on the cluster: it only rewrites the kubeconfig"}
	if command, ok := getCredentials(t); ok {
		r.Commands = []string{command}
		return &r
	}
	r.Docs = ""
	r.Summary = fmt.Sprintf("fetch the kubeconfig of %q again from whoever issues it", t.Name)
	return &r
}

// getCredentials is the command that fetches t's kubeconfig again, into the
// file it is in now.
func getCredentials(t target.Target) (command string, ok bool) {
	name, ok := aksName(t)
	command = "az aks get-credentials " + name
	if t.User != nil && strings.HasPrefix(t.User.Name, "clusterAdmin_") {
		command += " --admin"
	}
	command += " --overwrite-existing"
	if t.User != nil && t.User.File != "" && !target.HandedOut(t.User.File) {
		command += " --file " + target.Quote(t.User.File)
	}
	return command, ok
}

// aksName is the cluster as az wants it named. az writes a kubeconfig with the
// cluster's name as the entry and clusterUser_<resource group>_<cluster> as the
// user; both may contain underscores, so the entry's name decides the split.
func aksName(t target.Target) (args string, ok bool) {
	if t.ARM != nil {
		return t.ARM.Flags(), true
	}
	if t.Cluster == nil || t.User == nil {
		return "", false
	}
	for _, prefix := range []string{"clusterUser_", "clusterAdmin_"} {
		group, found := strings.CutPrefix(t.User.Name, prefix)
		if !found {
			continue
		}
		if group, found = strings.CutSuffix(group, "_"+t.Cluster.Name); found && group != "" {
			return "--resource-group " + target.Quote(group) + " --name " + target.Quote(t.Cluster.Name), true
		}
	}
	return "", false
}
