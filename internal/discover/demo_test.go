package discover_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/azure"
	"github.com/akscert/akscert/internal/demo"
	"github.com/akscert/akscert/internal/discover"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

// sample is the sample estate and a client of it, as an audit has it.
func sample(t *testing.T, o demo.Options) (*demo.Estate, *azure.Client) {
	t.Helper()
	o.Now, o.Dir, o.Log = time.Now(), t.TempDir(), t.Logf
	e, err := demo.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	roots := x509.NewCertPool()
	for _, pair := range e.Environment() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
		if name == "SSL_CERT_FILE" {
			pem, err := os.ReadFile(value)
			if err != nil {
				t.Fatal(err)
			}
			roots.AppendCertsFromPEM(pem)
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(client.CloseIdleConnections)
	c, err := azure.New(azure.Config{Transport: client, Auth: "environment"})
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

func everywhere(t *testing.T, c *azure.Client) []string {
	t.Helper()
	seen, err := c.Subscriptions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range seen {
		ids = append(ids, s.ID)
	}
	return ids
}

// The same fleet comes of Resource Graph, of its small pages, and of ARM's lists;
// of half an answer comes half of it, and a gap.
func TestFleetOfTheSample(t *testing.T) {
	for name, test := range map[string]struct {
		options demo.Options
		part    bool
	}{
		"graph":     {demo.Options{Clusters: 5, NodesPerCluster: 1}, false},
		"pages":     {demo.Options{Clusters: 5, NodesPerCluster: 1, GraphPage: 2}, false},
		"lists":     {demo.Options{Clusters: 5, NodesPerCluster: 1, GraphForbidden: true}, false},
		"truncated": {demo.Options{Clusters: 5, NodesPerCluster: 1, GraphTruncated: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			e, c := sample(t, test.options)
			subscriptions := everywhere(t, c)
			targets, gaps, err := discover.Fleet{Subscriptions: subscriptions}.Find(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if test.part {
				if len(targets) == 0 || len(targets) >= len(e.Clusters()) || len(gaps) != 1 || gaps[0].Reason != report.ReasonTruncated {
					t.Fatalf("%d targets, gaps %+v", len(targets), gaps)
				}
				return
			}
			if len(targets) != len(e.Clusters()) || len(gaps) > 0 {
				t.Fatalf("%d targets, gaps %+v", len(targets), gaps)
			}
			for i, x := range targets {
				if !x.ARM.Listed || x.ARM.FQDN == "" || x.ARM.Tags["env"] == "" || i > 0 && x.ID <= targets[i-1].ID {
					t.Errorf("%+v", x)
				}
			}
			some, gaps, err := discover.Fleet{Subscriptions: subscriptions, Names: []string{"fleet-*"}, Tags: []string{"env=prod"}}.Find(t.Context(), c)
			if err != nil || len(some) != 5 || len(gaps) > 0 {
				t.Errorf("%d of the fleet, gaps %+v, %v", len(some), gaps, err)
			}
			_, gaps, err = discover.Fleet{Subscriptions: append(subscriptions, "a55e5500-0000-4000-8000-00000000000f")}.Find(t.Context(), c)
			if err != nil || len(gaps) != 1 || gaps[0].Reason != report.ReasonNotFound || !strings.Contains(gaps[0].Message, "00000000000f") {
				t.Errorf("gaps %+v, %v", gaps, err)
			}
		})
	}
}

// A context of the user's and the resource are one target, and its certificate
// is still the one that is handed out.
func TestJoinTheSample(t *testing.T) {
	_, c := sample(t, demo.Options{})
	healthy := target.ARM{SubscriptionID: everywhere(t, c)[0], ResourceGroup: "shop", Name: "healthy"}
	kubeconfig, err := c.UserKubeconfig(t.Context(), healthy)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	contexts, _, err := discover.Kubeconfig(t.Context(), discover.Scope{Kubeconfig: file, All: true})
	if err != nil {
		t.Fatal(err)
	}
	listed, _, err := discover.List(t.Context(), strings.NewReader("/subscriptions/"+healthy.SubscriptionID+"/resourceGroups/SHOP/providers/Microsoft.ContainerService/managedClusters/HEALTHY\r\n"), "clusters.txt")
	if err != nil {
		t.Fatal(err)
	}
	described, missing := discover.Describe(t.Context(), c, listed.Clusters)
	if len(missing) > 0 {
		t.Fatalf("gaps %+v", missing)
	}
	joined := discover.Join(contexts, described)
	if len(joined) != 1 || joined[0].Context != "healthy" || joined[0].ID != listed.Clusters[0].ID {
		t.Fatalf("%+v", joined)
	}
	got, gaps := discover.Resolve(t.Context(), c, joined[0], false)
	if len(gaps) > 0 || got.ARM.Listed || len(got.ARM.Pools) == 0 || got.User.File != file || len(got.Issued.Data) == 0 || !slices.Equal(got.Issued.Data, got.User.ClientCertificate.Data) {
		t.Errorf("%+v, gaps %+v", got, gaps)
	}
	gone := listed.Clusters[0]
	lost := *gone.ARM
	lost.Name, gone.ARM = "nosuch", &lost
	if got, gaps := discover.Resolve(t.Context(), c, gone, false); len(gaps) != 1 || gaps[0].Reason != report.ReasonNotFound || got.ID != gone.ID {
		t.Errorf("%+v, gaps %+v", got, gaps)
	}
}
