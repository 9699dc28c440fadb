package apiserver

import (
	"testing"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func TestEndpointOf(t *testing.T) {
	tests := []struct {
		cluster target.Cluster
		want    Endpoint
	}{
		{target.Cluster{Server: "https://kube.example"}, Endpoint{Address: "kube.example:443", ServerName: "kube.example"}},
		{target.Cluster{Server: "https://kube.example:6443/"}, Endpoint{Address: "kube.example:6443", ServerName: "kube.example"}},
		{target.Cluster{Server: "HTTPS://Kube.Example:"}, Endpoint{Address: "kube.example:443", ServerName: "kube.example"}},
		{target.Cluster{Server: "https://kube.example/k8s/clusters/c-1?x=y"}, Endpoint{Address: "kube.example:443", ServerName: "kube.example"}},
		{target.Cluster{Server: "https://kube.example./"}, Endpoint{Address: "kube.example.:443", ServerName: "kube.example"}},
		{target.Cluster{Server: "https://alice:hunter2@kube.example"}, Endpoint{Address: "kube.example:443", ServerName: "kube.example"}},
		{target.Cluster{Server: "https://bücher.example"}, Endpoint{Address: "xn--bcher-kva.example:443", ServerName: "xn--bcher-kva.example"}},
		{target.Cluster{Server: "https://my_host:8443"}, Endpoint{Address: "my_host:8443", ServerName: "my_host"}},
		{target.Cluster{Server: "https://[::1]"}, Endpoint{Address: "[::1]:443", ServerName: "::1"}},
		{target.Cluster{Server: "https://[fe80::1%25eth0]:6443"}, Endpoint{Address: "[fe80::1%eth0]:6443", ServerName: "fe80::1%eth0"}},
		{target.Cluster{Server: "https://10.0.0.1:6443", TLSServerName: "kube.example", ProxyURL: "http://p"}, Endpoint{Address: "10.0.0.1:6443", ServerName: "kube.example", ProxyURL: "http://p"}},
		{target.Cluster{Server: "10.0.0.1:6443", InsecureSkipTLSVerify: true}, Endpoint{Address: "10.0.0.1:6443", ServerName: "10.0.0.1"}},
		{target.Cluster{Server: "kube.example", CA: target.Material{File: "ca.crt"}}, Endpoint{Address: "kube.example:443", ServerName: "kube.example"}},
		{target.Cluster{Server: "localhost:6443", CA: target.Material{File: "ca.crt"}}, Endpoint{Address: "localhost:6443", ServerName: "localhost"}},
		{target.Cluster{Server: "[::1]:6443", CA: target.Material{File: "ca.crt"}}, Endpoint{Address: "[::1]:6443", ServerName: "::1"}},
	}
	for _, tt := range tests {
		got, gap := endpointOf(tt.cluster, nil)
		if gap != nil || got != tt.want {
			t.Errorf("server %q: %+v, %+v; want %+v", tt.cluster.Server, got, gap, tt.want)
		}
	}
	// A client certificate makes it TLS too.
	user := &target.User{ClientCertificate: target.Material{File: "c.crt"}}
	if got, gap := endpointOf(target.Cluster{Server: "kube.example"}, user); gap != nil || got.Address != "kube.example:443" {
		t.Errorf("%+v, %+v", got, gap)
	}
}

func TestEndpointOfGap(t *testing.T) {
	tests := []struct {
		server string
		reason report.Reason
		says   string
	}{
		{"http://kube.example:8080", report.ReasonUnsupported, "server kube.example:8080 is plain http"},
		{"http://alice:hunter2@kube.example", report.ReasonUnsupported, "plain http"},
		{"kube.example:8080", report.ReasonUnsupported, "plain http"},
		{"unix:///var/run/kube.sock", report.ReasonMalformed, ""},
		{"ftp://kube.example", report.ReasonUnsupported, `scheme "ftp"`},
		{"", report.ReasonMalformed, "names no server"},
		{"kube.example/prefix", report.ReasonMalformed, "neither a URL nor host:port"},
		{"https://", report.ReasonMalformed, ""},
		{"https://:6443", report.ReasonMalformed, "not a host"},
		{"https://kube.example:70000", report.ReasonMalformed, "not a port"},
		{"https://kube.example:port", report.ReasonMalformed, "neither a URL nor host:port"},
		{"https://alice:hunter2@kube example", report.ReasonMalformed, "not a URL"},
		{"https://alice:hunter2@kube.example:port", report.ReasonMalformed, "not a URL"},
		{"https://$(id)", report.ReasonMalformed, "not a host"},
		{"https://kube\u202eexample", report.ReasonMalformed, `"kube\u202eexample" is not a host`},
	}
	for _, tt := range tests {
		_, gap := endpointOf(target.Cluster{Name: "prod", File: "config", Server: tt.server}, nil)
		wantGap(t, gap, tt.reason, false, tt.says)
		if gap != nil && gap.Location != "config#clusters/prod" {
			t.Errorf("server %q: location %q", tt.server, gap.Location)
		}
	}
}
