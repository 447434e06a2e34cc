package client

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// replyLimit is the longest reply that is fetched by claim.
	replyLimit = int64(protocol.MaxBody)
	// discardTimeout is how long the end of a command waits for tidying up.
	discardTimeout = time.Second
)

// fits reports whether NATS takes a message as it is.
func (s *Session) fits(msg *nats.Msg) bool {
	const reserve = 64 // for what the client library adds
	return int64(msg.Size()+reserve) <= s.MaxPayload()
}

// put stores a body for a claim check.
func (s *Session) put(ctx context.Context, body []byte, what string) (_ *protocol.Claim, err error) {
	ctx, permitted := s.Permitted(ctx, "")
	defer func() { err = permitted(err) }()
	var b *bodies.Store
	err = s.again(ctx, func() (err error) {
		b, err = bodies.Existing(ctx, s.JS)
		return err
	})
	if err != nil {
		return nil, s.noBodies(ctx, err)
	}
	var claim *protocol.Claim
	return claim, s.again(ctx, func() (err error) {
		var r io.Reader = bytes.NewReader(body)
		if s.Progress != nil {
			r = s.Progress(r, what, int64(len(body)))
		}
		claim, err = b.Put(ctx, r, int64(len(body)))
		return err
	})
}

// fetch gets a reply that came by reference, and removes it.
func (s *Session) fetch(ctx context.Context, claim *protocol.Claim) (body []byte, err error) {
	defer s.discard(ctx, claim)
	ctx, permitted := s.Permitted(ctx, "")
	defer func() { err = permitted(err) }()
	var store *bodies.Store
	err = s.again(ctx, func() (err error) {
		store, err = bodies.Existing(ctx, s.JS)
		return err
	})
	if err != nil {
		return nil, s.noBodies(ctx, err)
	}
	err = s.again(ctx, func() (err error) {
		body, err = store.Get(ctx, claim, replyLimit)
		return err
	})
	return body, err
}

// discard removes a body that nobody needs any more. It would expire in any case.
func (s *Session) discard(ctx context.Context, claim *protocol.Claim) {
	if !s.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	ctx, permitted := s.Permitted(ctx, "")
	if b, err := bodies.Existing(ctx, s.JS); err == nil {
		_ = b.Delete(ctx, claim)
	}
	_ = permitted(nil)
}

// noBodies says why a large body cannot be carried: without an invoker there is no store for it.
func (s *Session) noBodies(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if _, e := s.List(ctx); e != nil {
		return e
	}
	return err
}
