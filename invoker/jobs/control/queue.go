package control

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// forever is how long a queue is paused that is paused until somebody resumes it: JetStream wants a time.
const forever = 100 * 365 * 24 * time.Hour

// open gives a function a queue, and tells the other invokers.
func (s *Service) open(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParseNameRequest(r.Body)
	if err != nil {
		return nil, err
	}
	if err := s.make(ctx, q.Name); err != nil {
		return nil, err
	}
	info, _, err := s.figures(ctx, q.Name)
	return info, err
}

// gone reports whether a message of a bucket says that the key has no value any more.
func gone(h protocol.Header) bool {
	return h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}

// make makes what a function's jobs need, unless it is there. The error's code is 404 if there is no such function.
func (s *Service) make(ctx context.Context, name string) error {
	f, err := s.Find(ctx, name)
	if err != nil {
		return err
	}
	if err := s.Store.Make(ctx); err != nil {
		return err
	}
	if _, err := s.Store.MakeQueue(ctx, f); err != nil {
		return err
	}
	if s.Opened != nil {
		s.Opened(name)
	}
	subject := "$KV." + protocol.BucketMarks + ".queue." + name
	if m, ok, err := s.Store.Last(ctx, store.MarksStream, subject); err != nil || ok && !gone(m.Header) {
		return err // the others know
	}
	return s.Store.MarkQueue(ctx, name)
}

// pause stops a queue from giving jobs away.
func (s *Service) pause(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParsePauseRequest(r.Body)
	if err != nil {
		return nil, err
	}
	length := forever
	if q.For > 0 {
		length = min(time.Duration(q.For), forever)
	}
	if err := s.make(ctx, q.Name); err != nil {
		return nil, err
	}
	return s.pauseUntil(ctx, q.Name, time.Now().Add(length))
}

// resume lets a queue give jobs away again. One that is not paused is no error, and neither is none.
func (s *Service) resume(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParseNameRequest(r.Body)
	if err != nil {
		return nil, err
	}
	info, ok, err := s.figures(ctx, q.Name)
	switch {
	case err != nil:
		return nil, err
	case !ok: // say so if there is no such function either
		_, err = s.Find(ctx, q.Name)
		return info, err
	}
	if !info.Paused() {
		return info, nil
	}
	return s.end(ctx, q.Name)
}

// pauseUntil pauses a queue until a time, and returns its state.
func (s *Service) pauseUntil(ctx context.Context, name string, until time.Time) (any, error) {
	err := eachConsumer(name, func(stream, consumer string) error {
		_, err := s.Store.JetStream().PauseConsumer(ctx, stream, consumer, until)
		return err
	})
	if err != nil {
		return nil, unavailable("pause "+name, err)
	}
	info, _, err := s.figures(ctx, name)
	return info, err
}

// eachConsumer does something with each consumer that a function's jobs come from, and returns the first error. Only
// the queue itself must be there: lines and priorities are made when they are needed.
func eachConsumer(name string, do func(stream, consumer string) error) error {
	queue := protocol.QueueStream(name)
	all := [][2]string{{queue, store.Consumer}, {protocol.TurnStream(name), store.Consumer}}
	for _, p := range protocol.Priorities() {
		all = append(all, [2]string{protocol.RankStream(name), store.RankConsumer(p)})
	}
	for _, c := range all {
		if err := do(c[0], c[1]); err != nil && (c[0] == queue || !missing(err)) {
			return err
		}
	}
	return nil
}

// resumeTime is how much longer a queue is paused that is resumed, if the server answers sooner, and mostResumeTime how
// much longer at most.
const (
	resumeTime     = 50 * time.Millisecond
	mostResumeTime = 5 * time.Second
)

// end ends the pause of a queue, and returns its state.
func (s *Service) end(ctx context.Context, name string) (any, error) {
	err := eachConsumer(name, func(stream, consumer string) error { return s.endPause(ctx, stream, consumer) })
	if err != nil {
		return nil, unavailable("resume "+name, err)
	}
	info, _, err := s.figures(ctx, name)
	info.PausedUntil, info.Forever = time.Time{}, false
	return info, err
}

// endPause ends the pause of a consumer of a stream. A server to which one says that the pause is over does not look
// whether there are jobs for those that wait, who then wait for up to half a minute. It does look when the time of a
// pause is over (nats-server 2.15.2, consumer.go, updatePauseState and loopAndGatherMsgs). So the pause gets an end that
// is near, by the clock of the server, but not so near that it is over when the server hears of it: then it gets a
// later one.
func (s *Service) endPause(ctx context.Context, stream, consumer string) error {
	js := s.Store.JetStream()
	c, err := js.Consumer(ctx, stream, consumer)
	for near := resumeTime; err == nil && near <= mostResumeTime; near *= 2 {
		if _, err = js.PauseConsumer(ctx, stream, consumer, c.CachedInfo().TimeStamp.Add(near)); err != nil {
			return err
		}
		if c, err = js.Consumer(ctx, stream, consumer); err == nil && c.CachedInfo().Paused {
			return nil // it has heard of it in time
		}
	}
	return err
}

