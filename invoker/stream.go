package invoker

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/polyvoke/polyvoke/invoker/streams"
	"github.com/polyvoke/polyvoke/protocol"
)

// Stream implements protocol.Streamer: it is Invoke for a call whose bodies are not whole in memory. A process that
// waits for in, or for room in out, holds no slot. Stream returns when no Write to out is under way, but a Read of in
// may be: in is not to be used again unless it was read to its end. Request.Record means nothing here.
func (v *Invoker) Stream(ctx context.Context, r *protocol.Request, in io.Reader, out io.Writer) (*protocol.Reply, error) {
	switch {
	case in != nil && (len(r.Body) > 0 || r.Claim != nil):
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "a request whose body is a stream has another one")
	case in != nil && r.Event:
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "the body of a CloudEvent cannot be a stream")
	case !r.Trigger.IsZero():
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "the reply to a trigger's message cannot be a stream")
	}
	if out == nil {
		out = io.Discard
	}
	own := *r
	own.Record = false
	s := &stream{in: in, out: out}
	reply := v.invoke(ctx, &own, s)
	if s.outlet == nil {
		return reply, nil
	}
	<-s.outlet.Idle() // no longer than a Write takes
	if err := s.outlet.Err(); err != nil {
		return nil, err
	}
	return reply, nil
}

var _ protocol.Streamer = (*Invoker)(nil)

// stream is what a call has besides whose bodies are not whole in memory.
type stream struct {
	in  io.Reader // nil if the body is in the request
	out io.Writer

	inlet  *streams.Inlet // nil without in
	outlet *streams.Outlet

	mu     sync.Mutex
	cancel func() // ends the process; nil when there is none
}

// open gives a process that is about to run its stdin and stdout.
func (s *stream) open(c *call) {
	s.cancel = c.ctx.Cancel
	s.outlet = streams.NewOutlet(s.out, s.abort)
	c.process.Stdout = s.outlet
	if s.in == nil {
		return
	}
	most := c.version.limits.Input
	s.inlet = streams.NewInlet(s.in, int64(most), protocol.Errorf(protocol.CodeTooLarge, "",
		"the body has more than %s, and %s takes no more (limits.input)", most, c.f.name))
	c.process.Stdin = s.inlet
}

// abort ends the process, if it runs, because nobody takes what it writes.
func (s *stream) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// release makes abort harmless: the context of the call may soon be that of another.
func (s *stream) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = nil
}

// finish waits until what a process has written has reached its reader, also if it failed, as long as the call may
// take. It returns the error of the run, or why that is not enough.
func (s *stream) finish(c *call, err error) error {
	late := c.wait(c.ctx, s.outlet.Idle())
	s.outlet.Close()
	s.release()
	failed := s.outlet.Err()
	switch {
	case failed != nil:
		return &protocol.Error{Code: protocol.CodeUnavailable, Err: failed,
			Msg: c.version.ref.String() + " was stopped: its caller takes no more output"}
	case err == nil && errors.Is(late, context.DeadlineExceeded):
		return protocol.Errorf(protocol.CodeTimeout, "", "the output of %s was not read within %s", c.version.ref,
			c.timeLimit())
	case err == nil:
		return late
	}
	return err
}

// sizes returns how many bytes came in and went out. A body in the request is not counted.
func (s *stream) sizes() (in, out int64) {
	if s.inlet != nil {
		in = s.inlet.Size()
	}
	if s.outlet != nil {
		out = s.outlet.Written()
	}
	return in, out
}
