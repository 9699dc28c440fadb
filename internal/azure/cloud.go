package azure

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
)

// place is a cloud, and whether Microsoft's directory of clouds knows it.
type place struct {
	cloud.Configuration
	name     string // as az spells it; empty for a cloud described by its endpoints
	unlisted bool   // its authority is not one of the three: instance discovery would refuse it
}

// resolveCloud finds the cloud: a flag beats any environment variable, and
// endpoints beat a name.
func resolveCloud(cfg Config) (place, error) {
	name, from := cfg.Cloud, "--cloud"
	for _, variable := range []string{"AZURE_CLOUD", "AZURE_ENVIRONMENT"} {
		if name == "" {
			name, from = cfg.Getenv(variable), variable
		}
	}
	endpoint := cfg.ResourceManagerEndpoint
	if endpoint == "" && cfg.Cloud == "" {
		endpoint = cfg.Getenv("AZURE_RESOURCE_MANAGER_ENDPOINT")
	}
	authority := cfg.AuthorityHost
	if authority == "" && cfg.Cloud == "" {
		authority = cfg.Getenv("AZURE_AUTHORITY_HOST")
	}

	where, known := namedCloud(name)
	switch {
	case !known && endpoint == "":
		return place{}, &UsageError{
			Message: fmt.Sprintf("unknown cloud %q (from %s)", clean(name, 80), from),
			Hint: "the named clouds are AzureCloud, AzureChinaCloud and AzureUSGovernment; any other is described by " +
				"AZURE_RESOURCE_MANAGER_ENDPOINT and AZURE_AUTHORITY_HOST",
		}
	case !known:
		where, _ = namedCloud("") // its endpoints say all that its name does not
	}
	if authority != "" && !strings.EqualFold(strings.TrimRight(authority, "/"), strings.TrimRight(where.ActiveDirectoryAuthorityHost, "/")) {
		if err := checkURL("authority host", authority); err != nil {
			return place{}, err
		}
		where.ActiveDirectoryAuthorityHost = authority
		where.unlisted = !isNamedAuthority(authority)
	}
	if endpoint != "" {
		if err := checkURL("resource manager endpoint", endpoint); err != nil {
			return place{}, err
		}
		endpoint = strings.TrimRight(endpoint, "/")
		audience := orEnv(cfg, cfg.ResourceManagerAudience, "AZURE_RESOURCE_MANAGER_AUDIENCE")
		if audience == "" {
			audience = endpoint
		}
		where.name, where.unlisted = "", true
		where.Services = map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: endpoint, Audience: strings.TrimSuffix(audience, "/.default")},
		}
	}
	return where, nil
}

// namedCloud knows az's and azidentity's spellings. Empty is the public cloud.
func namedCloud(name string) (place, bool) {
	switch strings.ToLower(name) {
	case "", "azurecloud", "azurepublic", "azurepubliccloud":
		return place{Configuration: cloud.AzurePublic, name: "AzureCloud"}, true
	case "azurechinacloud", "azurechina":
		return place{Configuration: cloud.AzureChina, name: "AzureChinaCloud"}, true
	case "azureusgovernment", "azureusgovernmentcloud", "azuregovernment":
		return place{Configuration: cloud.AzureGovernment, name: "AzureUSGovernment"}, true
	}
	return place{}, false
}

func isNamedAuthority(authority string) bool {
	u, err := url.Parse(authority)
	if err != nil {
		return false
	}
	for _, c := range []cloud.Configuration{cloud.AzurePublic, cloud.AzureChina, cloud.AzureGovernment} {
		if strings.EqualFold("https://"+u.Host+"/", c.ActiveDirectoryAuthorityHost) {
			return true
		}
	}
	return false
}

// checkURL wants https: tokens go there. It does not repeat what it was given,
// which may hold a password.
func checkURL(what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return &UsageError{
			Message: fmt.Sprintf("the %s is not an https address", what),
			Hint:    "write it as https://management.example.com, without a user name",
		}
	}
	return nil
}

func orEnv(cfg Config, given, variable string) string {
	if given != "" {
		return given
	}
	return cfg.Getenv(variable)
}
