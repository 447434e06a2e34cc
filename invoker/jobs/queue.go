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
	name  string
	turns bool // that of turns, see store.MakeTurns
}

// stream returns the name of the stream whose messages the queue has.
func (l lane) stream() string {
	if l.turns {
		return protocol.TurnStream(l.name)
	}
	return protocol.QueueStream(l.name)
}

// queue is the queue of one function on this invoker: the jobs that it has in hand, and how many more it has room for. A
// function with job.key has two: from the first one jobs are put into the lines of their keys, from the second one, that
// of turns, they run.
type queue struct {
	f *Front
	lane
	policy atomic.Pointer[protocol.Job] // with defaults
	ended  atomic.Bool                  // the function is gone, and its queue
	since  atomic.Int64                 // when the stream was made, in nanoseconds
	looked atomic.Int64                 // when the lines of a key had room, in nanoseconds

	changed  chan struct{}  // gets a token when the stream has to be looked at
	messages chan *nats.Msg // from JetStream to the receiver
	stop     chan struct{}  // closed when no more messages come
	empty    chan struct{}  // closed when nothing is in hand any more, and nothing comes
	running  sync.WaitGroup // goroutines of the queue

	mu       sync.Mutex
	function *protocol.Function // nil: it is gone
	hand     map[uint64]*job    // by sequence
	waiting  []*job             // those of them that could not begin
	active   int                // those of them that have begun
	settling int                // those of them whose attempt is over
	ready    bool               // the stream is there
	draining bool
	inbox    string
	sub      *nats.Subscription
	most     protocol.Size // of a body: limits.input
	size     int           // of a job's body; moving average
	pulls    pulls
	pace     pace
	rate     rate
}

// inboxSize is how many messages can lie between the connection and the receiver. There are never more: it is more than
// what is asked for, and the answers to that.
const inboxSize = 2 * maxAsked

func newQueue(f *Front, l lane) *queue {
	q := &queue{f: f, lane: l, changed: make(chan struct{}, 1), messages: make(chan *nats.Msg, inboxSize),
		stop: make(chan struct{}), empty: make(chan struct{}), hand: map[uint64]*job{}}
	q.policy.Store(new(protocol.Job))
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
	if !q.turns && job.Key != "" {
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
	if fn == nil || q.turns && q.policy.Load().Key == "" {
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
	if q.turns {
		return q.f.store.MakeTurns(ctx, fn)
	}
	return q.f.store.MakeQueue(ctx, fn)
}

// clearUp serves what a function has left behind, and removes the stream when nothing is left.
func (q *queue) clearUp(ctx context.Context) (gone bool, err error) {
	look, remove := q.f.store.CloseQueue, q.f.store.RemoveQueue
	if q.turns {
		look, remove = q.f.store.LookAtTurns, q.f.store.RemoveTurns
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
	if (q.rate.gap == 0 || len(q.waiting) == 0) && q.admit() {
		return true
	}
	q.waiting = append(q.waiting, j)
	q.reserve()
	return false
}

// admit reports whether one more job may begin, which it then has. The caller holds the mutex.
func (q *queue) admit() bool {
	if q.active >= q.pace.room() || !q.f.gate.enter() {
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
	for len(q.waiting) > 0 && q.admit() {
		j := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.spawn(j.serve)
	}
	q.reserve()
	q.ask()
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
