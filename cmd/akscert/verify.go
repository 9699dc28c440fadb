package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/collect/apiserver"
	"github.com/akscert/akscert/internal/discover"
	"github.com/akscert/akscert/internal/kube"
	"github.com/akscert/akscert/internal/render"
	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/internal/verify"
	"github.com/akscert/akscert/pkg/report"
)

func verifyCommand(s streams, now time.Time, code *int) *cobra.Command {
	var old, oldContext, kubeconfig, today string
	j := judging{failOn: string(report.SeverityWarning), offered: []string{"table", "json"}} // it has no --fail-on: whatever is alive fails
	l := limits{parallel: 1}
	c := &cobra.Command{
		Use:   "verify --old FILE",
		Short: "after a rotation: are the old credentials dead?",
		Long: `Verify asks, after a rotation, whether what was good before is dead. --old is the
kubeconfig from before, or a JSON report of then. The old CA must no longer
verify the API server, and a request with the old client certificate, and with
the old token, must be refused by TLS or with 401. Anything else still works, and
verify says what. It only reads.

The kubeconfig of today says where the API server is and what verifies it: the
current context, or --kubeconfig and --context. Without one the old address is
asked, and no token is sent there. A report holds fingerprints and no keys, so
from a report the CA and the serving certificate alone can be checked.

The exit code is 0 when all is dead, 1 when something still works, 3 when
something could not be checked.`,
		Example: `  cp ~/.kube/config before.yaml
  az aks rotate-certs -g GROUP -n CLUSTER
  az aks get-credentials -g GROUP -n CLUSTER --overwrite-existing
  akscert verify --old before.yaml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel, err := l.bound(c.Context())
			if err != nil {
				return err
			}
			defer cancel()
			judge, err := j.read(s, now)
			if err != nil {
				return err
			}
			if old == "" {
				return hinted{errors.New("--old is missing"), "name the kubeconfig or the JSON report from before the rotation"}
			}
			named := kubeconfig != "" || today != ""
			at, err := oneContext(ctx, kubeconfig, today)
			if err != nil && named {
				return forVerify(err, "--kubeconfig", "--context")
			}
			if err != nil {
				judge.note("no kubeconfig of today: %s", render.Visible(err.Error()))
			}
			before, err := readOld(ctx, s, old, oldContext, at)
			if err != nil {
				return err
			}
			was := before.From()
			other := at != nil && was.Server != "" && hostPort(at.Cluster.Server) != hostPort(was.Server)
			if other && !named {
				return hinted{fmt.Errorf("the current context %q is of %s, and --old of %s", at.Name, hostPort(at.Cluster.Server), hostPort(was.Server)),
					"name the cluster's context of today with --context, or its kubeconfig with --kubeconfig"}
			}
			proxy := httpproxy.FromEnvironment().ProxyFunc()
			v := verify.Verifier{
				Servers: apiserver.Collector{ConnectTimeout: l.connect, Proxy: proxy},
				Door:    kube.New(kube.Config{Timeout: l.connect, Proxy: proxy, UserAgent: "akscert/" + version()}),
				AsOf:    judge.asOf, Now: now, SystemRoots: systemRoots(),
			}.Verify(ctx, before, at)
			if other {
				v.Notes = append(v.Notes, fmt.Sprintf("--old is of %s, and %s was asked: it proves something only if they are one cluster", hostPort(was.Server), hostPort(at.Cluster.Server)))
			}
			signal := 0
			if by := (interrupted{}); errors.As(context.Cause(ctx), &by) {
				signal = by.code()
			}
			v.Conclude(signal, j.allowIncomplete)
			*code = v.ExitCode
			return judge.verified(v)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&old, "old", "", "the kubeconfig or JSON report `FILE` from before the rotation, or - for a report on stdin")
	f.StringVar(&oldContext, "old-context", "", "the `CONTEXT` of the old kubeconfig, or the cluster of the report (default: its current one, or its only one)")
	f.StringVar(&kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` of today (default: $KUBECONFIG, else ~/.kube/config)")
	f.StringVar(&today, "context", "", "the `CONTEXT` of today (default: the current one)")
	f.DurationVar(&l.timeout, "timeout", 30*time.Minute, "bound the whole run")
	f.DurationVar(&l.connect, "connect-timeout", 10*time.Second, "bound one handshake or request")
	f.BoolVar(&j.allowIncomplete, "allow-incomplete", false, "exit 0, not 3, when nothing is alive but something could not be checked")
	f.StringVar(&j.now, "now", "", "judge the old dates as of this `INSTANT`, as 2027-01-31T00:00:00Z")
	f.StringVarP(&j.output, "output", "o", "table", "print a `FORMAT`: table or json")
	f.StringVar(&j.color, "color", "auto", "colour: auto, always or never")
	f.BoolVarP(&j.quiet, "quiet", "q", false, "no notes on stderr")
	complete(c, "output", "table", "json")
	complete(c, "color", "auto", "always", "never")
	return c
}

// verified completes v with what is not judgement, and prints it.
func (j judge) verified(v *report.Verification) error {
	v.Tool = tool()
	v.StartedAt = j.started.UTC().Truncate(time.Second)
	v.DurationSeconds = time.Since(j.started).Round(time.Millisecond).Seconds()
	var b bytes.Buffer
	var err error
	if j.output == "json" {
		err = render.JSON(&b, v)
	} else {
		err = render.Verification(&b, v, j.look())
	}
	if err != nil {
		return fmt.Errorf("rendering the verification: %w", err)
	}
	if _, err := j.s.out.Write(b.Bytes()); err != nil {
		return unwritten(err)
	}
	return nil
}

// oneContext is a kubeconfig's context, the current one when none is named.
func oneContext(ctx context.Context, file, name string) (*target.Target, error) {
	scope := discover.Scope{Kubeconfig: file}
	if name != "" {
		scope.Contexts = []string{name}
	}
	targets, _, err := discover.Kubeconfig(ctx, scope)
	if err != nil {
		return nil, err
	}
	t := targets[0] // one was asked for
	if t.Cluster == nil {
		return nil, hinted{errors.New(strings.Join(t.Problems, "; ")), "kubectl config get-contexts"}
	}
	return &t, nil
}

// forVerify words what discovery has to say about a kubeconfig by the flags that
// name it here.
func forVerify(err error, file, context string) error {
	var d *discover.Error
	if errors.As(err, &d) {
		return hinted{errors.New(d.Message), strings.NewReplacer("--kubeconfig", file, "--context", context, ", or audit every one with --all-contexts", "").Replace(d.Hint)}
	}
	return err
}

// readOld reads the kubeconfig or the report from before.
func readOld(ctx context.Context, s streams, file, name string, today *target.Target) (verify.Old, error) {
	isReport, err := looksLikeReport(file)
	if err != nil {
		return verify.Old{}, hinted{fmt.Errorf("reading %q: %w", file, collect.Cause(err)), "--old takes the kubeconfig or the JSON report from before the rotation"}
	}
	if !isReport {
		t, err := oneContext(ctx, file, name)
		if err != nil {
			return verify.Old{}, forVerify(err, "--old", "--old-context")
		}
		return verify.FromKubeconfig(ctx, *t), nil
	}
	r, err := saved(ctx, s, file)
	if err != nil {
		return verify.Old{}, err
	}
	cluster, err := oneCluster(r, name, today)
	if err != nil {
		return verify.Old{}, err
	}
	return verify.FromReport(r, cluster), nil
}

// looksLikeReport tells a report from a kubeconfig, which can be JSON as well. It
// is for what reads them to say what is wrong with either.
func looksLikeReport(file string) (bool, error) {
	if file == "-" {
		return true, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errors.New("not a file that can be read twice")
	}
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	buffered := bufio.NewReader(f)
	start, err := buffered.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	utf16 := bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) // report.Read has the words for it
	start = bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n")
	if !utf16 && !bytes.HasPrefix(start, []byte("{")) && !bytes.HasPrefix(start, []byte("[")) {
		return false, nil
	}
	const most = 32 << 20 // of a kubeconfig
	var kubeconfig struct{ Kind string }
	data, err := io.ReadAll(io.LimitReader(buffered, most))
	if err != nil {
		return false, err
	}
	return json.Unmarshal(data, &kubeconfig) != nil || kubeconfig.Kind != "Config", nil
}

