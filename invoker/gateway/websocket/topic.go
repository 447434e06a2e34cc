package websocket

import (
	"context"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// topic is a subject whose messages some connections get, by one subscription.
type topic struct {
	name  string
	refs  int           // connections that have it, or wait for it; the hub's mutex guards it
	ready chan struct{} // closed when the fields below have their values
	sub   *nats.Subscription
	err   error

	mu    sync.RWMutex
	conns map[*conn]struct{}
}

// denial returns what concerns whoever subscribes to a subject.
func denial(subject string) func(denials.Denial) bool {
	return func(d denials.Denial) bool { return d.Subscription && (d.Subject == subject || d.Subject == "") }
}

// join gives the connection topics, and returns when the NATS server knows of them. The error's code is 400 for too
// many, 403, 404 or 503.
func (c *conn) join(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := c.joinOne(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// joinOne gives the connection a topic, unless it has it.
func (c *conn) joinOne(ctx context.Context, name string) error {
	c.mu.Lock()
	has := slices.ContainsFunc(c.topics, func(t *topic) bool { return t.name == name })
	full, gone := len(c.topics) >= protocol.MaxSocketTopics, c.gone
	c.mu.Unlock()
	switch {
	case gone:
		return errNoConnection
	case has:
		return nil
	case full:
		return protocol.Errorf(protocol.CodeBadRequest, "", "a connection has at most %d topics", protocol.MaxSocketTopics)
	}
	t, err := c.hub.topic(ctx, name)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.conns[c] = struct{}{}
	t.mu.Unlock()
	c.mu.Lock()
	gone = c.gone
	has = slices.Contains(c.topics, t)
	if !gone && !has {
		c.topics = append(c.topics, t)
	}
	c.mu.Unlock()
	switch {
	case gone:
		c.hub.leave(t, c)
		return errNoConnection
	case has:
		c.hub.unref(t)
	}
	return nil
}

// dropTopic takes a topic from the connection, and returns it, or nil if the connection has none of that name.
func (c *conn) dropTopic(name string) *topic {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.topics, func(t *topic) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	t := c.topics[i]
	c.topics = slices.Delete(c.topics, i, i+1)
	return t
}

// dropTopics takes all topics from the connection, which must be gone.
func (c *conn) dropTopics() []*topic {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.topics
	c.topics = nil
	return all
}

// topic returns the topic with a name, subscribed to, and counts the caller as one that has it.
func (h *Hub) topic(ctx context.Context, name string) (*topic, error) {
	h.mu.Lock()
	t, ok := h.topics[name]
	if !ok {
		t = newTopic(name)
		h.topics[name] = t
	}
	t.refs++
	h.mu.Unlock()
	if !ok {
		h.makeTopic(ctx, t, t.take)
	}
	select {
	case <-t.ready:
		if t.err != nil {
			h.unref(t)
		}
		return t, t.err
	case <-ctx.Done():
		h.unref(t)
		return nil, ctx.Err()
	}
}

// newTopic returns a topic that is not subscribed to yet.
func newTopic(name string) *topic {
	return &topic{name: name, ready: make(chan struct{}), conns: map[*conn]struct{}{}}
}

// makeTopic subscribes to a topic. Others wait for it too, so it does not end with the caller.
func (h *Hub) makeTopic(ctx context.Context, t *topic, take nats.MsgHandler) {
	t.sub, t.err = h.subscribe(context.WithoutCancel(ctx), t.name, take)
	close(t.ready)
}

// leave takes a connection from a topic.
func (h *Hub) leave(t *topic, c *conn) {
	t.mu.Lock()
	delete(t.conns, c)
	t.mu.Unlock()
	h.unref(t)
}

// unref ends the subscription of a topic that nobody has any more. One that could not be made is forgotten at once, so
// that the next connection tries again.
func (h *Hub) unref(t *topic) {
	h.mu.Lock()
	t.refs--
	last := t.refs == 0
	if (last || t.err != nil) && h.topics[t.name] == t {
		delete(h.topics, t.name)
	}
	h.mu.Unlock()
	if last && t.sub != nil {
		_ = t.sub.Unsubscribe() // it fails only if the connection is closed
	}
}

// take sends a message of the topic to all that have it.
func (t *topic) take(m *nats.Msg) {
	one := message{data: m.Data, kind: kindOfTopic(m)}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for c := range t.conns {
		_ = c.send(one) // one that is too slow is ended, and counted
	}
}
