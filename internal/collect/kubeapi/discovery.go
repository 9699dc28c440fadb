package kubeapi

import (
	"context"
	"errors"
	"io"
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

// groups asks for the API groups that are served.
func groups(ctx context.Context, client *kube.Client, api *collect.API) error {
	return client.Get(ctx, kube.Request{Path: "/apis", What: "listing the API groups", Location: "/apis",
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
		rbac := false
		for _, group := range list.Groups {
			rbac = rbac || group.Name == "rbac.authorization.k8s.io"
		}
		api.RBAC = &rbac
		return nil
	})
}
