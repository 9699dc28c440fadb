package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const csrPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// Request is a certificate signing request: whole, so that it can be sent back,
// and what matters of it.
type Request struct {
	whole    map[string]any
	Name     string
	Signer   string
	Answered bool // approved, denied or failed
}

// Requests lists the cluster's certificate signing requests.
func (s *APIServer) Requests(ctx context.Context, admin Pair) ([]Request, error) {
	status, body, err := s.Do(ctx, Login{Client: &admin}, http.MethodGet, csrPath, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	if err != nil {
		return nil, fmt.Errorf("listing certificate requests: %w", err)
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("listing certificate requests: %w", err)
	}
	requests := make([]Request, 0, len(list.Items))
	for _, item := range list.Items {
		data, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		var fields struct {
			Metadata struct{ Name string }
			Spec     struct{ SignerName string }
			Status   struct{ Conditions []any }
		}
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, fmt.Errorf("reading a certificate request: %w", err)
		}
		requests = append(requests, Request{
			whole: item, Name: fields.Metadata.Name, Signer: fields.Spec.SignerName, Answered: len(fields.Status.Conditions) > 0,
		})
	}
	return requests, nil
}

// Answer approves or denies a request; condition is "Approved" or "Denied".
func (s *APIServer) Answer(ctx context.Context, admin Pair, r Request, condition string) error {
	r.whole["status"] = map[string]any{"conditions": []any{map[string]any{
		"type": condition, "status": "True", "reason": "E2E", "message": "by the test",
	}}}
	body, err := json.Marshal(r.whole)
	if err != nil {
		return err
	}
	status, answer, err := s.Do(ctx, Login{Client: &admin}, http.MethodPut, csrPath+"/"+r.Name+"/approval", body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	if err != nil {
		return fmt.Errorf("answering certificate request %q: %w", r.Name, err)
	}
	return nil
}

// approveServing approves every request for a serving certificate until ctx
// ends. AKS does so itself: no controller of Kubernetes does.
func (s *APIServer) approveServing(ctx context.Context, admin Pair) {
	for {
		// What fails now is tried again, and a kubelet without a serving
		// certificate does not go unnoticed.
		requests, _ := s.Requests(ctx, admin)
		for _, r := range requests {
			if !r.Answered && r.Signer == "kubernetes.io/kubelet-serving" {
				_ = s.Answer(ctx, admin, r, "Approved")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}
