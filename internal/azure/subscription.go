package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// known is a subscription, as az's profile file or ARM lists it.
type known struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`    // ARM's word for it
	ARMID       string `json:"subscriptionId"` // ARM's, whose id is a path
	Default     bool   `json:"isDefault"`
	Cloud       string `json:"environmentName"`
	State       string `json:"state"`
	Tenant      string `json:"tenantId"`
}

// Subscription is one that the identity sees.
type Subscription struct {
	ID, Name string
	State    string // Enabled, Warned, PastDue, Disabled
	Tenant   string
}

// Subscriptions lists those that the identity sees, sorted by id. In a disabled one
// reading goes on and all else is refused (Azure's page "subscription states"): a
// cluster there is a gap, which says so. In a deleted one there is nothing: these
// are left out, and the log says how many.
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	listed, err := c.listSubscriptions(ctx)
	if err != nil {
		return nil, err
	}
	var seen []Subscription
	deleted := 0
	for _, s := range listed {
		switch {
		case s.ID == "":
		case strings.EqualFold(s.State, "Deleted"):
			deleted++
		default:
			seen = append(seen, Subscription{ID: strings.ToLower(s.ID), Name: s.Name, State: s.State, Tenant: s.Tenant})
		}
	}
	slices.SortFunc(seen, func(a, b Subscription) int { return strings.Compare(a.ID, b.ID) })
	seen = slices.CompactFunc(seen, func(a, b Subscription) bool { return a.ID == b.ID })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range seen {
		c.visible[s.ID] = true
	}
	c.log("subscriptions that this identity sees: %d", len(seen))
	if deleted > 0 {
		c.log("subscriptions left out as deleted: %d", deleted)
	}
	return seen, nil
}

// Subscription finds the subscription's id. nameOrID, which is what
// --subscription said, comes before AKSCERT_SUBSCRIPTION, AZURE_SUBSCRIPTION_ID
// and the default in az's profile file. A name is looked up there, then in ARM.
func (c *Client) Subscription(ctx context.Context, nameOrID string) (string, error) {
	from := "--subscription"
	for _, variable := range []string{"AKSCERT_SUBSCRIPTION", "AZURE_SUBSCRIPTION_ID"} {
		if nameOrID == "" {
			nameOrID, from = c.getenv(variable), variable
		}
	}
	if isGUID(nameOrID) {
		return c.using(nameOrID, from), nil
	}
	listed, err := c.profile()
	if nameOrID == "" {
		if err != nil {
			return "", err
		}
		for _, s := range listed {
			if s.Default {
				return c.using(s.ID, "the default of az's profile"), nil
			}
		}
		return "", &UsageError{Message: "no subscription is named", Hint: "name one with --subscription, or choose a default with az account set"}
	}
	if err == nil {
		if id, err := named(listed, nameOrID); id != "" || err != nil {
			return c.using(id, from), err
		}
	}
	if listed, err = c.listSubscriptions(ctx); err != nil {
		return "", err
	}
	id, err := named(listed, nameOrID)
	if id == "" && err == nil {
		err = &UsageError{Message: fmt.Sprintf("no subscription is called %q (from %s)", clean(nameOrID, 120), from),
			Hint: "az account list shows those that this identity can see"}
	}
	return c.using(id, from), err
}

// using tells once which subscription is used, and why this one.
func (c *Client) using(id, from string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "" && !c.announced[id] {
		c.announced[id] = true
		c.log("subscription %s (from %s)", clean(id, 60), from)
	}
	return id
}

func named(listed []known, name string) (string, error) {
	id := ""
	for _, s := range listed {
		if !strings.EqualFold(s.Name, name) || strings.EqualFold(s.ID, id) {
			continue
		}
		if id != "" {
			return "", &UsageError{Message: fmt.Sprintf("more than one subscription is called %q", clean(name, 120)), Hint: "give --subscription an id"}
		}
		id = s.ID
	}
	return id, nil
}

// profile reads the subscriptions of this cloud from az's profile file. A file
// that is not there lists none.
func (c *Client) profile() ([]known, error) {
	folder := c.getenv("AZURE_CONFIG_DIR")
	if folder == "" {
		home := c.getenv("HOME")
		if home == "" {
			home = c.getenv("USERPROFILE")
		}
		if home == "" {
			return nil, nil
		}
		folder = filepath.Join(home, ".azure")
	}
	path := filepath.Join(folder, "azureProfile.json")
	body, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var file struct {
		Subscriptions []known `json:"subscriptions"`
	}
	if err == nil {
		// az writes it with a byte order mark.
		err = json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &file)
	}
	if err != nil {
		return nil, &UsageError{Message: fmt.Sprintf("reading az's profile %q: %s", path, clean(err.Error(), 120)), Hint: "name a subscription with --subscription"}
	}
	var here []known
	for _, s := range file.Subscriptions {
		where, isNamed := namedCloud(s.Cloud)
		if s.Cloud == "" || isNamed && where.name == c.cloudName || !isNamed && c.cloudName == "" {
			here = append(here, s)
		}
	}
	return here, nil
}

func (c *Client) listSubscriptions(ctx context.Context) ([]known, error) {
	var listed []known
	err := getPages(ctx, c, "/subscriptions", url.Values{"api-version": {"2022-12-01"}}, func(s known) {
		listed = append(listed, known{ID: s.ARMID, Name: s.DisplayName, State: s.State, Tenant: s.Tenant})
	})
	if err != nil {
		return nil, c.fail(ctx, asking{"listing subscriptions", "Microsoft.Resources/subscriptions/read", "Reader"}, err)
	}
	return listed, nil
}

// getPages follows a list for which no SDK package is worth its weight.
func getPages[T any](ctx context.Context, c *Client, path string, query url.Values, each func(T)) error {
	next := runtime.JoinPaths(c.endpoint, path) + "?" + query.Encode()
	for n := 0; next != ""; n++ {
		if n == maxPages {
			return tooManyPages()
		}
		var page struct {
			Value    []T    `json:"value"`
			NextLink string `json:"nextLink"`
		}
		if err := c.getURL(ctx, next, &page); err != nil {
			return err
		}
		for _, v := range page.Value {
			each(v)
		}
		next = page.NextLink
	}
	return nil
}

// get reads one answer for which no SDK package is worth its weight.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.getURL(ctx, runtime.JoinPaths(c.endpoint, path)+"?"+query.Encode(), into)
}

func (c *Client) getURL(ctx context.Context, address string, into any) error {
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return err
	}
	resp, err := c.pipeline.Do(req) //nolint:bodyclose // the SDK's pipeline has read and closed it
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return runtime.NewResponseError(resp)
	}
	return runtime.UnmarshalAsJSON(resp, into)
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}
