package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/akscert/akscert/pkg/report"
)

// serverApplication is the AKS API server's application in every tenant.
const serverApplication = "6dae42f8-4368-4678-94ff-3960e28e3630"

// newCredential picks the credential that cfg.Auth names.
func newCredential(cfg Config, where place) (azcore.TokenCredential, error) {
	options := policy.ClientOptions{Cloud: where.Configuration, Transport: cfg.Transport, Telemetry: policy.TelemetryOptions{ApplicationID: "akscert"}}
	var credential azcore.TokenCredential
	var err error
	switch cfg.Auth {
	case "":
		credential, err = azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: options, TenantID: cfg.Tenant, DisableInstanceDiscovery: where.unlisted})
	case "environment":
		credential, err = azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: where.unlisted})
	case "workload-identity":
		credential, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: options, TenantID: cfg.Tenant, DisableInstanceDiscovery: where.unlisted})
	case "managed-identity":
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
		if id := cfg.Getenv("AZURE_CLIENT_ID"); id != "" {
			o.ID = azidentity.ClientID(id)
		}
		credential, err = azidentity.NewManagedIdentityCredential(o)
	case "cli":
		credential, err = azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: cfg.Tenant})
	case "azd":
		credential, err = azidentity.NewAzureDeveloperCLICredential(&azidentity.AzureDeveloperCLICredentialOptions{TenantID: cfg.Tenant})
	case "powershell":
		credential, err = azidentity.NewAzurePowerShellCredential(&azidentity.AzurePowerShellCredentialOptions{TenantID: cfg.Tenant})
	default:
		return nil, &UsageError{Message: fmt.Sprintf("unknown credential %q", clean(cfg.Auth, 80)),
			Hint: "--auth is one of environment, workload-identity, managed-identity, cli, azd, powershell"}
	}
	if err != nil {
		return nil, &UsageError{Message: "preparing the credential: " + clean(err.Error(), 400),
			Hint: "sign in with az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"}
	}
	return credential, nil
}

// identity hands out the credential's tokens. It keeps them, because az and its
// like start a process for each and every SDK client would ask again; it keeps
// a refusal for a minute, so that a fleet does not wait for each one anew, but
// for that kind of token alone: who may not have one for API servers may have
// ARM's. It says once who we are.
type identity struct {
	inner  azcore.TokenCredential
	tenant string
	log    func(string, ...any)
	now    func() time.Time

	turn      chan struct{} // holds one element: the right to look at what follows
	tokens    map[string]azcore.AccessToken
	refusals  map[string]refusal
	announced bool
}

type refusal struct {
	why *Error
	at  time.Time
}

func newIdentity(inner azcore.TokenCredential, tenant string, log func(string, ...any), now func() time.Time) *identity {
	return &identity{inner: inner, tenant: tenant, log: log, now: now,
		turn: make(chan struct{}, 1), tokens: map[string]azcore.AccessToken{}, refusals: map[string]refusal{}}
}

// GetToken is azcore.TokenCredential.
func (i *identity) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return azcore.AccessToken{}, ended(ctx, "signing in")
	}
	key := strings.Join(o.Scopes, " ") + "\n" + o.TenantID
	if token, ok := i.tokens[key]; ok && o.Claims == "" && i.now().Before(token.ExpiresOn.Add(-5*time.Minute)) {
		return token, nil
	}
	if r, ok := i.refusals[key]; ok && i.now().Before(r.at.Add(time.Minute)) {
		return azcore.AccessToken{}, r.why
	}
	token, err := i.inner.GetToken(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return azcore.AccessToken{}, ended(ctx, "signing in")
		}
		why := signInFailure(err)
		i.refusals[key] = refusal{why, i.now()}
		return azcore.AccessToken{}, why
	}
	if err := i.introduce(token.Token); err != nil {
		i.refusals[key] = refusal{err, i.now()}
		return azcore.AccessToken{}, err
	}
	i.tokens[key] = token
	return token, nil
}

// introduce says who the token is for, once, and refuses another tenant than
// the one that was asked for: some credentials ignore it.
func (i *identity) introduce(token string) *Error {
	who, tenant := claims(token)
	if isGUID(i.tenant) && tenant != "" && !strings.EqualFold(tenant, i.tenant) {
		return &Error{Reason: report.ReasonUnauthenticated,
			Message: fmt.Sprintf("signing in: the credential is for tenant %s, not %s", tenant, i.tenant),
			Hint:    "az login --tenant " + i.tenant}
	}
	if !i.announced {
		i.announced = true
		i.log("signed in as %s, tenant %s", who, orUnknown(tenant))
	}
	return nil
}

// claims reads who an access token is for, without verifying it: it is only
// shown. The rest of the token stays inside.
func claims(token string) (who, tenant string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return orUnknown(""), ""
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return orUnknown(""), ""
	}
	var c struct {
		TID, OID, UPN, AppID, AZP string
		UniqueName                string `json:"unique_name"`
		PreferredUsername         string `json:"preferred_username"`
	}
	if json.Unmarshal(body, &c) != nil {
		return orUnknown(""), ""
	}
	for _, name := range []string{c.UPN, c.PreferredUsername, c.UniqueName} {
		if name != "" {
			return "user " + clean(name, 120), clean(c.TID, 60)
		}
	}
	for _, id := range []string{c.AppID, c.AZP} {
		if id != "" {
			return "application " + clean(id, 60), clean(c.TID, 60)
		}
	}
	if c.OID != "" {
		return "object " + clean(c.OID, 60), clean(c.TID, 60)
	}
	return orUnknown(""), clean(c.TID, 60)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// signInFailure words a credential's error. azidentity prints whole answers of
// the token endpoint; only their code and first sentence go on.
func signInFailure(err error) *Error {
	e := &Error{Reason: report.ReasonUnauthenticated, Message: "signing in: " + clean(err.Error(), 700),
		Hint: "az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; --auth picks one credential"}
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse == nil {
		return e
	}
	status := failed.RawResponse.StatusCode
	var answer struct {
		Error       string
		Description string `json:"error_description"`
	}
	e.Message = fmt.Sprintf("signing in: the token endpoint answered %d", status)
	if body, err := runtime.Payload(failed.RawResponse); err == nil && json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		description, _, _ := strings.Cut(answer.Description, "Trace ID:")
		e.Code = clean(answer.Error, 80)
		e.Message = fmt.Sprintf("signing in: %s: %s", e.Code, clean(description, 300))
	}
	switch {
	case status == http.StatusTooManyRequests:
		e.Reason, e.Retryable = report.ReasonThrottled, true
	case status >= 500:
		e.Reason, e.Retryable = report.ReasonUnreachable, true
	}
	return e
}

// ServerToken is a bearer token for the API servers of Entra clusters, so that
// no kubelogin is needed.
func (c *Client) ServerToken(ctx context.Context) (string, error) {
	token, err := c.identity.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{serverApplication + "/.default"}})
	if err != nil {
		return "", c.fail(ctx, asking{what: "getting a token for the API server"}, err)
	}
	return token.Token, nil
}
