package websocket

import (
	"context"
	"errors"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// What whoever publishes is told, if it asks.
var (
	errNoConnection = protocol.Errorf(protocol.CodeNotFound, "", "there is no such connection: its client has gone")
	errSlow         = protocol.Errorf(protocol.CodeUnavailable, "", "the client is too slow: its connection is ended")
	errControls     = protocol.Errorf(protocol.CodeTooMany, "", "too many topics at once: try again")
)

// listen subscribes to what is published for single connections, once, and returns when NATS has the subscription.
func (h *Hub) listen(ctx context.Context) error {
	h.mu.Lock()
	t, first := h.push, h.push == nil
	if first {
		t = newTopic(protocol.SocketSubject(h.id + ".*"))
		h.push = t
	}
	h.mu.Unlock()
	if first {
		h.makeTopic(ctx, t, h.pushed)
	}
	select {
	case <-t.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	if t.err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.push == t {
			h.push = nil // the next connection tries again
		}
	}
	return t.err
}

// pushed takes a message for one connection. It must not wait: one goroutine has all of them.
func (h *Hub) pushed(m *nats.Msg) {
	c := h.find(m.Subject)
	if c == nil {
		h.acknowledge(m.Reply, errNoConnection)
		return
	}
	p, err := protocol.ParsePush(protocol.Header(m.Header), m.Data)
	switch {
	case err != nil:
	case len(p.Subscribe) > 0:
		if err = h.later(func() { h.acknowledge(m.Reply, c.obey(p)) }); err == nil {
			return
		}
	default:
		err = c.obey(p)
	}
	h.acknowledge(m.Reply, err)
}

// obey does what a message for the connection says. The error's code is one of protocol.ParsePush, 404 or 503.
func (c *conn) obey(p protocol.Push) error {
	if len(p.Subscribe) > 0 {
		if err := c.join(context.Background(), p.Subscribe); err != nil {
			return err
		}
	}
	for _, name := range p.Unsubscribe {
		if t := c.dropTopic(name); t != nil {
			c.hub.leave(t, c)
		}
	}
	switch {
	case p.Close != 0:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.gone || c.code != 0 {
			return errNoConnection
		}
		c.close(p.Close, string(p.Body))
		return nil
	case p.Silent:
		return nil
	}
	return c.send(message{data: p.Body, kind: kindOf(p.Kind, p.Body)})
}

// acknowledge tells whoever published what has become of a message, if it wants to know.
func (h *Hub) acknowledge(reply string, err error) {
	if reply == "" || protocol.CheckReply(reply, protocol.DefaultLine) != nil {
		return
	}
	m := &nats.Msg{Subject: reply}
	if err != nil {
		var e *protocol.Error
		if !errors.As(err, &e) {
			e = protocol.ErrorOf(err, h.id)
		}
		header, body := (&protocol.Reply{Err: e, Exit: -1}).Message()
		m.Header, m.Data = nats.Header(header), body
	}
	if err := h.config.Conn.PublishMsg(m); err != nil {
		h.config.Log.Warn("the answer to a push is lost", "id", h.id, "err", err)
	}
}

// subscribeTimeout is how long NATS may take for a subscription.
const subscribeTimeout = 5 * time.Second

// subscribe returns when the NATS server has the subscription. The error's code is 403 if it is not permitted, or 503.
func (h *Hub) subscribe(ctx context.Context, subject string, take nats.MsgHandler) (*nats.Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, subscribeTimeout)
	defer cancel()
	ctx, denied := h.denials.During(ctx, denial(subject))
	sub, err := h.config.Conn.Subscribe(subject, take)
	if err == nil {
		if err = h.config.Conn.FlushWithContext(ctx); err == nil {
			h.denials.Settle()
			err = ctx.Err()
		}
	}
	if err = denied(err); err == nil {
		return sub, nil
	}
	if sub != nil {
		_ = sub.Unsubscribe() // it fails only if the connection is closed
	}
	h.config.Log.Warn("what is published for WebSockets cannot be had", "subject", subject, "err", err)
	if protocol.CodeOf(err) == protocol.CodeForbidden {
		return nil, protocol.Errorf(protocol.CodeForbidden, "", "this gateway may not subscribe to %s: docs/permissions.md "+
			"has what it needs", subject)
	}
	return nil, &protocol.Error{Code: protocol.CodeUnavailable, Err: err,
		Msg: "NATS does not answer this gateway: try again"}
}

// mostControls is how many messages with topics wait at most.
const mostControls = 1024

// controls is what waits for NATS, one after the other. The hub's mutex guards it.
type controls struct {
	waiting []func()
	running bool
}

// later has something done soon. The error's code is 429 or 503.
func (h *Hub) later(do func()) error {
	h.mu.Lock() // so that nothing begins when Drain waits
	defer h.mu.Unlock()
	c := &h.control
	switch {
	case h.leaving:
		return errNoConnection
	case len(c.waiting) >= mostControls:
		return errControls
	}
	c.waiting = append(c.waiting, do)
	if !c.running {
		c.running = true
		h.running.Add(1)
		go h.obeyAll()
	}
	return nil
}

// obeyAll does what waits, until nothing does.
func (h *Hub) obeyAll() {
	defer h.running.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &h.control
	for len(c.waiting) > 0 {
		do := c.waiting[0]
		c.waiting[0] = nil
		c.waiting = c.waiting[1:]
		h.mu.Unlock()
		do()
		h.mu.Lock()
	}
	c.waiting, c.running = nil, false
}

// kindOfTopic returns the kind of frame for a message of a topic.
func kindOfTopic(m *nats.Msg) int {
	if len(m.Header) == 0 {
		return kindOf("", m.Data)
	}
	return kindOf(protocol.Header(m.Header).Get(protocol.HeaderSocket), m.Data)
}

// ping is the frame of a ping.
var ping = message{kind: gorilla.PingMessage}
