package client

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Runtimes returns the newest version of each runtime on NATS.
func (c *Client) Runtimes(ctx context.Context) ([]protocol.Function, error) {
	reply, err := c.pages(ctx, protocol.APIRuntimes)
	return reply.Functions, err
}

// AddRuntime uploads a runtime, which is called what. It has five minutes. The error's code is 422 if it is none.
func (c *Client) AddRuntime(ctx context.Context, what string, bundle []byte) (protocol.DeployReply, error) {
	var reply protocol.DeployReply
	if err := c.begin(); err != nil {
		return reply, err
	}
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	discard, msg, err := c.attach(ctx, &nats.Msg{Header: nats.Header{}}, bundle, "uploading "+what)
	if err != nil {
		return reply, err
	}
	defer discard()
	if c.Waiting != nil {
		defer c.Waiting("compiling " + what)()
	}
	err = c.control(ctx, protocol.APIRuntimeAdd, msg, &reply)
	return reply, err
}

// PinRuntime makes NAME@VERSION the version for what is deployed from now on. The error's code is 404 if there is none.
func (c *Client) PinRuntime(ctx context.Context, ref string) (protocol.DeployReply, error) {
	var reply protocol.DeployReply
	err := c.ask(ctx, protocol.APIRuntimePin, protocol.NameRequest{Name: ref}, &reply)
	return reply, err
}

// AddMissing uploads a runtime that a script needs, if there is none of its name yet and bundle has it. A runtime of
// a certain version, NAME@VERSION, is there already or cannot be added. It returns what was added, or nil.
func (c *Client) AddMissing(
	ctx context.Context, name string, bundle func(name string) ([]byte, error),
) (*protocol.Function, error) {
	if name == "" || strings.Contains(name, "@") {
		return nil, nil
	}
	there, err := c.Runtimes(ctx)
	if err != nil || slices.ContainsFunc(there, func(f protocol.Function) bool { return f.Name == name }) {
		return nil, err
	}
	b, err := bundle(name)
	if err != nil {
		return nil, nil // the invoker says what is missing
	}
	reply, err := c.AddRuntime(ctx, name, b)
	if err != nil {
		return nil, err
	}
	return &reply.Function, nil
}
