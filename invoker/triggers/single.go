package triggers

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	singleBuffer = 128 // events that JetStream sends ahead
	unanswered   = 256 // jobs whose acknowledgements are waited for at a time
)

// sent is an event whose job has been published.
type sent struct {
	event  jetstream.Msg
	answer jetstream.PubAckFuture
}

// single makes each event a job, one after the other, and does not wait for the queue to say that it has the last one.
func (w *worker) single(ctx context.Context, in *intake) error {
	published := make(chan sent, unanswered)
	var settling sync.WaitGroup
	failed := &failures{}
	settling.Go(func() { w.settle(published, failed) })
	defer settling.Wait()
	defer close(published)
	for {
		if err := failed.take(); err != nil {
			w.report("events wait", err)
			w.pause(ctx)
		}
		m, err := in.next(ctx)
		if ctx.Err() != nil {
			if err == nil {
				nak(m, 0)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.publish(ctx, m, published); err != nil {
			nak(m, w.delay())
			w.report("events wait", err)
			w.pause(ctx)
		}
	}
}

// publish publishes the job of an event, unless that has its outcome.
func (w *worker) publish(ctx context.Context, m jetstream.Msg, published chan<- sent) error {
	job, done, err := w.jobOf(ctx, m)
	if err != nil {
		return err
	}
	if done {
		return m.Ack()
	}
	answer, err := w.f.js.PublishMsgAsync(job)
	if err != nil {
		return err
	}
	w.f.after("publish")
	published <- sent{m, answer}
	return nil
}

// jobOf returns the message of an event's job, fit for the server. done says that the job has its outcome already: an
// event that is delivered again may have become a job, longer ago than its queue remembers.
func (w *worker) jobOf(ctx context.Context, m jetstream.Msg) (job *nats.Msg, done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	e, err := w.source.event(m)
	if err != nil {
		return nil, false, err
	}
	if e.delivered > 1 {
		if done, err = w.decided(ctx, w.trigger.EventID(e.sequence, e.created)); done || err != nil {
			return nil, done, err
		}
	}
	job, unpassed := e.job(w.name, w.trigger)
	if unpassed != nil {
		w.log.Error("the reply to an event will not be passed on", "sequence", e.sequence, "err", unpassed)
	}
	w.made(job)
	return job, false, w.fit(ctx, job)
}

// made tells of a job.
func (w *worker) made(job *nats.Msg) {
	if made := w.f.config.Made; made != nil {
		h := protocol.Header(job.Header)
		made(w.name, h.Get(protocol.HeaderID), h)
	}
}

// decided reports whether a job has its outcome.
func (w *worker) decided(ctx context.Context, id string) (bool, error) {
	r, ok, err := w.f.store.Record(ctx, w.name, id)
	return ok && r.State.Decided(), err
}

// settle acknowledges events whose jobs are in the queue, until no more come. What the queue does not take is
// delivered again.
func (w *worker) settle(published <-chan sent, failed *failures) {
	for s := range published {
		select {
		case <-s.answer.Ok():
			w.works()
			w.f.after("answer")
			_ = s.event.Ack() // if that fails, it is delivered again, and is the same job
		case err := <-s.answer.Err():
			nak(s.event, shortest)
			failed.add(err)
		}
	}
}

// failures is the last error of another goroutine.
type failures struct {
	mu  sync.Mutex
	err error
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// take returns the error, once.
func (f *failures) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.err
	f.err = nil
	return err
}
