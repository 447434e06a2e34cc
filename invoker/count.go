package invoker

import (
	"encoding/hex"
	"log/slog"
	"strconv"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// begin tells observers of a call that has been received.
func (c *call) begin() {
	c.endpoint = c.f.calls
	if !c.request.Trigger.IsZero() {
		c.endpoint = c.f.endpoint(c.request.Trigger.Subject)
	}
	if len(c.f.svc.observers) == 0 && c.f.svc.tracer == nil {
		return
	}
	c.seen.Function, c.seen.Request, c.seen.Received = protocol.Ref{Name: c.f.name}, &c.request, c.received
	if c.f.svc.tracer != nil {
		c.trace()
	}
	for _, o := range c.f.svc.observers {
		o.Begin(&c.seen)
	}
}

// trace gives the call its place in a trace. The request's headers may be somebody else's, so they are copied.
func (c *call) trace() {
	c.seen.Parent = c.request.Header.Trace()
	if c.seen.Trace = c.f.svc.tracer.Trace(&c.seen); !c.seen.Trace.IsZero() {
		c.request.Header = c.request.Header.WithTrace(c.seen.Trace)
	}
}

// logger returns the log for lines about the call, which say where in a trace it is.
func (c *call) logger() *slog.Logger {
	log := c.f.svc.log
	if t := c.request.Header.Trace(); !t.IsZero() {
		log = log.With("trace_id", hex.EncodeToString(t.ID[:]), "span_id", hex.EncodeToString(t.Span[:]))
	}
	return log
}

// split notes how long the call has taken for the next part of its way, if anybody observes that.
func (c *call) split(part *time.Duration) {
	if len(c.f.svc.observers) > 0 && c.waited {
		*part = max(0, time.Since(c.received)-c.seen.Queue)
	}
}

// count adds a call that is about to be answered to its endpoint's figures, and tells observers.
func (c *call) count() {
	c.seen.Took, c.seen.Cold = c.took(), c.cold
	if err := c.reply.Err; err != nil {
		c.seen.Code = err.Code
		c.seen.Failure = strconv.Itoa(err.Code) + ":" + protocol.CleanValue(err.Error(), protocol.MaxErrorText)
	}
	usage := &c.process.Usage
	c.seen.Memory = usage.Memory
	c.endpoint.End(&c.seen)
	if c.share != nil {
		c.share.stats.End(&c.seen)
	}
	if c.seen.Code != 0 && c.version != nil {
		c.version.errors.Add(1)
	}
	if len(c.f.svc.observers) == 0 {
		return
	}
	if c.version != nil {
		c.seen.Function = c.version.ref
	}
	if c.seen.Trace.Sampled {
		c.id() // a trace and a log find one another by it; the reply is made, so it gets none
	}
	c.seen.Exit, c.seen.Start, c.seen.Fuel = c.reply.Exit, usage.Start, usage.Fuel
	c.seen.Run = usage.Duration
	c.seen.In, c.seen.Out = c.bodySize(), c.outputSize()
	if c.stream != nil {
		in, out := c.stream.sizes()
		c.seen.In, c.seen.Out = c.seen.In+in, c.seen.Out+out
	}
	for _, o := range c.f.svc.observers {
		o.End(&c.seen)
	}
}

// outputSize returns the size of a reply's body, wherever it is.
func (c *call) outputSize() int64 {
	if c.reply.Claim != nil {
		return c.reply.Claim.Size
	}
	return int64(len(c.reply.Body))
}

// took returns how long the call has taken. If it did not wait, that is how long its process took.
func (c *call) took() time.Duration {
	if d := c.process.Usage.Duration; d > 0 && !c.waited {
		return d
	}
	return time.Since(c.received)
}
