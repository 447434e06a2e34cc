package control

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// list answers with the latest version of every function, page by page, and with what cannot be read.
func (s *Service) list(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseListRequest(r.Data())
	if err != nil {
		return nil, err
	}
	room := s.room()
	var damaged, unserved []protocol.Damage
	if q.After == "" {
		damaged = damageThatFits(s.Host.Damage(), room/3)
		unserved = damageThatFits(s.Host.Unserved(), room/3)
		room -= size(damaged) + size(unserved)
	}
	out, err := s.pageOf(ctx, &s.functions, q, room, s.latest)
	out.Damaged, out.Unserved = damaged, unserved
	if err == nil {
		s.addQueues(ctx, &out)
	}
	return out, err
}

// addQueues says of the functions of a page what queues they have, as far as that is known and there is room. A queue
// that cannot be looked at does not keep anybody from seeing functions.
func (s *Service) addQueues(ctx context.Context, out *protocol.ListReply) {
	if s.Queues == nil {
		return
	}
	names := make([]string, len(out.Functions))
	for i, f := range out.Functions {
		names[i] = f.Name
	}
	queues, err := s.Queues.Queues(ctx, names)
	if err != nil {
		s.Log.Warn("queues cannot be looked at", "err", err)
		return
	}
	if room := s.room() - size(out); size(queues) < room {
		out.Queues = queues
	}
}

// queue returns the state of a function's queue, or nil.
func (s *Service) queue(ctx context.Context, name string) *protocol.QueueInfo {
	if s.Queues == nil {
		return nil
	}
	queues, err := s.Queues.Queues(ctx, []string{name})
	if err != nil {
		s.Log.Warn("queue cannot be looked at", "function", name, "err", err)
	}
	q, ok := queues[name]
	if !ok {
		return nil
	}
	return &q
}

// latest returns the latest version of every function, by name.
func (s *Service) latest(ctx context.Context) ([]protocol.Function, error) {
	var all []registry.Entry
	err := again(ctx, func() (err error) {
		all, err = s.Registry.List(ctx)
		return err
	})
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
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseInfoRequest(r.Data())
	if err != nil {
		return nil, err
	}
	var e registry.Entry
	err = again(ctx, func() (err error) {
		e, err = s.Registry.Find(ctx, q.Name)
		return err
	})
	unknown, foreign := registry.UnknownNeeds(err)
	switch {
	case err != nil && len(foreign.Versions) == 0:
		return nil, err
	case err != nil: // what could be read is better than nothing
		e = foreign
	}
	out := protocol.InfoReply{Function: *e.Latest(), Stats: s.Host.Stats(q.Name), Unknown: unknown}
	if unknown == nil {
		out.Damage = reasonFor(q.Name, s.Host.Damage())
		out.Unserved = reasonFor(q.Name, s.Host.Unserved())
	}
	if q.Before == 0 {
		out.Queue = s.queue(ctx, q.Name)
		if s.Audit != nil {
			out.Deployed = s.Audit.Deployed(ctx, e.Latest())
		}
	}
	infoPage(&out, e.Versions, q.Before,
		s.room()-len(out.Damage)-len(out.Unserved)-size(out.Unknown)-size(out.Queue)-size(out.Deployed))
	return out, nil
}

// reasonFor returns what a list says about a function, or nothing.
func reasonFor(name string, all []protocol.Damage) string {
	for _, d := range all {
		if d.Name == name {
			return protocol.CleanValue(d.Reason, maxReason)
		}
	}
	return ""
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
