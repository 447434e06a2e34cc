package control

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// mostDirect is how many requests of the direct way are worked on at a time.
	mostDirect = 32
	// keepAnswer is how long the answer to a request that changed something can be asked for again.
	keepAnswer = time.Minute
)

// handler answers a request of a verb.
type handler func(micro.Request) (any, error)

// direct answers requests that are for this invoker and no other, on polyvoke.api.VERB.ID. A client that has found an
// invoker alive asks it this way; through the queue group the server could choose one that is frozen. Requests are
// handled side by side. Two of one Fn-Id are one request that was sent twice: it runs once, and both get the answer.
// All its state is guarded by mu.
type direct struct {
	s     *Service
	self  protocol.Member
	verbs map[protocol.APIVerb]handler

	confirming chan struct{} // has a token for each confirmation that is awaited

	mu      sync.Mutex
	open    int // tasks that are not done, but for those that wait
	waiting int // tasks that are not done because they wait
	tasks   map[string]*task
	work    sync.WaitGroup
}

// task is one request, however often it was sent.
type task struct {
	cancel context.CancelFunc
	open   *int // the count that it is in
	done   chan struct{}
	answer *nats.Msg // set when done is closed
}

// changes reports whether a verb changes anything, so that to ask twice is not the same as to ask once.
func (s *Service) changes(v protocol.APIVerb) bool { return v.Audited() || s.Verbs[v].Changes }

// take takes a message. It never waits, so that a ping is answered whatever else is being done.
func (d *direct) take(m *nats.Msg) {
	verb := protocol.APIVerb(strings.Split(m.Subject, ".")[2])
	id := protocol.CleanValue(m.Header.Get(protocol.HeaderID), protocol.MaxID)
	switch verb {
	case protocol.APIPing:
		d.pong(m, id)
		return
	case protocol.APICancel:
		d.cancel(id)
		return
	case protocol.APIConfirm:
		d.confirm(m)
		return
	}
	handle := d.verbs[verb]
	if handle == nil {
		d.refuse(m, func(micro.Request) (any, error) {
			return nil, protocol.Errorf(protocol.CodeUnknownNeed, "",
				"this invoker does not know the control verb %.40q: update it, or start it with what answers the verb", verb)
		})
		return
	}
	t, fresh := d.task(id, m, d.s.Verbs[verb].Waits)
	if t == nil {
		d.refuse(m, tooMany(mostDirect))
		return
	}
	d.work.Go(func() {
		if fresh != nil {
			d.s.respond(fresh, handle)
			d.finish(verb, id, t, fresh.answer)
		}
		<-t.done
		d.s.send(m, t.answer)
	})
}

// refuse answers a request that is not worked on.
func (d *direct) refuse(m *nats.Msg, why handler) {
	r := &request{msg: m}
	d.s.respond(r, why)
	d.s.send(m, r.answer)
}

// task returns the task of a request, and the request if it is the one to be answered. It returns nil if there are
// too many, of those that wait or of the others.
func (d *direct) task(id string, m *nats.Msg, waits bool) (*task, *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tasks[id]; t != nil {
		return t, nil
	}
	open, most := &d.open, mostDirect
	if waits {
		open, most = &d.waiting, mostWaits
	}
	if *open == most {
		return nil, nil
	}
	timeout := deployTimeout
	if d, err := protocol.ParseDuration(m.Header.Get(protocol.HeaderTimeout)); err == nil {
		timeout = min(timeout, time.Duration(d))
	}
	ctx, cancel := context.WithTimeout(d.s.open, timeout)
	t := &task{cancel: cancel, done: make(chan struct{}), open: open}
	*open++
	if id != "" {
		d.tasks[id] = t
	}
	return t, &request{msg: m, ctx: ctx}
}

// finish keeps a task's answer for a while if the verb changes something, and the answer is not that it could not be
// done just now.
func (d *direct) finish(verb protocol.APIVerb, id string, t *task, answer *nats.Msg) {
	t.cancel()
	t.answer = answer
	close(t.done)
	d.mu.Lock()
	defer d.mu.Unlock()
	*t.open--
	if code := answer.Header.Get(protocol.HeaderErrorCode); !d.s.changes(verb) || code == "503" || code == "429" {
		delete(d.tasks, id)
		return
	}
	time.AfterFunc(keepAnswer, func() { d.forget(id) })
}

// forget drops a task.
func (d *direct) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tasks, id)
}

// cancel gives a request up, if it is being worked on.
func (d *direct) cancel(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tasks[id]; t != nil {
		t.cancel()
	}
}

// pong answers who this is, and whether the request of an id is being worked on.
func (d *direct) pong(m *nats.Msg, id string) {
	d.mu.Lock()
	t := d.tasks[id]
	d.mu.Unlock()
	pong := protocol.Pong{Member: d.self}
	if t != nil {
		select {
		case <-t.done:
		default:
			pong.Busy = true
		}
	}
	b, _ := json.Marshal(pong) // strings and numbers
	d.s.send(m, &nats.Msg{Data: b})
}
