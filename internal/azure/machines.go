package azure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v8"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Machines finds every node's machine in every running pool, and the virtual
// machines of node auto-provisioning, which are in no pool. AKS itself is asked
// first; a pool that it tells nothing about is looked up in the node resource
// group. A pool that cannot be had is a problem and hides no other.
func (c *Client) Machines(ctx context.Context, cluster target.ARM) ([]target.Machine, []error) {
	if stopped(cluster.PowerState) {
		return nil, nil
	}
	s, err := c.services(cluster.SubscriptionID)
	if err != nil {
		return nil, []error{err}
	}
	answers := make([]poolAnswer, len(cluster.Pools))
	var asked sync.WaitGroup
	for i, pool := range cluster.Pools {
		if !stopped(pool.PowerState) {
			asked.Go(func() { answers[i] = c.listMachines(ctx, s, cluster, pool) })
		}
	}
	asked.Wait()

	g := &nodeGroup{client: c, services: s, name: cluster.NodeResourceGroup}
	vms, vmsErr := g.virtualMachines(ctx)
	var machines []target.Machine
	var problems []error
	for i, pool := range cluster.Pools {
		if stopped(pool.PowerState) {
			continue
		}
		found, problem := answers[i].machines, answers[i].problem
		if len(found) == 0 {
			found, problem = g.ofPool(ctx, pool, vms, vmsErr, answers[i].err)
		}
		machines = append(machines, found...)
		if problem != nil {
			problems = append(problems, problem)
		}
	}
	if vmsErr != nil {
		problems = append(problems, vmsErr)
	}
	machines = append(machines, c.standalone(cluster, vms, machines)...)
	// One listed twice would be asked twice, and find itself busy.
	seen := map[string]bool{}
	machines = slices.DeleteFunc(machines, func(m target.Machine) bool {
		id := strings.ToLower(m.ResourceID)
		twice := id != "" && seen[id]
		seen[id] = true
		return twice
	})
	return machines, problems
}

func stopped(powerState string) bool { return strings.EqualFold(powerState, "Stopped") }

// poolAnswer is what AKS says of a pool's machines.
type poolAnswer struct {
	machines []target.Machine
	err      error // nothing could be had
	problem  error // a machine without a VM
}

func (c *Client) listMachines(ctx context.Context, s *services, cluster target.ARM, pool target.Pool) poolAnswer {
	a := asking{fmt.Sprintf("listing the machines of pool %q", pool.Name),
		"Microsoft.ContainerService/managedClusters/agentPools/machines/read", "Reader"}
	var found poolAnswer
	err := pages(ctx, s.machines.NewListPager(cluster.ResourceGroup, cluster.Name, pool.Name, nil), func(page armcontainerservice.MachinesClientListResponse) {
		for _, m := range page.Value {
			switch {
			case m == nil || m.Name == nil:
			case m.Properties == nil || value(m.Properties.ResourceID) == "":
				found.problem = &Error{Reason: report.ReasonMalformed, Retryable: true,
					Message: fmt.Sprintf("%s: machine %q has no virtual machine yet", a.what, clean(*m.Name, 120))}
			default:
				found.machines = append(found.machines, target.Machine{Node: strings.ToLower(*m.Name), Pool: pool.Name, OS: pool.OS, ResourceID: *m.Properties.ResourceID})
			}
		}
	})
	if err != nil {
		return poolAnswer{err: c.fail(ctx, a, err)}
	}
	byNode(found.machines)
	return found
}

func byNode(machines []target.Machine) {
	slices.SortStableFunc(machines, func(a, b target.Machine) int { return strings.Compare(a.Node, b.Node) })
}

// nodeGroup is the node resource group. Each list in it is read once.
type nodeGroup struct {
	client   *Client
	services *services
	name     string

	listed    bool
	scaleSets []*armcompute.VirtualMachineScaleSet
	err       error
}

func (g *nodeGroup) virtualMachines(ctx context.Context) ([]*armcompute.VirtualMachine, error) {
	a := asking{fmt.Sprintf("listing the virtual machines of group %q", g.name), "Microsoft.Compute/virtualMachines/read", "Reader"}
	if g.name == "" {
		return nil, &Error{Reason: report.ReasonMalformed, Message: "the cluster names no node resource group"}
	}
	var vms []*armcompute.VirtualMachine
	err := pages(ctx, g.services.vms.NewListPager(g.name, nil), func(page armcompute.VirtualMachinesClientListResponse) {
		for _, vm := range page.Value {
			if vm != nil && vm.ID != nil && vm.Name != nil {
				vms = append(vms, vm)
			}
		}
	})
	if err != nil {
		return vms, g.client.fail(ctx, a, err)
	}
	return vms, nil
}

