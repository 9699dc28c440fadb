package demo

import (
	"math"
	"sync"
	"time"
)

// bucket is a token bucket: burst at once, then rate a second. The zero value
// refuses nothing.
type bucket struct {
	burst, rate float64

	mu   sync.Mutex
	used float64
	at   time.Time
}

// Azure's limits, for a subscription, as Options.Limits keeps them: so many at
// once, then so many a second (runs of run-command: a minute).
// https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
// and https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshooting-throttling-errors
const (
	ReadBurst  = 250
	Reads      = 25
	WriteBurst = 200
	Writes     = 10
	RunBurst   = 1500
	Runs       = 500
)

func (b *bucket) fill(burst, perMinute float64) { b.burst, b.rate = burst, perMinute/60 }

// allowance is what Azure counts for each subscription by itself.
type allowance struct{ reads, writes, runs bucket }

func (a *allowance) fill() {
	a.reads.fill(ReadBurst, 60*Reads)
	a.writes.fill(WriteBurst, 60*Writes)
	a.runs.fill(RunBurst, Runs)
}

// take takes one token, or says how long to wait for it.
func (b *bucket) take(now time.Time) (wait time.Duration, ok bool) {
	if b.burst == 0 {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = math.Max(0, b.used-now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	if b.used+1 > b.burst {
		return time.Duration((b.used + 1 - b.burst) / b.rate * float64(time.Second)), false
	}
	b.used++
	return 0, true
}
