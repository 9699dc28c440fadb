// Package azure is the one door to Azure Resource Manager: credential, cloud,
// clusters, pools, machines, run-command, throttling. Nothing else of ours
// imports the Azure SDK.
//
// It reads, and it runs the script it is given; it changes nothing. No token,
// no kubeconfig and no answer's body reaches an error or a log line.
package azure

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	armruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v7"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v8"

	"github.com/akscert/akscert/internal/target"
)

// Config says which cloud, credential and tenant. Every string may be empty.
type Config struct {
	// Auth picks one credential: environment, workload-identity,
	// managed-identity, cli, azd or powershell. Empty is azidentity's default
	// chain, which honours AZURE_TOKEN_CREDENTIALS.
	Auth string
	// Cloud is a named cloud; the others describe one of its own. Each falls
	// back on its environment variable.
	Cloud                   string // AZURE_CLOUD, AZURE_ENVIRONMENT
	ResourceManagerEndpoint string // AZURE_RESOURCE_MANAGER_ENDPOINT
	ResourceManagerAudience string // AZURE_RESOURCE_MANAGER_AUDIENCE
	AuthorityHost           string // AZURE_AUTHORITY_HOST
	Tenant                  string

	Transport      policy.Transporter               // nil for the SDK's own
	Getenv         func(string) string              // nil for os.Getenv
	RequestTimeout time.Duration                    // for one request; zero for a minute
	FirstPoll      time.Duration                    // when a script's answer is first asked for; zero for 20 s
	PollEvery      time.Duration                    // how often after that; zero for 4 s
	Log            func(format string, args ...any) // which identity, tenant and subscription; nil for nothing
}

// Client talks to one cloud as one identity. Its methods may be called at the
// same time; each of their failures is an *Error or a *UsageError.
type Client struct {
	getenv    func(string) string
	log       func(string, ...any)
	cloudName string // as az spells it; empty for a cloud described by its endpoints
	endpoint  string
	identity  *identity
	options   *arm.ClientOptions
	pipeline  runtime.Pipeline // for what no SDK package that we import reads

	firstPoll, pollEvery time.Duration
	now                  func() time.Time
	sleep                func(context.Context, time.Duration) error

	mu            sync.Mutex
	subscriptions map[string]*services
	running       map[string]target.Machine // by resource ID: machines that were handed a script and have not said they are done
	announced     map[string]bool           // subscriptions
	visible       map[string]bool           // subscriptions that ARM has listed
}

// services are the SDK's clients for one subscription.
type services struct {
	clusters  *armcontainerservice.ManagedClustersClient
	pools     *armcontainerservice.AgentPoolsClient
	machines  *armcontainerservice.MachinesClient
	vms       *armcompute.VirtualMachinesClient
	scaleSets *armcompute.VirtualMachineScaleSetsClient
	instances *armcompute.VirtualMachineScaleSetVMsClient
}

// New makes a client. It asks nothing of the network yet. What is wrong with
// cfg itself is a *UsageError.
func New(cfg Config) (*Client, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	cfg.Transport = transporter(cfg)
	where, err := resolveCloud(cfg)
	if err != nil {
		return nil, err
	}
	credential, err := newCredential(cfg, where)
	if err != nil {
		return nil, err
	}
	return newClient(cfg, where, credential, time.Now, sleep)
}

func newClient(cfg Config, where place, credential azcore.TokenCredential, now func() time.Time, sleep func(context.Context, time.Duration) error) (*Client, error) {
	if cfg.Log == nil {
		cfg.Log = func(string, ...any) {}
	}
	c := &Client{
		getenv: cfg.Getenv, log: cfg.Log, cloudName: where.name,
		endpoint:  where.Services[cloud.ResourceManager].Endpoint,
		firstPoll: orElse(cfg.FirstPoll, 20*time.Second), pollEvery: orElse(cfg.PollEvery, 4*time.Second),
		now: now, sleep: sleep,
		subscriptions: map[string]*services{}, running: map[string]target.Machine{}, announced: map[string]bool{}, visible: map[string]bool{},
	}
	c.identity = newIdentity(credential, cfg.Tenant, cfg.Log, now)
	door, err := newDoor(c, where)
	if err != nil {
		return nil, err
	}
	c.options = &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud:     where.Configuration,
			Transport: cfg.Transport,
			Telemetry: policy.TelemetryOptions{ApplicationID: "akscert"},
			// The door retries; the SDK would give up when Retry-After is above 60 s.
			Retry:           policy.RetryOptions{MaxRetries: -1, TryTimeout: orElse(cfg.RequestTimeout, time.Minute)},
			PerCallPolicies: []policy.Policy{door},
		},
		// An audit registers no resource provider.
		DisableRPRegistration: true,
	}
	c.pipeline, err = armruntime.NewPipeline("akscert", "1", c.identity, runtime.PipelineOptions{}, c.options)
	if err != nil {
		return nil, fmt.Errorf("preparing Azure Resource Manager: %w", err)
	}
	return c, nil
}

// services makes the clients of a subscription, once.
func (c *Client) services(subscription string) (*services, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.subscriptions[subscription]; s != nil {
		return s, nil
	}
	aks, err := armcontainerservice.NewClientFactory(subscription, c.identity, c.options)
	if err != nil {
		return nil, fmt.Errorf("preparing subscription %q: %w", subscription, err)
	}
	compute, err := armcompute.NewClientFactory(subscription, c.identity, c.options)
	if err != nil {
		return nil, fmt.Errorf("preparing subscription %q: %w", subscription, err)
	}
	s := &services{
		clusters: aks.NewManagedClustersClient(), pools: aks.NewAgentPoolsClient(), machines: aks.NewMachinesClient(),
		vms:       compute.NewVirtualMachinesClient(),
		scaleSets: compute.NewVirtualMachineScaleSetsClient(), instances: compute.NewVirtualMachineScaleSetVMsClient(),
	}
	c.subscriptions[subscription] = s
	return s, nil
}

// pages follows a pager to its end.
func pages[T any](ctx context.Context, pager *runtime.Pager[T], each func(T)) error {
	for n := 0; pager.More(); n++ {
		if n == maxPages {
			return tooManyPages()
		}
		page, err := pager.NextPage(ctx)
		if err != nil {
			return err
		}
		each(page)
	}
	return nil
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// value is what p points at, or the zero value: ARM leaves fields out freely.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
