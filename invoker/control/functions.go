package control

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// list answers with the latest version of every function.
func (s *Service) list(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	var all []registry.Entry
	err := again(ctx, func() (err error) {
		all, err = s.Registry.List(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := protocol.ListReply{Functions: []protocol.Function{}}
	for _, e := range all {
		out.Functions = append(out.Functions, *e.Latest())
	}
	return out, nil
}

// tell answers with everything about one function.
func (s *Service) tell(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseNameRequest(r.Data())
	if err != nil {
		return nil, err
	}
	var e registry.Entry
	err = again(ctx, func() (err error) {
		e, err = s.Registry.Find(ctx, q.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return protocol.InfoReply{Function: *e.Latest(), Versions: e.Versions, Stats: s.Host.Stats(q.Name)}, nil
}

// remove deletes a function, and answers when the host serves it no more.
func (s *Service) remove(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseNameRequest(r.Data())
	if err != nil {
		return nil, err
	}
	e, err := s.delete(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	if len(e.Versions) > 0 { // otherwise its record could not be read, and it was never served
		err = s.Host.AwaitGone(ctx, e.Latest())
	}
	return protocol.RemoveReply{Removed: q.Name, Versions: len(e.Versions)}, err
}
