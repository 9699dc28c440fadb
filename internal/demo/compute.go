package demo

import (
	"fmt"
	"net/http"
	"strings"
)

const (
	compute    = "/providers/Microsoft.Compute"
	inVM       = inGroup + compute + "/virtualMachines/{vm}"
	inSet      = inGroup + compute + "/virtualMachineScaleSets/{set}"
	inInstance = inSet + "/virtualMachines/{vm}"
)

func (e *Estate) computeRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	operation := inSubscription + compute + "/locations/{location}/operations/{operation}"
	return []route{
		{get, inGroup + compute + "/virtualMachineScaleSets", false, e.listSets},
		{get, inSet, false, e.getSet},
		{get, inSet + "/virtualMachines", false, e.listInstances},
		{get, inInstance, false, e.withMachine(e.getVM)},
		{get, inInstance + "/instanceView", false, e.withMachine(e.getInstanceView)},
		{get, inGroup + compute + "/virtualMachines", false, e.listVMs},
		{get, inVM, false, e.withMachine(e.getVM)},
		{get, inVM + "/instanceView", false, e.withMachine(e.getInstanceView)},
		{post, inVM + "/runCommand", false, e.withMachine(e.runCommand)},
		{post, inInstance + "/runCommand", false, e.withMachine(e.runCommand)},
		{get, operation, false, e.operation},
	}
}

// inNodeGroup is the cluster whose node resource group is asked for.
func (e *Estate) inNodeGroup(w http.ResponseWriter, r *request) *cluster {
	clusters := e.in(r.vars["subscription"])
	for _, c := range clusters {
		if strings.EqualFold(c.nodeGroup(), r.vars["group"]) {
			return c
		}
	}
	for _, c := range clusters {
		if strings.EqualFold(c.group, r.vars["group"]) {
			return &cluster{} // a group without machines
		}
	}
	noGroup(w, r.vars["group"])
	return nil
}

// sets are the scale sets of a cluster, each by its first machine.
func (c *cluster) sets() []*machine {
	var sets []*machine
	for _, m := range c.machines {
		if m.set != "" && m.number == 0 {
			sets = append(sets, m)
		}
	}
	return sets
}

func describeSet(m *machine) object {
	group := strings.ToUpper(m.cluster.nodeGroup())
	return object{
		"id":   m.cluster.inSubscription() + "/resourceGroups/" + group + compute + "/virtualMachineScaleSets/" + m.set,
		"name": m.set, "type": "Microsoft.Compute/virtualMachineScaleSets", "location": m.cluster.location, "tags": m.tags(),
		"sku": object{"name": "Standard_D4s_v5", "tier": "Standard", "capacity": len(m.pool.nodes)},
		"properties": object{"provisioningState": "Succeeded", "orchestrationMode": "Uniform", "overprovision": false, "singlePlacementGroup": false,
			"virtualMachineProfile": object{
				"osProfile":      object{"computerNamePrefix": m.set, "adminUsername": "azureuser"},
				"storageProfile": object{"osDisk": object{"osType": m.pool.osType(), "createOption": "FromImage"}}}},
	}
}

func (e *Estate) listSets(w http.ResponseWriter, r *request) {
	c := e.inNodeGroup(w, r)
	if c == nil {
		return
	}
	list := []object{}
	for _, m := range c.sets() {
		list = append(list, describeSet(m))
	}
	e.page(w, r, list)
}

func (e *Estate) getSet(w http.ResponseWriter, r *request) {
	if m := e.set(w, r); m != nil {
		reply(w, http.StatusOK, describeSet(m))
	}
}

func (e *Estate) set(w http.ResponseWriter, r *request) *machine {
	c := e.inNodeGroup(w, r)
	if c == nil {
		return nil
	}
	for _, m := range c.sets() {
		if strings.EqualFold(m.set, r.vars["set"]) {
			return m
		}
	}
	noResource(w, "Microsoft.Compute/virtualMachineScaleSets", r.vars["set"], r.vars["group"])
	return nil
}

