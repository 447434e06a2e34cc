package websocket

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// mostLively bounds the connections whose own goroutine calls: its stack grows, and only the garbage collector
	// makes it smaller again.
	mostLively = 256
	// livelyAfter is how many messages make a connection a lively one, if they come between two beats.
	livelyAfter = 16
	// relayTime is how long such a goroutine may call before another one reads: up to twice as long, in fact.
	relayTime = 5 * time.Millisecond
	// relayRest is after how many times without a call the relay rests, a second.
	relayRest = 200
)

// relay lets the goroutine that reads a lively connection call as well: to hand an event to another goroutine costs as
// much as a quick call does. When a call outlives its time, another goroutine goes on with reading, and this one only
// finishes what it has begun, as an invoker's receivers do. Clocks are not looked at for that: a goroutine counts time
// as long as there are such calls.
type relay struct {
	now     atomic.Int64 // in times
	called  atomic.Bool  // somebody has called since the last time
	running atomic.Bool  // the goroutine that counts runs

	mu    sync.Mutex
	conns []*conn // the lively ones
}

// lively is what a lively connection has besides.
type lively struct {
	header protocol.Header // of the events "text"
	begun  int64           // when the goroutine that reads has begun to call, by relay.now
	reads  bool            // it calls, and nobody reads meanwhile
}

// enliven makes a connection a lively one, if there is room and enough has come from it. The caller holds the
// connection's mutex.
func (c *conn) enliven() {
	if c.lately < livelyAfter {
		c.lately++
		return
	}
	if c.lively != nil {
		return
	}
	r := &c.hub.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.conns) < mostLively {
		r.conns = append(r.conns, c)
		c.lively = &lively{header: c.header(protocol.SocketText)}
	}
}

// settle makes a connection an ordinary one again if little has come from it since the last beat. The caller holds the
// connection's mutex.
func (c *conn) settle() {
	few := c.lately < livelyAfter
	c.lately = 0
	if few {
		c.calm()
	}
}

// calm makes a connection an ordinary one again, unless it calls. The caller holds the connection's mutex.
func (c *conn) calm() {
	if c.lively == nil || c.busy {
		return
	}
	c.lively = nil
	r := &c.hub.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = slices.DeleteFunc(r.conns, func(other *conn) bool { return other == c })
}

// callHere calls the function for an event on the goroutine that reads, and reports whether it still reads afterwards.
// The caller holds the mutex, and has noted that the connection is busy.
func (c *conn) callHere(e *event) bool {
	h := c.hub
	c.lively.begun, c.lively.reads = h.relay.now.Load(), true
	c.mu.Unlock()
	h.relay.called.Store(true)
	if !h.relay.running.Load() {
		h.relay.start(h)
	}
	c.handle(e)
	h.release(e)
	c.mu.Lock()
	still := c.lively.reads
	c.lively.reads = false
	c.workOn()
	return still
}

// handOver lets another goroutine read if the one that does has called for too long.
func (c *conn) handOver(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lively != nil && c.lively.reads && now > c.lively.begun+1 {
		c.lively.reads = false
		go c.read()
	}
}

// start has time counted, unless it is.
func (r *relay) start(h *Hub) {
	if r.running.CompareAndSwap(false, true) {
		h.pinging.Add(1) // a connection calls, so that Drain does not wait for it yet
		go r.run(h)
	}
}

// run counts time, and lets connections be read whose goroutine calls for too long, until there are no calls.
func (r *relay) run(h *Hub) {
	defer h.pinging.Done()
	tick := time.NewTicker(relayTime)
	defer tick.Stop()
	for quiet := 0; ; quiet++ {
		select {
		case <-tick.C:
		case <-h.calls.Done():
			return // calls end, too
		}
		now := r.now.Add(1)
		r.mu.Lock()
		conns := slices.Clone(r.conns)
		r.mu.Unlock()
		for _, c := range conns {
			c.handOver(now)
		}
		if r.called.Swap(false) {
			quiet = 0
		}
		if quiet < relayRest {
			continue
		}
		r.running.Store(false)
		if !r.called.Load() || !r.running.CompareAndSwap(false, true) {
			return
		}
	}
}
