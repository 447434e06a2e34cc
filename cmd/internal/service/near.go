package service

import (
	"context"
	"errors"
	"io"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
)

// near is a Caller that has functions run by this process, which saves the way over NATS, and by other invokers where
// this one has no room or cannot run the function now. A call that may have begun is not made again.
type near struct {
	here  protocol.Streamer // this process's invoker
	there protocol.Streamer // the others, over NATS
}

var _ protocol.Streamer = near{}

// Call implements protocol.Caller.
func (n near) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	reply, err := n.here.Call(ctx, r)
	if elsewhere(ctx, reply) {
		return either(reply)(n.there.Call(ctx, r))
	}
	return reply, err
}

// Stream implements protocol.Streamer. Nothing of in has been read where a call has not begun.
func (n near) Stream(
	ctx context.Context, r *protocol.Request, in io.Reader, out io.Writer,
) (*protocol.Reply, error) {
	reply, err := n.here.Stream(ctx, r, in, out)
	if elsewhere(ctx, reply) {
		return either(reply)(n.there.Stream(ctx, r, in, out))
	}
	return reply, err
}

// elsewhere reports whether a call has not begun here, so that others may have it.
func elsewhere(ctx context.Context, r *protocol.Reply) bool {
	return r != nil && r.Err != nil && ctx.Err() == nil &&
		(r.Err.Code == protocol.CodeTooMany || errors.Is(r.Err, invoker.ErrNotHere))
}

// either returns what the others have answered or, if they may not be asked, what this process has.
func either(here *protocol.Reply) func(*protocol.Reply, error) (*protocol.Reply, error) {
	return func(there *protocol.Reply, err error) (*protocol.Reply, error) {
		if protocol.CodeOf(err) == protocol.CodeForbidden {
			return here, nil
		}
		return there, err
	}
}
