package jobs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// lane says which queue of which function one is.
type lane struct {
	name     string
	kind     kind
	priority protocol.Priority // of ofRanks
}

// kind says what a queue has.
type kind int

const (
	ofJobs  kind = iota // what was accepted
	ofTurns             // what has its turn in the line of its key, see store.MakeTurns
	ofRanks             // what has a priority, see store.MakeRanks
)

// lanes returns all queues that a function can have.
func lanes(name string) []lane {
	return append(rankLanes(name), lane{name: name}, lane{name: name, kind: ofTurns})
}

// rankLanes returns the queues of a function's priorities, the highest first.
func rankLanes(name string) (all []lane) {
	for _, p := range protocol.Priorities() {
		all = append(all, lane{name, ofRanks, p})
	}
	return all
}

// stream returns the name of the stream whose messages the queue has.
func (l lane) stream() string {
	switch l.kind {
	case ofTurns:
		return protocol.TurnStream(l.name)
	case ofRanks:
		return protocol.RankStream(l.name)
	}
	return protocol.QueueStream(l.name)
}

// consumer returns the name of the consumer that gives the messages away.
func (l lane) consumer() string {
	if l.kind == ofRanks {
		return store.RankConsumer(l.priority)
	}
	return store.Consumer
}

// queue is the queue of one function on this invoker: the jobs that it has in hand, and how many more it has room for. A
// function with job.key has two: from the first one jobs are put into the lines of their keys, from the second one, that
// of turns, they run. A function that has got a job with a priority has three more, in which all of its jobs run.
type queue struct {
	f *Front
	lane
	*share
	policy atomic.Pointer[protocol.Job] // with defaults
	ended  atomic.Bool                  // the function is gone, and its queue
	ranked atomic.Bool                  // its jobs are moved to the queues of their priorities
	since  atomic.Int64                 // when the stream was made, in nanoseconds
	looked atomic.Int64                 // when there was room where its jobs are moved, in nanoseconds

	changed  chan struct{}  // gets a token when the stream has to be looked at
	messages chan *nats.Msg // from JetStream to the receiver
	stop     chan struct{}  // closed when no more messages come
	empty    chan struct{}  // closed when nothing is in hand any more, and nothing comes
	running  sync.WaitGroup // goroutines of the queue

	// Guarded by the mutex of the share.
	function *protocol.Function // nil: it is gone
	hand     map[uint64]*job    // by sequence
	waiting  []*job             // those of them that could not begin
	settling int                // those of them whose attempt is over
	ready    bool               // the stream is there
	draining bool
	inbox    string
	sub      *nats.Subscription
	most     protocol.Size // of a body: limits.input
	size     int           // of a job's body; moving average
	pulls    pulls
	passed   int // how often jobs of a higher priority began while one waited
}

// inboxSize is how many messages can lie between the connection and the receiver. There are never more: it is more than
// what is asked for, and the answers to that.
const inboxSize = 2 * maxAsked

func newQueue(f *Front, l lane, s *share) *queue {
	q := &queue{f: f, lane: l, share: s, changed: make(chan struct{}, 1), messages: make(chan *nats.Msg, inboxSize),
		stop: make(chan struct{}), empty: make(chan struct{}), hand: map[uint64]*job{}}
	q.policy.Store(new(protocol.Job))
	s.add(q)
	return q
}

// created returns when the queue's stream was made.
func (q *queue) created() time.Time { return time.Unix(0, q.since.Load()) }

// configure tells of the function's latest version; nil says that it is gone.
func (q *queue) configure(fn *protocol.Function) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if fn == q.function && fn != nil {
		return
	}
	var job protocol.Job
	var limits protocol.Limits
	if fn != nil {
		limits = fn.Limits
		if fn.Job != nil {
			job = *fn.Job
		}
	}
	job = job.WithDefaults(limits)
	if q.kind == ofJobs && job.Key != "" {
		job.AckWait, job.Rate = store.SortWait, ""
	}
	q.policy.Store(&job)
	q.most = limits.WithDefaults().Input
	q.rate.set(job.Rate)
	q.pace.most = min(job.Concurrency, limits.WithDefaults().Concurrency)
	if q.function != fn || q.pace.limit == 0 {
		q.pace.begin()
		q.look()
	}
	q.function = fn
}

// look has the stream looked at.
func (q *queue) look() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// longestPause is how long a stream that cannot be made is left alone.
const longestPause = 4 * time.Second

