package service

import (
	"context"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestNear judges the caller of an HTTP server where the invoker of its process serves, and where it does not yet, so
// that all calls go over NATS.
func TestNear(t *testing.T) {
	s := invokertest.Start(t)
	for name, here := range map[string]*invoker.Invoker{"here": s.StartInvoker().Invoker, "there": new(invoker.Invoker)} {
		t.Run(name, func(t *testing.T) { invokertest.TestCaller(t, s, near{here, s.Client}) })
	}
}

// TestNearStream checks that nothing of a stream is lost where the call has to go elsewhere.
func TestNearStream(t *testing.T) {
	s := invokertest.Start(t)
	s.Deploy("echo", runtimestest.Wasm())
	n := near{new(invoker.Invoker), s.Client}
	var out strings.Builder
	in := strings.Repeat("0123456789", 10_000)
	r := &protocol.Request{Function: protocol.Ref{Name: "echo"}}
	reply, err := n.Stream(context.Background(), r, strings.NewReader(in), &out)
	if err := protocol.Failure(reply, err); err != nil || out.String() != in {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

// TestNearOnce checks which failures of this process are tried elsewhere: those of calls that have not begun.
func TestNearOnce(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	reply := func(code int, cause error) *protocol.Reply {
		return &protocol.Reply{Err: &protocol.Error{Code: code, Err: cause}}
	}
	for _, c := range []struct {
		ctx  context.Context
		r    *protocol.Reply
		want bool
	}{
		{context.Background(), reply(429, nil), true},
		{context.Background(), reply(503, invoker.ErrNotHere), true},
		{context.Background(), reply(503, nil), false}, // it may have run
		{context.Background(), reply(404, nil), false},
		{context.Background(), reply(500, nil), false},
		{context.Background(), reply(504, nil), false},
		{context.Background(), &protocol.Reply{}, false},
		{ended, reply(429, nil), false},
	} {
		if got := elsewhere(c.ctx, c.r); got != c.want {
			t.Errorf("%v: %t", c.r.Err, got)
		}
	}
}