// ofPool finds a pool's machines among the group's virtual machines and scale
// sets. asked is why AKS did not list them; nil when it listed none.
func (g *nodeGroup) ofPool(ctx context.Context, pool target.Pool, vms []*armcompute.VirtualMachine, vmsErr, asked error) ([]target.Machine, error) {
	if ctx.Err() != nil {
		if asked == nil {
			asked = ended(ctx, fmt.Sprintf("listing the machines of pool %q", pool.Name))
		}
		return nil, asked
	}
	var found []target.Machine
	for _, vm := range vms {
		if inPool(vm.Tags, *vm.Name, pool.Name) {
			found = append(found, ofVM(vm, pool.Name))
		}
	}
	var err error
	if len(found) == 0 && pool.Type != "AvailabilitySet" && pool.Type != "VirtualMachines" {
		found, err = g.instances(ctx, pool)
	} else if len(found) == 0 {
		err = vmsErr
	}
	byNode(found)
	switch {
	case err != nil && len(found) > 0:
		return found, err
	case len(found) > 0:
		return found, nil
	case asked != nil && !unsupported(asked):
		return nil, asked
	case err != nil:
		return nil, err
	case pool.Count > 0:
		return nil, &Error{Reason: report.ReasonNotFound, Retryable: true,
			Message: fmt.Sprintf("pool %q says it has %d nodes, and none of their machines was found", pool.Name, pool.Count)}
	}
	return nil, nil
}

// unsupported reports whether AKS does not know the question for this pool,
// rather than the answer.
func unsupported(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Reason == report.ReasonUnsupported || e.Reason == report.ReasonNotFound)
}

// inPool tells by AKS's tags whether a resource is of a pool, else by the name
// AKS gives: aks-POOL-…, and aksPOOL for Windows scale sets.
func inPool(tags map[string]*string, name, pool string) bool {
	if tagged := poolTag(tags); tagged != "" {
		return strings.EqualFold(tagged, pool)
	}
	name, pool = strings.ToLower(name), strings.ToLower(pool)
	return strings.HasPrefix(name, "aks-"+pool+"-") || name == "aks"+pool
}

func poolTag(tags map[string]*string) string { return tag(tags, "aks-managed-poolName", "poolName") }

func tag(tags map[string]*string, names ...string) string {
	for _, name := range names {
		for key, v := range tags {
			if strings.EqualFold(key, name) && value(v) != "" {
				return *v
			}
		}
	}
	return ""
}

func ofVM(vm *armcompute.VirtualMachine, pool string) target.Machine {
	m := target.Machine{Node: strings.ToLower(*vm.Name), Pool: pool, OS: "Linux", ResourceID: *vm.ID}
	if p := vm.Properties; p != nil {
		if p.OSProfile != nil && value(p.OSProfile.ComputerName) != "" {
			m.Node = strings.ToLower(*p.OSProfile.ComputerName)
		}
		if p.StorageProfile != nil && p.StorageProfile.OSDisk != nil && p.StorageProfile.OSDisk.OSType != nil {
			m.OS = string(*p.StorageProfile.OSDisk.OSType)
		}
	}
	return m
}

// standalone finds the virtual machines that no pool has listed and that are
// nodes: those of node auto-provisioning carry its pool in a tag. A machine
// that somebody put into the group is not run anything on.
func (c *Client) standalone(cluster target.ARM, vms []*armcompute.VirtualMachine, listed []target.Machine) []target.Machine {
	seen := map[string]bool{}
	for _, m := range listed {
		seen[strings.ToLower(m.ResourceID)] = true
	}
	var found []target.Machine
	for _, vm := range vms {
		if seen[strings.ToLower(*vm.ID)] {
			continue
		}
		ofStopped := slices.ContainsFunc(cluster.Pools, func(p target.Pool) bool {
			return stopped(p.PowerState) && inPool(vm.Tags, *vm.Name, p.Name)
		})
		provisioned, pool := tag(vm.Tags, "karpenter.sh_nodepool"), poolTag(vm.Tags)
		switch {
		case provisioned != "":
			found = append(found, ofVM(vm, provisioned))
		case ofStopped:
		case pool != "" || strings.HasPrefix(strings.ToLower(*vm.Name), "aks-"):
			found = append(found, ofVM(vm, pool))
		default:
			c.log("virtual machine %s in group %s is not a node by its name or tags: left alone", clean(*vm.Name, 120), clean(cluster.NodeResourceGroup, 120))
		}
	}
	byNode(found)
	return found
}
