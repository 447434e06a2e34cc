package control

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// request is a message as verbs see it. It keeps the answer for whoever sends it.
type request struct {
	msg     *nats.Msg
	ctx     context.Context // ends when whoever asked gives it up; nil if nobody can
	answer  *nats.Msg
	failure string // what it was answered with, CODE:TEXT
}

var _ micro.Request = (*request)(nil)

// Respond implements micro.Request.
func (r *request) Respond(body []byte, more ...micro.RespondOpt) error {
	r.answer = &nats.Msg{Data: body}
	for _, change := range more {
		change(r.answer)
	}
	return nil
}

// RespondJSON implements micro.Request.
func (r *request) RespondJSON(v any, more ...micro.RespondOpt) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", micro.ErrMarshalResponse, err)
	}
	return r.Respond(body, more...)
}

// Error implements micro.Request.
func (r *request) Error(code, text string, body []byte, more ...micro.RespondOpt) error {
	r.failure = code + ":" + text
	return r.Respond(body, append([]micro.RespondOpt{func(m *nats.Msg) {
		m.Header = nats.Header{protocol.HeaderError: {text}, protocol.HeaderErrorCode: {code}}
	}}, more...)...)
}

// Data implements micro.Request.
func (r *request) Data() []byte { return r.msg.Data }

// Headers implements micro.Request.
func (r *request) Headers() micro.Headers { return micro.Headers(r.msg.Header) }

// Subject implements micro.Request.
func (r *request) Subject() string { return r.msg.Subject }

// Reply implements micro.Request.
func (r *request) Reply() string { return r.msg.Reply }

// context returns the context of a request: it ends when whoever asked gives it up, or nothing new is to be begun.
func (s *Service) context(r micro.Request) context.Context {
	if d, ok := r.(*request); ok && d.ctx != nil {
		return d.ctx
	}
	return s.open
}

// guard returns a handler that hands messages on, but for those that must not be answered where they ask to be.
func (s *Service) guard(take nats.MsgHandler) nats.MsgHandler {
	return func(m *nats.Msg) {
		if err := protocol.CheckReply(m.Reply, s.Line); err != nil {
			id := protocol.CleanValue(m.Header.Get(protocol.HeaderID), protocol.MaxID)
			s.Log.Warn("control request refused, and not answered", "subject", m.Subject, "id", id, "err", err)
			return
		}
		take(m)
	}
}

// send answers a message that has passed guard, if anybody waits for the answer.
func (s *Service) send(m, answer *nats.Msg) {
	if m.Reply == "" || answer == nil {
		return
	}
	if err := s.NC.PublishMsg(&nats.Msg{Subject: m.Reply, Header: answer.Header, Data: answer.Data}); err != nil {
		s.Log.Error("control request not answered", "subject", m.Subject, "err", err)
	}
}
