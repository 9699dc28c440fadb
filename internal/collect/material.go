package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/certs"
	"github.com/akscert/akscert/pkg/report"
)

// Material reads the certificates of t, or says why there are none. what says what
// it should hold.
func (m *Memory) Material(ctx context.Context, t target.Material, location, what string) (found []certs.Certificate, problems []certs.Problem, gap *Gap) {
	data := t.Data
	if len(data) == 0 {
		var err error
		if data, err = ReadFile(ctx, t.File); err != nil {
			return nil, nil, Unread(ctx, err, location, what, t.File)
		}
	}
	found, problems = m.Read(data)
	if len(found)+len(problems) == 0 {
		return nil, nil, &Gap{Location: location, Reason: report.ReasonMalformed,
			Message: "reading " + what + ": holds no certificate", Hint: "fetch the kubeconfig again"}
	}
	return found, problems, nil
}

// Unread is the gap for a file that a kubeconfig names and that could not be
// read.
func Unread(ctx context.Context, err error, location, what, file string) *Gap {
	g := &Gap{Location: location, Reason: report.ReasonMalformed,
		Message: fmt.Sprintf("reading %s %q: %s", what, file, Cause(err)), Hint: "correct the path in the kubeconfig, or fetch the kubeconfig again"}
	switch {
	case ctx.Err() != nil:
		return Ended(ctx, location)
	case errors.Is(err, fs.ErrNotExist):
		g.Reason = report.ReasonNotFound
	case errors.Is(err, fs.ErrPermission):
		g.Reason, g.Hint = report.ReasonForbidden, "run as a user who may read it"
	}
	return g
}

// Cause drops the path that an fs.PathError repeats.
func Cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
