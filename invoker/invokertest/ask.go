package invokertest

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Deploy deploys a module under a name and returns the version that is now the latest. The next call finds it. Each
// change may change its manifest, which is that of a module with no manifest. The test fails if it is refused.
func (s *Server) Deploy(name string, wasm []byte, change ...func(*protocol.Function)) protocol.Function {
	s.owner.Helper()
	f := protocol.Function{Name: name}
	for _, c := range change {
		c(&f)
	}
	reply, err := s.Client.Deploy(context.Background(), f, wasm)
	if err != nil {
		s.owner.Fatalf("deploy %s: %v", name, err)
	}
	return reply.Function
}

// Call sends a message to a subject and returns the reply: fn.NAME[.ARG...] calls a function, and any other subject those
// that it triggers. Each change may change the request, such as its headers. What the function answers is in the reply,
// failures included. The test fails if there is no reply.
func (s *Server) Call(subject string, body []byte, change ...func(*protocol.Request)) *protocol.Reply {
	s.owner.Helper()
	reply, err := s.call(context.Background(), subject, body, change)
	if err != nil {
		s.owner.Fatalf("call %s: %v", subject, err)
	}
	return reply
}

// call is Call with an error.
func (s *Server) call(ctx context.Context, subject string, body []byte, change []func(*protocol.Request)) (*protocol.Reply, error) {
	var r protocol.Request
	if strings.HasPrefix(subject, protocol.RootCall+".") {
		ref, args, err := protocol.ParseCall(subject)
		if err != nil {
			return nil, err
		}
		r = protocol.Request{Function: ref, Args: args}
	}
	r.Body = body
	for _, c := range change {
		c(&r)
	}
	if r.Function.Name != "" {
		return s.Client.Call(ctx, &r)
	}
	r.Function.Name = "any" // only for its subject, which is not used
	_, h, body, err := r.Message()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := s.Conn.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Header: nats.Header(h), Data: body})
	if err != nil {
		return nil, err
	}
	reply, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	return &reply, err
}
