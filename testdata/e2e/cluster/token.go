package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// MintToken has the server mint a token for the default service account, which
// it makes first: the controller that would have made it is not running.
func (s *APIServer) MintToken(ctx context.Context, admin Pair) (string, error) {
	const accounts = "/api/v1/namespaces/default/serviceaccounts"
	account := map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default"}}
	if err := s.create(ctx, admin, accounts, account); err != nil {
		return "", fmt.Errorf("making the default service account: %w", err)
	}
	return s.TokenFor(ctx, admin, "default", "default")
}

// TokenFor has the server mint a token for a service account that is there.
func (s *APIServer) TokenFor(ctx context.Context, admin Pair, namespace, name string) (string, error) {
	path := "/api/v1/namespaces/" + namespace + "/serviceaccounts/" + name + "/token"
	request := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}`)
	status, body, err := s.Do(ctx, Login{Client: &admin}, http.MethodPost, path, request)
	if err != nil {
		return "", fmt.Errorf("requesting a token: %w", err)
	}
	if status != http.StatusCreated {
		return "", fmt.Errorf("requesting a token: status %d", status)
	}
	var answer struct {
		Status struct{ Token string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("reading the token's answer: %w", err)
	}
	return answer.Status.Token, nil
}
