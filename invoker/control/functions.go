package control

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// list answers with the latest version of every function, page by page.
func (s *Service) list(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.open, controlTimeout)
	defer cancel()
	return s.pageOf(ctx, &s.functions, r.Data(), s.latest)
}

// latest returns the latest version of every function, by name.
func (s *Service) latest(ctx context.Context) ([]protocol.Function, error) {
	all, err := s.Registry.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]protocol.Function, len(all))
	for i, e := range all {
		out[i] = *e.Latest()
	}
	return out, nil
}

// tell answers with everything about one function, its versions page by page.
func (s *Service) tell(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.open, controlTimeout)
	defer cancel()
	q, err := protocol.ParseInfoRequest(r.Data())
	if err != nil {
		return nil, err
	}
	e, err := s.Registry.Find(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	out := protocol.InfoReply{Function: *e.Latest(), Stats: s.Host.Stats(q.Name)}
	infoPage(&out, e.Versions, q.Before, s.room())
	return out, nil
}

// remove deletes a function, and answers when the host serves it no more.
func (s *Service) remove(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.open, controlTimeout)
	defer cancel()
	q, err := protocol.ParseNameRequest(r.Data())
	if err != nil {
		return nil, err
	}
	e, err := s.Registry.Delete(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	if len(e.Versions) > 0 { // otherwise its record could not be read, and it was never served
		err = s.Host.AwaitGone(ctx, e.Latest())
	}
	return protocol.RemoveReply{Removed: q.Name, Versions: len(e.Versions)}, err
}
