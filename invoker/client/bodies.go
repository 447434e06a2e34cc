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
	// discardTimeout is how long a call waits for tidying up.
	discardTimeout = time.Second
)

// fits reports whether NATS takes a message as it is.
func (c *Client) fits(msg *nats.Msg) bool {
	const reserve = 64 // for what the client library adds
	most := c.Conn.MaxPayload()
	if int64(len(msg.Data)) <= most-2*protocol.MaxHeaderBytes { // headers and subjects are bounded: no need to count
		return true
	}
	return int64(msg.Size()+reserve) <= most
}

// putJob stores the body of a job, which may wait for longer than the bodies of calls are kept: in the bucket of jobs. An
// older invoker, or the permissions of this user, may not have that; then it is kept as that of a call.
func (c *Client) putJob(ctx context.Context, body []byte, what string) (*protocol.Claim, error) {
	claim, err := c.putIn(ctx, protocol.BucketJobs, body, what)
	if code := protocol.CodeOf(err); ctx.Err() == nil && (code == protocol.CodeUnavailable || code == protocol.CodeForbidden) {
		return c.put(ctx, body, what)
	}
	if claim != nil {
		claim.Bucket = protocol.BucketJobs
	}
	return claim, err
}

// put stores a body for a claim check.
func (c *Client) put(ctx context.Context, body []byte, what string) (*protocol.Claim, error) {
	claim, err := c.putIn(ctx, protocol.BucketBodies, body, what)
	if claim == nil && err != nil && protocol.CodeOf(err) != protocol.CodeForbidden { // which names the subject
		err = c.noBodies(ctx, err)
	}
	return claim, err
}

// putIn stores a body in a bucket.
func (c *Client) putIn(ctx context.Context, bucket string, body []byte, what string) (_ *protocol.Claim, err error) {
	ctx, permitted := c.Permitted(ctx, "")
	defer func() { err = permitted(err) }()
	var b *bodies.Store
	err = c.again(ctx, func() (err error) {
		b, err = bodies.ExistingIn(ctx, c.js, bucket)
		return err
	})
	if err != nil {
		return nil, err
	}
	var claim *protocol.Claim
	err = c.again(ctx, func() (err error) {
		var r io.Reader = bytes.NewReader(body)
		if c.Progress != nil {
			r = c.Progress(r, what, int64(len(body)))
		}
		claim, err = b.Put(ctx, r, int64(len(body)))
		return err
	})
	return claim, err
}

// fetch gets a reply that came by reference, and removes it.
func (c *Client) fetch(ctx context.Context, claim *protocol.Claim) (body []byte, err error) {
	defer c.discard(ctx, claim)
	return c.fetchFrom(ctx, protocol.BucketBodies, claim)
}

// fetchFrom gets a body from a bucket, and leaves it there.
func (c *Client) fetchFrom(ctx context.Context, bucket string, claim *protocol.Claim) (body []byte, err error) {
	ctx, permitted := c.Permitted(ctx, "")
	defer func() { err = permitted(err) }()
	var store *bodies.Store
	err = c.again(ctx, func() (err error) {
		store, err = bodies.ExistingIn(ctx, c.js, bucket)
		return err
	})
	if err != nil {
		return nil, c.noBodies(ctx, err)
	}
	err = c.again(ctx, func() (err error) {
		body, err = store.Get(ctx, claim, replyLimit)
		return err
	})
	return body, err
}

// discard removes a body that nobody needs any more. It would expire in any case.
func (c *Client) discard(ctx context.Context, claim *protocol.Claim) {
	if !c.Conn.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	ctx, permitted := c.Permitted(ctx, "")
	if b, err := bodies.Existing(ctx, c.js); err == nil {
		_ = b.Delete(ctx, claim)
	}
	_ = permitted(nil)
}

// noBodies says why a large body cannot be carried: without an invoker there is no store for it.
func (c *Client) noBodies(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if _, e := c.List(ctx); e != nil {
		return e
	}
	return err
}
