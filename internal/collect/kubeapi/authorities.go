package kubeapi

import (
	"context"
	"errors"
	"io"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// authorities asks for the CAs that the API server accepts client certificates
// of, which it publishes for the servers that extend it.
func authorities(ctx context.Context, client *kube.Client) ([]collect.Observation, error) {
	const location = "configmap/kube-system/extension-apiserver-authentication"
	var published struct {
		Kind string
		Data map[string]string
	}
	err := client.Get(ctx, kube.Request{Path: "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
		What: "reading the API server's client CAs", Location: location,
		Needs: "get on configmaps/extension-apiserver-authentication in kube-system: the built-in Role extension-apiserver-authentication-reader there has it"},
		func(r io.Reader) error {
			if err := kube.JSON(&published)(r); err != nil {
				return err
			}
			if published.Kind != "ConfigMap" {
				return errors.New("no ConfigMap")
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	var seen []collect.Observation
	for _, key := range []struct {
		name string
		role report.Role
	}{{"client-ca-file", report.RoleClientCA}, {"requestheader-client-ca-file", report.RoleRequestHeaderCA}} {
		place := location + "#" + key.name
		bundle, ok := published.Data[key.name]
		found, problems := certs.Read([]byte(bundle))
		switch {
		case !ok && key.role == report.RoleRequestHeaderCA: // normal without an aggregator
		case !ok:
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: place, Reason: report.ReasonNotFound,
				Message: "the API server publishes no CA for client certificates", Hint: "look at it with: kubectl -n kube-system get configmap extension-apiserver-authentication -o yaml"}})
		case len(found)+len(problems) == 0:
			seen = append(seen, collect.Observation{Gap: &collect.Gap{Location: place, Reason: report.ReasonMalformed,
				Message: "reading " + key.name + ": holds no certificate", Hint: "look at it with: kubectl -n kube-system get configmap extension-apiserver-authentication -o yaml"}})
		default:
			seen = append(seen, collect.Rows(found, problems, place, func(int) report.Role { return key.role })...)
		}
	}
	return seen, nil
}
