package demo

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	inSubscription = "/subscriptions/{subscription}"
	inGroup        = inSubscription + "/resourceGroups/{group}"
	aks            = "/providers/Microsoft.ContainerService/managedClusters"
	inCluster      = inGroup + aks + "/{cluster}"
)

func (e *Estate) armRoutes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		{get, "/subscriptions", false, e.listSubscriptions},
		{post, "/providers/Microsoft.ResourceGraph/resources", false, e.graph},
		{get, "/tenants", false, e.tenants},
		{get, inSubscription, false, e.subscription},
		{get, inSubscription + "/resourceGroups", false, e.groups},
		{get, inSubscription + "/resources", false, e.resources},
		{get, inGroup + "/resources", false, e.resources},
		{get, inSubscription + aks, false, e.listClusters},
		{get, inGroup + aks, false, e.listClusters},
		{get, inCluster, false, e.withCluster(func(w http.ResponseWriter, _ *request, c *cluster) { reply(w, http.StatusOK, e.cluster(c)) })},
		{get, inCluster + "/agentPools", false, e.withCluster(e.listPools)},
		{get, inCluster + "/agentPools/{pool}", false, e.withPool(func(w http.ResponseWriter, _ *request, c *cluster, p *pool) { reply(w, http.StatusOK, agentPool(c, p)) })},
		{get, inCluster + "/agentPools/{pool}/machines", false, e.withPool(e.listMachines)},
		{get, inCluster + "/agentPools/{pool}/machines/{machine}", false, e.withPool(e.getMachine)},
		{post, inCluster + "/listClusterUserCredential", false, e.withCluster(e.credential("clusterUser"))},
		{post, inCluster + "/listClusterAdminCredential", false, e.withCluster(e.credential("clusterAdmin"))},
	}
}

// subscription is what a cluster is in.
type subscription struct{ id, name string }

func subscriptions() []subscription {
	return []subscription{{subscriptionID, subscriptionName}, {secondID, secondName}}
}

// in is the clusters of a subscription.
func (e *Estate) in(subscription string) []*cluster {
	var in []*cluster
	for _, c := range e.clusters {
		if strings.EqualFold(c.subscriptionID(), subscription) {
			in = append(in, c)
		}
	}
	return in
}

func (s subscription) describe() object {
	return object{"id": "/subscriptions/" + s.id, "subscriptionId": s.id, "tenantId": tenantID, "displayName": s.name,
		"state": "Enabled", "authorizationSource": "RoleBased", "managedByTenants": []object{},
		"subscriptionPolicies": object{"locationPlacementId": "Public_2014-09-01", "quotaId": "Sample_2014-09-01", "spendingLimit": "Off"}}
}

func (e *Estate) listSubscriptions(w http.ResponseWriter, r *request) {
	list := []object{}
	for _, s := range subscriptions() {
		list = append(list, s.describe())
	}
	e.page(w, r, list)
}

func (e *Estate) subscription(w http.ResponseWriter, r *request) {
	for _, s := range subscriptions() {
		if strings.EqualFold(s.id, r.vars["subscription"]) {
			reply(w, http.StatusOK, s.describe())
		}
	}
}

func (e *Estate) tenants(w http.ResponseWriter, r *request) {
	e.page(w, r, []object{{"id": "/tenants/" + tenantID, "tenantId": tenantID, "tenantCategory": "Home", "displayName": "akscert demo"}})
}

func (e *Estate) groups(w http.ResponseWriter, r *request) {
	var list []object
	var seen []string
	add := func(name, location, managedBy string) {
		if slices.Contains(seen, name) {
			return
		}
		seen = append(seen, name)
		group := object{"id": "/subscriptions/" + r.vars["subscription"] + "/resourceGroups/" + name, "name": name, "type": "Microsoft.Resources/resourceGroups",
			"location": location, "properties": object{"provisioningState": "Succeeded"}}
		if managedBy != "" {
			group["managedBy"] = managedBy
		}
		list = append(list, group)
	}
	for _, c := range e.in(r.vars["subscription"]) {
		add(c.group, c.location, "")
		add(c.nodeGroup(), c.location, c.id())
	}
	e.page(w, r, list)
}

