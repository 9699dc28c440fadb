package demo

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const group = "/subscriptions/" + subscriptionID + "/resourceGroups/"

func BenchmarkStart(b *testing.B) {
	for _, nodes := range []int{0, 200, 1000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			for b.Loop() {
				e, err := Start(b.Context(), Options{Now: time.Now(), Nodes: nodes, Dir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Every cluster, pool and node can be found the ways there are, page by page.
func TestListing(t *testing.T) {
	e, c := start(t, Options{})
	clusters, pages := c.all("/subscriptions/" + subscriptionID + "/providers/Microsoft.ContainerService/managedClusters")
	if len(clusters) != len(estate()) || pages < 2 {
		t.Fatalf("%d clusters on %d pages", len(clusters), pages)
	}
	for i, cluster := range clusters {
		want := e.clusters[i]
		got := c.do(http.MethodGet, strings.ToUpper(cluster.str("id")), "")
		if got.str("name") != want.name || got.str("properties", "powerState", "code") != want.powerState() {
			t.Errorf("got %s", got.text)
		}
		if found := nodesOf(c, cluster); found != len(want.machines) {
			t.Errorf("%s: found %d machines of %d", want.name, found, len(want.machines))
		}
	}
	in, _ := c.all(group + "shop/providers/Microsoft.ContainerService/managedClusters")
	if len(in) != 2 {
		t.Errorf("%d clusters in the group, want 2", len(in))
	}
	resources, _ := c.all("/subscriptions/" + subscriptionID + "/resources?$expand=createdTime")
	if len(resources) != len(clusters) || resources[0].str("createdTime") == "" {
		t.Errorf("%d resources, first %v", len(resources), resources[0].body)
	}
}

// nodesOf counts machines by machines, instances and VMs, each machine once.
func nodesOf(c *client, cluster answer) int { return nodesIn(c, cluster, group) }

func nodesIn(c *client, cluster answer, group string) int {
	seen := map[string]bool{}
	nodeGroup := group + cluster.str("properties", "nodeResourceGroup") + "/providers/Microsoft.Compute"
	pools, _ := c.all(cluster.str("id") + "/agentPools")
	for _, pool := range pools {
		machines, _ := c.all(pool.str("id") + "/machines")
		for _, m := range machines {
			seen[strings.ToLower(m.str("properties", "resourceId"))] = true
		}
	}
	sets, _ := c.all(nodeGroup + "/virtualMachineScaleSets")
	for _, set := range sets {
		instances, _ := c.all(set.str("id") + "/virtualMachines?$expand=instanceView")
		for _, vm := range instances {
			seen[strings.ToLower(vm.str("id"))] = true
			if vm.at("properties", "instanceView") == nil || vm.str("properties", "osProfile", "computerName") == "" {
				c.t.Errorf("instance %v", vm.body)
			}
		}
	}
	vms, _ := c.all(nodeGroup + "/virtualMachines")
	for _, vm := range vms {
		seen[strings.ToLower(vm.str("id"))] = true
	}
	return len(seen)
}

// What is handed out leads to an API server with the certificate of the table.
func TestCredentials(t *testing.T) {
	e, c := start(t, Options{})
	for _, cluster := range e.clusters {
		a := c.do(http.MethodPost, cluster.id()+"/listClusterUserCredential", "")
		value := a.at("kubeconfigs").([]any)[0].(map[string]any)["value"].(string)
		text, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		var config struct {
			Clusters []struct {
				Cluster struct {
					CA     string `yaml:"certificate-authority-data"`
					Server string `yaml:"server"`
				} `yaml:"cluster"`
			} `yaml:"clusters"`
			Users []struct {
				Name string         `yaml:"name"`
				User map[string]any `yaml:"user"`
			} `yaml:"users"`
		}
		if err := yaml.Unmarshal(text, &config); err != nil {
			t.Fatalf("%s: %v\n%s", cluster.name, err, text)
		}
		user := config.Users[0]
		if user.Name != "clusterUser_"+cluster.group+"_"+cluster.name {
			t.Errorf("user %q", user.Name)
		}
		if _, exec := user.User["exec"]; exec != cluster.entra {
			t.Errorf("%s: exec %v", cluster.name, exec)
		}
		if cluster.powerState() == stopped {
			continue
		}
		ca, _ := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		connection, err := tls.Dial("tcp", strings.TrimPrefix(config.Clusters[0].Cluster.Server, "https://"), &tls.Config{RootCAs: roots, ServerName: cluster.dns()})
		if err != nil {
			t.Fatalf("%s: %v", cluster.name, err)
		}
		leaf := connection.ConnectionState().PeerCertificates[0]
		connection.Close()
		if leaf.NotAfter.Sub(leaf.NotBefore) != cluster.apiserver.life || leaf.Subject.CommonName != "apiserver" {
			t.Errorf("%s: %s until %s", cluster.name, leaf.Subject, leaf.NotAfter)
		}
	}
	if a := c.do(http.MethodPost, e.clusters[5].id()+"/listClusterAdminCredential", ""); a.status != http.StatusBadRequest {
		t.Errorf("admin of a cluster without local accounts: %d %s", a.status, a.text)
	}
}

func TestAPIServerKnowsItsCallers(t *testing.T) {
	e, c := start(t, Options{})
	insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer insecure.CloseIdleConnections()
	entra := c.login(e.secret, aksServerApplication+"/.default").str("access_token")
	for _, test := range []struct {
		cluster int
		token   string
		want    int
	}{
		{0, "", 401}, {0, e.clusters[0].token, 200}, {0, entra, 401}, {0, c.token, 401}, {5, entra, 200}, {5, c.token, 401}, {5, e.clusters[5].token, 401},
	} {
		r, _ := http.NewRequest(http.MethodGet, e.clusters[test.cluster].server+"/healthz", nil)
		r.Header.Set("Authorization", "Bearer "+test.token)
		response, err := insecure.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s: %d, want %d", e.clusters[test.cluster].name, response.StatusCode, test.want)
		}
	}
}

// The files of aks.md are there, and are what they are called.
func TestNodeFiles(t *testing.T) {
	e, _ := start(t, Options{})
	for _, test := range []struct {
		cluster string
		pool    int
		path    string
		name    string // the certificate's common name; empty: there is no such file
		blocks  int
	}{
		{"healthy", 0, "var/lib/kubelet/pki/kubelet-client-current.pem", "system:node:aks-system-10402019-vmss000000", 2},
		{"healthy", 0, "var/lib/kubelet/pki/kubelet-server-current.pem", "system:node:aks-system-10402019-vmss000000", 2},
		{"healthy", 0, "etc/kubernetes/certs/ca.crt", "ca", 1},
		{"healthy", 0, "etc/kubernetes/certs/apiserver.crt", "apiserver", 1},
		{"healthy", 0, "etc/kubernetes/certs/client.crt", "", 0},
		{"legacy", 0, "etc/kubernetes/certs/client.crt", "client", 1},
		{"legacy", 0, "etc/kubernetes/certs/kubeletserver.crt", "aks-agentpool-10409938-0", 1},
		{"legacy", 0, "var/lib/kubelet/pki/kubelet-client-current.pem", "", 0},
		{"legacy", 0, "var/lib/kubelet/bootstrap-kubeconfig", "", 0},
		{"rotating", 0, "etc/kubernetes/certs/ca.crt", "ca", 2},
		{"mixed", 1, "k/pki/kubelet-client-current.pem", "system:node:akswin22000000", 2},
		{"mixed", 2, "var/lib/kubelet/pki/kubelet-client-current.pem", "system:node:aks-secure-10433695-vmss000000", 2},
		{"mixed", 2, "var/lib/kubelet/bootstrap-kubeconfig", "", 0},
	} {
		dir, err := e.machineOf(t, test.cluster, test.pool, 0).disk()
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, test.path))
		if (err == nil) != (test.name != "") {
			t.Errorf("%s: %s: %v", test.cluster, test.path, err)
		}
		if err != nil {
			continue
		}
		blocks := strings.Count(string(content), "-----BEGIN ")
		block, _ := pem.Decode(content)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if certificate.Subject.CommonName != test.name || blocks != test.blocks {
			t.Errorf("%s: %s: %q in %d blocks", test.cluster, test.path, certificate.Subject.CommonName, blocks)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	e, _ := start(t, Options{})
	dir, address := e.dir, e.address
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if connection, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{InsecureSkipVerify: true}); err == nil {
		connection.Close()
		t.Error("the listener is still there")
	}
}
