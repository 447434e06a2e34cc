// Package stats counts what a function does, without making it wait.
//
// In go calls with what they took; out come the figures of $SRV.STATS (ADR-32).
package stats

import (
	"sync/atomic"
	"time"
)

// Endpoint counts the calls of one subject of a function. Its zero value is ready to use; all
// methods may be called from several goroutines, and none waits.
type Endpoint struct {
	requests  atomic.Int64
	errors    atomic.Int64
	nanos     atomic.Int64
	cold      atomic.Int64
	lastError atomic.Pointer[string]
	times     Histogram
}

// Figures are what an Endpoint has counted.
type Figures struct {
	Requests, Errors, Cold int64
	Time                   time.Duration // of all requests together
	P50, P99               time.Duration
	LastError              string // "" without one
}

// Count adds a call that is about to be answered. failure is "" for a success, or
// CODE:TEXT, the way ADR-32 writes it.
func (e *Endpoint) Count(took time.Duration, failure string) {
	e.requests.Add(1)
	e.nanos.Add(int64(took))
	e.times.Add(took)
	if failure != "" {
		e.errors.Add(1)
		kept := failure // only a failure is kept, so only a failure costs an allocation
		e.lastError.Store(&kept)
	}
}

// Cold adds a call that found its version not loaded.
func (e *Endpoint) Cold() { e.cold.Add(1) }

// Figures returns what has been counted. Calls that are counted meanwhile may be in some of
// the figures only.
func (e *Endpoint) Figures() Figures {
	f := Figures{
		Requests: e.requests.Load(), Errors: e.errors.Load(), Cold: e.cold.Load(),
		Time: time.Duration(e.nanos.Load()), P50: e.times.Quantile(0.50), P99: e.times.Quantile(0.99),
	}
	if p := e.lastError.Load(); p != nil {
		f.LastError = *p
	}
	return f
}
