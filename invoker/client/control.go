package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/spelling"
)

// control asks the invokers' control service and decodes the answer into reply, or leaves it as it is for a
// *protocol.Reply.
func (c *Client) control(ctx context.Context, verb protocol.APIVerb, msg *nats.Msg, reply any) error {
	begun := time.Now().Truncate(time.Millisecond) // as a record has it
	if verb.Audited() {
		if msg.Header == nil {
			msg.Header = nats.Header{}
		}
		c.Stated.Put(protocol.Header(msg.Header))
	}
	m, again, err := c.answer(ctx, verb, msg)
	if err != nil {
		return err
	}
	r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	if err != nil {
		return err
	}
	if r.Err != nil {
		if again && verb == protocol.APIRemove && r.Err.Code == protocol.CodeNotFound {
			return nil // whoever was asked before has removed it
		}
		return r.Err
	}
	if whole, ok := reply.(*protocol.Reply); ok {
		*whole = r
		return nil
	}
	if err := json.Unmarshal(m.Data, reply); err != nil {
		return protocol.Errorf(protocol.CodeFailed, "", "the answer to %s cannot be read: %w: "+
			"use the same version of polyvoke as the invokers (polyvoke doctor shows it)", verb, err)
	}
	if d, ok := reply.(*protocol.DeployReply); ok && again && !d.Function.Created.Before(begun) {
		d.Created = true // by whoever was asked before; with clocks that differ it says that nothing has changed
	}
	return nil
}

// answer asks the control service and returns what it says. again reports whether another invoker had been asked before
// the one that answered.
func (c *Client) answer(ctx context.Context, verb protocol.APIVerb, msg *nats.Msg) (m *nats.Msg, again bool, err error) {
	if err := c.begin(); err != nil {
		return nil, false, err
	}
	waiting, permitted := c.Permitted(ctx, verb.Subject())
	m, again, err = c.consult(waiting, verb, msg)
	if err = permitted(err); err != nil {
		c.replies.refused(err)
		return nil, again, c.RequestError(string(verb), err)
	}
	return m, again, nil
}

// ask is control for requests with a JSON body, or none, and little to wait for.
func (c *Client) ask(ctx context.Context, verb protocol.APIVerb, request, reply any) error {
	ctx, cancel := c.Within(ctx)
	defer cancel()
	var body []byte
	if request != nil {
		b, err := json.Marshal(request)
		if err != nil {
			return err
		}
		body = b
	}
	return c.control(ctx, verb, &nats.Msg{Data: body}, reply)
}

// RequestError says what to do about a request that nobody answered, such as one that was sent on Conn itself. what is
// what was asked for, and err is what nats.go says; it stays in the chain. The error's code is 403 if NATS does not
// permit it, 504 if its time has passed, and otherwise 503.
func (c *Client) RequestError(what string, err error) error {
	const done = "The request may have been carried out"
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
	e := &protocol.Error{Code: protocol.CodeUnavailable, Err: err}
	switch {
	case protocol.CodeOf(err) == protocol.CodeForbidden, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, nats.ErrNoResponders):
		e.Msg = fmt.Sprintf("no invoker answers on %s: start one with polyvoke serve --server %s", c.url(), c.url())
	case late && !c.Conn.IsConnected():
		e.Msg = fmt.Sprintf("%s: the connection to NATS on %s broke and did not come back in time: check the server. %s",
			what, c.url(), done)
	case late:
		e.Code = protocol.CodeTimeout
		e.Msg = fmt.Sprintf("%s: no answer on %s in time: set a longer Timeout (NATS_TIMEOUT for commands)", what, c.url())
	default:
		e.Msg = fmt.Sprintf("%s: %v: check NATS on %s. %s", what, err, c.url(), done)
	}
	return e
}

// List returns all functions, the latest version of each, sorted by name. The error's code is 503 if no invoker
// answers.
func (c *Client) List(ctx context.Context) ([]protocol.Function, error) {
	reply, err := c.ListAll(ctx)
	return reply.Functions, err
}

