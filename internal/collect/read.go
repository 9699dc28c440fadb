package collect

import (
	"context"
	"fmt"
	"io"
	"os"
)

// MaxFile bounds what is read of one file: 64 MiB, room for some 30,000
// certificates.
const MaxFile = 64 << 20

// ReadFile reads a file that a person named, bounded by MaxFile and by ctx: a
// named pipe that nobody writes to must not hold an audit.
func ReadFile(ctx context.Context, path string) ([]byte, error) {
	return Await(ctx, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f)
	})
}

// ReadInput reads r, bounded as ReadFile is.
func ReadInput(ctx context.Context, r io.Reader) ([]byte, error) {
	return Await(ctx, func() ([]byte, error) { return readAll(r) })
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("larger than %d MiB", MaxFile>>20)
	}
	return data, nil
}

// Await runs read in a goroutine of its own and gives up on it, not on the
// caller, when ctx ends: nothing else ends the wait for a pipe.
func Await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		read T
		err  error
	}
	done := make(chan result, 1)
	go func() {
		r, err := read()
		done <- result{r, err}
	}()
	select {
	case r := <-done:
		return r.read, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
