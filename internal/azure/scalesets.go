package azure

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"

	"github.com/akscert/akscert/internal/target"
)

// instances finds a pool's machines in its scale sets.
func (g *nodeGroup) instances(ctx context.Context, pool target.Pool) ([]target.Machine, error) {
	if !g.listed {
		g.listed = true
		g.scaleSets, g.err = g.listScaleSets(ctx)
	}
	if g.err != nil {
		return nil, g.err
	}
	var found []target.Machine
	for _, set := range g.scaleSets {
		if !inPool(set.Tags, *set.Name, pool.Name) {
			continue
		}
		a := asking{fmt.Sprintf("listing the instances of scale set %q", clean(*set.Name, 120)),
			"Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read", "Reader"}
		err := pages(ctx, g.services.instances.NewListPager(g.name, *set.Name, nil), func(page armcompute.VirtualMachineScaleSetVMsClientListResponse) {
			for _, instance := range page.Value {
				if instance != nil && instance.ID != nil {
					found = append(found, target.Machine{Node: nodeName(set, instance), Pool: pool.Name, OS: pool.OS, ResourceID: *instance.ID})
				}
			}
		})
		if err != nil {
			return found, g.client.fail(ctx, a, err)
		}
	}
	return found, nil
}

func (g *nodeGroup) listScaleSets(ctx context.Context) ([]*armcompute.VirtualMachineScaleSet, error) {
	a := asking{fmt.Sprintf("listing the scale sets of group %q", g.name), "Microsoft.Compute/virtualMachineScaleSets/read", "Reader"}
	var sets []*armcompute.VirtualMachineScaleSet
	err := pages(ctx, g.services.scaleSets.NewListPager(g.name, nil), func(page armcompute.VirtualMachineScaleSetsClientListResponse) {
		for _, set := range page.Value {
			if set != nil && set.Name != nil {
				sets = append(sets, set)
			}
		}
	})
	if err != nil {
		return nil, g.client.fail(ctx, a, err)
	}
	return sets, nil
}

// nodeName is what Kubernetes calls an instance: its computer name, else the
// scale set's prefix and the instance's number in base 36, six digits.
func nodeName(set *armcompute.VirtualMachineScaleSet, instance *armcompute.VirtualMachineScaleSetVM) string {
	if p := instance.Properties; p != nil && p.OSProfile != nil && value(p.OSProfile.ComputerName) != "" {
		return strings.ToLower(*p.OSProfile.ComputerName)
	}
	prefix := *set.Name
	if p := set.Properties; p != nil && p.VirtualMachineProfile != nil && p.VirtualMachineProfile.OSProfile != nil {
		prefix = first(value(p.VirtualMachineProfile.OSProfile.ComputerNamePrefix), prefix)
	}
	number := value(instance.InstanceID)
	if n, err := strconv.ParseUint(number, 10, 63); err == nil {
		number = strconv.FormatUint(n, 36)
		number = strings.Repeat("0", max(6-len(number), 0)) + number
	}
	return strings.ToLower(prefix + number)
}
