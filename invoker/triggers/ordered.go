package triggers

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// errUnheard says that JetStream has not answered an acknowledgement. Its consumer may be gone.
var errUnheard = errors.New("JetStream does not answer")

// ordered makes an event a job when the job of the one before has its outcome. JetStream has one event on its way, so
// that holds over all invokers.
func (w *worker) ordered(ctx context.Context, in *intake) error {
	for {
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
		if !w.see(ctx, m) {
			nak(m, 0)
			continue
		}
		if !acknowledge(ctx, []jetstream.Msg{m}) { // then it is delivered again, and has its outcome
			return errUnheard
		}
	}
}

// see sees to it that an event becomes a job, and to the job until it has its outcome. It returns false if ctx ends
// before. A job that has none when it must have one is lost, with its queue, and published again.
func (w *worker) see(ctx context.Context, m jetstream.Msg) bool {
	stop := w.progress(ctx, m)
	defer stop()
	for ctx.Err() == nil {
		var done bool
		job, done, err := w.jobOf(ctx, m)
		if err == nil && !done {
			if err = w.put(ctx, job); err == nil {
				w.f.after("publish")
				w.works()
				done = w.outcome(ctx, job.Header.Get(protocol.HeaderID))
			}
		}
		if done {
			return true
		}
		w.report("events wait", err)
		if err != nil {
			w.pause(ctx)
		}
	}
	return false
}

// put publishes a job, and waits for the queue to have it.
func (w *worker) put(ctx context.Context, job *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	_, err := w.f.js.PublishMsg(ctx, job)
	return err
}

// progress says of events, until stop is called, that they are worked on.
func (w *worker) progress(ctx context.Context, all ...jetstream.Msg) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(w.f.config.AckWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				for _, m := range all {
					_ = m.InProgress() // if that fails, it is delivered again, and is the same job
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// look is how often a record is looked for of which nobody has told.
const look = 3 * time.Second

// soon is how long a record of which somebody has told may take into its bucket.
const soon = 50 * time.Millisecond

// outcome waits for the outcome of a job. It returns false if ctx ends before, or the job must have had one.
func (w *worker) outcome(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, w.patience())
	defer cancel()
	told := make(chan *nats.Msg, 16)
	nc := w.f.js.Conn()
	sub, err := nc.ChanSubscribe("$KV."+protocol.BucketResults+"."+protocol.ResultKey(w.name, id), told)
	if err == nil {
		defer func() { _ = sub.Unsubscribe() }() // an error means that there is none any more
	}
	pause := time.NewTimer(look)
	defer pause.Stop()
	for {
		done, err := w.decided(ctx, id)
		if done {
			return true
		}
		if ctx.Err() == nil {
			w.report("the outcome of an event is not known", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-told:
			pause.Reset(soon) // the record is on its way into its bucket, too
		case <-pause.C:
			pause.Reset(look)
		}
	}
}

// patience returns how long after it is published a job must have its outcome.
func (w *worker) patience() time.Duration {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	var job protocol.Job
	var limits protocol.Limits
	if fn := w.f.wanted[w.name]; fn != nil {
		if limits = fn.Limits; fn.Job != nil {
			job = *fn.Job
		}
	}
	job = job.WithDefaults(limits)
	return time.Duration(job.MaxAge+job.Timeout) + time.Minute
}
