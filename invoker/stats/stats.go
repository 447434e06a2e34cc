// Package stats counts what a function does, without making it wait.
//
// In go calls with what they took, as any [Observer] sees them; out come the figures of $SRV.STATS (ADR-32).
package stats

import (
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Observer sees every call, whatever becomes of it. Its methods run on the call's own goroutine, several at a time, so
// they must be quick and not wait. Neither may keep or change what it is shown.
type Observer interface {
	// Begin is called when a call has been received. Only Function's name, Request and Received are set.
	Begin(*Call)
	// End is called once for each Begin, when the call is about to be answered.
	End(*Call)
}

// Call is what can be seen of a call.
type Call struct {
	Function protocol.Ref      // with the version that ran, if one was found
	Request  *protocol.Request // any part of it may be hostile
	Received time.Time
	Took     time.Duration // since then, or what its process took if it waited for nothing
	Code     int           // of the error; 0 for a success
	Failure  string        // CODE:TEXT, the way ADR-32 writes it; "" for a success
	Exit     int           // exit code; -1 if the process did not end itself, or did not run
	Cold     bool          // its version had to be loaded first
	Start    string        // how the process came to be: one of runtimes' Start constants; "" if it did not run
	In, Out  int64         // size of the bodies of request and reply, in bytes
	Fuel     uint64        // see runtimes.Usage
	Memory   uint64        // the same
	Reads    int64         // by grants: what its last run has read outside
	Writes   int64         // by grants: what has been changed outside

	// How Took is made up, as far as there are observers.
	Queue time.Duration // from Received until it was let in
	Ready time.Duration // from then until its process could begin: its version loaded, its body fetched
	Run   time.Duration // of its process

	Trace  protocol.Trace // its place in a trace, as Tracer says; zero without one
	Parent protocol.Trace // that of whatever has called, as its request says; zero without one
}

// Tracer gives calls their places in traces. Its method runs on the call's own goroutine, several at a time, so it must
// be quick and not wait.
type Tracer interface {
	// Trace is called when a call has been received, before observers see it; Parent is set. It returns the place that
	// the call's process learns, and what its reply is passed on to, in place of its parent's. Zero changes nothing.
	Trace(*Call) protocol.Trace
}

// Endpoint counts the calls of one subject of a function. Its zero value is ready to use; all
// methods may be called from several goroutines, and none waits.
type Endpoint struct {
	requests  atomic.Int64
	errors    atomic.Int64
	nanos     atomic.Int64
	cold      atomic.Int64
	memory    atomic.Uint64 // the most that a process has had
	lastError atomic.Pointer[string]
	times     Histogram
}

// Figures are what an Endpoint has counted.
type Figures struct {
	Requests, Errors, Cold int64
	Time                   time.Duration // of all requests together
	P50, P99               time.Duration
	LastError              string // "" without one
	Memory                 uint64 // the most linear memory that a process has had
}

// Begin implements Observer. A call counts when it is answered.
func (e *Endpoint) Begin(*Call) {}

// End implements Observer. It looks at Took, Failure, Cold and Memory only.
func (e *Endpoint) End(c *Call) {
	e.Count(c.Took, c.Failure)
	if c.Cold {
		e.cold.Add(1)
	}
	for most := e.memory.Load(); c.Memory > most && !e.memory.CompareAndSwap(most, c.Memory); {
		most = e.memory.Load()
	}
}

// Count adds what took so long and is about to be answered. failure is "" for a success, or CODE:TEXT, the way ADR-32
// writes it.
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

var _ Observer = (*Endpoint)(nil)

// Figures returns what has been counted. Calls that are counted meanwhile may be in some of
// the figures only.
func (e *Endpoint) Figures() Figures {
	f := Figures{
		Requests: e.requests.Load(), Errors: e.errors.Load(), Cold: e.cold.Load(),
		Time: time.Duration(e.nanos.Load()), P50: e.times.Quantile(0.50), P99: e.times.Quantile(0.99),
		Memory: e.memory.Load(),
	}
	if p := e.lastError.Load(); p != nil {
		f.LastError = *p
	}
	return f
}
