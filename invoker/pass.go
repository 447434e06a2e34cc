package invoker

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/cloudevents"
)

// pass publishes a successful reply where the trigger that called says (see protocol.Trigger.To), before the caller
// hears of it. What cannot be passed on is logged: the function has done its work, so its caller gets the reply all
// the same.
func (c *call) pass() {
	r := &c.reply
	if c.request.Trigger.IsZero() || r.Err != nil || c.request.DryRun {
		return
	}
	t, _ := c.version.manifest.Trigger(c.request.Trigger)
	to, err := t.Destination(c.request.Subject)
	if err == nil && to == "" {
		return
	}
	r.ID = c.id()
	if err == nil {
		err = c.passTo(t, to)
	}
	if err != nil {
		c.log.Platform("reply not passed on: " + protocol.ErrorOf(err, c.id()).Error())
		c.logger().Error("reply not passed on", "function", c.version.ref, "id", c.id(),
			"subject", c.request.Subject, "to", protocol.CleanValue(to, protocol.MaxErrorText), "err", err)
	}
}

// passTo publishes a reply's body. One that is too large for a message goes as an object of its own, because the caller
// may delete the one that it gets.
func (c *call) passTo(t protocol.Trigger, to string) error {
	r := &c.reply
	hops := c.request.Hops + 1
	if hops > protocol.MaxHops {
		return protocol.Errorf(protocol.CodeFailed, "",
			"it has been passed on %d times, so there is a loop: look for functions whose to leads to each other's subjects",
			c.request.Hops)
	}
	if most := protocol.LongestSubject(c.f.svc.line); len(to) > most {
		return protocol.Errorf(protocol.CodeBadRequest, "", "subject %.40q... has %d bytes; NATS takes %d", to,
			len(to), most)
	}
	h, body := protocol.Header{protocol.HeaderID: {c.id()}, protocol.HeaderHops: {strconv.Itoa(hops)}}, r.Body
	c.request.Header.PassTrace(h)
	if r.Exit > 0 {
		h[protocol.HeaderExit] = []string{strconv.Itoa(r.Exit)}
	}
	if t.Events {
		h = cloudevents.New(c.f.name, c.id(), time.Now(), nil).Message(h)
	}
	if int64(h.Size()+len(body)) > c.f.svc.nc.MaxPayload() {
		claim, err := c.keep(body)
		if err != nil {
			return err
		}
		claim.Put(h)
		body = nil
	}
	return c.f.svc.own.PublishMsg(&nats.Msg{Subject: to, Header: nats.Header(h), Data: body})
}

// open makes of a message that is a CloudEvent what its process gets: because the message says so, or the trigger that
// it came by. Any other message stays as it is.
func (c *call) open() error {
	r := &c.request
	if !r.Event {
		if r.Trigger.IsZero() {
			return nil
		}
		if t, _ := c.version.manifest.Trigger(r.Trigger); !t.Events {
			return nil
		}
	}
	return cloudevents.Open(r)
}
