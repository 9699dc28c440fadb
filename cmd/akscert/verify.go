package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	var sameCluster bool
	j := judging{failOn: string(report.SeverityWarning), offered: []string{"table", "json"}} // it has no --fail-on: whatever is alive fails
	l := limits{parallel: 1}
	c := &cobra.Command{
		Use:   "verify --old FILE",
		Short: "after a rotation: are the old credentials dead?",
		Long: `Verify asks, after a rotation, whether what was good before is dead. --old is
the kubeconfig from before, or a JSON report of then. The old CA must no longer
verify the API server, and a request with the old client certificate, and with
the old token, must be refused by TLS or with 401, on each of five connections.
Where it is accepted it still works, and verify says so. It only reads.

The kubeconfig of today says where the API server is and what verifies it: the
current context, or --kubeconfig and --context. Where it verifies nothing, or
its server is not the old one, no token is sent and nothing is called dead: who
refuses may be anybody. --same-cluster says that only the address has changed.
A report holds no keys, so from one only the CA and the serving certificate are
checked.

The exit code is 0 when all is dead, 1 when something still works, 3 when
something could not be checked.`,
		Example: `  akscert verify --old before.yaml
  akscert verify --old before.json --context today -o json
  akscert verify --old before.yaml --old-context prod --kubeconfig today.yaml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel, err := l.bound(c.Context())
			if err != nil {
				return err
			}
			defer cancel()
			judge, err := j.read(ctx, s, now)
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
			if at != nil && !named && !sameCluster && !verify.Same(before.Cluster(), at.Cluster) {
				return hinted{fmt.Errorf("the current context %q is of %s, and --old of %s", at.Name, verify.Place(at.Cluster), verify.Place(before.Cluster())),
					"name the cluster's context of today with --context, or its kubeconfig with --kubeconfig"}
			}
			proxy := httpproxy.FromEnvironment().ProxyFunc()
			v := verify.Verifier{
				Servers: apiserver.Collector{ConnectTimeout: l.connect, Proxy: proxy},
				Door:    kube.New(kube.Config{Timeout: l.connect, Proxy: proxy, UserAgent: "akscert/" + version()}),
				AsOf:    judge.asOf, Now: now, SystemRoots: systemRoots(), SameCluster: sameCluster,
			}.Verify(ctx, before, at)
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
	f.StringVar(&old, "old", "", "the kubeconfig or report `FILE` of before; - for stdin")
	f.StringVar(&oldContext, "old-context", "", "its `CONTEXT`, or cluster (default: the current one)")
	f.StringVar(&kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` of today (default: $KUBECONFIG)")
	f.StringVar(&today, "context", "", "the `CONTEXT` of today (default: the current one)")
	f.BoolVar(&sameCluster, "same-cluster", false, "today's address differs, the cluster does not")
	f.DurationVar(&l.timeout, "timeout", 30*time.Minute, "bound the whole run to this `LONG`")
	f.DurationVar(&l.connect, "connect-timeout", 10*time.Second, "bound a request to this `LONG`")
	f.BoolVar(&j.allowIncomplete, "allow-incomplete", false, "exit 0, not 3, when part could not be checked")
	f.StringVar(&j.now, "now", "", "judge as of this `INSTANT`, as 2027-01-31T00:00:00Z")
	f.StringVarP(&j.output, "output", "o", "table", "print a `FORMAT`: table or json")
	f.StringVar(&j.color, "color", "auto", "colour this `WHEN`: auto, always, never")
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

// oneCluster is the report's cluster of that id, else of that name, and of
// several the one that is asked today; without a name its only one, or again the
// one that is asked today.
func oneCluster(r *report.Report, name string, today *target.Target) (report.Cluster, error) {
	where := ""
	if today != nil {
		where, _ = kube.Place(*today.Cluster)
	}
	asked := func(c report.Cluster) bool {
		place, ok := kube.Place(target.Cluster{Server: c.Server})
		return ok && place == where
	}
	const most = 8
	list := func(clusters []report.Cluster, called func(report.Cluster) string) string {
		var names []string
		for _, c := range clusters[:min(len(clusters), most)] {
			names = append(names, called(c))
		}
		if len(clusters) > most {
			names = append(names, fmt.Sprintf("and %d more", len(clusters)-most))
		}
		return strings.Join(names, ", ")
	}
	hint := "it has " + list(r.Clusters, func(c report.Cluster) string { return c.Name })
	var fit []report.Cluster
	switch {
	case len(r.Clusters) == 0:
		return report.Cluster{}, hinted{errors.New("the report is about no cluster"), "name the report of an audit, or a kubeconfig"}
	case name == "" && len(r.Clusters) == 1:
		return r.Clusters[0], nil
	case name == "":
		if fit = clustersThat(r.Clusters, asked); len(fit) == 0 {
			return report.Cluster{}, hinted{fmt.Errorf("the report is about %d clusters", len(r.Clusters)), "name one with --old-context: " + hint}
		}
	default:
		if fit = clustersThat(r.Clusters, func(c report.Cluster) bool { return c.ID == name }); len(fit) == 0 {
			fit = clustersThat(r.Clusters, func(c report.Cluster) bool { return c.Name == name || c.Context == name })
		}
		if len(fit) == 0 {
			return report.Cluster{}, hinted{fmt.Errorf("cluster %q is not in the report", name), hint}
		}
		if there := clustersThat(fit, asked); len(there) > 0 {
			fit = there
		}
	}
	if len(fit) > 1 {
		why := fmt.Sprintf("%d clusters of the report are called %q", len(fit), name)
		if name == "" {
			why = fmt.Sprintf("%d clusters of the report are at %s", len(fit), where)
		}
		return report.Cluster{}, hinted{errors.New(why), "name one by its id with --old-context: " + list(fit, func(c report.Cluster) string { return c.ID })}
	}
	return fit[0], nil
}

func clustersThat(clusters []report.Cluster, fits func(report.Cluster) bool) []report.Cluster {
	return slices.DeleteFunc(slices.Clone(clusters), func(c report.Cluster) bool { return !fits(c) })
}