// figures returns the state of a function's queue. It returns false if there is none; dead letters may be there all
// the same.
func (s *Service) figures(ctx context.Context, name string) (q protocol.QueueInfo, ok bool, err error) {
	q = protocol.QueueInfo{Function: name, Stream: protocol.QueueStream(name), Subject: protocol.RootJob + "." + name}
	for _, c := range []struct {
		to              *int64
		stream, subject string
	}{
		{&q.Dead, protocol.StreamDead, protocol.DeadSubject(name, "*")},
		{&q.Waiting, protocol.StreamLater, protocol.LaterSubject(name, "*")},
	} {
		if *c.to, err = s.Store.Count(ctx, c.stream, c.subject); err != nil {
			return q, false, err
		}
	}
	stream, err := s.Store.JetStream().Stream(ctx, q.Stream)
	switch {
	case missing(err):
		return q, false, nil
	case err != nil:
		return q, false, unavailable("look at the queue of "+name, err)
	}
	q.Created, q.Queued = stream.CachedInfo().Created, int64(stream.CachedInfo().State.Msgs)
	consumer, err := stream.Consumer(ctx, store.Consumer)
	switch {
	case missing(err): // an invoker makes it again
		return q, true, nil
	case err != nil:
		return q, false, unavailable("look at the queue of "+name, err)
	}
	i := consumer.CachedInfo()
	q.Queued, q.Running = int64(i.NumPending), int64(i.NumAckPending)
	if i.Paused {
		q.PausedUntil = time.Now().Add(i.PauseRemaining).UTC().Truncate(time.Second)
		q.Forever = i.PauseRemaining > forever/2
	}
	if err := s.addLines(ctx, &q); err != nil {
		return q, false, err
	}
	return q, true, s.addRanks(ctx, &q)
}

// addLines adds what stands in the lines of a function to the figures of its queue: what has not begun there is queued,
// also what waits for its next attempt there.
func (s *Service) addLines(ctx context.Context, q *protocol.QueueInfo) error {
	consumer, err := s.Store.JetStream().Consumer(ctx, protocol.TurnStream(q.Function), store.Consumer)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return unavailable("look at the lines of "+q.Function, err)
	}
	entries, err := s.Store.Count(ctx, protocol.TurnStream(q.Function), protocol.EntrySubject(q.Function, "*", "*"))
	running := int64(consumer.CachedInfo().NumAckPending)
	q.Running += running
	q.Queued += max(0, entries-running)
	return err
}

// mostLooks is how many queues are looked at at a time.
const mostLooks = 16

// Queues returns the state of the queues that functions have, by name. A function without one is left out.
func (s *Service) Queues(ctx context.Context, functions []string) (map[string]protocol.QueueInfo, error) {
	all := map[string]protocol.QueueInfo{}
	if len(functions) == 0 {
		return all, nil
	}
	have := functions
	if len(functions) > 1 {
		names, err := s.names(ctx)
		if err != nil {
			return nil, err
		}
		have = nil
		for _, name := range functions {
			if names[name] {
				have = append(have, name)
			}
		}
	}
	var mu sync.Mutex
	var first error
	each(have, mostLooks, func(name string) {
		q, ok, err := s.figures(ctx, name)
		mu.Lock()
		defer mu.Unlock()
		if ok {
			all[name] = q
		} else if err != nil {
			first = err
		}
	})
	if q, ok := all[functions[0]]; ok && len(functions) == 1 && s.Lags != nil {
		if f, err := s.Find(ctx, functions[0]); err == nil {
			q.Triggers = s.Lags(ctx, f)
			all[functions[0]] = q
		}
	}
	return all, first
}

// names returns the functions that have a queue.
func (s *Service) names(ctx context.Context) (map[string]bool, error) {
	list, err := s.Store.Queues(ctx)
	names := map[string]bool{}
	for _, name := range list {
		names[name] = true
	}
	return names, err
}

// each calls do with each of the items, some at a time, and returns when all are done.
func each[T any](items []T, some int, do func(T)) {
	var all sync.WaitGroup
	places := make(chan struct{}, some)
	for _, item := range items {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(item)
		})
	}
	all.Wait()
}