func (e *Estate) listInstances(w http.ResponseWriter, r *request) {
	first := e.set(w, r)
	if first == nil {
		return
	}
	list := []object{}
	for _, m := range first.cluster.machines {
		if m.set == first.set {
			list = append(list, m.describe(r.query("$expand")))
		}
	}
	e.page(w, r, list)
}

func (e *Estate) listVMs(w http.ResponseWriter, r *request) {
	c := e.inNodeGroup(w, r)
	if c == nil {
		return
	}
	list := []object{}
	for _, m := range c.machines {
		if m.set == "" {
			list = append(list, m.describe(r.query("$expand")))
		}
	}
	e.page(w, r, list)
}

// withMachine finds a machine by its path, in whatever case.
func (e *Estate) withMachine(answer func(http.ResponseWriter, *request, *machine)) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		kind, name := "Microsoft.Compute/virtualMachines", r.vars["vm"]
		id := "/subscriptions/" + r.vars["subscription"] + "/resourceGroups/" + r.vars["group"] + compute
		if set, ok := r.vars["set"]; ok {
			kind, name = "Microsoft.Compute/virtualMachineScaleSets", set
			id += "/virtualMachineScaleSets/" + set
		}
		m := e.byID[strings.ToLower(id+"/virtualMachines/"+r.vars["vm"])]
		if m == nil || m.fault.gone {
			noResource(w, kind, name, r.vars["group"])
			return
		}
		answer(w, r, m)
	}
}

func (m *machine) tags() object {
	switch m.pool.kind {
	case standalone:
		return object{"karpenter.sh_nodepool": m.pool.name, "karpenter.azure.com_cluster": m.cluster.name}
	case availabilitySet:
		return object{"creationSource": "aks-" + m.vm, "orchestrator": "Kubernetes:" + m.cluster.kubernetes, "poolName": m.pool.name, "resourceNameSuffix": m.cluster.hash()}
	}
	return object{"aks-managed-poolName": m.pool.name, "aks-managed-orchestrator": "Kubernetes:" + m.cluster.kubernetes}
}

// describe is the virtual machine, or the scale set's instance. What it is
// doing is told only if asked for.
func (m *machine) describe(expand string) object {
	properties := object{
		"vmId": m.vmID(), "provisioningState": "Succeeded", "hardwareProfile": object{"vmSize": "Standard_D4s_v5"},
		"osProfile":      object{"computerName": m.name, "adminUsername": "azureuser"},
		"storageProfile": object{"osDisk": object{"osType": m.pool.osType(), "createOption": "FromImage"}},
	}
	if strings.EqualFold(expand, "instanceView") {
		properties["instanceView"] = m.view()
	}
	vm := object{"id": m.computeID(), "name": m.vm, "type": "Microsoft.Compute/virtualMachines", "location": m.cluster.location, "tags": m.tags(), "properties": properties}
	if m.set != "" {
		vm["name"] = m.set + "_" + m.vm
		vm["instanceId"] = m.vm
		vm["type"] = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
		properties["latestModelApplied"] = true
	}
	return vm
}

func (m *machine) vmID() string {
	return fmt.Sprintf("a55e5500-%04x-4001-8000-%012x", m.cluster.index, m.number)
}

func (m *machine) view() object {
	code, status := "PowerState/running", "VM running"
	if m.off() || m.fault.off {
		code, status = "PowerState/deallocated", "VM deallocated"
	}
	return object{"computerName": m.name, "osName": strings.ToLower(m.pool.osType()), "statuses": []object{
		{"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"},
		{"code": code, "level": "Info", "displayStatus": status}}}
}

func (e *Estate) getVM(w http.ResponseWriter, r *request, m *machine) {
	reply(w, http.StatusOK, m.describe(r.query("$expand")))
}

func (e *Estate) getInstanceView(w http.ResponseWriter, _ *request, m *machine) {
	reply(w, http.StatusOK, m.view())
}
