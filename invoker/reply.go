package invoker

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
)

// refuse answers a call that was not admitted.
func (f *function) refuse(c *call, err error) {
	reply := protocol.Reply{ID: c.id(), Exit: -1, Err: f.asError(c, err)}
	f.reply(f.v.ctx, c, &reply)
	c.free()
}

// fail makes the reply of a call that was admitted say what went wrong: to the caller a
// code, a message and the end of stderr; to the operator, and in the function's log, the rest.
func (f *function) fail(c *call, reply *protocol.Reply, err error) {
	reply.ID = c.id()
	reply.Err = f.explain(c, err)
	reply.Body = c.log.Tail()
	if c.request.Stdout {
		reply.Stdout = f.endOf(c.stdout.Bytes(), len(reply.Body))
	}
	text := reply.Err.Msg
	var trap *runtimes.TrapError
	if errors.As(err, &trap) && trap.Stack != "" {
		text += "\n" + trap.Stack
	}
	c.log.Platform(text)
}

// besides is what an error reply takes at most besides its body, in bytes.
const besides = 2 << 10

// endOf returns as much of the end of a failed process's stdout as there is room for in a message beside the end of
// its stderr.
func (f *function) endOf(stdout []byte, tail int) []byte {
	room := max(0, int(f.v.nc.MaxPayload())-besides-tail)
	return stdout[max(0, len(stdout)-room):]
}

// explain turns the error of a run into the one for the caller (section 6 of the
// specification). What a function said with its exit code stands above all else.
func (f *function) explain(c *call, err error) *protocol.Error {
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	var known *protocol.Error
	var refused *runtimes.ModuleError
	exited, trapped := errors.As(err, &exit), errors.As(err, &trap)
	if exited {
		if o := protocol.FromExit(exit.Code); o.Chosen || !errors.Is(err, runtimes.ErrMemory) {
			return protocol.Errorf(o.Code, "", "%s ended with exit code %d (%s)", c.version.ref, exit.Code, o.Text)
		}
	}
	switch {
	case errors.Is(err, runtimes.ErrMemory):
		return protocol.Errorf(protocol.CodeMemory, "", "%s reached its memory limit of %s (limits.memory)", c.version.ref, c.version.limits.Memory)
	case errors.Is(err, runtimes.ErrOutput):
		return protocol.Errorf(protocol.CodeBadOutput, "", "%s wrote more than %s (limits.output)", c.version.ref, c.version.limits.Output)
	case errors.Is(err, runtimes.ErrFuel):
		return protocol.Errorf(protocol.CodeTimeout, "", "%s used up its fuel of %d: raise limits.fuel", c.version.ref, c.version.limits.Fuel)
	case trapped:
		return protocol.Errorf(protocol.CodeFailed, "", "%s trapped: %s", c.version.ref, trap.Reason)
	case errors.As(err, &refused):
		return protocol.Errorf(protocol.CodeRefused, "", "%s cannot be run: %s", c.version.ref, refused.Reason)
	case errors.As(err, &known):
		return f.asError(c, err)
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.Errorf(protocol.CodeTimeout, "", "%s did not end within %s", c.version.ref, c.timeLimit())
	case errors.Is(err, context.Canceled):
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s was stopped: the invoker ends, or the caller went away", c.version.ref)
	}
	return f.asError(c, err)
}

// asError returns the part of an error that may cross to a caller. What may not is logged under the call's id.
func (f *function) asError(c *call, err error) *protocol.Error {
	var used *exhausted.Error
	e := protocol.ErrorOf(err, c.id())
	if e.Code == protocol.CodeFailed && errors.As(exhausted.Of(err), &used) {
		e = &protocol.Error{Code: protocol.CodeUnavailable, Msg: used.Error(), Err: err}
	}
	if e.Code == protocol.CodeFailed || used != nil {
		f.v.Log.Error("call failed", "function", f.name, "id", c.id(), "err", err)
	}
	return e
}

