package kubeapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
)

// version asks for the server's version.
func version(ctx context.Context, client *kube.Client, api *collect.API) error {
	// v1.33.5, v1.30.0-gke.100, v1.31.2+k3s1
	plausible := regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9A-Za-z.+~-]{1,60}$`)
	return client.Get(ctx, kube.Request{Path: "/version", What: "reading the server's version", Location: "/version",
		Needs: "get on the path /version: the built-in ClusterRole system:public-info-viewer has it"}, func(r io.Reader) error {
		var info struct{ GitVersion string }
		if err := kube.JSON(&info)(r); err != nil {
			return err
		}
		if !plausible.MatchString(info.GitVersion) {
			return errors.New("no version")
		}
		api.Version = strings.TrimPrefix(info.GitVersion, "v")
		return nil
	})
}

// builtIn is a role that every API server makes when it starts with RBAC as an
// authorizer, and only then.
const builtIn = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:discovery"

// rbac asks whether Kubernetes RBAC is on. That its API group is served is not
// enough: kube-apiserver 1.37 serves it with --authorization-mode=AlwaysAllow
// too, but without a single role in it. Whoever is forbidden to look has met an
// authorizer, which where RBAC is off there is none of.
func rbac(ctx context.Context, client *kube.Client, api *collect.API) error {
	served, err := groups(ctx, client)
	if err != nil {
		return err
	}
	on := served
	if served {
		err = client.Get(ctx, kube.Request{Path: builtIn, Accept: "application/json", What: "looking for RBAC's built-in roles", Location: builtIn,
			Needs: "get on clusterroles.rbac.authorization.k8s.io"}, func(r io.Reader) error {
			var role struct{ Kind string }
			if err := kube.JSON(&role)(r); err != nil {
				return err
			}
			if role.Kind != "ClusterRole" {
				return errors.New("no role")
			}
			return nil
		})
		var failed *kube.Error
		switch {
		case err == nil:
		case errors.As(err, &failed) && failed.Code == http.StatusForbidden && failed.Status:
		case errors.As(err, &failed) && failed.Code == http.StatusNotFound && failed.Status:
			on = false
		default:
			return err
		}
	}
	api.RBAC = &on
	return nil
}

// groups asks whether RBAC's API group is served.
func groups(ctx context.Context, client *kube.Client) (served bool, err error) {
	err = client.Get(ctx, kube.Request{Path: "/apis", What: "listing the API groups", Location: "/apis",
		Needs: "get on the path /apis: the built-in ClusterRole system:discovery has it"}, func(r io.Reader) error {
		var list struct {
			Kind   string
			Groups []struct{ Name string }
		}
		if err := kube.JSON(&list)(r); err != nil {
			return err
		}
		if list.Kind != "APIGroupList" {
			return errors.New("no list of API groups")
		}
		for _, group := range list.Groups {
			served = served || group.Name == "rbac.authorization.k8s.io"
		}
		return nil
	})
	return served, err
}
