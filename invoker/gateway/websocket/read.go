package websocket

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/protocol"
)

// event is something that the function is called for.
type event struct {
	name   string // protocol.SocketText and so on
	body   *bytes.Buffer
	header protocol.Header // of the call; nil: it is made for it
}

// read takes the client's messages until there are no more, or another goroutine does. It does nothing else for most
// connections, so that its stack stays small; for lively ones it calls, too (relay.go).
func (c *conn) read() {
	rate, _ := protocol.ParseRate(c.route.Rate) // a manifest has been checked
	for {
		e, err := c.next()
		if err != nil {
			c.finish(err)
			return
		}
		if !c.pace(rate) {
			c.hub.release(e)
		} else if !c.deliver(e) {
			return
		}
	}
}

// next reads one message. It has no buffer while it waits.
func (c *conn) next() (*event, error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, err
	}
	c.heard.Store(true)
	e := &event{name: protocol.SocketBinary, body: c.hub.buffer()}
	if _, err = e.body.ReadFrom(r); err != nil {
		c.hub.release(e)
		return nil, err
	}
	c.heard.Store(true)
	c.hub.count.in.Add(1)
	c.hub.config.Observer.Received()
	if kind == gorilla.TextMessage {
		e.name = protocol.SocketText
		if !utf8.Valid(e.body.Bytes()) {
			c.end(protocol.SocketBadText, "the text is not UTF-8")
		}
	}
	return e, nil
}

// mostPause is how long a connection is not read because of its rate.
const mostPause = 10 * time.Second

// pace waits until the rate allows another message, as a leaky bucket that holds as many as come in the rate's time. It
// returns false if that takes too long: then the connection has been ended.
func (c *conn) pace(rate protocol.Rate) bool {
	if rate.Count == 0 {
		return true
	}
	now, gap := time.Now().UnixNano(), int64(rate.Gap())
	c.allows = max(c.allows, now)
	wait := time.Duration(c.allows - now - gap*int64(rate.Count-1))
	c.allows += gap
	if wait <= 0 {
		return true
	}
	if wait > mostPause {
		c.end(protocol.SocketPolicy, fmt.Sprintf("more messages than %s, the rate of this route", c.route.Rate))
		return false
	}
	c.pause(wait)
	return true
}

// pause waits for a time, or until the connection ends.
func (c *conn) pause(d time.Duration) {
	until := time.Now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	wake := time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.turn.Broadcast()
	})
	defer wake.Stop()
	c.stalled = true
	for c.goesOn() && time.Now().Before(until) {
		c.turn.Wait()
	}
	c.stalled = false
}

// deliver has the function called for an event when it is its turn. One event may wait while another is called for;
// then the client is not read. Events of a connection that this side has ended are nobody's. It returns false if
// another goroutine reads from now on.
func (c *conn) deliver(e *event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending != nil && c.goesOn() {
		c.stalled = true
		c.turn.Wait()
	}
	c.stalled = false
	if !c.goesOn() || !c.route.Takes(e.name) {
		c.hub.release(e)
		return true
	}
	c.enliven()
	if c.busy {
		c.pending = e
		return true
	}
	c.busy = true
	if c.lively != nil {
		if e.name == protocol.SocketText {
			e.header = c.lively.header
		}
		return c.callHere(e)
	}
	c.pending = e
	c.hub.work(c)
	return true
}

// goesOn reports whether this side goes on with the connection. The caller holds the mutex.
func (c *conn) goesOn() bool { return c.code == 0 && c.leaving == "" && !c.gone }

// keptBuffer is the capacity of the largest buffer that is used again.
const keptBuffer = 64 << 10

// buffer returns an empty buffer.
func (h *Hub) buffer() *bytes.Buffer {
	if b, ok := h.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return &bytes.Buffer{}
}

// release gives an event's buffer back.
func (h *Hub) release(e *event) {
	if b := e.body; b != nil && b.Cap() <= keptBuffer {
		b.Reset()
		h.buffers.Put(b)
	}
}
