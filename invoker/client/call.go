package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// callGrace is how much longer than the function's time the client waits, so that it
	// is the invoker that says what became of a slow call.
	callGrace = time.Second
	// callQuick is how long the client waits before it asks how long the function may take.
	callQuick = time.Second
)

// Call implements protocol.Caller over NATS. It waits as long as the request says, or else as long as the function may
// take, and never longer than ctx; the function gets that time as its limit. A body that is too large for a message of
// this NATS goes as an object on JetStream, and so comes a reply; both are removed again.
func (c *Client) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	subject, h, body, err := r.Message()
	if err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: subject, Header: nats.Header(h), Data: body}
	tell(ctx, msg, r)
	if !c.fits(msg) {
		sent := *r
		if sent.Claim, err = c.put(ctx, body, "sending "+r.Function.Name); err != nil {
			return nil, err
		}
		defer c.discard(ctx, sent.Claim)
		r = &sent
		subject, h, _, _ = r.Message()
		msg = &nats.Msg{Subject: subject, Header: nats.Header(h)}
		tell(ctx, msg, r)
	}
	m, err := c.exchange(ctx, msg, r, c.send)
	if err != nil {
		return nil, err
	}
	return c.reply(ctx, m, r)
}

// reply reads the answer to a request, and fetches its body if that is an object.
func (c *Client) reply(ctx context.Context, m *nats.Msg, r *protocol.Request) (*protocol.Reply, error) {
	reply, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	if err != nil {
		return nil, badReply(r, err)
	}
	if reply.Err != nil && reply.Err.Code == protocol.CodeNotFound && reply.Exit < 0 {
		return nil, c.absent(ctx, r.Function)
	}
	if reply.Claim != nil {
		if reply.Body, err = c.fetch(ctx, reply.Claim); err != nil {
			return nil, badReply(r, err)
		}
	}
	return &reply, nil
}

// badReply is the error for a reply that cannot be read: not the caller's fault, whatever its code says.
func badReply(r *protocol.Request, err error) error {
	return protocol.Errorf(protocol.CodeBadOutput, "", "the reply of %s cannot be read: %w. The function has run",
		r.Function, err)
}

// tell says in a request how long its caller will wait, so that nobody works or queues for one that is gone. A caller
// that names no time waits as long as any function may take.
func tell(ctx context.Context, msg *nats.Msg, r *protocol.Request) {
	wait := time.Duration(protocol.MaxTimeout)
	if r.Timeout > 0 {
		wait = r.Timeout
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, max(time.Until(deadline), time.Millisecond))
	}
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	if wait == time.Duration(protocol.MaxTimeout) {
		msg.Header[protocol.HeaderTimeout] = longest
		return
	}
	msg.Header[protocol.HeaderTimeout] = []string{wait.String()}
}

// longest is how long a caller waits that names no time.
var longest = []string{time.Duration(protocol.MaxTimeout).String()}

// exchange sends the message and waits for the answer. A message that surely nobody got is sent again for a moment:
// the function's invokers may be about to connect anew. Any other is sent once, and its answer is waited for also
// when the connection breaks and is made anew meanwhile. send is the method, or one like it. The message has been told
// how long its caller will wait.
func (c *Client) exchange(ctx context.Context, msg *nats.Msg, r *protocol.Request, send sender) (
	m *nats.Msg, err error) {
	defer func() { c.replies.refused(err) }()
	if refusal := c.denials.Standing(c.replies.concerns); refusal != nil {
		return nil, refusal
	}
	patience := absence
	if r.Timeout > 0 {
		patience = min(patience, r.Timeout)
	}
	told := c.Conn.IsConnected()
	for begin := time.Now(); ; pause(ctx, askPause) {
		if !told {
			if err := c.connectedWithin(ctx, cmp.Or(r.Timeout, c.timeout())); err != nil {
				return nil, c.RequestError("call "+r.Function.String(), err)
			}
			tell(ctx, msg, r)
		}
		told = false
		m, err := send(ctx, msg, r)
		if !errors.Is(err, nats.ErrNoResponders) {
			return m, err
		}
		err = c.absent(ctx, r.Function)
		if protocol.CodeOf(err) != protocol.CodeUnavailable || time.Since(begin) > patience {
			return nil, err
		}
	}
}

// sender sends a message once and waits for the answer.
type sender func(ctx context.Context, msg *nats.Msg, r *protocol.Request) (*nats.Msg, error)

// send sends the message once and waits for the answer: as long as the caller says, or else as long as the function may
// take, which is asked for only when the call is not a quick one. The error is nats.ErrNoResponders if nobody got it.
func (c *Client) send(ctx context.Context, msg *nats.Msg, r *protocol.Request) (*nats.Msg, error) {
	in, err := c.replies.inbox(msg.Subject, nil)
	if err != nil {
		return nil, c.RequestError("call "+r.Function.String(), err)
	}
	defer in.close()
	return c.sendFrom(ctx, in, msg, r)
}