// oneCluster is the report's cluster of that name, else its only one, else the
// one that is asked today.
func oneCluster(r *report.Report, name string, today *target.Target) (report.Cluster, error) {
	names := make([]string, 0, len(r.Clusters))
	for _, c := range r.Clusters {
		names = append(names, c.Name)
	}
	fits := func(c report.Cluster) bool {
		return today != nil && c.Server != "" && hostPort(c.Server) == hostPort(today.Cluster.Server)
	}
	switch {
	case name != "":
		fits = func(c report.Cluster) bool { return slices.Contains([]string{c.Name, c.Context, c.ID}, name) }
	case len(r.Clusters) == 1:
		return r.Clusters[0], nil
	}
	i := slices.IndexFunc(r.Clusters, fits)
	const most = 8
	switch {
	case i >= 0:
		return r.Clusters[i], nil
	case len(names) == 0:
		return report.Cluster{}, hinted{errors.New("the report is about no cluster"), "name the report of an audit, or a kubeconfig"}
	case len(names) > most:
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	hint := "it has " + strings.Join(names, ", ")
	if name != "" {
		return report.Cluster{}, hinted{fmt.Errorf("cluster %q is not in the report", name), hint}
	}
	return report.Cluster{}, hinted{fmt.Errorf("the report is about %d clusters", len(r.Clusters)), "name one with --old-context: " + hint}
}

// hostPort is where a kubeconfig's server is, for comparing and for print: what
// else the address holds may be a password.
func hostPort(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		u, err = url.Parse("https://" + server)
	}
	if err != nil || u.Hostname() == "" || u.User == nil && strings.Contains(server, "@") {
		return "an address that cannot be read"
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)
}
