package functions

import (
	"context"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// call makes the call of an exchange and waits for what comes back, which is then the exchange's answer. An error is
// one of the wait, or of a quota.
func (s *session) call(ctx context.Context, e *exchange) error {
	if err := s.mayCall(e); err != nil {
		return err
	}
	id := backend.EffectID(s.t.ID(), protocol.GrantFn, s.calls+1)
	r, err := s.requestOf(e, id)
	s.drop(e)
	if err != nil {
		s.settle(e, nil, err, id)
		return nil
	}
	s.made[s.r.granted[e.ref]]++
	s.calls++
	s.t.Write()
	var came struct { // is its goroutine's, as r is, until that has ended
		reply *protocol.Reply
		err   error
	}
	caller := s.r.caller
	if err := s.t.Do(ctx, func(ctx context.Context) { came.reply, came.err = caller.Call(ctx, r) }); err != nil {
		return err
	}
	s.settle(e, came.reply, came.err, id)
	return nil
}

// mayCall returns an error if the run has made as many calls of a function as it may.
func (s *session) mayCall(e *exchange) error {
	if s.made == nil {
		s.made = make([]int, len(s.r.ops))
	}
	grant := s.r.granted[e.ref]
	if most := s.r.ops[grant]; s.made[grant] >= most {
		s.say("%s: not called: this run has called %s %d times, which is max_ops of its grant", s.name(e), e.ref, most)
		return files.ErrNoSpace
	}
	return nil
}

// requestOf returns the request of an exchange. Its body is the exchange's own.
func (s *session) requestOf(e *exchange, id string) (*protocol.Request, error) {
	h, err := headerOf(e.header)
	if e.broken {
		err = protocol.Errorf(protocol.CodeTooLarge, "", "not called: its request could not be written whole")
	}
	if err != nil {
		return nil, err
	}
	r := &protocol.Request{ID: id, Function: e.ref, Args: e.args, Header: h, Body: e.request, Hops: s.t.Hops + 1}
	if r.Hops > protocol.MaxHops {
		return nil, protocol.Errorf(protocol.CodeFailed, "",
			"functions have called each other %d times, so there is a loop: look for functions that call each other by /fn",
			s.t.Hops)
	}
	if h.Trace().IsZero() {
		s.t.Header.PassTrace(h)
	}
	r.Subject, _, _, err = r.Message() // which says what cannot be sent
	return r, err
}

// settle takes what has come of a call, and tells the function's log what is wrong with it.
func (s *session) settle(e *exchange, reply *protocol.Reply, err error, id string) {
	a, failed := answerOf(reply, err, id)
	if s.came+a.size() > s.r.input {
		a, failed = answerOf(nil, protocol.Errorf(protocol.CodeTooLarge, "",
			"the reply has %d bytes, and with %d of others that is more than limits.input (%d bytes) of the calling function: "+
				"raise it, or remove paths whose replies are done with", a.size(), s.came, s.r.input), id)
	}
	s.came += a.size()
	e.answer = a
	if failed != nil {
		s.say("%s: code %d: %s (id %s)", s.name(e), failed.Code, failed.Error(), id)
	}
}
