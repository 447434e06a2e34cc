package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// cancel cancels a job, whether it waits or runs. The error's code is 404 if there is no such job, and 409 if it has
// another outcome already. To cancel it again is no error, and does what may be left to do.
func (s *Service) cancel(ctx context.Context, r *protocol.APIRequest) (any, error) {
	function, id, err := protocol.ParseJobRequest(r.Body)
	if err != nil {
		return nil, err
	}
	p, err := s.find(ctx, function, id)
	if err != nil {
		return nil, err
	}
	if !p.exists && p.sure && p.record.State != protocol.StateRedriven {
		return nil, s.unknown(ctx, p)
	}
	if p.decided && p.record.State != protocol.StateCancelled {
		return nil, decidedError(p)
	}
	if err := s.decide(ctx, p); err != nil {
		return nil, err
	}
	if err := s.withdraw(ctx, p); err != nil {
		return nil, err
	}
	return protocol.JobReply{JobInfo: p.info, Story: p.story}, nil
}

// decidedError says that a job cannot be cancelled.
func decidedError(p *place) error {
	hint := "polyvoke job result has its outcome"
	if p.record.State == protocol.StateDead {
		hint = "polyvoke dead drop takes the dead letter away"
	}
	return protocol.Errorf(protocol.CodeConflict, "", "job %s is %s already: %s", p.info.Job, p.record.State, hint)
}

// decide stores that a job is cancelled, unless it is. The error's code is 409 if it has got another outcome.
func (s *Service) decide(ctx context.Context, p *place) error {
	if p.decided {
		return nil
	}
	if p.kept == 0 {
		var err error
		if p.kept, err = s.kept(ctx, p.function); err != nil {
			return err
		}
	}
	record := cancelled(p)
	revision, err := s.Store.Decide(ctx, s.Store.RecordMessage(p.function, p.id, record, p.record.Revision, p.kept))
	if errors.Is(err, store.ErrDecided) {
		before := p.record.Revision
		p.record, p.decided, err = s.recordOf(ctx, p.function, p.id)
		switch {
		case err != nil:
			return err
		case p.decided && p.record.State == protocol.StateCancelled:
			return nil
		case p.decided:
			return decidedError(p)
		case p.record.Revision == before: // it cannot be, since JetStream has refused that
			return protocol.Errorf(protocol.CodeConflict, "", "job %s is being changed by somebody else: try again", p.info.Job)
		}
		return s.decide(ctx, p) // in place of a record that has expired, or was given back
	}
	if err != nil {
		return err
	}
	p.record, p.decided = store.Stored{Record: *record, Revision: revision, Time: time.Now().UTC()}, true
	subject := p.info.Subject
	p.info = recordInfo(p.function, p.id, &p.record)
	p.info.Subject = subject
	return nil
}

// kept returns how long outcomes of a function are kept.
func (s *Service) kept(ctx context.Context, function string) (time.Duration, error) {
	job, _, err := s.manifest(ctx, function)
	return time.Duration(job.Result), err
}

// cancelled returns the record of a job that is cancelled.
func cancelled(p *place) *protocol.Record {
	return &protocol.Record{State: protocol.StateCancelled, Attempts: p.info.Attempts, Accepted: p.info.Accepted,
		Reply: protocol.Reply{ID: p.id, Exit: -1, Err: protocol.Errorf(protocol.CodeConflict, "", "job %s was cancelled",
			protocol.ResultKey(p.function, p.id))}}
}

// withdraw takes a cancelled job out of wherever it is: it tells the invoker that runs it, then removes its messages.
func (s *Service) withdraw(ctx context.Context, p *place) error {
	if err := s.Store.Make(ctx); err != nil { // a job may wait where no queue has been made since
		return err
	}
	if err := s.Store.MarkCancelled(ctx, p.function, p.id); err != nil {
		return err
	}
	if err := s.removeLater(ctx, p.function, p.id); err != nil {
		return err
	}
	if err := s.leaveRank(ctx, p.function, p.id); err != nil {
		return err
	}
	if p.sequence == 0 && !p.sure {
		if err := s.findQueued(ctx, p); err != nil {
			return err
		}
		p.info.State = protocol.StateCancelled
	}
	if p.entry == (store.Entry{}) {
		if m, ok, err := s.Store.Entry(ctx, p.function, p.id); err != nil {
			return err
		} else if ok {
			p.entry = entryOf(&m)
		}
	}
	if p.entry != (store.Entry{}) {
		if err := s.leaveLine(ctx, p.entry); err != nil {
			return err
		}
	}
	if p.sequence == 0 {
		return nil
	}
	return s.Store.Delete(ctx, protocol.QueueStream(p.function), p.sequence)
}

