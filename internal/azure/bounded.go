package azure

import (
	"fmt"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/akscert/akscert/pkg/report"
)

// maxAnswer bounds one answer. The largest page that ARM sends, of clusters, is
// some 5 MiB; the SDK itself would read without end.
const maxAnswer = 32 << 20

// maxPages bounds a listing, against links that lead back to themselves.
const maxPages = 1000

func tooManyPages() error {
	return &Error{Reason: report.ReasonMalformed, Message: fmt.Sprintf("the listing has more than %d pages", maxPages),
		Hint: "narrow it down, or look at it with az"}
}

// bounded is a transport whose answers end.
type bounded struct{ inner policy.Transporter }

func (b bounded) Do(request *http.Request) (*http.Response, error) {
	response, err := b.inner.Do(request)
	if err == nil && response.Body != nil {
		response.Body = &boundedBody{response.Body, maxAnswer}
	}
	return response, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &Error{Reason: report.ReasonMalformed, Message: fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20),
			Hint: "is a proxy or a portal page in between?"}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// transporter is the one that cfg gives, or the standard library's, which honours
// HTTPS_PROXY and SSL_CERT_FILE.
func transporter(cfg Config) policy.Transporter {
	if cfg.Transport != nil {
		return bounded{cfg.Transport}
	}
	return bounded{http.DefaultClient}
}
