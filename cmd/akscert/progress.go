package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/render"
)

// heartbeat is how long an audit is silent at most where it does not draw.
const heartbeat = 15 * time.Second

// progress tells on stderr how far an audit is: by bars on a terminal, by lines
// otherwise. Whatever else has something to say meanwhile writes to it too, and
// so is not drawn over. Its methods may be called at the same time.
type progress struct {
	mu    sync.Mutex
	err   io.Writer
	quiet bool
	began time.Time
	said  time.Time // when there was last something to read

	bars             *mpb.Progress // nil where nothing is drawn
	clusterBar       *mpb.Bar
	nodeBar          *mpb.Bar
	clusters, looked int
	nodes, asked     int
	lines            int // nodes done when the last line was written
	announced        int
	ended            bool
	stop             chan struct{}
}

// newProgress begins to tell. A quiet one tells nothing.
func newProgress(err io.Writer, quiet bool) *progress {
	p := &progress{err: err, quiet: quiet, began: time.Now(), said: time.Now(), stop: make(chan struct{})}
	if columns, _ := size(err); !quiet && columns > 0 { // a terminal that nobody gave a size has no room for a bar
		p.bars = mpb.New(mpb.WithOutput(err), mpb.WithWidth(30), mpb.WithRefreshRate(100*time.Millisecond))
	} else if !quiet {
		go p.beat()
	}
	return p
}

// Write is for what others have to say.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(text)
}

func (p *progress) write(text []byte) (int, error) {
	p.said = time.Now()
	if p.bars != nil {
		return p.bars.Write(text)
	}
	return p.err.Write(text)
}

func (p *progress) line(format string, args ...any) {
	if !p.quiet {
		_, _ = p.write(fmt.Appendf(nil, format+"\n", args...))
	}
}

// expect says how many clusters there are to look at.
func (p *progress) expect(clusters int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters = clusters
	if p.bars != nil && clusters > 1 {
		p.clusterBar = p.bar("clusters", clusters)
	}
}

func (p *progress) bar(name string, total int) *mpb.Bar {
	return p.bars.AddBar(int64(total), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d", decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)))
}

// visited says that a cluster has been looked at.
func (p *progress) visited(v collect.Visit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked++
	if p.clusterBar != nil {
		p.clusterBar.SetCurrent(int64(p.looked))
	}
	if p.clusters < 2 || p.bars != nil || len(v.Batches) == 0 {
		return
	}
	rows, gaps, took := 0, len(v.Gaps), time.Duration(0)
	for _, b := range v.Batches {
		took = max(took, b.Took)
		for _, o := range b.Observations {
			if o.Certificate != nil {
				rows++
			}
			if o.Gap != nil {
				gaps++
			}
		}
	}
	missing := ""
	if gaps > 0 {
		missing = ", " + some(gaps, "gap")
	}
	p.line("%d/%d %s: %s%s (%s)", p.looked, p.clusters, render.Visible(v.Batches[0].Target.Name), some(rows, "certificate"), missing, took.Round(100*time.Millisecond))
}

// ran says how far the nodes are, of all clusters together. Before the first
// script runs it says that one will: it runs as root.
func (p *progress) ran(done, total, gaps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.nodes = done, total
	if total > p.announced && (p.clusters < 2 || p.announced == 0) {
		on := some(total-p.announced, "node")
		if p.clusters > 1 {
			on = fmt.Sprintf("the nodes of %d clusters", p.clusters)
		}
		p.line("running a read-only script as root on %s (see akscert node-script; leave out with --sources=-node)", on)
	}
	p.announced = max(p.announced, total)
	if p.bars != nil {
		if p.nodeBar == nil && total > 0 {
			p.nodeBar = p.bar("nodes", 0) // a bar with a total ends there, and this one grows
		}
		if p.nodeBar != nil {
			p.nodeBar.SetTotal(int64(total), false)
			p.nodeBar.SetCurrent(int64(done))
		}
		return
	}
	if done > 0 && (done == total || done >= p.lines+max(1, total/10)) {
		p.lines = done
		missing := ""
		if gaps > 0 {
			missing = " · " + some(gaps, "gap")
		}
		p.line("nodes %d/%d%s", done, total, missing)
	}
}

// beat says that the audit is still at it, where it has had nothing to say for a
// while.
func (p *progress) beat() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		if time.Since(p.said) >= heartbeat {
			p.line("still looking after %s: clusters %d/%d, nodes %d/%d", time.Since(p.began).Round(time.Second), p.looked, p.clusters, p.asked, p.nodes)
		}
		p.mu.Unlock()
	}
}

// end stops telling, and takes the bars away.
// What is still said then goes straight to stderr. It may be called twice.
func (p *progress) end() {
	p.mu.Lock()
	bars, drawn := p.bars, []*mpb.Bar{p.clusterBar, p.nodeBar}
	ended := p.ended
	p.bars, p.ended = nil, true
	p.mu.Unlock()
	if ended {
		return
	}
	close(p.stop)
	if bars == nil {
		return
	}
	for _, b := range drawn {
		if b != nil {
			b.Abort(true)
		}
	}
	bars.Wait() // not Shutdown, which does not wait for what Abort has to wipe
}

func some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size is a terminal's; zero for anything else.
func size(w io.Writer) (columns, rows int) {
	if f, ok := w.(*os.File); ok {
		columns, rows, _ = term.GetSize(int(f.Fd()))
	}
	return columns, rows
}
