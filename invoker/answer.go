package invoker

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// answer counts a call and hands its reply to whoever waits for it.
func (c *call) answer() { c.source.deliver(c) }

// deliver implements source: it publishes the reply, if somebody waits for it.
func (m *message) deliver(c *call) {
	h, body := c.reply.Message()
	if most := c.f.v.nc.MaxPayload(); m.Reply != "" && int64(h.Size()+len(body)) > most {
		c.fit(int(most))
		h, body = c.reply.Message()
	}
	c.count()
	if m.Reply == "" {
		c.reportUnanswered()
		return
	}
	var err error
	if h == nil && c.receiver != nil {
		err = c.receiver.send(c, body)
	} else {
		c.receiver.flush()
		err = c.f.publish(m.Reply, h, body)
	}
	if err != nil {
		c.f.v.Log.Error("reply not sent", "function", c.f.name, "id", c.id(), "err", err)
	}
}

// fit makes a reply fit a message of most bytes: a success by putting its body into the object store, a failure by
// saying less.
func (c *call) fit(most int) {
	r := &c.reply
	if r.Err == nil {
		c.store()
		if h, body := r.Message(); r.Err == nil && h.Size()+len(body) > most {
			r.Claim = nil
			r.Err = protocol.Errorf(protocol.CodeBadOutput, "",
				"NATS takes messages of %d bytes (max_payload), which has no room for a reply's headers", most)
		}
	}
	r.Shorten(most)
}

// publish sends the answer to whoever waits for it. The connection copies body.
func (f *function) publish(subject string, h protocol.Header, body []byte) error {
	if h == nil {
		return f.v.nc.Publish(subject, body)
	}
	return f.v.nc.PublishMsg(&nats.Msg{Subject: subject, Header: nats.Header(h), Data: body})
}

// reportUnanswered logs the failure of a message to which nobody awaits an answer.
func (c *call) reportUnanswered() {
	if err := c.reply.Err; err != nil {
		c.f.v.Log.Warn("message without reply subject failed", "function", c.f.name, "id", c.id(),
			"subject", c.request.Subject, "code", err.Code, "err", err)
	}
}

// storeTimeout bounds the time in which a reply's body becomes an object. It is not the
// call's own: a function that used all of its time has still answered in time.
const storeTimeout = 10 * time.Second

// store puts the reply's body into the object store and a claim in its place.
func (c *call) store() {
	r := &c.reply
	claim, err := c.keep(r.Body)
	if err != nil {
		c.f.v.Log.Error("reply not stored", "function", c.f.name, "id", c.id(), "err", err)
		r.ID = c.id()
		r.Err = protocol.Errorf(protocol.CodeBadOutput, "",
			"the reply of %d bytes is over max_payload (%d), and could not be stored as an object",
			len(r.Body), c.f.v.nc.MaxPayload())
	}
	r.Claim, r.Body = claim, nil
}

// keep puts a body into the object store, while another receiver takes the next message.
func (c *call) keep(body []byte) (*protocol.Claim, error) {
	c.receiver.handOver()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
	defer cancel()
	return c.f.v.bodies.PutBytes(ctx, body)
}
