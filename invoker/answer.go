package invoker

import (
	"bytes"
	"context"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// answer counts a call and hands its reply to whoever waits for it.
func (c *call) answer() { c.source.deliver(c) }

// deliver implements source: it publishes the reply, if somebody waits for it.
func (m *message) deliver(c *call) {
	if c.request.Stream && m.Reply != "" {
		m.deliverStream(c)
		return
	}
	if c.reply.Err == nil && c.reply.Report == nil && c.request.Header[protocol.HeaderHTTP] != nil {
		c.reply.ID = "" // the gateway knows it, and a reply without headers costs less
	}
	h, body := c.reply.Message()
	if most := c.f.svc.nc.MaxPayload(); m.Reply != "" && int64(h.Size()+len(body)) > most {
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
		err = c.hold(body)
	} else {
		c.receiver.flush()
		err = c.f.publish(m.Reply, h, body)
	}
	if err != nil {
		c.logger().Error("reply not sent", "function", c.f.name, "id", c.id(), "err", err)
	}
}

// streamHeaders is what an answer to a call that asks for a stream has besides its headers, in bytes.
const streamHeaders = 128

// deliverStream is deliver for a call that asks for a stream: it ends the stream, or answers with one message if there
// is none.
func (m *message) deliverStream(c *call) {
	most := int(c.f.svc.nc.MaxPayload()) - streamHeaders
	h, body := c.reply.Message()
	if h.Size()+len(body) > most {
		c.fit(most)
		h, body = c.reply.Message()
	}
	c.count()
	c.receiver.flush()
	var err error
	if c.stream != nil && c.stream.session != nil {
		err = c.stream.session.End(h, body)
	} else {
		if h == nil {
			h = protocol.Header{}
		}
		h[protocol.HeaderStream] = []string{"1"}
		err = c.f.publish(m.Reply, h, body)
	}
	if err != nil {
		c.f.svc.log.Error("reply not sent", "function", c.f.name, "id", c.id(), "err", err)
	}
}

// deliver implements source. The call's own buffers are used again, so the reply gets copies.
func (d *direct) deliver(c *call) {
	kept := c.reply
	kept.Body = append([]byte(nil), c.reply.Body...)
	kept.Stdout = bytes.Clone(c.reply.Stdout)
	c.count()
	d.answer <- &kept
}

// hold lets the receiver send a reply, alone or together with the next ones. If the call has waited for nothing, the
// next one counts from its end.
func (c *call) hold(body []byte) error {
	took, next := c.process.Usage.Duration, time.Time{}
	if !c.waited && c.request.Trigger.IsZero() {
		next = c.received.Add(took)
	}
	return c.receiver.send(c.message.Reply, body, took, next)
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
				"NATS takes messages of %d bytes (max_payload), which leaves no room for a reply's headers", most)
		}
	}
	r.Shorten(most)
}

// reportUnanswered logs the failure of a message to which nobody awaits an answer.
func (c *call) reportUnanswered() {
	if err := c.reply.Err; err != nil {
		c.logger().Warn("message without reply subject failed", "function", c.f.name, "id", c.id(),
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
		c.logger().Error("reply not stored", "function", c.f.name, "id", c.id(), "err", err)
		r.ID = c.id()
		r.Err = protocol.Errorf(protocol.CodeBadOutput, "",
			"the reply of %d bytes is over max_payload (%d), and could not be stored as an object",
			len(r.Body), c.f.svc.nc.MaxPayload())
	}
	r.Claim, r.Body = claim, nil
}

// keep puts a body into the object store, while another receiver takes the next message.
func (c *call) keep(body []byte) (*protocol.Claim, error) {
	c.receiver.handOver()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
	defer cancel()
	return c.f.svc.bodies.PutBytes(ctx, body)
}
