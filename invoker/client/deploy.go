package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// directUpload is the longest module that is sent in one message, if NATS allows.
	directUpload = 1 << 20
	// deployTimeout is how long an upload and the compilation behind it may take.
	deployTimeout = 5 * time.Minute
	// readyTimeout is how long a deployed function may take to answer a dry run.
	readyTimeout = 10 * time.Second
	// readyPause is the time between two dry runs.
	readyPause = 20 * time.Millisecond
)

// Deploy uploads a module, or the zip of a script, with its manifest, and waits until the function answers: then the
// next call works. A manifest needs a name, and no more. An upload and the compilation behind it have five minutes.
//
// # Errors
//
// The error's code is one of these:
//   - 413: the module or its manifest is too large
//   - 422: the module or its manifest cannot be run
//   - 503: no invoker answers
//   - 504: the function is there, but does not answer
func (c *Client) Deploy(ctx context.Context, f protocol.Function, wasm []byte) (protocol.DeployReply, error) {
	var reply protocol.DeployReply
	if err := c.begin(); err != nil {
		return reply, err
	}
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	manifest, err := json.Marshal(f)
	if err != nil {
		return reply, err
	}
	header := nats.Header{protocol.HeaderManifest: {ascii(manifest)}}
	c.Stated.Put(protocol.Header(header)) // whether it fits is decided with it
	if c.Edits {
		header.Set(protocol.HeaderEdit, "1")
	}
	discard, msg, err := c.attach(ctx, &nats.Msg{Header: header}, wasm, "uploading "+f.Name)
	if err != nil {
		return reply, err
	}
	defer discard()
	done := func() {}
	if c.Waiting != nil {
		done = c.Waiting("compiling " + f.Name)
	}
	err = c.control(ctx, protocol.APIDeploy, msg, &reply)
	done()
	if err != nil {
		return reply, err
	}
	err = c.waitReady(ctx, reply.Function.Ref())
	if protocol.CodeOf(err) == protocol.CodeForbidden { // the invoker has said that it serves the function
		reply.Warnings, err = append(reply.Warnings,
			"not called to see whether it answers: "+protocol.MessageOf(err)), nil
	}
	return reply, err
}

// attach makes a body that of a message, or an object that the message claims. discard removes the object.
func (c *Client) attach(
	ctx context.Context, msg *nats.Msg, body []byte, what string,
) (discard func(), _ *nats.Msg, err error) {
	msg.Data = body
	if len(body) <= directUpload && c.fits(msg) {
		return func() {}, msg, nil
	}
	claim, err := c.put(ctx, body, what)
	if err != nil {
		return nil, nil, err
	}
	msg.Data = nil
	claim.Put(protocol.Header(msg.Header))
	if !c.fits(msg) {
		c.discard(ctx, claim)
		return nil, nil, protocol.Errorf(protocol.CodeTooLarge, "",
			"the manifest takes %d bytes as a header, and NATS on %s takes messages of %d (max_payload): "+
				"make its env, args or triggers shorter, or raise max_payload",
			len(msg.Header.Get(protocol.HeaderManifest)), c.url(), c.Conn.MaxPayload())
	}
	return func() { c.discard(ctx, claim) }, msg, nil
}

// ascii escapes what is not ASCII in a JSON document, so that it can be a header.
func ascii(doc []byte) string {
	var b strings.Builder
	for _, r := range string(doc) {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.String()
}

// serves reports whether a reply to a dry run says that the version is there: it may also be busy, or have so little
// time that it is not loaded in it.
func serves(r protocol.Reply) bool {
	return r.Err == nil || r.Err.Code == protocol.CodeTooMany || r.Err.Code == protocol.CodeTimeout
}

// waitReady waits until a dry run of the function is answered: then the next call works.
func (c *Client) waitReady(ctx context.Context, ref protocol.Ref) (err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	dry := protocol.Request{Function: ref, DryRun: true}
	subject, h, _, err := dry.Message()
	if err != nil {
		return err
	}
	ctx, permitted := c.Permitted(ctx, subject)
	defer func() { err = permitted(err) }()
	for {
		waiting, done := context.WithTimeout(ctx, lookTime) // the one that is asked may be frozen
		m, err := c.Conn.RequestMsgWithContext(waiting, &nats.Msg{Subject: subject, Header: nats.Header(h)})
		done()
		if err == nil {
			reply, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
			switch {
			case err != nil || serves(reply):
				return err
			case reply.Err.Code != protocol.CodeNotFound:
				return reply.Err
			}
		} else if !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, context.DeadlineExceeded) {
			return c.RequestError("deploy", err)
		}
		select {
		case <-ctx.Done():
			return protocol.Errorf(protocol.CodeTimeout, "",
				"%s is deployed but does not answer on %s in %s: polyvoke logs %s may say why",
				ref, c.url(), readyTimeout, ref.Name)
		case <-time.After(readyPause):
		}
	}
}
