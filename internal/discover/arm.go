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
// cluster is a target all the same, and the gap says why; a cluster that is not
// there is a gap alone, and the target is zero.
func ARM(ctx context.Context, azure Azure, subscription, group, name string, admin bool) (target.Target, []report.Gap, error) {
	cluster, err := azure.Cluster(ctx, subscription, group, name)
	if err != nil {
		var why explained
		if errors.As(err, &why) {
			reason, message, hint, retryable := why.Gap()
			if reason == report.ReasonNotFound {
				return target.Target{}, []report.Gap{{SubscriptionID: subscription, Source: report.SourceARM, Count: 1, Reason: reason, Message: message, Hint: hint}}, nil // nothing matched
			}
			if ctx.Err() != nil || retryable {
				// Ended before it was read, or out of reach for now: a report says
				// so, and no more.
				id := strings.ToLower("/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.ContainerService/managedClusters/" + name)
				return target.Target{ID: id, Name: name}, []report.Gap{{Cluster: id, SubscriptionID: subscription, Source: report.SourceARM, Count: 1,
					Reason: reason, Message: message, Hint: hint, Retryable: retryable}}, nil
			}
			return target.Target{}, nil, &Error{message, hint}
		}
		return target.Target{}, nil, err
	}
	t := target.Target{ID: strings.ToLower(cluster.ID), Name: cluster.Name, ARM: &cluster}
	t, gaps := handedOut(ctx, azure, t, admin)
	return t, gaps, nil
}

// handedOut adds the kubeconfig that ARM hands out, or else the API server's
// address and why there is no more.
func handedOut(ctx context.Context, azure Azure, t target.Target, admin bool) (target.Target, []report.Gap) {
	credential, from := azure.UserKubeconfig, userCredential
	if admin {
		credential, from = azure.AdminKubeconfig, adminCredential
	}
	data, err := credential(ctx, *t.ARM)
	if err == nil {
		if err = entries(&t, data, from); err == nil {
			return t, nil
		}
		err = misread{err.Error()}
	}
	g := gap(err, "reading the cluster's kubeconfig from ARM failed")
	g.Cluster, g.Source, g.Location = t.ID, report.SourceKubeconfig, from
	return byName(t, from), []report.Gap{g}
}

// The actions that hand out kubeconfigs stand for their files.
const (
	userCredential  = target.UserCredential
	adminCredential = target.AdminCredential
)

// byName gives t its API server by the name that ARM has for it.
func byName(t target.Target, from string) target.Target {
	if t.ARM.FQDN != "" {
		t.Cluster = &target.Cluster{Name: t.ARM.Name, File: from, Server: "https://" + net.JoinHostPort(t.ARM.FQDN, "443"), CAUnknown: true}
	}
	return t
}

// misread is a kubeconfig of ARM's that cannot be used.
type misread struct{ message string }

func (e misread) Error() string { return e.message }

// Gap is as with Azure's own errors.
func (e misread) Gap() (report.Reason, string, string, bool) {
	return report.ReasonMalformed, e.message, "az aks get-credentials must read it", false
}

// Resolve reads the resource of a target that is only listed, and the
// kubeconfig that ARM hands out for it: the user's, or with admin the cluster
// administrator's. Whatever fails is a gap, and the target stays, with what is
// known: its API server is still there to shake hands with.
//
// A target that has a kubeconfig's entries keeps them. ARM's kubeconfig then only
// tells whether the client certificate in hand is the one that is handed out
// now. Without a certificate in hand it is not asked for; that it cannot be had is
// no gap, for nothing that the audit was asked about is missing then.
func Resolve(ctx context.Context, azure Azure, t target.Target, admin bool) (target.Target, []report.Gap) {
	if t.ARM == nil || !t.ARM.Listed {
		return t, nil
	}
	own := t.Context != "" || t.Cluster != nil
	cluster, err := azure.Cluster(ctx, t.ARM.SubscriptionID, t.ARM.ResourceGroup, t.ARM.Name)
	if err != nil {
		g := gap(err, "reading the cluster's resource failed")
		g.Cluster, g.Location = t.ID, t.ARM.ID
		// An identity that may not read clusters may still be handed a kubeconfig.
		if !own && g.Reason == report.ReasonForbidden {
			t, more := handedOut(ctx, azure, t, admin)
			return t, append([]report.Gap{g}, more...)
		}
		if !own && g.Reason != report.ReasonNotFound { // it was deleted since it was listed
			t = byName(t, userCredential)
		}
		return t, []report.Gap{g}
	}
	t.ARM, t.Name = &cluster, cluster.Name
	if !own {
		return handedOut(ctx, azure, t, admin)
	}
	if t.User == nil || t.User.ClientCertificate.IsZero() {
		return t, nil
	}
	if now, gaps := handedOut(ctx, azure, target.Target{ID: t.ID, ARM: &cluster}, admin); len(gaps) == 0 && now.User != nil {
		t.Issued = now.User.ClientCertificate
	}
	return t, nil
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
