package websocket

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// mostCloses is how many events "close" are called for at a time: thousands of connections can end at once.
const mostCloses = 64

// call calls the function for an event. It waits for room rather than be refused with 429: the client is not read
// meanwhile. The headers of "open" have the id of the call.
func (c *conn) call(ctx context.Context, h protocol.Header, body []byte) (*protocol.Reply, error) {
	r := &protocol.Request{ID: h.Get(protocol.HeaderID), Function: c.ref, Header: h, Body: body, Patient: true}
	reply, err := c.hub.config.Caller.Call(ctx, r)
	if err := protocol.Failure(reply, err); err != nil {
		e := protocol.ErrorOf(err, c.id())
		level := slog.LevelDebug
		if e.Code >= protocol.CodeFailed {
			level = slog.LevelWarn
		}
		c.hub.config.Log.Log(ctx, level, "a call of a WebSocket has failed", "function", c.ref.String(), "id", c.id(),
			"err", err)
		return nil, e
	}
	return reply, nil
}

// open asks the function whether it agrees to the connection. header has all that the handshake had. What it answers
// goes to the client first.
func (c *conn) open(ctx context.Context, header protocol.Header) error {
	if !c.route.Takes(protocol.SocketOpen) {
		return nil
	}
	h := c.header(protocol.SocketOpen)
	for name, values := range header {
		if h.Values(name) == nil {
			h[name] = values
		}
	}
	reply, err := c.call(ctx, h, nil)
	if err != nil {
		return err
	}
	if len(reply.Body) > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.queue = append([]message{{data: reply.Body, kind: kindOf("", reply.Body)}}, c.queue...)
		c.queued += len(reply.Body)
	}
	return nil
}

// work calls the function for one event after the other, as long as there are any.
func (c *conn) work() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workOn()
}

// workOn is work for a caller that holds the mutex.
func (c *conn) workOn() {
	for c.pending != nil {
		e := c.pending
		c.pending = nil
		c.turn.Broadcast()
		if c.code == 0 { // what was received before the client left is done all the same
			c.mu.Unlock()
			c.handle(e)
			c.mu.Lock()
		}
		c.hub.release(e)
	}
	c.busy = false
	if c.leaving != "" {
		c.close(protocol.SocketGoingAway, c.leaving)
	}
	c.turn.Broadcast()
}

// handle calls the function for a message, and sends its answer back.
func (c *conn) handle(e *event) {
	h := e.header
	if h == nil {
		h = c.header(e.name)
	}
	reply, err := c.call(c.hub.calls, h, e.body.Bytes())
	if err != nil {
		c.end(protocol.SocketCode(protocol.CodeOf(err)), err.Error())
		return
	}
	switch {
	case len(reply.Body) == 0:
	case c.to != "":
		c.pass(e.name, reply.Body)
	default:
		c.answer(message{data: reply.Body, kind: kindOf(e.name, reply.Body)})
	}
}

// pass publishes what the function has written for an event.
func (c *conn) pass(event string, body []byte) {
	nc := c.hub.config.Conn
	m := &nats.Msg{Subject: c.to, Data: body, Header: nats.Header{protocol.HeaderHops: {"1"}}}
	if event == protocol.SocketBinary {
		m.Header[protocol.HeaderSocket] = []string{event}
	}
	if int64(m.Size()) > nc.MaxPayload() {
		c.end(protocol.SocketTooLarge, fmt.Sprintf("what the function wrote is over max_payload, %d bytes", nc.MaxPayload()))
		return
	}
	if err := nc.PublishMsg(m); err != nil {
		c.hub.config.Log.Error("what a function wrote for a WebSocket was not published", "function", c.ref.String(),
			"id", c.id(), "subject", c.to, "err", err)
		c.end(protocol.SocketTryAgain, "NATS does not take what the function wrote: try again")
	}
}

// ended calls the function for the end of a connection that it has agreed to, and lets go of it.
func (c *conn) ended(consented bool, code int, reason string) {
	defer c.hub.running.Done()
	defer c.hub.count.open.Add(-1)
	if !consented || !c.route.Takes(protocol.SocketClose) {
		return
	}
	c.hub.closes <- struct{}{}
	defer func() { <-c.hub.closes }()
	h := c.header(protocol.SocketClose)
	h[protocol.HeaderSocketCode] = []string{strconv.Itoa(code)}
	reply, err := c.call(c.hub.calls, h, []byte(reason))
	if err == nil && c.to != "" && len(reply.Body) > 0 {
		c.pass(protocol.SocketClose, reply.Body)
	} // the log has what is wrong, and there is nobody else to tell
}

// kindOf returns the kind of frame for a body that answers an event, or was pushed with such a kind: text cannot be
// anything but UTF-8.
func kindOf(kind string, body []byte) int {
	if kind != protocol.SocketBinary && utf8.Valid(body) {
		return gorilla.TextMessage
	}
	return gorilla.BinaryMessage
}

// reasonOf makes a text fit a close frame.
func reasonOf(text string) string {
	return protocol.CleanValue(strings.ToValidUTF8(text, "?"), protocol.MaxSocketReason)
}