// resources is the generic list, which knows when each resource was created.
func (e *Estate) resources(w http.ResponseWriter, r *request) {
	created := strings.Contains(strings.ToLower(r.query("$expand")), "createdtime")
	filter := strings.ToLower(r.query("$filter"))
	list := []object{}
	for _, c := range e.in(r.vars["subscription"]) {
		if group, ok := r.vars["group"]; ok && !strings.EqualFold(group, c.group) {
			continue
		}
		resource := object{"id": c.id(), "name": c.name, "type": "Microsoft.ContainerService/managedClusters", "location": c.location}
		if created {
			resource["createdTime"] = e.created(c)
			resource["changedTime"] = e.created(c)
			resource["provisioningState"] = c.state()
		}
		if filter == "" || strings.Contains(filter, "'microsoft.containerservice/managedclusters'") || strings.Contains(filter, "name eq '"+c.name+"'") {
			list = append(list, resource)
		}
	}
	e.page(w, r, list)
}

func (e *Estate) created(c *cluster) string {
	return e.options.Now.Add(-time.Duration(c.age) * day).UTC().Format("2006-01-02T15:04:05.0000000Z")
}

func (e *Estate) listClusters(w http.ResponseWriter, r *request) {
	group, ok := r.vars["group"]
	clusters := e.in(r.vars["subscription"])
	if ok && !slices.ContainsFunc(clusters, func(c *cluster) bool {
		return strings.EqualFold(c.group, group) || strings.EqualFold(c.nodeGroup(), group)
	}) {
		noGroup(w, group)
		return
	}
	list := []object{}
	for _, c := range clusters {
		if !ok || strings.EqualFold(c.group, group) {
			list = append(list, e.cluster(c))
		}
	}
	e.page(w, r, list)
}

func noGroup(w http.ResponseWriter, group string) {
	fail(w, azureError{status: http.StatusNotFound, code: "ResourceGroupNotFound", message: "Resource group '" + group + "' could not be found."})
}

func noResource(w http.ResponseWriter, kind, name, group string) {
	fail(w, azureError{status: http.StatusNotFound, code: "ResourceNotFound", message: "The Resource '" + kind + "/" + name + "' under resource group '" + group +
		"' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"})
}

func (e *Estate) withCluster(answer func(http.ResponseWriter, *request, *cluster)) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		group, name := r.vars["group"], r.vars["cluster"]
		groupKnown := false
		for _, c := range e.in(r.vars["subscription"]) {
			groupKnown = groupKnown || strings.EqualFold(c.group, group)
			if strings.EqualFold(c.group, group) && strings.EqualFold(c.name, name) {
				answer(w, r, c)
				return
			}
		}
		if !groupKnown {
			noGroup(w, group)
			return
		}
		noResource(w, "Microsoft.ContainerService/managedClusters", name, group)
	}
}

func (e *Estate) withPool(answer func(http.ResponseWriter, *request, *cluster, *pool)) func(http.ResponseWriter, *request) {
	return e.withCluster(func(w http.ResponseWriter, r *request, c *cluster) {
		for i := range c.pools {
			p := &c.pools[i]
			if p.kind != standalone && strings.EqualFold(p.name, r.vars["pool"]) {
				answer(w, r, c, p)
				return
			}
		}
		fail(w, azureError{status: http.StatusNotFound, code: "NotFound", message: "The agent pool '" + r.vars["pool"] + "' was not found in cluster '" + c.name + "'."})
	})
}

// cluster is the managed-cluster resource. Its systemData is often null.
func (e *Estate) cluster(c *cluster) object {
	pools := []object{}
	for i := range c.pools {
		if c.pools[i].kind != standalone {
			properties := poolProperties(c, &c.pools[i])
			properties["name"] = c.pools[i].name
			pools = append(pools, properties)
		}
	}
	properties := object{
		"provisioningState": c.state(), "powerState": object{"code": c.powerState()},
		"kubernetesVersion": c.kubernetes, "currentKubernetesVersion": c.kubernetes,
		"dnsPrefix": c.name, "fqdn": c.dns(), "azurePortalFQDN": strings.Replace(c.dns(), ".hcp.", ".portal.hcp.", 1),
		"agentPoolProfiles": pools, "nodeResourceGroup": c.nodeGroup(), "enableRBAC": !c.noRBAC, "disableLocalAccounts": c.noLocal,
		"networkProfile": object{"networkPlugin": "azure", "loadBalancerSku": "standard", "serviceCidr": "10.0.0.0/16", "dnsServiceIP": "10.0.0.10", "outboundType": "loadBalancer"},
		"maxAgentPools":  100, "servicePrincipalProfile": object{"clientId": "msi"}, // az expects one
	}
	if c.entra {
		properties["aadProfile"] = object{"managed": true, "enableAzureRBAC": true, "tenantID": tenantID, "adminGroupObjectIDs": nil}
	}
	if c.lockedDown {
		properties["nodeResourceGroupProfile"] = object{"restrictionLevel": "ReadOnly"}
	}
	resource := object{"id": c.id(), "name": c.name, "type": "Microsoft.ContainerService/ManagedClusters", "location": c.location, "tags": c.tags(),
		"sku": object{"name": "Base", "tier": "Standard"}, "identity": object{"type": "SystemAssigned", "tenantId": tenantID, "principalId": clientID}, "properties": properties}
	if !c.noSystemData {
		resource["systemData"] = object{"createdAt": e.created(c), "createdByType": "User"}
	}
	return resource
}

