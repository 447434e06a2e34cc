package client

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Recording returns what a job, FUNCTION.ID, was given, and what came of it. The error's code is 404 if it was not
// recorded, or the recording has expired, 422 if a later version of polyvoke has recorded it, and 503 if no invoker
// answers.
func (c *Client) Recording(ctx context.Context, job string) (*protocol.Recording, error) {
	var raw json.RawMessage
	if err := c.ask(ctx, protocol.APIRecording, protocol.JobRequest{Job: job}, &raw); err != nil {
		return nil, err
	}
	return protocol.ParseRecording(raw)
}

// Recordings returns the last jobs of a function with a recording, as FUNCTION.ID, the oldest recording first. last is
// at most protocol.MaxRecordings, or 0 for that. The error's code is 503 if no invoker answers.
func (c *Client) Recordings(ctx context.Context, function string, last int) ([]string, error) {
	var reply protocol.RecordingsReply
	err := c.ask(ctx, protocol.APIRecordings, protocol.RecordingsRequest{Function: function, Last: last}, &reply)
	return reply.Jobs, err
}

// Module returns the module, or the packed script, with a digest. The error's code is 404 if no version of a function
// has it any more.
func (c *Client) Module(ctx context.Context, digest string) ([]byte, error) {
	b, err := c.bytes(ctx, protocol.ModuleRequest{Digest: digest})
	if err == nil && protocol.Digest(b) != digest {
		return nil, protocol.Errorf(protocol.CodeFailed, "", "the module that came is not %s: try again", digest)
	}
	return b, err
}

// Bundle returns the bundle of an interpreter, by NAME or NAME@VERSION. The error's code is 404 if there is none.
func (c *Client) Bundle(ctx context.Context, ref string) ([]byte, error) {
	return c.bytes(ctx, protocol.ModuleRequest{Runtime: ref})
}

// bytes asks for something that may come by reference.
func (c *Client) bytes(ctx context.Context, q protocol.ModuleRequest) ([]byte, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	asking, cancel := c.Within(ctx)
	defer cancel()
	var reply protocol.Reply
	if err := c.control(asking, protocol.APIModule, &nats.Msg{Data: body}, &reply); err != nil {
		return nil, err
	}
	if reply.Claim != nil {
		return c.fetch(ctx, reply.Claim)
	}
	return reply.Body, nil
}
