package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"
	"golang.org/x/term"

	"github.com/akscert/akscert/internal/audit"
	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/collect/file"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func inspectCommand(s streams, now time.Time, code *int) *cobra.Command {
	var j judging
	var l limits
	c := &cobra.Command{
		Use:   "inspect [FILE|DIR|HOST:PORT|-]…",
		Short: "judge certificates in files, folders, manifests and live endpoints",
		Long: `Inspect reads what you have at hand and judges it as audit does: PEM bundles,
DER, PKCS#7, kubeconfigs, Kubernetes manifests (YAML or JSON), the output of
openssl x509 -text or -dates, and live endpoints. Keys are passed over.

Without an operand it reads standard input, which - names too.`,
		Example: `  akscert inspect server.pem ca-bundle.crt /etc/kubernetes/certs
  akscert inspect example.com:443 --warn-at 30d
  kubectl get secret web-tls -o yaml | akscert inspect -`,
		RunE: func(c *cobra.Command, operands []string) error {
			ctx, cancel := l.bound(c.Context())
			defer cancel()
			judge, err := j.read(s, now)
			if err != nil {
				return err
			}
			if len(operands) == 0 {
				if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
					return hinted{errors.New("nothing to inspect"), "name a file, a folder or HOST:PORT, or pipe something in"}
				}
				operands = []string{"-"}
			}
			var collectors []collect.Collector
			for _, operand := range operands {
				collectors = append(collectors, file.Collector{Operand: operand, Stdin: s.in,
					Endpoints: apiserver.Collector{ConnectTimeout: l.connect, Proxy: httpproxy.FromEnvironment().ProxyFunc()}})
			}
			batches := collect.All(ctx, []target.Target{{}}, collectors, l.parallel)
			r := audit.Audit(judge.input(ctx, batches))
			if err := nothing(r); err != nil {
				return err
			}
			for _, operand := range file.Silent(batches, operands) {
				judge.note("no certificates in %s", render.Visible(operand))
			}
			*code = r.ExitCode
			return judge.finish(r)
		},
	}
	c.Flags().SortFlags = false
	l.flags(c.Flags())
	j.flags(c)
	return c
}

// nothing is the error for a report that read nothing at all and was not
// interrupted either.
func nothing(r *report.Report) error {
	if len(r.Certificates) > 0 || len(r.Gaps) == 0 || r.Outcome == report.OutcomeInterrupted {
		return nil
	}
	g := r.Gaps[0]
	message := g.Message
	if len(r.Gaps) > 1 {
		message = fmt.Sprintf("nothing could be read in %d places; the first: %s", len(r.Gaps), message)
	}
	return hinted{errors.New(message), g.Hint}
}
