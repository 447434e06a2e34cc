package control

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Jobs of a function with job.key stand in lines, see store.Stand. An entry is there until its job has its outcome, also
// while that runs or waits for its next attempt. The first one of a line is never taken away from here: its turn, wherever
// that is, comes to an invoker, which finds the outcome and lets the next one begin.

// findLine looks for a job in the lines of its function.
func (s *Service) findLine(ctx context.Context, p *place) error {
	m, ok, err := s.Store.Entry(ctx, p.function, p.id)
	if err != nil || !ok {
		return err
	}
	l := lines{s: s, function: p.function}
	if p.info, ok, err = l.info(ctx, &m); err != nil || !ok {
		return err // it waits for its next attempt
	}
	p.exists, p.entry = true, entryOf(&m)
	return nil
}

// entryOf returns what the subject of an entry says.
func entryOf(m *store.Message) (e store.Entry) {
	e.Function, e.Line, e.ID, _ = protocol.ParseEntrySubject(m.Subject)
	return e
}

// lines is what is known of the lines of a function, as far as it was asked for.
type lines struct {
	s        *Service
	function string
	given    uint64 // up to this sequence invokers have turns; valid if known is there
	known    map[string]head
}

// head is the beginning of a line.
type head struct {
	first string // id of the first entry
	turn  string // id of the job that has the turn; empty: it waits, or nobody stands there
	begun bool   // an invoker has it
}

// at returns the beginning of a line.
func (l *lines) at(ctx context.Context, line string) (h head, err error) {
	if h, ok := l.known[line]; ok {
		return h, nil
	}
	if l.known == nil {
		l.known = map[string]head{}
		c, err := l.s.Store.JetStream().Consumer(ctx, protocol.TurnStream(l.function), store.Consumer)
		if err != nil && !missing(err) {
			return h, unavailable("look at the lines of "+l.function, err)
		} else if err == nil {
			l.given = c.CachedInfo().Delivered.Stream
		}
	}
	turn, ok, err := l.s.Store.Turn(ctx, l.function, line)
	if err != nil {
		return h, err
	}
	if ok {
		h.turn, h.begun = turn.Header.Get(protocol.HeaderID), turn.Sequence <= l.given
	}
	first, ok, err := l.s.Store.Head(ctx, l.function, line)
	if ok {
		h.first = entryOf(&first).ID
	}
	l.known[line] = h
	return h, err
}

// info says what an entry says. ok is false if its job waits for its next attempt, and is found there.
func (l *lines) info(ctx context.Context, m *store.Message) (i protocol.JobInfo, ok bool, err error) {
	e := entryOf(m)
	h, err := l.at(ctx, e.Line)
	if err != nil || h.first == e.ID && h.turn == "" {
		return i, false, err
	}
	i, _ = waitingInfo(e.Function, e.ID, m)
	i.State, i.Subject = protocol.StateQueued, callerSubject(m.Header.Get(protocol.HeaderSubject))
	if h.turn == e.ID && h.begun {
		i.State = protocol.StateRunning
	}
	return i, true, nil
}

// lines lists what stands in the lines of the cursor's function, in their order, and goes on to the next function.
func (l *lister) lines(ctx context.Context, c *cursor) (more bool, err error) {
	if l.keyed == nil {
		if l.keyed, err = l.s.keyed(ctx, l.q.Function); err != nil {
			return false, err
		}
	}
	at, found := slices.BinarySearch(l.keyed, c.function)
	switch {
	case at == len(l.keyed):
		return false, nil
	case !found:
		*c = cursor{stage: inLines, function: l.keyed[at]}
	}
	all, left, err := l.s.Store.Read(ctx, store.Range{Stream: protocol.TurnStream(c.function), From: c.sequence + 1,
		Subject: protocol.EntrySubject(c.function, "*", "*"), Most: l.q.Limit - len(l.out.Jobs), Bytes: scanReadSize})
	if err != nil {
		return false, err
	}
	known := lines{s: l.s, function: c.function}
	for i := range all {
		one, ok, err := known.info(ctx, &all[i])
		if err != nil {
			return false, err
		}
		if ok && !l.add(one) {
			return true, nil
		}
		c.sequence = all[i].Sequence
	}
	if left > 0 && len(all) > 0 {
		return true, nil
	}
	if at+1 == len(l.keyed) {
		return false, nil
	}
	*c = cursor{stage: inLines, function: l.keyed[at+1]}
	return true, nil
}