// reply sends the answer, having counted the call.
func (f *function) reply(ctx context.Context, c *call, r *protocol.Reply) {
	if c.answer != nil {
		kept := *r
		kept.Body = append([]byte(nil), r.Body...) // the call's own buffer is used again
		kept.Stdout = bytes.Clone(r.Stdout)
		f.count(c, r)
		c.answer <- &kept
		return
	}
	f.pass(ctx, c, r)
	h, body := r.Message()
	if most := f.v.nc.MaxPayload(); c.msg.Reply != "" && int64(h.Size()+len(body)) > most {
		f.fit(ctx, c, r, int(most))
		h, body = r.Message()
	}
	f.count(c, r)
	if c.msg.Reply == "" {
		f.reportUnanswered(c, r)
	} else if err := f.send(c, h, body); err != nil {
		f.v.Log.Error("reply not sent", "function", f.name, "id", c.id(), "err", err)
	}
}

// fit makes a reply fit a message of most bytes: a success by putting its body into the object store, a failure by
// saying less.
func (f *function) fit(ctx context.Context, c *call, r *protocol.Reply, most int) {
	if r.Err == nil {
		f.store(ctx, c, r)
		if h, body := r.Message(); r.Err == nil && h.Size()+len(body) > most {
			r.Claim = nil
			r.Err = protocol.Errorf(protocol.CodeBadOutput, "",
				"NATS takes messages of %d bytes (max_payload), which has no room for a reply's headers", most)
		}
	}
	r.Shorten(most)
}

// count adds the call to its endpoint's figures.
func (f *function) count(c *call, r *protocol.Reply) {
	failure := ""
	if r.Err != nil {
		failure = strconv.Itoa(r.Err.Code) + ":" + protocol.CleanValue(r.Err.Error(), protocol.MaxErrorText)
	}
	c.endpoint.Count(c.took(), failure)
}

// took returns how long the call has taken. If it did not wait, that is how long its process took.
func (c *call) took() time.Duration {
	if d := c.process.Usage.Duration; d > 0 && !c.waited {
		return d
	}
	return time.Since(c.received)
}

// send sends the answer to whoever waits for it, now or together with the next.
func (f *function) send(c *call, h protocol.Header, body []byte) error {
	if c.receiver == nil {
		return f.publish(c.msg.Reply, h, body)
	}
	return c.receiver.send(c, h, body)
}

// publish sends the answer to whoever waits for it. The connection copies body.
func (f *function) publish(subject string, h protocol.Header, body []byte) error {
	if h == nil {
		return f.v.nc.Publish(subject, body)
	}
	return f.v.nc.PublishMsg(&nats.Msg{Subject: subject, Header: nats.Header(h), Data: body})
}

// reportUnanswered logs the failure of a message to which nobody awaits an answer.
func (f *function) reportUnanswered(c *call, r *protocol.Reply) {
	if r.Err != nil {
		f.v.Log.Warn("message without reply subject failed", "function", f.name, "id", c.id(),
			"subject", c.request.Subject, "code", r.Err.Code, "err", r.Err)
	}
}

// storeTimeout bounds the time in which a reply's body becomes an object. It is not the
// call's own: a function that used all of its time has still answered in time.
const storeTimeout = 10 * time.Second

// store puts the reply's body into the object store and a claim in its place.
func (f *function) store(ctx context.Context, c *call, r *protocol.Reply) {
	claim, err := f.keep(ctx, c, r.Body)
	if err != nil {
		f.v.Log.Error("reply not stored", "function", f.name, "id", c.id(), "err", err)
		r.ID = c.id()
		r.Err = protocol.Errorf(protocol.CodeBadOutput, "", "the reply of %d bytes is over max_payload (%d), and could not be stored as an object",
			len(r.Body), f.v.nc.MaxPayload())
	}
	r.Claim, r.Body = claim, nil
}

// keep puts a body into the object store, while another receiver takes the next message.
func (f *function) keep(ctx context.Context, c *call, body []byte) (*protocol.Claim, error) {
	c.receiver.handOver()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return f.v.bodies.PutBytes(ctx, body)
}
