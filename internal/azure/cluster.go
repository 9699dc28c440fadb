package azure

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v8"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Cluster reads a managed cluster and its agent pools.
func (c *Client) Cluster(ctx context.Context, subscription, group, name string) (target.ARM, error) {
	a := asking{fmt.Sprintf("reading cluster %q in group %q", name, group), "Microsoft.ContainerService/managedClusters/read", "Reader"}
	s, err := c.services(subscription)
	if err != nil {
		return target.ARM{}, err
	}
	answer, err := s.clusters.Get(ctx, group, name, nil)
	if err != nil {
		return target.ARM{}, c.fail(ctx, a, err)
	}
	if answer.ID == nil || answer.Properties == nil {
		return target.ARM{}, &Error{Reason: report.ReasonMalformed, Message: a.what + ": the answer is not a cluster"}
	}
	cluster := fromManaged(answer.ManagedCluster, subscription, group, name)
	cluster.Pools, err = c.pools(ctx, s, cluster)
	if err != nil {
		if ctx.Err() != nil || len(answer.Properties.AgentPoolProfiles) == 0 {
			return target.ARM{}, err
		}
		// The cluster itself carries the same profiles.
		c.log("the pools of cluster %s are read from the cluster itself: %s", clean(name, 120), err)
		for _, p := range answer.Properties.AgentPoolProfiles {
			if p != nil {
				cluster.Pools = append(cluster.Pools, fromProfile(p))
			}
		}
	}
	if cluster.CreatedAt == nil {
		if cluster.CreatedAt, err = c.createdAt(ctx, cluster); err != nil && ctx.Err() == nil {
			c.log("when cluster %s was created is not known: %s", clean(name, 120), err)
		}
	}
	return cluster, nil
}

func fromManaged(m armcontainerservice.ManagedCluster, subscription, group, name string) target.ARM {
	p := m.Properties
	cluster := target.ARM{
		ID: *m.ID, SubscriptionID: subscription, ResourceGroup: group, Name: name, Location: value(m.Location),
		KubernetesVersion: first(value(p.CurrentKubernetesVersion), value(p.KubernetesVersion)),
		FQDN:              first(value(p.Fqdn), value(p.PrivateFQDN)),
		PrivateFQDN:       value(p.PrivateFQDN), Tags: tags(m.Tags),
		ProvisioningState: value(p.ProvisioningState),
		RBAC:              p.EnableRBAC,
		Entra:             p.AADProfile != nil, DisableLocalAccounts: value(p.DisableLocalAccounts),
		NodeResourceGroup: value(p.NodeResourceGroup),
	}
	if m.Name != nil {
		cluster.Name = *m.Name // ARM's spelling
	}
	if p.PowerState != nil {
		cluster.PowerState = string(value(p.PowerState.Code))
	}
	if n := p.NodeResourceGroupProfile; n != nil {
		cluster.NodesLockedDown = strings.EqualFold(string(value(n.RestrictionLevel)), string(armcontainerservice.RestrictionLevelReadOnly))
	}
	if m.SystemData != nil {
		cluster.CreatedAt = m.SystemData.CreatedAt
	}
	return cluster
}

func tags(from map[string]*string) map[string]string {
	if len(from) == 0 {
		return nil
	}
	to := make(map[string]string, len(from))
	for name, v := range from {
		to[name] = value(v)
	}
	return to
}

func (c *Client) pools(ctx context.Context, s *services, cluster target.ARM) ([]target.Pool, error) {
	a := asking{fmt.Sprintf("listing the agent pools of cluster %q", cluster.Name), "Microsoft.ContainerService/managedClusters/agentPools/read", "Reader"}
	var pools []target.Pool
	err := pages(ctx, s.pools.NewListPager(cluster.ResourceGroup, cluster.Name, nil), func(page armcontainerservice.AgentPoolsClientListResponse) {
		for _, pool := range page.Value {
			if pool == nil || pool.Name == nil || pool.Properties == nil {
				continue
			}
			p := pool.Properties
			pools = append(pools, fromProfile(&armcontainerservice.ManagedClusterAgentPoolProfile{
				Name: pool.Name, Type: p.Type, OSType: p.OSType, PowerState: p.PowerState, ProvisioningState: p.ProvisioningState, Count: p.Count,
				CurrentOrchestratorVersion: p.CurrentOrchestratorVersion, OrchestratorVersion: p.OrchestratorVersion, NodeImageVersion: p.NodeImageVersion,
			}))
		}
	})
	if err != nil {
		return nil, c.fail(ctx, a, err)
	}
	return pools, nil
}