// sendFrom is send for an answer to an inbox.
func (c *Client) sendFrom(ctx context.Context, in *inbox, msg *nats.Msg, r *protocol.Request) (*nats.Msg, error) {
	begin, wait := time.Now(), r.Timeout+callGrace
	if r.Timeout == 0 {
		wait = min(callQuick, c.timeout())
	}
	msg.Reply = in.subject
	if len(msg.Subject)+len(msg.Reply) >= protocol.LongestSubject(protocol.DefaultLine) { // NATS would cut the connection
		return nil, protocol.Errorf(protocol.CodeBadRequest, "",
			"the subject of %d bytes and the inbox of %d do not fit a line of NATS: send the arguments as body, "+
				"or choose a shorter inbox prefix",
			len(msg.Subject), len(msg.Reply))
	}
	connections := c.Conn.Stats().Reconnects
	m, err := (*nats.Msg)(nil), ctx.Err()
	if err == nil { // nobody is asked for a caller that has gone
		if err := c.Conn.PublishMsg(msg); err != nil {
			return nil, c.RequestError("call "+r.Function.String(), err)
		}
		m, err = in.next(ctx, wait)
	}
	if errors.Is(err, nats.ErrTimeout) && r.Timeout == 0 {
		wait = c.timeout()
		if i, e := c.Info(ctx, r.Function.Name); e == nil {
			wait = time.Duration(i.Function.Limits.WithDefaults().Timeout) + callGrace
		}
		m, err = in.next(ctx, max(wait-time.Since(begin), time.Millisecond))
	}
	switch {
	case err == nil:
		return m, nil
	case errors.Is(err, nats.ErrNoResponders), protocol.CodeOf(err) == protocol.CodeForbidden:
		return nil, err
	case errors.Is(err, nats.ErrTimeout) && (c.Conn.Stats().Reconnects > connections || !c.Conn.IsConnected()):
		return nil, protocol.Errorf(protocol.CodeUnavailable, "",
			"the connection to NATS on %s broke while %s was called, and the answer may be lost. The function may have run",
			c.url(), r.Function)
	case errors.Is(err, nats.ErrTimeout):
		return nil, protocol.Errorf(protocol.CodeTimeout, "", "%s did not answer on %s within %s%s",
			r.Function, c.url(), wait, moreTime(r))
	case errors.Is(err, context.DeadlineExceeded):
		const text = "%s did not answer on %s before its caller's deadline: give it more time; it may have run all the same"
		return nil, &protocol.Error{Code: protocol.CodeTimeout, Msg: fmt.Sprintf(text, r.Function, c.url()), Err: err}
	case errors.Is(err, context.Canceled):
		return nil, err
	}
	return nil, c.RequestError("call "+r.Function.String(), err)
}

// moreTime says how a call gets more time, if its caller has said how much it has.
func moreTime(r *protocol.Request) string {
	if r.Timeout > 0 {
		return ", the time that the caller gave it: set a longer Timeout (--timeout)"
	}
	return ""
}

// absent is the error for a function, or a version of one, that nobody serves.
func (c *Client) absent(ctx context.Context, ref protocol.Ref) error {
	i, err := c.Info(ctx, ref.Name)
	switch {
	case protocol.CodeOf(err) == protocol.CodeForbidden: // a caller need not be allowed to ask
		return protocol.Errorf(protocol.CodeNotFound, "",
			"no invoker on %s serves %s, and this user may not ask why: "+
				"check the name, and whether it is deployed (polyvoke ls)",
			c.url(), ref)
	case err != nil:
		return err
	case ref.Version == "":
		return c.unserved(ref, i)
	}
	var have []string
	for _, v := range i.Versions {
		have = append(have, fmt.Sprint(v.Version))
		if v.Ref() == ref {
			return c.unserved(ref, i)
		}
	}
	return protocol.Errorf(protocol.CodeNotFound, "",
		"function %q has no version %s on %s: it has %s. polyvoke info %s describes them",
		ref.Name, ref.Version, c.url(), strings.Join(have, ", "), ref.Name)
}

// unserved is the error for a function that is deployed and that nobody serves. If the invoker that was asked has failed
// to make it ready, the error says why.
func (c *Client) unserved(ref protocol.Ref, i protocol.InfoReply) error {
	if i.Unserved != "" {
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s is deployed, but no invoker on %s serves it: %s",
			ref, c.url(), protocol.CleanValue(i.Unserved, protocol.MaxErrorText))
	}
	return protocol.Errorf(protocol.CodeUnavailable, "",
		"%s is deployed, but no invoker on %s serves it right now: try again", ref, c.url())
}
