package jobs

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// mostMoved is how many jobs a queue whose jobs are moved has in hand.
const mostMoved = 64

// ranks reports whether a job is moved to the queue of its priority. All jobs of a function that has got one with a
// priority are, so that one which comes later does not wait for what was accepted before it.
func (q *queue) ranks(j *job) bool {
	if q.kind == ofRanks || j.malformed != nil {
		return false
	}
	return q.ranked.Load() || j.Priority != protocol.PriorityNormal && q.known()
}

// known reports whether the function exists.
func (q *queue) known() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.function != nil
}

// rank moves the job to the queue of its priority, unless it is not to run.
func (j *job) rank() {
	if !j.begin() || !j.q.ranked.Load() && !j.openRanks() || !j.whenRoom(j.q.f.store.LookAtRanks) {
		return
	}
	q := j.q
	r := protocol.Ranked{Function: q.name, Priority: j.Priority, ID: j.id, Line: j.Line}
	message := strings.Join([]string{j.id, strconv.Itoa(j.Before), strconv.FormatUint(j.Revision, 10),
		strconv.FormatInt(j.Accepted.UnixNano(), 36)}, "/")
	gone := false
	if !j.insist("put it among those of its priority", func(ctx context.Context) error {
		m, err := j.later(ctx)
		if err != nil {
			return err
		}
		m.Header[protocol.HeaderSubject] = []string{j.Request.Subject}
		err = q.f.store.Rank(ctx, r, m, message)
		if !errors.Is(err, jetstream.ErrNoStreamResponse) {
			return err
		}
		if gone = !q.known(); gone {
			return nil
		}
		return errors.Join(err, q.makeRanks(ctx))
	}) {
		return
	}
	if gone { // it comes again, to find that out
		j.giveBack()
		return
	}
	q.f.after("rank")
	j.acknowledge()
}

// openRanks makes the queues of the function's priorities, and tells all invokers. It returns false if jobs are to end
// before that: then the job has been given back.
func (j *job) openRanks() bool {
	q := j.q
	if !j.insist("make the queues of priorities", func(ctx context.Context) error {
		if err := q.makeRanks(ctx); err != nil {
			return err
		}
		return q.f.store.MarkRanks(ctx, q.name)
	}) {
		return false
	}
	q.f.openRanks(q.name)
	return true
}

// makeRanks makes the queues of the function's priorities, if there is such a function.
func (q *queue) makeRanks(ctx context.Context) error {
	q.mu.Lock()
	fn := q.function
	q.mu.Unlock()
	if fn == nil {
		return nil
	}
	_, err := q.f.store.MakeRanks(ctx, fn)
	return err
}

// openRanks serves the queues of a function's priorities.
func (f *Front) openRanks(name string) {
	f.change(func() {
		for _, l := range rankLanes(name) {
			f.opened[l] = true
		}
	})
}

// serveRanks serves the queues of a function's priorities, if it has them. The caller holds the mutex.
func (f *Front) serveRanks(name string, fn *protocol.Function) {
	ranks := rankLanes(name)
	if !f.opened[ranks[0]] {
		return
	}
	for _, l := range ranks {
		f.serve(l, fn)
	}
	keyed := fn != nil && fn.Job != nil && fn.Job.Key != ""
	for _, k := range []kind{ofJobs, ofTurns} {
		if q := f.queues[lane{name: name, kind: k}]; q != nil {
			q.ranked.Store(fn != nil && f.queues[ranks[0]] != nil && !(keyed && k == ofJobs))
		}
	}
}

// shareOf returns what decides which job of a queue begins next, and whether that is new. The caller holds the mutex.
func (f *Front) shareOf(l lane) (s *share, isNew bool) {
	if l.kind != ofRanks {
		return new(share), false
	}
	for _, other := range rankLanes(l.name) {
		if q := f.queues[other]; q != nil && !q.ended.Load() {
			return q.share, false
		}
	}
	return &share{leased: true}, true
}

// lookAt is what tells how many jobs are where others are moved to.
type lookAt func(ctx context.Context, name string) (q store.Queue, left uint64, ok bool, err error)
