package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Object is any object of Kubernetes.
type Object map[string]any

// Name is how messages name the object.
func (o Object) Name() string {
	name, _ := o.meta()["name"].(string)
	return fmt.Sprintf("%v %s", o["kind"], name)
}

func (o Object) meta() Object {
	meta, _ := o["metadata"].(map[string]any)
	return meta
}

// Apply has the server apply an object as "kubectl apply --server-side
// --validate=strict" does, or with dryRun only say what it would make of it.
// Either way it returns what that is. A warning is an error.
func (s *APIServer) Apply(ctx context.Context, admin Pair, o Object, dryRun bool) (Object, error) {
	name, _ := o.meta()["name"].(string)
	return s.strictly(ctx, admin, http.MethodPatch, o, "/"+name, dryRun)
}

// Create is Apply for an object that must not be there yet.
func (s *APIServer) Create(ctx context.Context, admin Pair, o Object, dryRun bool) (Object, error) {
	return s.strictly(ctx, admin, http.MethodPost, o, "", dryRun)
}

// Get is an object as the server has it now.
func (s *APIServer) Get(ctx context.Context, admin Pair, path string) (Object, error) {
	status, answer, err := s.Do(ctx, Login{Client: &admin}, http.MethodGet, path, nil)
	return read(http.MethodGet, path, status, answer, err)
}

// PatchStatus changes the status of an object.
func (s *APIServer) PatchStatus(ctx context.Context, admin Pair, o Object, status any) error {
	path, err := s.path(ctx, admin, o)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	name, _ := o.meta()["name"].(string)
	path += "/" + name + "/status"
	resp, answer, err := s.send(ctx, Login{Client: &admin}, http.MethodPatch, path, "application/merge-patch+json", body)
	if err != nil {
		return err
	}
	_, err = read(http.MethodPatch, path, resp.StatusCode, answer, nil)
	return err
}

func (s *APIServer) strictly(ctx context.Context, admin Pair, method string, o Object, rest string, dryRun bool) (Object, error) {
	path, err := s.path(ctx, admin, o)
	if err != nil {
		return nil, err
	}
	query, contentType := "?fieldManager=e2e&fieldValidation=Strict", "application/json"
	if method == http.MethodPatch {
		contentType = "application/apply-patch+yaml" // of which JSON is a part
	}
	if dryRun {
		query += "&dryRun=All"
	}
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	resp, answer, err := s.send(ctx, Login{Client: &admin}, method, path+rest+query, contentType, body)
	if err != nil {
		return nil, err
	}
	made, err := read(method, path+rest, resp.StatusCode, answer, nil)
	if warnings := resp.Header.Values("Warning"); err == nil && len(warnings) > 0 {
		err = fmt.Errorf("%s %q: the API server warns: %s", method, path+rest, strings.Join(warnings, "; "))
	}
	return made, err
}

// path is where objects of o's kind are, in o's namespace if it has one. The
// server itself says so.
func (s *APIServer) path(ctx context.Context, admin Pair, o Object) (string, error) {
	version, _ := o["apiVersion"].(string)
	prefix := "/apis/" + version
	if !strings.Contains(version, "/") {
		prefix = "/api/" + version
	}
	list, err := s.Get(ctx, admin, prefix)
	if err != nil {
		return "", err
	}
	resources, _ := list["resources"].([]any)
	for _, r := range resources {
		r, _ := r.(map[string]any)
		plural, _ := r["name"].(string)
		if r["kind"] != o["kind"] || strings.Contains(plural, "/") {
			continue
		}
		namespace, _ := o.meta()["namespace"].(string)
		if namespaced := r["namespaced"] == true; namespaced != (namespace != "") {
			return "", fmt.Errorf("%s is in namespace %q, and it is %v that its kind has one", o.Name(), namespace, namespaced)
		} else if namespaced {
			prefix += "/namespaces/" + namespace
		}
		return prefix + "/" + plural, nil
	}
	return "", fmt.Errorf("the API server has no kind %v in %q", o["kind"], version)
}

func read(method, path string, status int, answer []byte, err error) (Object, error) {
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	var o Object
	if err == nil {
		err = json.Unmarshal(answer, &o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", method, path, err)
	}
	return o, nil
}
