package main

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"
	"golang.org/x/term"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/collect/file"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func inspectCommand(s streams, now time.Time, code *int) *cobra.Command {
	j := judging{all: true} // who names a file wants to see what is in it
	var l limits
	c := &cobra.Command{
		Use:   "inspect [FILE|DIR|HOST:PORT|-]…",
		Short: "judge certificates in files, manifests and live endpoints",
		Long: `Inspect reads what you have at hand and judges it as audit does: PEM bundles,
DER, PKCS#7, kubeconfigs, Kubernetes manifests (YAML or JSON), the output of
openssl x509 -text or -dates, and live endpoints. Keys are passed over.

Without an operand it reads standard input, which - names too.`,
		Example: `  akscert inspect server.pem ca-bundle.crt /etc/kubernetes/certs
  akscert inspect example.com:443 --warn-at 30d
  kubectl get secret web-tls -o yaml | akscert inspect -`,
		RunE: func(c *cobra.Command, operands []string) error {
			ctx, cancel, err := l.bound(c.Context())
			if err != nil {
				return err
			}
			defer cancel()
			judge, err := j.read(ctx, s, now)
			if err != nil {
				return err
			}
			if len(operands) == 0 {
				if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
					return hinted{errors.New("nothing to inspect"), "name a file, a folder or HOST:PORT, or pipe something in"}
				}
				operands = []string{"-"}
			}
			var targets []target.Target
			for _, operand := range operands {
				if t := (target.Target{Operand: operand}); !slices.ContainsFunc(targets, func(have target.Target) bool { return have.Operand == operand }) {
					targets = append(targets, t)
				}
			}
			collectors := []collect.Collector{
				file.Collector{Stdin: s.in, Endpoints: apiserver.Collector{ConnectTimeout: l.connect, Proxy: httpproxy.FromEnvironment().ProxyFunc()}},
			}
			var empty []string
			r, err := judge.examine(ctx, examination{targets: targets, collectors: collectors, fleet: collect.Fleet{AtOnce: l.parallel}, input: judge.input(),
				visited: func(v collect.Visit) {
					for _, b := range v.Batches {
						if len(b.Observations) == 0 {
							empty = append(empty, b.Target.Operand)
						}
					}
				}})
			if err != nil {
				return err
			}
			if err := nothing(judge, r); err != nil {
				return err
			}
			for _, operand := range empty {
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
// interrupted either. Of several reasons, all but the first are noted.
func nothing(j judge, r *report.Report) error {
	if len(r.Certificates) > 0 || len(r.Gaps) == 0 || r.Outcome == report.OutcomeInterrupted {
		return nil
	}
	for i, g := range r.Gaps {
		const most = 20
		if i == most {
			j.note("and %d more places could not be read", len(r.Gaps)-most)
			break
		}
		if i > 0 {
			j.note("%s", render.Visible(located(g)))
		}
	}
	return hinted{errors.New(located(r.Gaps[0])), cmp.Or(r.Gaps[0].Hint, "akscert inspect --help says what can be read")}
}

// located is what a gap says, and where.
func located(g report.Gap) string {
	if strings.Contains(g.Message, g.Location) {
		return g.Message
	}
	return g.Location + ": " + g.Message
}
