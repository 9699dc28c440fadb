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

// inAzure are the flags that say how to get into Azure.
type inAzure struct {
	admin  bool
	config azure.Config
}

func (a *inAzure) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&a.admin, "admin", false, "get the administrator's kubeconfig")
	f.StringVar(&a.config.Auth, "auth", "", "sign in by this `WAY`: cli, environment, …")
	f.StringVar(&a.config.Tenant, "tenant", "", "the Entra `TENANT` to sign in to")
	f.StringVar(&a.config.Cloud, "cloud", "", "the `CLOUD` (default: $AZURE_CLOUD)")
	f.StringVar(&a.config.ResourceManagerEndpoint, "resource-manager-endpoint", "", "ARM's `URL` in another cloud")
	f.StringVar(&a.config.ResourceManagerAudience, "resource-manager-audience", "", "the `AUDIENCE` of its tokens")
	f.StringVar(&a.config.AuthorityHost, "authority-host", "", "the sign-in `URL` there")
	complete(c, "auth", "environment", "workload-identity", "managed-identity", "cli", "azd", "powershell")
	complete(c, "cloud", "AzureCloud", "AzureChinaCloud", "AzureUSGovernment")
}

// given is the first of these flags that was given; empty for none.
func (a *inAzure) given(c *cobra.Command) string {
	for _, flag := range []string{"admin", "auth", "tenant", "cloud", "resource-manager-endpoint", "resource-manager-audience", "authority-host"} {
		if c.Flags().Changed(flag) {
			return flag
		}
	}
	return ""
}

// connect makes the client; what it says of itself goes to stderr.
func (a *inAzure) connect(j judge, request time.Duration) (*azure.Client, error) {
	a.config.RequestTimeout = request
	a.config.Log = func(format string, args ...any) { j.note("%s", render.Visible(fmt.Sprintf(format, args...))) }
	client, err := azure.New(a.config)
	return client, usage(err)
}

// resolve reads the resources of clusters that are only listed.
func (a *inAzure) resolve(client *azure.Client) func(context.Context, target.Target) (target.Target, []report.Gap) {
	return func(ctx context.Context, t target.Target) (target.Target, []report.Gap) {
		if t.ARM == nil || !t.ARM.Listed {
			return t, nil
		}
		return discover.Resolve(ctx, client, t, a.admin)
	}
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
