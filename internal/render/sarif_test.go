package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/akscert/akscert/pkg/report"
)

var sarifSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	data, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", document); err != nil {
		return nil, err
	}
	return c.Compile("sarif.json")
})

func readSARIF(t *testing.T, out []byte, r *report.Report) {
	t.Helper()
	schema, err := sarifSchema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("sarif: %v", err)
	}
	if err := schema.Validate(document); err != nil {
		t.Errorf("sarif: %v", err)
	}
	log := parsed(t, out)
	run := log.Runs[0]
	if len(run.Results) != min(len(r.Findings), sarifMost) {
		t.Errorf("sarif: %d results, %d findings", len(run.Results), len(r.Findings))
	}
	prints := map[string]bool{}
	for _, result := range run.Results {
		if run.Tool.Driver.Rules[result.RuleIndex].ID != result.RuleID {
			t.Errorf("sarif: result of %s points at %s", result.RuleID, run.Tool.Driver.Rules[result.RuleIndex].ID)
		}
		if p := result.Fingerprints["primaryLocationLineHash"]; prints[p] {
			t.Errorf("sarif: %s twice", p)
		} else {
			prints[p] = true
		}
	}
}

func parsed(t *testing.T, out []byte) sarifLog {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal(out, &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func sarifOf(t *testing.T, r *report.Report) sarifRun {
	t.Helper()
	return sarifIn(t, Checkout{Root: "/src/repo", Dir: "/src/repo"}, r)
}

func sarifIn(t *testing.T, in Checkout, r *report.Report) sarifRun {
	t.Helper()
	var b bytes.Buffer
	if err := SARIF(&b, r, someRules(), in); err != nil {
		t.Fatal(err)
	}
	readSARIF(t, b.Bytes(), r)
	return parsed(t, b.Bytes()).Runs[0]
}

// A result is about a file of the repository where there is one.
func TestSARIFLocation(t *testing.T) {
	tests := []struct {
		source         report.Source
		location, want string
	}{
		{report.SourceFile, "deploy/tls certs/web.pem#0", "deploy/tls%20certs/web.pem"},
		{report.SourceFile, "./web.pem", "web.pem"},
		{report.SourceFile, `deploy\web.pem`, "deploy/web.pem"},
		{report.SourceFile, "web#1.pem#2", "web%231.pem"},
		{report.SourceFile, "web:blue.pem", "web%3Ablue.pem"},
		{report.SourceFile, "deploy/secret.yaml#Secret/default/web/tls.crt", "deploy/secret.yaml"},
		{report.SourceFile, "deploy/secret.yaml#Secret/default/web/tls.crt#1", "deploy/secret.yaml"},
		{report.SourceFile, "deploy/values.yml#tls/ca", "deploy/values.yml"},
		{report.SourceFile, "deploy/all#ConfigMap/ca/ca.crt", "deploy/all"},
		{report.SourceFile, "kube.conf#users/we#ird/name", "kube.conf"},
		{report.SourceKubeconfig, "kube.yaml#users/clusterUser_rg/prod", "kube.yaml"},
		{report.SourceKubeconfig, "listClusterUserCredential#users/x", "akscert/prod"},
		{report.SourceKubeconfig, "/home/me/.kube/config#users/x", "akscert/prod"},
		{report.SourceKubeconfig, "~/config#users/x", "akscert/prod"},
		{report.SourceFile, `C:\certs\web.pem`, "akscert/prod"},
		{report.SourceFile, "../web.pem", "akscert/prod"},
		{report.SourceFile, "a/../../web.pem", "akscert/prod"},
		{report.SourceFile, "example.com:443", "akscert/prod"},
		{report.SourceFile, "[2001:db8::1]:443#1", "akscert/prod"},
		{report.SourceFile, "-", "akscert/prod"},
		{report.SourceNode, "etc/x.pem", "akscert/prod"},
		{report.SourceAPIServer, "", "akscert/prod"},
	}
	for _, test := range tests {
		r := blank()
		r.Clusters = append(r.Clusters, report.Cluster{ID: "prod", Name: "prod", Sources: []report.SourceStatus{}})
		add(r, "prod", test.source, report.RoleOther, "", test.location, -1, report.StateExpired, "")
		if got := sarifOf(t, r).Results[0].Locations[0].Physical.Artifact.URI; got != test.want {
			t.Errorf("%s %q: %s, want %s", test.source, test.location, got, test.want)
		}
	}
}

// From whichever folder of the repository akscert was run, a file is the same file,
// and an alert on it the same alert.
func TestSARIFFromAFolder(t *testing.T) {
	prints := map[report.Source]map[string]bool{report.SourceKubeconfig: {}, report.SourceFile: {}}
	for _, test := range []struct {
		in             Checkout
		location, want string
	}{
		{Checkout{Root: "/src/repo", Dir: "/src/repo"}, "deploy/kube.yaml#users/x", "deploy/kube.yaml"},
		{Checkout{Root: "/src/repo", Dir: "/src/repo/deploy"}, "kube.yaml#users/x", "deploy/kube.yaml"},
		{Checkout{Root: "/src/repo", Dir: "/src/repo/deploy"}, "./kube.yaml#users/x", "deploy/kube.yaml"},
		{Checkout{Root: "/src/repo", Dir: "/src/repo/charts/a"}, "../../deploy/kube.yaml#users/x", "deploy/kube.yaml"},
		{Checkout{Root: "/src/repo", Dir: "/src/repo/charts"}, "/src/repo/deploy/kube.yaml#users/x", "deploy/kube.yaml"},
		{Checkout{Root: "C:/src/repo", Dir: "C:/src/repo/deploy"}, "kube.yaml#users/x", "deploy/kube.yaml"},
		{Checkout{Root: "C:/src/repo", Dir: "C:/src/repo"}, `C:\src\repo\deploy\kube.yaml#users/x`, "deploy/kube.yaml"},
		{Checkout{Root: "/", Dir: "/deploy"}, "kube.yaml#users/x", "deploy/kube.yaml"},

		{Checkout{Root: "/src/repo", Dir: "/src/repo/deploy"}, "../../kube.yaml#users/x", "akscert/prod"},
		{Checkout{Root: "/src/repo", Dir: "/src/repo"}, "/src/repository/kube.yaml#users/x", "akscert/prod"},
		{Checkout{}, "kube.yaml#users/x", "akscert/prod"},
	} {
		for source, prints := range prints {
			r := blank()
			r.Clusters = append(r.Clusters, report.Cluster{ID: "prod", Name: "prod", Sources: []report.SourceStatus{}})
			add(r, "prod", source, report.RoleClient, "", test.location, -1, report.StateExpired, "replace/"+test.location) // as audit calls it
			result := sarifIn(t, test.in, r).Results[0]
			if got := result.Locations[0].Physical.Artifact.URI; got != test.want {
				t.Errorf("%q in %v: %s, want %s", test.location, test.in, got, test.want)
			} else if got != "akscert/prod" {
				prints[result.Fingerprints["akscertPlace/v1"]] = true
			}
		}
	}
	for source, prints := range prints {
		if len(prints) != 1 {
			t.Errorf("%s: %d fingerprints of one file", source, len(prints))
		}
	}
}

// A renewal is not another alert, when it comes to an end again; another place is.
func TestSARIFFingerprints(t *testing.T) {
	prints := func(edit func(*report.Certificate), find func(*report.Finding)) []string {
		r := ill()
		for i := range r.Certificates {
			edit(&r.Certificates[i])
		}
		for i := range r.Findings {
			find(&r.Findings[i])
		}
		var all []string
		for _, result := range sarifOf(t, r).Results {
			all = append(all, result.Fingerprints["primaryLocationLineHash"])
		}
		return all
	}
	same := func(*report.Finding) {}
	base := prints(func(*report.Certificate) {}, same)
	renewed := prints(func(c *report.Certificate) {
		c.ID, c.SHA256, c.Serial, c.NotAfter, c.NotBefore = c.ID+"x", "ff", "ff", in(7), in(-7)
	}, func(f *report.Finding) {
		f.By, f.Message = in(7), "another message"
		if f.Certificate != "" {
			f.Certificate += "x"
		}
	})
	if !reflect.DeepEqual(base, renewed) {
		t.Errorf("renewed: %v, was %v", renewed, base)
	}
	for what, moved := range map[string][]string{
		"another location": prints(func(c *report.Certificate) { c.Location += "x" }, same),
		"another role":     prints(func(c *report.Certificate) { c.Role += "x" }, same),
		"another source":   prints(func(c *report.Certificate) { c.Source += "x" }, same),
		"another node":     prints(func(*report.Certificate) {}, func(f *report.Finding) { f.Node += "x" }),
		"another cluster":  prints(func(*report.Certificate) {}, func(f *report.Finding) { f.Cluster += "x" }),
		"another rule":     prints(func(*report.Certificate) {}, func(f *report.Finding) { f.Rule += "x" }),
	} {
		if reflect.DeepEqual(base, moved) {
			t.Errorf("%s, and still the same", what)
		}
	}
}

func TestSARIFIsCut(t *testing.T) {
	r := blank()
	for i := range sarifMost + 7 {
		r.Findings = append(r.Findings, report.Finding{Rule: "certificate-warning", Severity: report.SeverityWarning, Message: "x", Node: fmt.Sprint(i)})
	}
	r.Findings = append(r.Findings, report.Finding{Rule: "certificate-expired", Severity: report.SeverityExpired, Message: "the worst, though it comes last"})
	run := sarifOf(t, r)
	if run.Results[0].RuleID != "certificate-expired" || len(run.Results) != sarifMost {
		t.Errorf("%d results, the first of %s", len(run.Results), run.Results[0].RuleID)
	}
	if n := run.Invocations[0].Notifications; len(n) != 1 || n[0].Message.Text != "8 more results, the least severe, are left out: see the report in another format" {
		t.Errorf("notifications: %+v", n)
	}
}
