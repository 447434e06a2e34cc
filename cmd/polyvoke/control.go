package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// control asks the invokers' control service and decodes the answer into reply.
func (s *session) control(ctx context.Context, verb protocol.APIVerb, msg *nats.Msg, reply any) error {
	msg.Subject = verb.Subject()
	m, err := s.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return s.requestError(string(verb), err)
	}
	r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	if err != nil {
		return err
	}
	if r.Err != nil {
		return r.Err
	}
	if err := json.Unmarshal(m.Data, reply); err != nil {
		return protocol.Errorf(protocol.CodeFailed, "", "the answer to %s cannot be read: %w: are polyvoke here and there of one version?", verb, err)
	}
	return nil
}

// ask is control for requests with a JSON body, or none, and little to wait for.
func (s *session) ask(ctx context.Context, verb protocol.APIVerb, request, reply any) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	var body []byte
	if request != nil {
		b, err := json.Marshal(request)
		if err != nil {
			return err
		}
		body = b
	}
	return s.control(ctx, verb, &nats.Msg{Data: body}, reply)
}

// requestError says what to do about a request that nobody answered.
func (s *session) requestError(what string, err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return s.noInvoker()
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return protocol.Errorf(protocol.CodeTimeout, "", "%s: no answer on %s in time: may this user publish there? NATS_TIMEOUT gives it more time", what, s.url)
	}
	return protocol.Errorf(protocol.CodeUnavailable, "", "%s: %w: is NATS on %s still there? What was asked for may have been done all the same", what, err, s.url)
}

// noInvoker is the error for a NATS without polyvoke.
func (s *session) noInvoker() error {
	return protocol.Errorf(protocol.CodeUnavailable, "", "no invoker answers on %s: start one with polyvoke serve --server %s", s.url, s.url)
}

// list returns all functions.
func (s *session) list(ctx context.Context) ([]protocol.Function, error) {
	var reply protocol.ListReply
	err := s.ask(ctx, protocol.APIList, nil, &reply)
	return reply.Functions, err
}

// info returns what is known about a function.
func (s *session) info(ctx context.Context, name string) (protocol.InfoReply, error) {
	var reply protocol.InfoReply
	err := s.about(ctx, protocol.APIInfo, name, &reply)
	return reply, err
}

// about asks about one function.
func (s *session) about(ctx context.Context, verb protocol.APIVerb, name string, reply any) error {
	if err := protocol.CheckName(name); err != nil {
		return err
	}
	err := s.ask(ctx, verb, protocol.NameRequest{Name: name}, reply)
	if protocol.CodeOf(err) == protocol.CodeNotFound {
		return s.unknown(ctx, name)
	}
	return err
}

// unknown is the error for a function that does not exist; it says which ones do.
func (s *session) unknown(ctx context.Context, name string) error {
	functions, err := s.list(ctx)
	if err != nil {
		return err
	}
	hint := fmt.Sprintf("nothing is deployed yet; polyvoke deploy %s.wasm puts it there", name)
	if len(functions) > 0 {
		var names []string
		for _, f := range functions {
			if names = append(names, f.Name); len(names) == 5 && len(functions) > 5 {
				names = append(names, "...")
				break
			}
		}
		hint = fmt.Sprintf("what is: %s (polyvoke ls tells more); polyvoke deploy %s.wasm puts it there", strings.Join(names, ", "), name)
	}
	return protocol.Errorf(protocol.CodeNotFound, "", "404: no function %s is deployed on %s: %s", name, s.url, hint)
}

// completeTimeout is how long the shell may wait for names.
const completeTimeout = time.Second

// completeNames returns a completion of an argument with the names of the functions that
// are deployed. It says nothing when it cannot.
func (c *cli) completeNames(n *connection) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := c.connect(cmd, n, nats.Timeout(completeTimeout))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer s.Close()
		s.timeout = completeTimeout
		functions, _ := s.list(cmd.Context())
		var names []cobra.Completion
		for _, f := range functions {
			if strings.HasPrefix(f.Name, typed) {
				names = append(names, cobra.CompletionWithDesc(f.Name, fmt.Sprintf("version %d, %s", f.Version, f.Language)))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
