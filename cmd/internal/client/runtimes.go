package client

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Runtimes returns the newest version of each runtime on NATS.
func (s *Session) Runtimes(ctx context.Context) ([]protocol.Function, error) {
	var reply protocol.ListReply
	err := s.ask(ctx, protocol.APIRuntimes, nil, &reply)
	return reply.Functions, err
}

// AddRuntime uploads a runtime, which is called what. It has five minutes. The error's code is 422 if it is none.
func (s *Session) AddRuntime(ctx context.Context, what string, bundle []byte) (protocol.DeployReply, error) {
	var reply protocol.DeployReply
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	discard, msg, err := s.attach(ctx, &nats.Msg{Header: nats.Header{}}, bundle, "uploading "+what)
	if err != nil {
		return reply, err
	}
	defer discard()
	return reply, s.control(ctx, protocol.APIRuntimeAdd, msg, &reply)
}

// PinRuntime makes NAME@VERSION the version for what is deployed from now on. The error's code is 404 if there is none.
func (s *Session) PinRuntime(ctx context.Context, ref string) (protocol.DeployReply, error) {
	var reply protocol.DeployReply
	err := s.ask(ctx, protocol.APIRuntimePin, protocol.NameRequest{Name: ref}, &reply)
	return reply, err
}
