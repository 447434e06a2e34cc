package invoker

import (
	"context"
	"errors"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
)

// fail makes the reply of a call that was admitted say what went wrong: to the caller a
// code, a message and the end of stderr; to the operator, and in the function's log, the rest.
func (c *call) fail(err error) {
	reply := &c.reply
	reply.ID = c.id()
	reply.Err = c.explain(err)
	reply.Body = c.log.Tail()
	if c.request.Stdout {
		reply.Stdout = c.endOf(c.stdout.Bytes(), len(reply.Body))
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
func (c *call) endOf(stdout []byte, tail int) []byte {
	room := max(0, int(c.f.svc.nc.MaxPayload())-besides-tail)
	return stdout[max(0, len(stdout)-room):]
}

// explain turns the error of a run into the one for the caller (section 6 of the
// specification). What a function said with its exit code stands above all else.
func (c *call) explain(err error) *protocol.Error {
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
		return protocol.Errorf(protocol.CodeMemory, "", "%s reached its memory limit of %s (limits.memory)",
			c.version.ref, c.version.limits.Memory)
	case errors.Is(err, runtimes.ErrOutput):
		return protocol.Errorf(protocol.CodeBadOutput, "", "%s wrote more than %s (limits.output)",
			c.version.ref, c.version.limits.Output)
	case errors.Is(err, runtimes.ErrFuel):
		return protocol.Errorf(protocol.CodeTimeout, "", "%s used up its fuel of %d: raise limits.fuel",
			c.version.ref, c.version.limits.Fuel)
	case trapped:
		return protocol.Errorf(protocol.CodeFailed, "", "%s trapped: %s", c.version.ref, trap.Reason)
	case errors.As(err, &refused):
		return protocol.Errorf(protocol.CodeRefused, "", "%s cannot be run: %s", c.version.ref, refused.Reason)
	case errors.As(err, &known):
		return c.asError(err)
	case errors.Is(err, context.DeadlineExceeded):
		return protocol.Errorf(protocol.CodeTimeout, "", "%s did not end within %s", c.version.ref, c.timeLimit())
	case errors.Is(err, context.Canceled):
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s was stopped: the invoker is ending, or the caller went away",
			c.version.ref)
	}
	return c.asError(err)
}

// asError returns the part of an error that may cross to a caller. What may not is logged under the call's id.
func (c *call) asError(err error) *protocol.Error {
	var used *exhausted.Error
	e := protocol.ErrorOf(err, c.id())
	if e.Code == protocol.CodeFailed && errors.As(exhausted.Of(err), &used) {
		e = &protocol.Error{Code: protocol.CodeUnavailable, Msg: used.Error(), Err: err}
	}
	if e.Code == protocol.CodeFailed || used != nil {
		c.logger().Error("call failed", "function", c.f.name, "id", c.id(), "err", err)
	}
	return e
}