// run serves the queue until the front's context ends, or the function and its jobs are gone.
func (q *queue) run() {
	ctx := q.f.serving
	if err := q.subscribe(); err != nil {
		q.f.log.Error("jobs of a function cannot be received", "function", q.name, "err", err)
		q.ended.Store(true)
		close(q.empty) // the end of the front does not wait for it
		return
	}
	q.spawn(func() { q.receive(newReceiver(q)) })
	defer q.drain()
	for pause := time.Second; ; {
		wait := time.Duration(1 << 62)
		if gone, err := q.make(ctx); gone {
			q.ended.Store(true)
			q.f.wake()
			return
		} else if err != nil {
			if pause == time.Second && ctx.Err() == nil {
				q.f.log.Warn("jobs of a function wait: its queue cannot be made", "function", q.name, "err", err)
			}
			wait = pause
			pause = min(2*pause, longestPause)
		} else {
			pause = time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-q.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// make makes the stream, or finds out whether what the function has left behind is gone.
func (q *queue) make(ctx context.Context) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	q.mu.Lock()
	fn := q.function
	q.mu.Unlock()
	if fn == nil || q.kind == ofTurns && q.policy.Load().Key == "" {
		return q.clearUp(ctx)
	}
	made, err := q.makeFor(ctx, fn)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ready = err == nil; q.ready {
		q.since.Store(made.Created.UnixNano())
		q.ask()
	}
	return false, err
}

// makeFor makes the stream for a function.
func (q *queue) makeFor(ctx context.Context, fn *protocol.Function) (store.Queue, error) {
	switch q.kind {
	case ofTurns:
		return q.f.store.MakeTurns(ctx, fn)
	case ofRanks:
		return q.f.store.MakeRanks(ctx, fn)
	}
	return q.f.store.MakeQueue(ctx, fn)
}

// clearUp serves what a function has left behind, and removes the stream when nothing is left.
func (q *queue) clearUp(ctx context.Context) (gone bool, err error) {
	look, remove := q.f.store.CloseQueue, q.f.store.RemoveQueue
	switch q.kind {
	case ofTurns:
		look, remove = q.f.store.LookAtTurns, q.f.store.RemoveTurns
	case ofRanks:
		look, remove = q.f.store.LookAtRanks, q.f.store.RemoveRanks
	}
	made, left, ok, err := look(ctx, q.name)
	if err != nil {
		return false, err
	}
	if !ok {
		return true, nil
	}
	if left == 0 && q.gone(ctx) { // a function that is there, without a key, leaves its empty lines alone
		return true, remove(ctx, q.name)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.since.Store(made.Created.UnixNano())
	q.ready = true
	q.ask()
	return false, nil
}

// gone asks whether the function still does not exist.
func (q *queue) gone(ctx context.Context) bool {
	r, err := q.f.config.Caller.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: q.name}, DryRun: true})
	return protocol.CodeOf(protocol.Failure(r, err)) == protocol.CodeNotFound
}

// keep takes a job in hand, and reports whether it is new there: one that has been delivered again is one job.
func (q *queue) keep(j *job) bool {
	q.mu.Lock()
	known, draining := q.hand[j.place.sequence], q.draining
	switch {
	case known != nil:
		known.ack, known.said = j.m.Reply, time.Now()
	case !draining:
		q.hand[j.place.sequence] = j
		j.cancelled = q.f.marks.has(q.name, j.id)
	}
	q.mu.Unlock()
	if known == nil && draining {
		j.giveBack()
	}
	return known == nil && !draining
}

// enter reports whether a job may begin. Otherwise it waits for its turn.
func (q *queue) enter(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if (q.rate.gap == 0 && q.kind != ofRanks || q.waits() == 0) && q.admit() {
		return true
	}
	q.waiting = append(q.waiting, j)
	if q.kind == ofRanks {
		q.beginSome()
	}
	q.reserve()
	return false
}

// admit reports whether one more job may begin, which it then has. The caller holds the mutex.
func (q *queue) admit() bool {
	if q.active >= q.limit() || !q.f.gate.enter() {
		return false
	}
	if !q.rate.take() {
		q.f.gate.leave()
		return false
	}
	q.active++
	return true
}

// leave ends the attempt of a job that has begun, and begins others that wait.
func (q *queue) leave() {
	q.f.gate.leave()
	q.mu.Lock()
	q.active--
	q.mu.Unlock()
	q.begin()
}

// begin begins the jobs that wait and may begin now.
func (q *queue) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.beginSome()
	q.reserve()
	for _, one := range q.queues {
		one.ask()
	}
}

// beginSome begins the jobs that wait and may begin now. The caller holds the mutex.
func (q *queue) beginSome() {
	for next := q.next(); next != nil && next.admit(); next = q.next() {
		j := next.waiting[0]
		next.waiting[0] = nil
		next.waiting = next.waiting[1:]
		q.overtake(next)
		next.spawn(j.serve)
	}
}

// settles says that a job's attempt is over and its outcome under way.
func (q *queue) settles(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !j.settling {
		j.settling = true
		q.settling++
	}
}

// forget takes a job out of hand.
func (q *queue) forget(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.hand[j.place.sequence] != j {
		return
	}
	delete(q.hand, j.place.sequence)
	if j.settling {
		q.settling--
	}
	q.ask()
	q.whenEmpty()
}