// removeLater removes a job from where it waits for its time.
func (s *Service) removeLater(ctx context.Context, function, id string) error {
	for _, subject := range []string{protocol.LaterSubject(function, id), protocol.DueSubject(function, id)} {
		stream, err := s.Store.JetStream().Stream(ctx, protocol.StreamLater)
		if missing(err) {
			return nil
		}
		if m, ok, e := s.Store.Last(ctx, protocol.StreamLater, subject); err == nil && (e != nil || ok) {
			if err = e; ok {
				err = s.takeTurn(ctx, function, &m)
			}
		}
		if err == nil {
			err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
		}
		if err != nil {
			return unavailable("take a job from where it waits", err)
		}
	}
	return nil
}

// purge cancels a portion of the jobs of a function that do not run: first those in its queue, its lines and its priorities, then those
// that wait for their time. Those that come after the first portion has begun are left alone.
func (s *Service) purge(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParsePurgeRequest(r.Body)
	if err != nil {
		return nil, err
	}
	c, err := s.purgeCursor(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &protocol.PortionReply{}
	for until := time.Now().Add(portionTime); out.Done < protocol.MaxPortion && time.Now().Before(until); {
		more, err := s.purgeSome(ctx, q.Function, &c, out)
		if err != nil {
			return nil, err
		}
		if !more {
			return out, nil
		}
	}
	out.Next = c.String()
	return out, nil
}

// purging is how far a purge has come: the next message of the queue and the last one that it is about, and the same of
// those in lines, of those that have left the queue for their priority, and of those that wait.
type purging struct{ queue, queueEnd, line, lineEnd, rank, rankEnd, later, laterEnd uint64 }

// String returns the form of a cursor.
func (c purging) String() string {
	return fmt.Sprintf("%d:%d:%d:%d:%d:%d:%d:%d", c.queue, c.queueEnd, c.line, c.lineEnd, c.rank, c.rankEnd, c.later,
		c.laterEnd)
}

// purgeCursor returns where a portion begins.
func (s *Service) purgeCursor(ctx context.Context, q protocol.PurgeRequest) (c purging, err error) {
	if q.After == "" {
		return s.beginPurge(ctx, q.Function)
	}
	parts := strings.Split(q.After, ":")
	to := []*uint64{&c.queue, &c.queueEnd, &c.line, &c.lineEnd, &c.rank, &c.rankEnd, &c.later, &c.laterEnd}
	for i := range to {
		if err == nil && len(parts) == len(to) {
			*to[i], err = strconv.ParseUint(parts[i], 10, 64)
		}
	}
	if err != nil || len(parts) != len(to) {
		return c, protocol.Errorf(protocol.CodeBadRequest, "", "after %.80q: use the next of the reply before", q.After)
	}
	return c, nil
}

// beginPurge returns where a purge begins and ends.
func (s *Service) beginPurge(ctx context.Context, function string) (c purging, err error) {
	if _, err := s.Find(ctx, function); err != nil {
		if ok := protocol.CodeOf(err) == protocol.CodeNotFound; !ok {
			return c, err
		}
		if _, has, e := s.figures(ctx, function); e != nil || !has {
			return c, cmp.Or(e, err)
		}
	}
	for _, end := range []struct {
		to     *uint64
		stream string
	}{{&c.queueEnd, protocol.QueueStream(function)}, {&c.lineEnd, protocol.TurnStream(function)},
		{&c.rankEnd, protocol.RankStream(function)}, {&c.laterEnd, protocol.StreamLater}} {
		stream, err := s.Store.JetStream().Stream(ctx, end.stream)
		switch {
		case missing(err):
		case err != nil:
			return c, unavailable("purge "+function, err)
		default:
			*end.to = stream.CachedInfo().State.LastSeq
		}
	}
	return c, nil
}

// purgeSome cancels some jobs from the cursor on, and moves it. more is false when none are left.
func (s *Service) purgeSome(ctx context.Context, function string, c *purging, out *protocol.PortionReply) (bool, error) {
	most := protocol.MaxPortion - out.Done
	if c.queue <= c.queueEnd && c.queueEnd > 0 {
		return true, s.purgeQueue(ctx, function, c, most, out)
	}
	if c.line <= c.lineEnd && c.lineEnd > 0 {
		return true, s.purgeLines(ctx, function, c, most, out)
	}
	if c.rank <= c.rankEnd && c.rankEnd > 0 {
		return true, s.purgeRanks(ctx, function, c, most, out)
	}
	if c.later > c.laterEnd || c.laterEnd == 0 {
		return false, nil
	}
	kept, err := s.kept(ctx, function)
	if err != nil {
		return false, err
	}
	all, left, err := s.Store.Read(ctx, store.Range{Stream: protocol.StreamLater, From: c.later, Most: most,
		Subject: protocol.LaterSubject(function, "*"), Bytes: scanReadSize})
	if err != nil {
		return false, err
	}
	var places []*place
	for i := range all {
		c.later = all[i].Sequence + 1
		name, id, err := protocol.ParseJobKey(strings.TrimPrefix(all[i].Subject, protocol.RootLater+"."))
		if err != nil || all[i].Sequence > c.laterEnd {
			continue
		}
		p := &place{function: name, id: id, kept: kept}
		p.info, _ = waitingInfo(name, id, &all[i])
		places = append(places, p)
	}
	out.Left = int64(left)
	return left > 0 && len(all) > 0, s.cancelAll(ctx, places, out, func(p *place) error {
		return s.removeLater(ctx, p.function, p.id)
	})
}

// purgeQueue cancels some jobs of the queue that no invoker has.
func (s *Service) purgeQueue(ctx context.Context, function string, c *purging, most int, out *protocol.PortionReply,
) error {
	given, _, err := s.begun(ctx, function)
	if err != nil {
		return err
	}
	kept, err := s.kept(ctx, function)
	if err != nil {
		return err
	}
	stream, err := s.Store.JetStream().Stream(ctx, protocol.QueueStream(function))
	if missing(err) {
		c.queue = c.queueEnd + 1
		return nil
	} else if err != nil {
		return unavailable("purge "+function, err)
	}
	info := stream.CachedInfo()
	all, left, err := s.Store.Read(ctx, store.Range{Stream: info.Config.Name, From: max(c.queue, given+1), Most: most,
		Bytes: scanReadSize})
	if err != nil {
		return err
	}
	var places []*place
	for i := range all {
		m := &all[i]
		c.queue = m.Sequence + 1
		if m.Sequence > c.queueEnd {
			break
		}
		j, _ := protocol.ParseJob(m.Subject, m.Header, m.Data)
		p := &place{function: function, id: idOf(m, info.Created), sequence: m.Sequence, kept: kept}
		p.info = queuedInfo(function, p.id, m, &j, given)
		p.record.Revision = j.Revision
		places = append(places, p)
	}
	out.Left = int64(left)
	if left == 0 || len(all) == 0 {
		c.queue = c.queueEnd + 1
	}
	return s.cancelAll(ctx, places, out, func(p *place) error {
		return s.Store.Delete(ctx, info.Config.Name, p.sequence)
	})
}

// mostCancels is how many jobs are cancelled at a time.
const mostCancels = 32

// cancelAll cancels jobs that do not run, takes their messages away by remove, and counts them. One that has its
// outcome already only loses its message. One that an invoker has taken meanwhile runs for nothing: its outcome comes
// too late.
func (s *Service) cancelAll(ctx context.Context, places []*place, out *protocol.PortionReply,
	remove func(*place) error) error {
	var mu sync.Mutex
	var failed error
	each(places, mostCancels, func(p *place) {
		err := s.decide(ctx, p)
		if err == nil || protocol.CodeOf(err) == protocol.CodeConflict && p.decided {
			err = cmp.Or(remove(p), err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch protocol.CodeOf(err) {
		case 0:
			out.Done++
		case protocol.CodeConflict:
		default:
			failed = err
		}
	})
	return failed
}