func poolProperties(c *cluster, p *pool) object {
	sku := "Ubuntu"
	if p.osType() == "Windows" {
		sku = "Windows2022"
	}
	return object{
		"count": len(p.nodes), "vmSize": "Standard_D4s_v5", "osDiskSizeGB": 128, "osDiskType": "Managed", "maxPods": 110, "type": p.kind,
		"provisioningState": "Succeeded", "powerState": object{"code": p.powerState(c)}, "orchestratorVersion": c.kubernetes,
		"currentOrchestratorVersion": c.kubernetes, "mode": "System", "osType": p.osType(), "osSKU": sku, "nodeImageVersion": p.image, "enableFIPS": false,
	}
}

func agentPool(c *cluster, p *pool) object {
	return object{"id": c.id() + "/agentPools/" + p.name, "name": p.name, "type": "Microsoft.ContainerService/managedClusters/agentPools",
		"properties": poolProperties(c, p)}
}

func (e *Estate) listPools(w http.ResponseWriter, r *request, c *cluster) {
	list := []object{}
	for i := range c.pools {
		if c.pools[i].kind != standalone {
			list = append(list, agentPool(c, &c.pools[i]))
		}
	}
	e.page(w, r, list)
}

func describeMachine(c *cluster, m *machine) object {
	return object{"id": c.id() + "/agentPools/" + m.pool.name + "/machines/" + m.name, "name": m.name,
		"type":       "Microsoft.ContainerService/managedClusters/agentPools/machines",
		"properties": object{"resourceId": m.id(), "network": object{"ipAddresses": []object{{"ip": "10.224.0.4", "family": "IPv4"}}}}}
}

// listMachines knows nothing of availability sets, whose machines are found in
// the node resource group.
func (e *Estate) listMachines(w http.ResponseWriter, r *request, c *cluster, p *pool) {
	list := []object{}
	for _, m := range c.machines {
		if m.pool == p && p.kind != availabilitySet {
			list = append(list, describeMachine(c, m))
		}
	}
	e.page(w, r, list)
}

// getMachine answers with an id that has the machine's name twice, as AKS does.
func (e *Estate) getMachine(w http.ResponseWriter, r *request, c *cluster, p *pool) {
	for _, m := range c.machines {
		if m.pool == p && p.kind != availabilitySet && strings.EqualFold(m.name, r.vars["machine"]) {
			machine := describeMachine(c, m)
			machine["id"] = machine["id"].(string) + "/" + m.name
			reply(w, http.StatusOK, machine)
			return
		}
	}
	fail(w, azureError{status: http.StatusNotFound, code: "NotFound", message: "The machine '" + r.vars["machine"] + "' was not found."})
}

// credential hands out a kubeconfig. Where local accounts are off there is
// nothing static to hand out: only Entra's, which is not a secret.
func (e *Estate) credential(user string) func(http.ResponseWriter, *request, *cluster) {
	return func(w http.ResponseWriter, _ *request, c *cluster) {
		if c.noLocal && (user == "clusterAdmin" || !c.entra) {
			fail(w, azureError{status: http.StatusBadRequest, code: "BadRequest",
				message: "Getting static credential is not allowed because this cluster is set to disable local accounts."})
			return
		}
		kubeconfig, err := c.kubeconfig(user)
		if err != nil {
			fail(w, azureError{status: http.StatusInternalServerError, code: "InternalServerError", message: err.Error()})
			return
		}
		reply(w, http.StatusOK, object{"kubeconfigs": []object{{"name": user, "value": b64([]byte(kubeconfig))}}})
	}
}
