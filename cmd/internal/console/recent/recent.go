// Package recent keeps the last calls of this process, for people who look.
//
// In go calls as a stats.Observer sees them; out come the last of them, and how many there were of a function by code
// and by duration. It is not installed where there is no console, so it costs a call nothing there.
package recent

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// Kept is how many calls are kept.
	Kept = 1024
	// MaxBody is how many bytes of a request's body are kept while somebody watches.
	MaxBody = 4 << 10
	// maxText bounds an id and a header's value, in bytes.
	maxText = 128
	// maxFunctions is how many functions are counted.
	maxFunctions = 4096
	// shards is over how many maps the calls that run are spread.
	shards = 16
)

// Call is one call as it was seen. The zero value is none.
type Call struct {
	Seq      uint64 // from 1, in the order in which calls were received
	ID       string // empty if nobody has asked for one
	Function protocol.Ref
	Subject  string
	Via      string // one of the Via constants
	Received time.Time
	Running  bool // it has not ended; all below is unknown then, but for the body

	Took, Queue, Ready time.Duration // see stats.Call
	Code, Exit         int
	Failure            string
	Cold               bool
	Start              string
	In, Out            int64
	Fuel, Memory       uint64

	Args []string
	Body []byte // nil if it was not kept
	Cut  bool   // Body is the beginning
}

// Ways in which a call came.
const (
	ViaNATS    = "nats"
	ViaHTTP    = "http"
	ViaSocket  = "websocket"
	ViaJob     = "job"
	ViaTrigger = "trigger"
)

// Ran returns how long the call's process took, with what it waited for a processor.
func (c Call) Ran() time.Duration { return max(0, c.Took-c.Queue-c.Ready) }

// slot holds one call.
type slot struct {
	mu   sync.Mutex
	call Call
}

// running knows the slots of calls that run.
type running struct {
	mu  sync.Mutex
	seq map[*stats.Call]uint64 // the pointer is an identity, and not looked behind
}

// Calls keeps the last calls. Its zero value is ready to use, and its methods may be called from several goroutines.
type Calls struct {
	last     atomic.Uint64 // the sequence of the newest call
	watchers atomic.Int64
	slots    [Kept]slot
	running  [shards]running

	mu      sync.RWMutex
	tallies map[string]*tally
}

var _ stats.Observer = (*Calls)(nil)

// Watch says that somebody looks, so that bodies are kept until the returned function is called.
func (k *Calls) Watch() (end func()) {
	k.watchers.Add(1)
	return sync.OnceFunc(func() { k.watchers.Add(-1) })
}

// shard returns where a call that runs is noted.
func (k *Calls) shard(c *stats.Call) *running {
	return &k.running[uint64(c.Received.UnixNano())/64%shards]
}

// Begin implements stats.Observer.
func (k *Calls) Begin(c *stats.Call) {
	seq := k.last.Add(1)
	s := &k.slots[seq%Kept]
	s.mu.Lock()
	s.call = Call{Seq: seq, Function: c.Function, Via: via(c.Request), Received: c.Received, Running: true,
		ID: short(c.Request.ID), Subject: short(c.Request.Subject)}
	if k.watchers.Load() > 0 {
		s.call.keep(c.Request)
	}
	s.mu.Unlock()
	r := k.shard(c)
	r.mu.Lock()
	if r.seq == nil {
		r.seq = map[*stats.Call]uint64{}
	}
	r.seq[c] = seq
	r.mu.Unlock()
}

// keep takes copies of what is wanted to make the call again.
func (c *Call) keep(r *protocol.Request) {
	c.Body = slices.Clone(r.Body[:min(len(r.Body), MaxBody)])
	c.Cut = len(r.Body) > MaxBody || r.Claim != nil
	for _, a := range r.Args[:min(len(r.Args), 16)] {
		c.Args = append(c.Args, short(a))
	}
}

// short returns a copy of a text that keeps nothing else alive.
func short(s string) string { return strings.Clone(s[:min(len(s), maxText)]) }

// via returns how a request came.
func via(r *protocol.Request) string {
	switch {
	case r.Header.Get(protocol.HeaderSocket) != "":
		return ViaSocket
	case r.Header.Get(protocol.HeaderHTTP) != "":
		return ViaHTTP
	case r.Patient:
		return ViaJob
	case !r.Trigger.IsZero():
		return ViaTrigger
	}
	return ViaNATS
}

// End implements stats.Observer.
func (k *Calls) End(c *stats.Call) {
	r := k.shard(c)
	r.mu.Lock()
	seq := r.seq[c]
	delete(r.seq, c)
	r.mu.Unlock()
	s := &k.slots[seq%Kept]
	s.mu.Lock()
	if s.call.Seq == seq { // else it has run for longer than Kept others
		s.call.end(c)
	}
	s.mu.Unlock()
	if t := k.tally(c.Function.Name); t != nil {
		t.count(c)
	}
}

// end notes how a call has ended.
func (c *Call) end(e *stats.Call) {
	c.Running, c.Function = false, e.Function
	if c.ID == "" { // it has got one since
		c.ID = short(e.Request.ID)
	}
	c.Took, c.Queue, c.Ready = e.Took, e.Queue, e.Ready
	c.Code, c.Exit, c.Failure, c.Cold, c.Start = e.Code, e.Exit, e.Failure, e.Cold, e.Start
	c.In, c.Out, c.Fuel, c.Memory = e.In, e.Out, e.Fuel, e.Memory
}

// Get returns a call by its sequence, or false if it is not kept any more.
func (k *Calls) Get(seq uint64) (Call, bool) {
	s := &k.slots[seq%Kept]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.call, seq != 0 && s.call.Seq == seq
}

// Find returns the newest call with an id.
func (k *Calls) Find(id string) (Call, bool) {
	for _, c := range k.Last(Kept, func(c *Call) bool { return c.ID == id }) {
		return c, true
	}
	return Call{}, false
}

// Last returns the last n calls for which want is true, the newest first. want may be nil.
func (k *Calls) Last(n int, want func(*Call) bool) []Call {
	var all []Call
	for i := range k.slots {
		s := &k.slots[i]
		s.mu.Lock()
		if s.call.Seq != 0 && (want == nil || want(&s.call)) {
			all = append(all, s.call)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b Call) int { return cmp.Compare(b.Seq, a.Seq) })
	return all[:min(n, len(all))]
}

// Seen returns how many calls have been received.
func (k *Calls) Seen() uint64 { return k.last.Load() }
