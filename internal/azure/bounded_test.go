package azure

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/akscert/akscert/pkg/report"
)

// endless answers without end.
type endless struct{}

func (endless) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(zeros{})}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// An answer that does not end is an error, not all of memory.
func TestAnswersEnd(t *testing.T) {
	response, err := bounded{endless{}}.Do(nil) //nolint:bodyclose // it holds nothing to close
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, response.Body)
	var known *Error
	if n != maxAnswer || !errors.As(err, &known) || known.Reason != report.ReasonMalformed {
		t.Errorf("read %d bytes, then %v", n, err)
	}
}

// A link that leads back to its own page is not followed for ever.
func TestPagesEnd(t *testing.T) {
	a := serve(t)
	a.on("GET "+group, ok(managed))
	a.on("GET "+group+"/agentPools", ok(`{"value":[],"nextLink":"HOST`+group+`/agentPools?page=2"}`))
	a.on("GET "+group+"/agentPools?page=2", ok(`{"value":[],"nextLink":"HOST`+group+`/agentPools?page=2"}`))
	c, log := client(t, a, newClock(), Config{})
	// The cluster's own profiles stand in, and the log says so.
	if _, err := c.Cluster(t.Context(), sub, "rg", "web"); err != nil {
		t.Fatal(err)
	}
	if len(a.asked) > maxPages+10 || !strings.Contains(log.String(), "more than 1000 pages") {
		t.Errorf("asked %d times; log %q", len(a.asked), log)
	}
}
