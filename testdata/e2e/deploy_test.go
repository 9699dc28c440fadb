package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/testdata/e2e/cluster"
)

// TestDeploy asks a real cluster what it makes of the manifests in deploy.
func TestDeploy(t *testing.T) {
	r := newRig(t)
	_, r.server = r.startServer(t, time.Now().Add(-cluster.Day), time.Now().Add(long))
	t.Run("accepted", r.accepted)
	t.Run("restricted", r.restricted)
	t.Run("arguments", r.arguments)
	t.Run("exit codes", r.exitCodes)
	t.Run("nodes", func(t *testing.T) {
		r.startFleet(t, nodes, func(i int) kubelet {
			return kubelet{name: nodeName(i), notAfter: time.Now().Add(300 * cluster.Day)}
		}).join(t, r)
		t.Run("least rights", r.leastRights)
		t.Run("in parts", r.inParts)
	})
}

// nodes are how many the cluster has for the audits.
const nodes = 3

func nodeName(i int) string { return fmt.Sprintf("aks-nodepool1-12345678-vmss%06d", i) }

// deploy is where the manifests are.
const deploy = "../../deploy"

// manifests are the objects of a folder of deploy, as "kubectl apply -k" sees
// them.
func (r *rig) manifests(t *testing.T, folder string) []cluster.Object {
	t.Helper()
	if r.kustomize == "" {
		r.kustomize = filepath.Join(r.cluster.Dir, "kustomize")
		compile(t, r.kustomize, "kustomize", ".")
	}
	dec := json.NewDecoder(bytes.NewReader(r.output(t, nil, r.kustomize, filepath.Join(deploy, folder))))
	var objects []cluster.Object
	for {
		var o cluster.Object
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	if len(objects) == 0 {
		t.Fatalf("deploy/%s makes nothing", folder)
	}
	return objects
}

// apply applies a folder of deploy for real.
func (r *rig) apply(t *testing.T, folder string) {
	t.Helper()
	for _, o := range r.manifests(t, folder) {
		if _, err := r.server.Apply(r.ctx, r.cluster.Admin, o, false); err != nil {
			t.Fatal(err)
		}
	}
}

// accepted: every object of every folder, without a warning and without a field
// that the server does not know.
func (r *rig) accepted(t *testing.T) {
	r.apply(t, "base") // a namespace has to be there for what is in it
	folders, err := os.ReadDir(deploy)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		for _, o := range r.manifests(t, folder.Name()) {
			if _, err := r.server.Apply(r.ctx, r.cluster.Admin, o, true); err != nil {
				t.Errorf("deploy/%s: %s: %v", folder.Name(), o.Name(), err)
			}
		}
	}
	// What the server would say of a mistake.
	misspelt := r.manifests(t, "indexed-job")
	o := misspelt[len(misspelt)-1]
	o["spec"].(map[string]any)["backOffLimitPerIndex"] = 3
	if _, err := r.server.Apply(r.ctx, r.cluster.Admin, o, true); err == nil || !strings.Contains(err.Error(), "backOffLimitPerIndex") {
		t.Errorf("a misspelt field: %v, want a refusal that names it", err)
	}
}

// job is what matters of a Job here.
type job struct {
	whole cluster.Object // a Job that is not there yet

	Spec struct {
		Completions    int
		CompletionMode string
		Template       struct {
			Metadata, Spec map[string]any
		}
	}
}

// jobs are what the folders make: the Job itself, or the one that the CronJob
// makes once a day.
func (r *rig) jobs(t *testing.T) map[string]job {
	t.Helper()
	all := map[string]job{}
	for _, folder := range []string{"cronjob", "indexed-job"} {
		for _, o := range r.manifests(t, folder) {
			switch o["kind"] {
			case "CronJob":
				template := o["spec"].(map[string]any)["jobTemplate"].(map[string]any)
				all[folder] = newJob(t, template["spec"], folder)
			case "Job":
				all[folder] = newJob(t, o["spec"], folder)
			}
		}
	}
	if len(all) != 2 {
		t.Fatalf("%d jobs in deploy, want 2", len(all))
	}
	return all
}