// keyed returns the functions that have lines, sorted, or the one that is asked for.
func (s *Service) keyed(ctx context.Context, function string) ([]string, error) {
	if function != "" {
		return []string{function}, nil
	}
	names, _, err := s.Store.TurnFunctions(ctx)
	slices.Sort(names)
	return slices.Compact(append([]string{}, names...)), err
}

// leaveLine takes a cancelled job out of its line, unless it is the first one there.
func (s *Service) leaveLine(ctx context.Context, e store.Entry) error {
	first, ok, err := s.Store.Head(ctx, e.Function, e.Line)
	if err != nil || ok && entryOf(&first).ID == e.ID {
		return err
	}
	_, err = s.Store.Leave(ctx, e)
	return err
}

// purgeLines cancels some jobs that stand in lines and have not begun.
func (s *Service) purgeLines(ctx context.Context, function string, c *purging, most int, out *protocol.PortionReply,
) error {
	kept, err := s.kept(ctx, function)
	if err != nil {
		return err
	}
	all, left, err := s.Store.Read(ctx, store.Range{Stream: protocol.TurnStream(function), From: c.line, Most: most,
		Subject: protocol.EntrySubject(function, "*", "*"), Bytes: scanReadSize})
	if err != nil {
		return err
	}
	known := lines{s: s, function: function}
	var places []*place
	for i := range all {
		m := &all[i]
		c.line = m.Sequence + 1
		if m.Sequence > c.lineEnd {
			break
		}
		info, ok, err := known.info(ctx, m)
		if err != nil {
			return err
		}
		if !ok || info.State == protocol.StateRunning {
			continue
		}
		p := &place{function: function, id: entryOf(m).ID, entry: entryOf(m), kept: kept, info: info}
		j, _ := protocol.ParseJob(protocol.TurnSubject(function, p.entry.Line), m.Header, nil)
		p.record.Revision = j.Revision
		places = append(places, p)
	}
	out.Left = int64(left)
	if left == 0 || len(all) == 0 {
		c.line = c.lineEnd + 1
	}
	return s.cancelAll(ctx, places, out, func(p *place) error {
		if h := known.known[p.entry.Line]; h.first == p.id || h.turn == p.id { // its turn is on its way
			return s.Store.MarkCancelled(ctx, p.function, p.id)
		}
		return s.leaveLine(ctx, p.entry)
	})
}

// takeTurn lets the turn of a job that waits for its next attempt come at once. The job is cancelled, so the next one of
// its key begins.
func (s *Service) takeTurn(ctx context.Context, function string, m *store.Message) error {
	h := maps.Clone(m.Header)
	for name := range h {
		if strings.HasPrefix(strings.ToLower(name), "nats-") {
			delete(h, name)
		}
	}
	target := h.Get(protocol.HeaderTarget)
	h.Delete(protocol.HeaderTarget)
	name, _, redo, err := protocol.ParseJobSubject(target)
	if err != nil || name != function || !redo || !strings.HasPrefix(target, protocol.TurnSubject(function, "")) {
		return nil // it has no key
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = s.Store.JetStream().PublishMsg(ctx, &nats.Msg{Subject: target, Header: nats.Header(h), Data: m.Data},
		jetstream.WithRetryAttempts(0))
	return unavailable("let the next job of a key begin", err)
}
