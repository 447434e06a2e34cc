package invoker

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// pass publishes a successful reply where the trigger that called says (see protocol.Trigger.To), before the caller
// hears of it. What cannot be passed on is logged: the function has done its work, so its caller gets the reply all
// the same.
func (f *function) pass(ctx context.Context, c *call, r *protocol.Reply) {
	if !c.triggered || r.Err != nil || c.request.DryRun {
		return
	}
	t := c.version.trigger(f.name, c.msg.Sub.Subject, c.msg.Sub.Queue)
	to, err := t.Destination(c.request.Subject)
	if err == nil && to == "" {
		return
	}
	r.ID = c.id()
	if err == nil {
		err = f.passTo(ctx, c, to, r)
	}
	if err != nil {
		c.log.Platform("reply not passed on: " + protocol.ErrorOf(err, c.id()).Error())
		f.v.Log.Error("reply not passed on", "function", c.version.ref, "id", c.id(),
			"subject", c.request.Subject, "to", protocol.CleanValue(to, protocol.MaxErrorText), "err", err)
	}
}

// passTo publishes a reply's body, as an object if it is too large for a message: another one than the caller's, who
// may delete that.
func (f *function) passTo(ctx context.Context, c *call, to string, r *protocol.Reply) error {
	hops := c.request.Hops + 1
	if hops > protocol.MaxHops {
		return protocol.Errorf(protocol.CodeFailed, "", "it has been passed on %d times, so there is a loop: see which functions' to leads to which other's subject", c.request.Hops)
	}
	if most := protocol.LongestSubject(f.v.line); len(to) > most {
		return protocol.Errorf(protocol.CodeBadRequest, "", "subject %.40q... has %d bytes; NATS takes %d", to,
			len(to), most)
	}
	h, body := protocol.Header{protocol.HeaderID: {c.id()}, protocol.HeaderHops: {strconv.Itoa(hops)}}, r.Body
	if r.Exit > 0 {
		h[protocol.HeaderExit] = []string{strconv.Itoa(r.Exit)}
	}
	if int64(h.Size()+len(body)) > f.v.nc.MaxPayload() {
		claim, err := f.keep(ctx, c, body)
		if err != nil {
			return err
		}
		claim.Put(h)
		body = nil
	}
	return f.v.own.PublishMsg(&nats.Msg{Subject: to, Header: nats.Header(h), Data: body})
}

// trigger returns the one whose subscription this is; a zero one if the version has it no more.
func (s *version) trigger(name, subject, queue string) protocol.Trigger {
	for _, t := range s.manifest.Triggers {
		if t.Subject == subject && t.QueueOf(name) == queue {
			return t
		}
	}
	return protocol.Trigger{}
}
