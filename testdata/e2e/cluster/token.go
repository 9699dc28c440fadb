package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// MintToken has the server mint a token for the default service account, which
// it makes first: the controller that would have made it is not running.
func (s *APIServer) MintToken(ctx context.Context, admin Pair) (string, error) {
	const accounts = "/api/v1/namespaces/default/serviceaccounts"
	login := Login{Client: &admin}
	if err := s.makeAccount(ctx, login, accounts); err != nil {
		return "", fmt.Errorf("making the default service account: %w", err)
	}
	request := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}`)
	status, body, err := s.Do(ctx, login, http.MethodPost, accounts+"/default/token", request)
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

// makeAccount tries for a while: the server is ready before its own controller
// has made the namespace.
func (s *APIServer) makeAccount(ctx context.Context, login Login, accounts string) error {
	account := []byte(`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}`)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		status, body, err := s.Do(ctx, login, http.MethodPost, accounts, account)
		switch {
		case err != nil:
			return err
		case status == http.StatusCreated || status == http.StatusConflict:
			return nil
		case status != http.StatusNotFound:
			return fmt.Errorf("status %d: %s", status, body)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), body)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
