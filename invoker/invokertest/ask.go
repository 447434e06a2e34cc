package invokertest

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Deploy deploys a module, or a script, and returns the version that is now the latest. The next call uses it. The
// functions change the manifest, which has the name only. The test fails if the deployment does.
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

// Call sends a message to a subject and returns the reply: fn.NAME[.ARG...] calls a function, and any other subject
// those that it triggers. The functions change the request, such as its headers. Failures of the function are in the
// reply; the test fails only if there is none.
func (s *Server) Call(subject string, body []byte, change ...func(*protocol.Request)) *protocol.Reply {
	s.owner.Helper()
	reply, err := s.call(context.Background(), subject, body, change)
	if err != nil {
		s.owner.Fatalf("call %s: %v", subject, err)
	}
	return reply
}

// call is Call with an error.
func (s *Server) call(
	ctx context.Context, subject string, body []byte, change []func(*protocol.Request),
) (*protocol.Reply, error) {
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
