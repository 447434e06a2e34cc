package invoker

import (
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
	if len(c.f.svc.observers) == 0 {
		return
	}
	c.seen.Function, c.seen.Request, c.seen.Received = protocol.Ref{Name: c.f.name}, &c.request, c.received
	for _, o := range c.f.svc.observers {
		o.Begin(&c.seen)
	}
}

// count adds a call that is about to be answered to its endpoint's figures, and tells observers.
func (c *call) count() {
	c.seen.Took, c.seen.Cold = c.took(), c.cold
	if err := c.reply.Err; err != nil {
		c.seen.Code = err.Code
		c.seen.Failure = strconv.Itoa(err.Code) + ":" + protocol.CleanValue(err.Error(), protocol.MaxErrorText)
	}
	c.endpoint.End(&c.seen)
	if len(c.f.svc.observers) == 0 {
		return
	}
	if c.version != nil {
		c.seen.Function = c.version.ref
	}
	usage := &c.process.Usage
	c.seen.Exit, c.seen.Start, c.seen.Fuel, c.seen.Memory = c.reply.Exit, usage.Start, usage.Fuel, usage.Memory
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
