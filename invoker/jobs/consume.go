package jobs

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Jobs are asked for by requests of JetStream's protocol, each for as many as there is room for: what is fetched and
// not begun would be hidden from other invokers. Nothing is sent while a request waits.

const (
	expires  = 30 * time.Second // how long a request waits
	overdue  = 5 * time.Second  // how much later its end would have been said
	maxAsked = 512              // jobs that all requests of a function ask for
	maxBytes = 16 << 20         // of the jobs of a request, as large as the last ones were
)

// pulls are the requests of a queue that have not been answered in full.
type pulls struct {
	open  []pull
	asked int       // messages, of all
	pause time.Time // until then none is made
}

type pull struct {
	left int       // messages
	late time.Time // when nobody knows of it any more
}

// got takes note of messages that came, or will not come: the oldest request is answered first.
func (p *pulls) got(n int) {
	for n > 0 && len(p.open) > 0 {
		k := min(n, p.open[0].left)
		p.open[0].left -= k
		p.asked -= k
		n -= k
		if p.open[0].left == 0 {
			p.open = p.open[1:]
		}
	}
}

// expire forgets requests of which nobody knows any more.
func (p *pulls) expire(now time.Time) {
	for len(p.open) > 0 && now.After(p.open[0].late) {
		p.got(p.open[0].left)
	}
}

// forget forgets all requests: whoever had them is not there any more.
func (p *pulls) forget() { p.open, p.asked = nil, 0 }

// pullRequest is what JetStream is asked with.
type pullRequest struct {
	Batch   int           `json:"batch"`
	Expires time.Duration `json:"expires"`
}

// ask asks for as many jobs as there is room for. The caller holds the mutex.
func (q *queue) ask() {
	if !q.ready || q.draining {
		return
	}
	n := q.room() - q.held() - q.pulls.asked
	n = min(n, maxAsked-q.pulls.asked, max(1, maxBytes/max(1, q.size)))
	if n < 1 || n < q.few() && q.pulls.asked > 0 {
		return
	}
	now := time.Now() // which is not asked for each job: most find nothing to ask for
	if now.Before(q.pulls.pause) {
		return
	}
	request, _ := json.Marshal(pullRequest{n, expires}) // of numbers, it cannot fail
	next := q.f.api + "CONSUMER.MSG.NEXT." + q.stream() + "." + q.consumer()
	if err := q.f.nc.PublishRequest(next, q.inbox, request); err != nil {
		return // the connection is closed, or full of what it could not send: the next tick tries again
	}
	q.pulls.open = append(q.pulls.open, pull{n, now.Add(expires + overdue)})
	q.pulls.asked += n
}

// askAgain asks for jobs anew: whoever had the requests is not there any more, or has forgotten them.
func (q *queue) askAgain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pulls.forget()
	q.pulls.pause = time.Time{}
	q.ask()
}

// askAgain has all queues ask anew.
func (f *Front) askAgain() {
	for _, q := range f.all() {
		q.askAgain()
	}
}

// leaders is where JetStream says that a consumer has a new leader, which knows no requests. Where NATS does not permit
// to hear that, the requests are overdue at some time.
const leaders = "$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.*."

// watchLeaders has queues ask anew whose consumer of a name has a new leader.
func (f *Front) watchLeaders(consumer string) {
	sub, err := f.nc.Subscribe(leaders+consumer, func(m *nats.Msg) {
		tokens := strings.Split(m.Subject, ".")
		for _, q := range f.all() {
			if q.stream() == tokens[len(tokens)-2] && q.consumer() == consumer {
				q.askAgain()
			}
		}
	})
	if err == nil {
		f.subs = append(f.subs, sub)
	}
}

// subscribe begins to take the answers to requests.
func (q *queue) subscribe() (err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inbox = q.f.nc.NewInbox()
	q.sub, err = q.f.nc.ChanSubscribe(q.inbox, q.messages)
	return err
}

// receiver is the goroutine that takes the messages of a queue, and runs quick jobs itself: to hand them over would
// cost as much as they do. When one takes longer than that, another receiver takes the next message.
type receiver struct {
	q     *queue
	state atomic.Int32
	late  *time.Timer

	mu   sync.Mutex
	held []*job // whose records are to be published
}

