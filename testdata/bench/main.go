// Bench measures akscert as its users meet it: the program itself, as a process
// of its own, beside what is theoretically possible or beside what else does the
// job. From the root of the repository:
//
//	make bench-fleet
//
// Or, for some of it, and with profiles of CPU and memory for go tool pprof:
//
//	cd testdata/bench && go run . -run bundle -profile /tmp
//
// Where two programs are compared they run in turns, one right after the other,
// and the medians are compared. Azure and the API servers are processes of their
// own, on the same machine; what they take of it is not counted, but missed.
//
// Each benchmark's comment says what was found when it was profiled.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// bench is what all benchmarks share.
type bench struct {
	root     string // of the repository
	dir      string // temporary
	profiles string // where profiles go; empty for none
	akscert  string // the program
	runs     int
	missed   int // targets
}

func main() {
	if len(os.Args) > 1 {
		for name, do := range map[string]func([]string) error{"estate": estate, "listener": listener, "check": check, "kubeconfig": kubeconfig, "bundle": bundleFile, "parse": parse} {
			if os.Args[1] == name {
				if err := do(os.Args[2:]); err != nil {
					fmt.Fprintln(os.Stderr, "bench:", name+":", err)
					os.Exit(1)
				}
				return
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := benchmarks(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func benchmarks(ctx context.Context) (err error) {
	only := flag.String("run", "", "only the benchmarks that match this `PATTERN`")
	profiles := flag.String("profile", "", "write profiles of akscert into this `FOLDER`; what is measured then is a little slower")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	b := &bench{}
	if b.root, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		return err
	}
	if *profiles != "" {
		if b.profiles, err = filepath.Abs(*profiles); err != nil {
			return err
		}
	}
	if b.dir, err = os.MkdirTemp("", "akscert-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		do   func(*bench, context.Context) error
	}{{"start-up", startUp}, {"bundle", bundle}, {"contexts", contexts}, {"fleet", fleet}, {"nodes", nodes}} {
		if !match.MatchString(one.name) {
			continue
		}
		if err := one.do(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	fmt.Printf("\n%d targets missed\n", b.missed)
	return nil
}

// title begins a benchmark's lines.
func title(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

// told is a line without a target.
func told(what, format string, args ...any) {
	fmt.Printf("  %-22s "+format+"\n", append([]any{what}, args...)...)
}

// result is a line with one.
func (b *bench) result(what, measured, against string, met bool, target string) {
	word := "ok"
	if !met {
		word = "MISSED"
		b.missed++
	}
	fmt.Printf("  %-22s %-14s %s\n  %-22s %-14s target %s: %s\n", what, measured, against, "", "", target, word)
}

// ratio is the line of a measured time beside another.
func (b *bench) ratio(what string, measured, other time.Duration, against string, most float64) {
	ratio := measured.Seconds() / other.Seconds()
	b.result(what, short(measured), fmt.Sprintf("× %.2f of %s, %s", ratio, short(other), against), ratio <= most, fmt.Sprintf("× %.2f at most", most))
}

// memory is the line of the most memory of some runs.
func (b *bench) memory(what string, bytes int64, most int64) {
	b.result(what, fmt.Sprintf("%d MiB", bytes>>20), "resident, at most, by the kernel's count", bytes < most, fmt.Sprintf("under %d MiB", most>>20))
}

func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// median is the middle one, by wall time.
func median(runs []run) run {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b run) int { return int(a.wall - b.wall) })
	return sorted[len(sorted)/2]
}

// turns runs programs in turns, so that what else the machine does meets all of
// them, and returns each one's runs.
func turns(n int, programs ...func() (run, error)) ([][]run, error) {
	all := make([][]run, len(programs))
	for range n {
		for i, program := range programs {
			r, err := program()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], r)
		}
	}
	return all, nil
}