// ListAll is List with what is said about functions as a whole: which records are damaged, and which manifests are too
// long for a message of this NATS.
func (c *Client) ListAll(ctx context.Context) (protocol.ListReply, error) {
	return c.pages(ctx, protocol.APIList)
}

// pages returns all pages of a list as one.
func (c *Client) pages(ctx context.Context, verb protocol.APIVerb) (all protocol.ListReply, err error) {
	if err := c.ask(ctx, verb, nil, &all); err != nil {
		return all, err
	}
	for all.Next != "" {
		var page protocol.ListReply
		if err := c.ask(ctx, verb, protocol.ListRequest{After: all.Next}, &page); err != nil {
			return all, err
		}
		if page.Next != "" && page.Next <= all.Next {
			return all, protocol.Errorf(protocol.CodeBadOutput, "",
				"the pages of %s do not end: use the same version of polyvoke as the invokers (polyvoke doctor shows it)", verb)
		}
		all.Functions, all.Abridged = append(all.Functions, page.Functions...), append(all.Abridged, page.Abridged...)
		all.Next = page.Next
		for name, q := range page.Queues {
			if all.Queues == nil {
				all.Queues = map[string]protocol.QueueInfo{}
			}
			all.Queues[name] = q
		}
	}
	return all, nil
}

// Info returns what is known about a function, with all versions and the figures of the invoker that answers. The
// error's code is 404 if there is no such function; it says which there are.
func (c *Client) Info(ctx context.Context, name string) (protocol.InfoReply, error) {
	var all protocol.InfoReply
	if err := c.about(ctx, protocol.APIInfo, name, &all); err != nil {
		return all, err
	}
	for all.Next > 0 {
		var page protocol.InfoReply
		if err := c.ask(ctx, protocol.APIInfo, protocol.InfoRequest{Name: name, Before: all.Next}, &page); err != nil {
			return all, err
		}
		if page.Next >= all.Next {
			return all, protocol.Errorf(protocol.CodeBadOutput, "",
				"the versions of %s do not end: use the same version of polyvoke as the invokers (polyvoke doctor shows it)", name)
		}
		all.Versions, all.Abridged = append(page.Versions, all.Versions...), append(page.Abridged, all.Abridged...)
		all.Next = page.Next
	}
	return all, nil
}

// Remove removes a function with all its versions, and returns when no invoker takes calls of it. The error's code is
// 404 if there is no such function.
func (c *Client) Remove(ctx context.Context, name string) (protocol.RemoveReply, error) {
	var reply protocol.RemoveReply
	reply.Removed = name
	err := c.about(ctx, protocol.APIRemove, name, &reply)
	return reply, err
}

// about asks about one function.
func (c *Client) about(ctx context.Context, verb protocol.APIVerb, name string, reply any) error {
	if err := protocol.CheckName(name); err != nil {
		return err
	}
	err := c.ask(ctx, verb, protocol.NameRequest{Name: name}, reply)
	if protocol.CodeOf(err) == protocol.CodeNotFound {
		return c.unknown(ctx, name)
	}
	return err
}

// unknown is the error for a function that does not exist; it says which one may be meant.
func (c *Client) unknown(ctx context.Context, name string) error {
	functions, err := c.List(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(functions))
	for i, f := range functions {
		names[i] = f.Name
	}
	hint := spelling.DidYouMean(name, "", names)
	switch {
	case len(names) == 0:
		hint = "nothing is deployed there yet: polyvoke deploy FILE puts a function there"
	case hint == "":
		hint = "polyvoke ls lists all, polyvoke deploy puts one there"
	default:
		hint += " polyvoke ls lists all"
	}
	return protocol.Errorf(protocol.CodeNotFound, "", "function %q not found on %s: %s", name, c.url(), hint)
}
