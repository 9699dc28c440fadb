package discover

import (
	"context"
	"errors"
	"net"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// Azure is what discovery asks of ARM.
type Azure interface {
	Cluster(ctx context.Context, subscription, group, name string) (target.ARM, error)
	UserKubeconfig(ctx context.Context, cluster target.ARM) ([]byte, error)
	AdminKubeconfig(ctx context.Context, cluster target.ARM) ([]byte, error)
}

// explained is an error of Azure's that knows why.
type explained interface {
	error
	Gap() (reason report.Reason, message, hint string, retryable bool)
}

// ARM reads one cluster's resource, and the kubeconfig that ARM hands out: the
// user's, or with admin the cluster administrator's. Without a kubeconfig the
// cluster is a target all the same, and the gap says why.
func ARM(ctx context.Context, azure Azure, subscription, group, name string, admin bool) (target.Target, []report.Gap, error) {
	cluster, err := azure.Cluster(ctx, subscription, group, name)
	if err != nil {
		var why explained
		if errors.As(err, &why) {
			reason, message, hint, retryable := why.Gap()
			if ctx.Err() != nil {
				// Ended before it was read: a report says so, and no more.
				id := strings.ToLower("/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.ContainerService/managedClusters/" + name)
				return target.Target{ID: id, Name: name}, []report.Gap{{Cluster: id, Source: report.SourceARM, Count: 1,
					Reason: reason, Message: message, Hint: hint, Retryable: retryable}}, nil
			}
			return target.Target{}, nil, &Error{message, hint}
		}
		return target.Target{}, nil, err
	}
	t := target.Target{ID: strings.ToLower(cluster.ID), Name: cluster.Name, ARM: &cluster}
	credential, from := azure.UserKubeconfig, "listClusterUserCredential"
	if admin {
		credential, from = azure.AdminKubeconfig, "listClusterAdminCredential"
	}
	gap := report.Gap{Cluster: t.ID, Source: report.SourceKubeconfig, Count: 1, Location: from}
	data, err := credential(ctx, cluster)
	if err == nil {
		if err = entries(&t, data, from); err == nil {
			return t, nil, nil
		}
		gap.Reason, gap.Message, gap.Hint = report.ReasonMalformed, err.Error(), "az aks get-credentials must read it"
	} else {
		gap.Reason, gap.Message = report.ReasonUnreachable, "reading the cluster's kubeconfig from ARM failed"
		var why explained
		if errors.As(err, &why) {
			gap.Reason, gap.Message, gap.Hint, gap.Retryable = why.Gap()
		}
	}
	if cluster.FQDN != "" {
		t.Cluster = &target.Cluster{Name: cluster.Name, File: from, Server: "https://" + net.JoinHostPort(cluster.FQDN, "443"), CAUnknown: true}
	}
	return t, []report.Gap{gap}, nil
}

// entries fills in t from the kubeconfig's current context. As with files,
// clientcmd's own error is not passed on: it may quote what it read.
func entries(t *target.Target, data []byte, from string) error {
	config, err := clientcmd.Load(data)
	if err != nil {
		return errors.New("the kubeconfig that ARM handed out cannot be loaded")
	}
	if config.Contexts[config.CurrentContext] == nil {
		return errors.New("the kubeconfig that ARM handed out has no current context")
	}
	for _, entry := range config.Clusters {
		entry.LocationOfOrigin = from
		entry.CertificateAuthority = "" // no path of another machine is ours to read
	}
	for _, entry := range config.AuthInfos {
		entry.LocationOfOrigin = from
		entry.ClientCertificate, entry.ClientKey, entry.TokenFile = "", "", ""
	}
	got := fromContext(config.CurrentContext, config)
	t.Context, t.Cluster, t.User, t.Problems = got.Context, got.Cluster, got.User, got.Problems
	return nil
}
