package control

import (
	"context"
	"slices"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Jobs of a function that has got one with a priority are moved from its queue, or from where they have their turn, to a
// stream in which each priority has a consumer.

// findRank looks for a job among those of its priority.
func (s *Service) findRank(ctx context.Context, p *place) error {
	m, ok, err := s.Store.Ranked(ctx, p.function, p.id)
	if err != nil || !ok {
		return err
	}
	given, err := s.givenRanks(ctx, p.function)
	if err != nil {
		return err
	}
	p.info, p.story = rankInfo(&m, given)
	p.exists = true
	return nil
}

// givenRanks returns up to which sequence invokers have jobs of each priority.
func (s *Service) givenRanks(ctx context.Context, function string) (map[protocol.Priority]uint64, error) {
	given := map[protocol.Priority]uint64{}
	for _, p := range protocol.Priorities() {
		c, err := s.Store.JetStream().Consumer(ctx, protocol.RankStream(function), store.RankConsumer(p))
		switch {
		case missing(err): // an invoker makes it again
		case err != nil:
			return nil, unavailable("look at the priorities of "+function, err)
		default:
			given[p] = c.CachedInfo().Delivered.Stream
		}
	}
	return given, nil
}

// rankInfo says what the message of a job among those of its priority says.
func rankInfo(m *store.Message, given map[protocol.Priority]uint64) (protocol.JobInfo, []protocol.Attempt) {
	r, _ := protocol.ParseRankSubject(m.Subject)
	i, story := waitingInfo(r.Function, r.ID, m)
	i.State = protocol.StateQueued
	if m.Sequence <= given[r.Priority] {
		i.State = protocol.StateRunning
	}
	return i, story
}

// addRanks adds the jobs of a function that are among those of their priority to the figures of its queue. Those that have
// their turn are counted as entries of their line already.
func (s *Service) addRanks(ctx context.Context, q *protocol.QueueInfo) error {
	all, err := s.Store.Count(ctx, protocol.RankStream(q.Function), protocol.RankSubject(q.Function, "*", "*", ""))
	if err != nil {
		return err
	}
	running := int64(0)
	for _, p := range protocol.Priorities() {
		c, err := s.Store.JetStream().Consumer(ctx, protocol.RankStream(q.Function), store.RankConsumer(p))
		switch {
		case missing(err):
			return nil
		case err != nil:
			return unavailable("look at the priorities of "+q.Function, err)
		}
		running += int64(c.CachedInfo().NumAckPending)
	}
	q.Running += running
	q.Queued = max(0, q.Queued+all-running)
	return nil
}

// ranks lists the jobs among those of their priority of the cursor's function, in their order, and goes on to the next
// function.
func (l *lister) ranks(ctx context.Context, c *cursor) (more bool, err error) {
	if l.ranked == nil {
		if l.ranked, err = l.s.ranked(ctx, l.q.Function); err != nil {
			return false, err
		}
	}
	at, found := slices.BinarySearch(l.ranked, c.function)
	switch {
	case at == len(l.ranked):
		return false, nil
	case !found:
		*c = cursor{stage: inRanks, function: l.ranked[at]}
	}
	all, left, err := l.s.Store.Read(ctx, store.Range{Stream: protocol.RankStream(c.function), From: c.sequence + 1,
		Subject: protocol.RankSubject(c.function, "*", "*", ""), Most: l.q.Limit - len(l.out.Jobs), Bytes: scanReadSize})
	if err != nil {
		return false, err
	}
	given := map[protocol.Priority]uint64{}
	if len(all) > 0 {
		if given, err = l.s.givenRanks(ctx, c.function); err != nil {
			return false, err
		}
	}
	for i := range all {
		if one, _ := rankInfo(&all[i], given); !l.add(one) {
			return true, nil
		}
		c.sequence = all[i].Sequence
	}
	if left > 0 && len(all) > 0 {
		return true, nil
	}
	if at+1 == len(l.ranked) {
		return false, nil
	}
	*c = cursor{stage: inRanks, function: l.ranked[at+1]}
	return true, nil
}

// ranked returns the functions that have got a job with a priority, sorted, or the one that is asked for.
func (s *Service) ranked(ctx context.Context, function string) ([]string, error) {
	if function != "" {
		return []string{function}, nil
	}
	_, names, err := s.Store.TurnFunctions(ctx)
	slices.Sort(names)
	return slices.Compact(append([]string{}, names...)), err
}

// leaveRank takes a cancelled job away from those of its priority. One that has its turn stays: it comes to an invoker,
// which finds the outcome and lets the next one of its key begin.
func (s *Service) leaveRank(ctx context.Context, function, id string) error {
	m, ok, err := s.Store.Ranked(ctx, function, id)
	if err != nil || !ok {
		return err
	}
	if r, ok := protocol.ParseRankSubject(m.Subject); !ok || r.Line != "" {
		return nil
	}
	return s.Store.Delete(ctx, protocol.RankStream(function), m.Sequence)
}

// purgeRanks cancels some jobs among those of their priority that no invoker has. Those that stand in lines are cancelled
// there.
func (s *Service) purgeRanks(ctx context.Context, function string, c *purging, most int, out *protocol.PortionReply,
) error {
	kept, err := s.kept(ctx, function)
	if err != nil {
		return err
	}
	given, err := s.givenRanks(ctx, function)
	if err != nil {
		return err
	}
	all, left, err := s.Store.Read(ctx, store.Range{Stream: protocol.RankStream(function), From: c.rank, Most: most,
		Subject: protocol.RankSubject(function, "*", "*", ""), Bytes: scanReadSize})
	if err != nil {
		return err
	}
	var places []*place
	for i := range all {
		m := &all[i]
		c.rank = m.Sequence + 1
		if m.Sequence > c.rankEnd {
			break
		}
		r, _ := protocol.ParseRankSubject(m.Subject)
		p := &place{function: function, id: r.ID, sequence: m.Sequence, kept: kept}
		if p.info, _ = rankInfo(m, given); p.info.State == protocol.StateRunning {
			continue
		}
		j, _ := protocol.ParseJob(m.Subject, m.Header, nil)
		p.record.Revision = j.Revision
		places = append(places, p)
	}
	out.Left = int64(left)
	if left == 0 || len(all) == 0 {
		c.rank = c.rankEnd + 1
	}
	return s.cancelAll(ctx, places, out, func(p *place) error {
		return s.Store.Delete(ctx, protocol.RankStream(function), p.sequence)
	})
}