func newJob(t *testing.T, spec any, name string) job {
	t.Helper()
	j := job{whole: cluster.Object{"apiVersion": "batch/v1", "kind": "Job",
		"metadata": map[string]any{"name": name, "namespace": "akscert"}, "spec": spec}}
	as(t, j.whole, &j)
	return j
}

// as decodes an object.
func as(t *testing.T, o cluster.Object, into any) {
	t.Helper()
	data, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", o.Name(), err)
	}
}

// container is the one of the job's pods.
type container struct {
	Args []string
	Env  []struct{ Name, Value string }
}

func (j job) container(t *testing.T) container {
	t.Helper()
	var spec struct{ Containers []container }
	as(t, j.Spec.Template.Spec, &spec)
	if len(spec.Containers) != 1 {
		t.Fatalf("%d containers, want one", len(spec.Containers))
	}
	return spec.Containers[0]
}

// pod is what the job controller makes of the job's template.
func (j job) pod(name string) cluster.Object {
	return cluster.Object{"apiVersion": "v1", "kind": "Pod", "spec": j.Spec.Template.Spec,
		"metadata": map[string]any{"name": name, "namespace": "akscert", "labels": j.Spec.Template.Metadata["labels"]}}
}

// restricted: the pods may run in the namespace, which refuses others.
func (r *rig) restricted(t *testing.T) {
	for name, j := range r.jobs(t) {
		if _, err := r.server.Create(r.ctx, r.cluster.Admin, j.pod(name), true); err != nil {
			t.Errorf("deploy/%s: %v", name, err)
		}
		pod := j.pod(name)
		pod["spec"].(map[string]any)["hostNetwork"] = true
		if _, err := r.server.Create(r.ctx, r.cluster.Admin, pod, true); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			t.Errorf("deploy/%s with hostNetwork: %v, want a refusal", name, err)
		}
	}
}

// arguments: akscert knows them, and every part gets a pod.
func (r *rig) arguments(t *testing.T) {
	all := r.jobs(t)
	for name, j := range all {
		// Flags are read in order, and --help is the last.
		args := append(slices.Clone(j.container(t).Args), "--help")
		if res := r.start(t, nil, args...); res.code != 0 || !strings.Contains(res.stdout, "akscert audit") {
			t.Errorf("deploy/%s: akscert %q: exit code %d\n%s", name, args, res.code, res.stderr)
		}
	}
	j := all["indexed-job"]
	count := ""
	for _, v := range j.container(t).Env {
		if v.Name == "AKSCERT_SHARD_COUNT" {
			count = v.Value
		}
	}
	if j.Spec.CompletionMode != "Indexed" || j.Spec.Completions < 2 || count != strconv.Itoa(j.Spec.Completions) {
		t.Errorf("completions %d, %s, and AKSCERT_SHARD_COUNT %q, want the same number, Indexed", j.Spec.Completions, j.Spec.CompletionMode, count)
	}
}

