package invoker

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/polyvoke/polyvoke/invoker/denials"
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
	own.Stream, own.Chunks = false, false
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

	inlet   *streams.Inlet // nil without in
	outlet  *streams.Outlet
	session *streams.Session // both ends of a call that came by message, in place of in and out

	mu     sync.Mutex
	cancel func() // ends the process; nil when there is none
}

// listen makes streams possible over NATS. Without the permission for that, they are answered with one message.
func (s *service) listen(ctx context.Context) {
	hub, err := streams.Listen(s.nc, s.line, 0)
	if err == nil {
		subject := hub.Subject()
		watched, settled := s.flushes.denials.During(ctx, func(d denials.Denial) bool {
			return d.Subscription && (d.Subject == subject || d.Subject == "")
		})
		err = s.flushes.roundTrip()
		err = settled(cmp.Or(err, watched.Err()))
	}
	if err != nil {
		s.log.Warn("streams are answered with one message each", "err", err)
		return
	}
	s.streams = hub
}

// accept makes a call that came by message a stream if its caller asks for that. One whose reply is passed on is none,
// because the reply must be whole for that.
func (c *call) accept() error {
	r := &c.request
	if c.stream != nil || !r.Stream {
		return nil
	}
	t, _ := c.version.manifest.Trigger(r.Trigger)
	hub, byMessage := c.f.svc.streams, c.source == &c.message && c.message.Msg.Reply != ""
	switch {
	case byMessage && hub != nil && t.To == "" && !(r.Chunks && (r.Event || t.Events)):
		if !r.DryRun {
			c.stream = new(stream)
		}
		return nil
	case !r.Chunks:
		return nil
	case r.Event || t.Events:
		return protocol.Errorf(protocol.CodeBadRequest, "", "the body of a CloudEvent cannot come in chunks")
	case t.To != "":
		return protocol.Errorf(protocol.CodeBadRequest, "", "a message whose reply is passed on cannot come in chunks")
	case byMessage:
		return protocol.Errorf(protocol.CodeForbidden, "",
			"NATS does not permit this invoker to subscribe to %s.>, and so the body cannot come in chunks",
			protocol.RootStream)
	}
	return protocol.Errorf(protocol.CodeBadRequest, "", "a message without a reply subject cannot come in chunks")
}

// begin opens the session of a call that came by message.
func (s *stream) begin(c *call) {
	r := &c.request
	s.session = c.f.svc.streams.Open(streams.Opening{Reply: c.message.Msg.Reply, Credit: r.Credit, Chunks: r.Chunks,
		Header: protocol.Header{protocol.HeaderID: {protocol.CleanValue(c.id(), protocol.MaxID)},
			protocol.HeaderFunction: {c.version.ref.String()}},
		Gone: s.abort})
	s.in, s.out = s.session.Input(), s.session
}

// open gives a process that is about to run its stdin and stdout.
func (s *stream) open(c *call) {
	s.cancel, c.waited = c.ctx.Cancel, true
	if s.out == nil {
		s.begin(c)
	}
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
	if s.session != nil {
		if gone := s.session.Err(); gone != nil {
			failed = gone
		}
		s.session.Stop()
		<-s.outlet.Idle() // the end comes last
	}
	switch {
	case failed != nil:
		return c.gone(failed)
	case err == nil && errors.Is(late, context.DeadlineExceeded):
		return protocol.Errorf(protocol.CodeTimeout, "", "the output of %s was not read within %s", c.version.ref,
			c.timeLimit())
	case err == nil:
		return late
	}
	return err
}

// gone is the error of a call whose output nobody takes any more.
func (c *call) gone(err error) error {
	code, why := protocol.CodeUnavailable, "its caller takes no more output"
	var known *protocol.Error
	if errors.As(err, &known) {
		code, why = known.Code, known.Error()
	}
	return &protocol.Error{Code: code, Msg: c.version.ref.String() + " was stopped: " + why, Err: err}
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
