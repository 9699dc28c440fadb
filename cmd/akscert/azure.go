package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/akscert/akscert/internal/azure"
	"github.com/akscert/akscert/internal/discover"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// inAzure are the flags that name a cluster in Azure, and the way there.
type inAzure struct {
	group, name, subscription string
	admin                     bool
	config                    azure.Config
}

func (a *inAzure) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&a.group, "resource-group", "g", "", "the cluster's resource `GROUP` in Azure")
	f.StringVarP(&a.name, "name", "n", "", "the cluster's `NAME` in Azure")
	f.StringVar(&a.subscription, "subscription", "", "its `SUBSCRIPTION`, id or name (default: $AKSCERT_SUBSCRIPTION, $AZURE_SUBSCRIPTION_ID, az's own)")
	f.BoolVar(&a.admin, "admin", false, "fetch the cluster administrator's kubeconfig, not the user's")
	f.StringVar(&a.config.Auth, "auth", "", "sign in with one `CREDENTIAL` only: environment, workload-identity, managed-identity, cli, azd or powershell")
	f.StringVar(&a.config.Tenant, "tenant", "", "the Entra `TENANT` to sign in to")
	f.StringVar(&a.config.Cloud, "cloud", "", "AzureCloud, AzureChinaCloud or AzureUSGovernment (default: $AZURE_CLOUD)")
	f.StringVar(&a.config.ResourceManagerEndpoint, "resource-manager-endpoint", "", "ARM's `URL` in any other cloud")
	f.StringVar(&a.config.ResourceManagerAudience, "resource-manager-audience", "", "the audience of ARM's tokens in any other cloud")
	f.StringVar(&a.config.AuthorityHost, "authority-host", "", "the sign-in `URL` in any other cloud")
	complete(c, "auth", "environment", "workload-identity", "managed-identity", "cli", "azd", "powershell")
	complete(c, "cloud", "AzureCloud", "AzureChinaCloud", "AzureUSGovernment")
}

// asked says whether a cluster in Azure is meant, and checks that it is named.
// A flag that is given and empty, as from a CI job's unset variable, must not
// turn the audit to whatever cluster is at hand.
func (a *inAzure) asked(c *cobra.Command, scope discover.Scope) (bool, error) {
	given := ""
	for _, flag := range []string{"resource-group", "name", "subscription", "admin", "auth", "tenant", "cloud", "resource-manager-endpoint", "resource-manager-audience", "authority-host"} {
		if c.Flags().Changed(flag) && given == "" {
			given = flag
		}
	}
	switch {
	case given == "":
		return false, nil
	case a.group == "" || a.name == "":
		return false, hinted{fmt.Errorf("--%s is for a cluster in Azure, which --resource-group and --name have to name", given), "give both: akscert audit -g GROUP -n NAME"}
	case scope.Kubeconfig != "" || scope.All || len(scope.Contexts) > 0:
		return false, hinted{errors.New("--resource-group and --name exclude --kubeconfig, --context and --all-contexts"), "ARM hands out the cluster's kubeconfig itself"}
	}
	return true, nil
}

// connect makes the client; what it says of itself goes to stderr.
func (a *inAzure) connect(j judge, request time.Duration) (*azure.Client, error) {
	a.config.RequestTimeout = request
	a.config.Log = func(format string, args ...any) { j.note("%s", render.Visible(fmt.Sprintf(format, args...))) }
	client, err := azure.New(a.config)
	return client, usage(err)
}

// find is the one target that the flags name.
func (a *inAzure) find(ctx context.Context, client *azure.Client) ([]target.Target, []report.Gap, error) {
	subscription, err := client.Subscription(ctx, a.subscription)
	if err != nil {
		return nil, nil, usage(err)
	}
	t, gaps, err := discover.ARM(ctx, client, subscription, a.group, a.name, a.admin)
	if err != nil {
		return nil, nil, err
	}
	return []target.Target{t}, gaps, nil
}

// usage gives an error of azure's its hint.
func usage(err error) error {
	var bad *azure.UsageError
	var failed *azure.Error
	switch {
	case errors.As(err, &bad):
		return hinted{errors.New(bad.Message), bad.Hint}
	case errors.As(err, &failed):
		return hinted{errors.New(failed.Message), failed.Hint}
	}
	return err
}

// running says which nodes still run the script when a run ends early.
func running(j judge, client *azure.Client) {
	const most = 10
	for i, m := range client.Running() {
		if i == most {
			j.note("and %d more", len(client.Running())-most)
			break
		}
		j.note("the read-only script may still run on node %s: run-command cannot be cancelled", render.Visible(m.Node))
	}
}