// exitCodes: which of akscert's Kubernetes tries again. The real job controller
// makes the pods; that they end, and how, the test says in a kubelet's place.
func (r *rig) exitCodes(t *testing.T) {
	if err := r.cluster.StartJobController(r.ctx, r.server); err != nil {
		t.Fatal(err)
	}
	parts, daily := r.jobs(t)["indexed-job"], r.jobs(t)["cronjob"].whole["spec"]
	for _, j := range []job{parts, newJob(t, daily, "incomplete"), newJob(t, daily, "misused")} {
		if _, err := r.server.Create(r.ctx, r.cluster.Admin, j.whole, false); err != nil {
			t.Fatal(err)
		}
	}
	r.ends(t, "indexed-job", "0", 1)
	r.ends(t, "indexed-job", "1", 2)
	r.ends(t, "indexed-job", "2", 3)
	r.ends(t, "incomplete", "", 3)
	r.ends(t, "misused", "", 2)
	// Ten seconds later those of a 3 are there again.
	r.ends(t, "indexed-job", "2", 0)
	r.ends(t, "incomplete", "", 1)
	for name, want := range map[string]struct {
		pods                      int
		failed, completed, reason string
	}{
		"indexed-job": {parts.Spec.Completions + 1, "0,1", "2", "FailedIndexes"},
		"incomplete":  {2, "", "", "PodFailurePolicy"},
		"misused":     {1, "", "", "PodFailurePolicy"},
	} {
		eventually(t, time.Minute, func() error {
			o, err := r.server.Get(r.ctx, r.cluster.Admin, "/apis/batch/v1/namespaces/akscert/jobs/"+name)
			if err != nil {
				return err
			}
			var got struct {
				Status struct {
					FailedIndexes, CompletedIndexes string
					Conditions                      []struct{ Type, Status, Reason string }
				}
			}
			as(t, o, &got)
			pods := len(r.pods(t, name))
			for _, c := range got.Status.Conditions {
				if c.Type == "Failed" && c.Status == "True" {
					if c.Reason != want.reason || got.Status.FailedIndexes != want.failed || got.Status.CompletedIndexes != want.completed || pods != want.pods {
						t.Errorf("%s: %+v after %d pods, want %+v", name, got.Status, pods, want)
					}
					return nil
				}
			}
			return fmt.Errorf("%s goes on: %+v", name, got.Status)
		})
	}
}

// ends has the pod of a job and an index that has not ended end with an exit
// code, as soon as there is one.
func (r *rig) ends(t *testing.T, name, index string, code int) {
	t.Helper()
	eventually(t, 2*time.Minute, func() error {
		for _, o := range r.pods(t, name) {
			var pod struct {
				Metadata struct{ Annotations map[string]string }
				Status   struct{ Phase string }
			}
			as(t, o, &pod)
			if pod.Metadata.Annotations["batch.kubernetes.io/job-completion-index"] != index || pod.Status.Phase != "Pending" {
				continue
			}
			if index != "" {
				wantIndexed(t, o)
			}
			phase := "Failed"
			if code == 0 {
				phase = "Succeeded"
			}
			return r.server.PatchStatus(r.ctx, r.cluster.Admin, o, map[string]any{"phase": phase, "containerStatuses": []any{map[string]any{
				"name": "akscert", "image": "akscert", "imageID": "", "ready": false, "restartCount": 0,
				"state": map[string]any{"terminated": map[string]any{"exitCode": code}},
			}}})
		}
		return fmt.Errorf("%s has no pod of index %q that could end with %d", name, index, code)
	})
}

// wantIndexed checks that the job controller tells the pod which one it is in
// the variable that akscert reads.
func wantIndexed(t *testing.T, pod cluster.Object) {
	t.Helper()
	var got struct {
		Spec struct{ Containers []container }
	}
	as(t, pod, &got)
	var names []string
	for _, v := range got.Spec.Containers[0].Env {
		names = append(names, v.Name)
	}
	for _, name := range []string{"AKSCERT_SHARD_COUNT", "JOB_COMPLETION_INDEX"} {
		if !slices.Contains(names, name) {
			t.Errorf("the environment of %s is %q, without %s", pod.Name(), names, name)
		}
	}
}

// pods are those of a job, whether they have ended or not.
func (r *rig) pods(t *testing.T, name string) (pods []cluster.Object) {
	t.Helper()
	list, err := r.server.Get(r.ctx, r.cluster.Admin, "/api/v1/namespaces/akscert/pods?labelSelector=batch.kubernetes.io/job-name="+name)
	if err != nil {
		t.Fatal(err)
	}
	items, _ := list["items"].([]any)
	for _, item := range items {
		o := cluster.Object(item.(map[string]any))
		o["apiVersion"], o["kind"] = "v1", "Pod" // which items of a list do not have
		pods = append(pods, o)
	}
	return pods
}
