package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build makes akscert from this checkout, as make build does.
func (b *bench) build(ctx context.Context) error {
	args := []string{"build", "-trimpath", "-ldflags", "-s -w"}
	if b.profiles != "" {
		overlay, err := b.overlay()
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	b.akscert = filepath.Join(b.dir, "akscert")
	return goTool(ctx, b.root, append(args, "-o", b.akscert, "./cmd/akscert")...)
}

func goTool(ctx context.Context, dir string, args ...string) error {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// profiled is put beside main.go where profiles are asked for: the product has
// no switch for it. The heap is written whenever it has grown by a tenth, so
// that what is left at the end is how it was at its largest.
const profiled = `package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

func profile() (stop func()) {
	dir := os.Getenv("AKSCERT_PROFILE")
	if dir == "" {
		return func() {}
	}
	name := filepath.Join(dir, "akscert-"+os.Args[1]+"-"+strconv.FormatInt(time.Now().UnixMilli(), 10))
	cpu, err := os.Create(name + ".cpu")
	if err != nil {
		panic(err)
	}
	runtime.MemProfileRate = 64 << 10
	_ = pprof.StartCPUProfile(cpu)
	end := make(chan struct{})
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapInuse > most+most/10 {
				most = m.HeapInuse
				if heap, err := os.Create(name + ".heap"); err == nil {
					_ = pprof.WriteHeapProfile(heap)
					heap.Close()
				}
			}
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(end)
		pprof.StopCPUProfile()
		cpu.Close()
		if allocs, err := os.Create(name + ".allocs"); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(allocs, 0)
			allocs.Close()
		}
	}
}
`

// overlay is a file that has the go command see main.go profiled.
func (b *bench) overlay() (string, error) {
	command := filepath.Join(b.root, "cmd", "akscert")
	main, err := os.ReadFile(filepath.Join(command, "main.go"))
	if err != nil {
		return "", err
	}
	const exit = "os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now()))"
	changed := strings.Replace(string(main), exit, "stop := profile()\n\tcode := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now())\n\tstop()\n\tos.Exit(code)", 1)
	if changed == string(main) {
		return "", fmt.Errorf("cmd/akscert/main.go no longer holds %q", exit)
	}
	replace := map[string]string{}
	for name, content := range map[string]string{"main.go": changed, "profile_overlay.go": profiled} {
		file := filepath.Join(b.dir, "overlay-"+name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(command, name)] = file
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.dir, "overlay.json")
	return file, os.WriteFile(file, list, 0o600)
}