func fromProfile(p *armcontainerservice.ManagedClusterAgentPoolProfile) target.Pool {
	pool := target.Pool{
		Name: value(p.Name), Type: string(value(p.Type)), OS: string(value(p.OSType)), Count: int(value(p.Count)),
		ProvisioningState: value(p.ProvisioningState), NodeImageVersion: value(p.NodeImageVersion),
		KubernetesVersion: first(value(p.CurrentOrchestratorVersion), value(p.OrchestratorVersion)),
	}
	if p.PowerState != nil {
		pool.PowerState = string(value(p.PowerState.Code))
	}
	return pool
}

// createdAt asks the generic resource list, which knows a creation time even
// where the cluster's systemData is null.
func (c *Client) createdAt(ctx context.Context, cluster target.ARM) (*time.Time, error) {
	type resource struct {
		ID          string     `json:"id"`
		CreatedTime *time.Time `json:"createdTime"`
	}
	var created *time.Time
	path := "/subscriptions/" + url.PathEscape(cluster.SubscriptionID) + "/resourceGroups/" + url.PathEscape(cluster.ResourceGroup) + "/resources"
	query := url.Values{"api-version": {"2021-04-01"}, "$expand": {"createdTime"},
		"$filter": {"resourceType eq 'Microsoft.ContainerService/managedClusters'"}}
	err := getPages(ctx, c, path, query, func(r resource) {
		if strings.EqualFold(r.ID, cluster.ID) {
			created = r.CreatedTime
		}
	})
	if err != nil {
		return nil, c.fail(ctx, asking{"listing resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", "Reader"}, err)
	}
	return created, nil
}

// UserKubeconfig fetches the kubeconfig that az aks get-credentials writes.
func (c *Client) UserKubeconfig(ctx context.Context, cluster target.ARM) ([]byte, error) {
	a := asking{fmt.Sprintf("getting the user credential of cluster %q", cluster.Name),
		"Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", "Azure Kubernetes Service Cluster User Role"}
	s, err := c.services(cluster.SubscriptionID)
	if err != nil {
		return nil, err
	}
	answer, err := s.clusters.ListClusterUserCredentials(ctx, cluster.ResourceGroup, cluster.Name, nil)
	if err != nil {
		return nil, c.fail(ctx, a, err)
	}
	return kubeconfig(a, answer.CredentialResults)
}

// AdminKubeconfig fetches the kubeconfig of az aks get-credentials --admin.
func (c *Client) AdminKubeconfig(ctx context.Context, cluster target.ARM) ([]byte, error) {
	a := asking{fmt.Sprintf("getting the admin credential of cluster %q", cluster.Name),
		"Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action", "Azure Kubernetes Service Cluster Admin Role"}
	s, err := c.services(cluster.SubscriptionID)
	if err != nil {
		return nil, err
	}
	answer, err := s.clusters.ListClusterAdminCredentials(ctx, cluster.ResourceGroup, cluster.Name, nil)
	if err != nil {
		return nil, c.fail(ctx, a, err)
	}
	return kubeconfig(a, answer.CredentialResults)
}

func kubeconfig(a asking, results armcontainerservice.CredentialResults) ([]byte, error) {
	for _, k := range results.Kubeconfigs {
		if k != nil && len(k.Value) > 0 {
			return k.Value, nil
		}
	}
	return nil, &Error{Reason: report.ReasonMalformed, Message: a.what + ": the answer holds no kubeconfig", Retryable: true}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