// mostHeld is how many records are held back. Published one by one they reach JetStream one by one, which then does
// more for the network than for the jobs.
const mostHeld = 32

// hold holds the record of a job back while more jobs lie before the receiver, and reports whether it does.
func (r *receiver) hold(j *job) bool {
	if r == nil || r.state.Load() != busy {
		return false
	}
	r.mu.Lock()
	r.held = append(r.held, j)
	full := len(r.held) >= mostHeld
	r.mu.Unlock()
	if full {
		r.flush()
	}
	return true
}

// flush publishes what is held back.
func (r *receiver) flush() {
	r.mu.Lock()
	held := r.held
	r.held = nil
	r.mu.Unlock()
	for _, j := range held {
		r.q.f.settler.send(j)
	}
}

// The states of a receiver.
const (
	taking   int32 = iota // it waits for messages
	busy                  // it runs a job
	relieved              // another receiver has taken over
)

// patience is how long a receiver may be busy with a job.
const patience = time.Millisecond

func newReceiver(q *queue) *receiver {
	r := &receiver{q: q}
	r.late = time.AfterFunc(time.Hour, r.handOver)
	r.late.Stop()
	return r
}

// handOver lets another receiver take the next message, if this one is busy.
func (r *receiver) handOver() {
	if r.state.CompareAndSwap(busy, relieved) {
		r.flush()
		r.q.spawn(func() { r.q.receive(newReceiver(r.q)) })
	}
}

// receive takes messages until there are no more, or another receiver does.
func (q *queue) receive(r *receiver) {
	defer r.flush()
	for r.state.Load() == taking {
		select {
		case m := <-q.messages:
			q.take(r, m)
			continue
		default:
		}
		r.flush()
		select {
		case m := <-q.messages:
			q.take(r, m)
		case <-q.stop:
			if len(q.messages) == 0 {
				return
			}
		}
	}
}

// take takes a message: a job, or what JetStream says about a request.
func (q *queue) take(r *receiver, m *nats.Msg) {
	if status := m.Header.Get("Status"); status != "" && m.Reply == "" {
		q.status(status, m.Header)
		return
	}
	j, ok := q.newJob(m)
	if !ok {
		return
	}
	q.mu.Lock()
	q.pulls.got(1)
	q.size += (len(m.Data) - q.size) / 8
	inline := q.pace.inline()
	q.mu.Unlock()
	switch {
	case !q.keep(j):
	case q.sorts(j):
		q.spawn(j.stand)
	case q.ranks(j) && j.unsure():
		q.spawn(j.rank)
	case q.ranks(j):
		r.begin()
		j.rank()
		r.end()
	case j.suspect():
		q.spawn(j.serveAlone)
	case !q.enter(j):
	case inline && !j.unsure():
		r.serve(j)
	default:
		q.spawn(j.serve)
	}
}

// serve takes a job along its way.
func (r *receiver) serve(j *job) {
	r.begin()
	j.receiver = r
	j.serve()
	r.end()
}

// begin says that the receiver is about to do something with a job, for which the next one need not wait.
func (r *receiver) begin() {
	r.state.Store(busy)
	r.late.Reset(patience)
}

// end says that it has done that.
func (r *receiver) end() {
	r.late.Stop()
	r.state.CompareAndSwap(busy, taking)
}

// remakePause is how long after the end of a consumer its stream is looked at. The server says that a consumer has ended
// before it has removed the files of the stream. One that is made again within these milliseconds finds them, loses them
// afterwards, and acknowledges nothing (nats-server 2.15.2).
const remakePause = 500 * time.Millisecond

// status does what follows from what JetStream says about a request (ADR-37).
func (q *queue) status(status string, h nats.Header) {
	if status == "100" {
		return
	}
	pending, err := strconv.Atoi(h.Get("Nats-Pending-Messages"))
	q.mu.Lock()
	defer q.mu.Unlock()
	switch text := strings.ToLower(h.Get("Description")); {
	case err == nil && pending >= 0:
		q.pulls.got(pending)
	case status == "503", strings.Contains(text, "deleted"): // nobody has the consumer
		q.ready = false
		q.pulls.forget()
		time.AfterFunc(remakePause, q.look)
	default:
		q.pulls.forget()
	}
	if status == "409" {
		q.pulls.pause = time.Now().Add(100 * time.Millisecond)
	}
	q.ask()
}
