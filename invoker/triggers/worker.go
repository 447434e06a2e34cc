package triggers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// worker sees to one trigger of one function on this invoker.
type worker struct {
	f       *Front
	name    string // of the function
	trigger protocol.Trigger
	log     *slog.Logger
	back    chan struct{} // gets a token when what was not there may be
	end     context.CancelFunc
	done    chan struct{}

	source source
	plan   string // key of the plan of the batch that is published next
	open   bool   // events of the plan there may be delivered again
	spare  batch  // what the last batch has left to be used again

	mu       sync.Mutex
	failing  string // what has been reported and does not work yet; empty: all does
	attempts int    // that have failed in a row
}

// Pauses between attempts of what does not work.
const (
	shortest = 250 * time.Millisecond
	longest  = 15 * time.Second
)

// begin begins to work for a trigger.
func (f *Front) begin(ctx context.Context, k key, t protocol.Trigger) *worker {
	w := &worker{f: f, name: k.function, trigger: t, back: make(chan struct{}, 1), done: make(chan struct{}),
		log: f.log.With("function", k.function, "trigger", t.String())}
	ctx, w.end = context.WithCancel(ctx)
	f.working.Go(func() {
		defer close(w.done)
		w.run(ctx)
	})
	return w
}

// stop ends the work, and returns when it has ended.
func (w *worker) stop() {
	w.end()
	<-w.done
}

// run takes events until ctx ends. What is missing is reported once and looked for again.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		consumer, err := w.consumer(ctx)
		if err == nil {
			err = w.take(ctx, consumer)
		}
		if ctx.Err() == nil {
			w.report("events are not taken", err)
			w.pause(ctx)
		}
	}
}

// heartbeat is how often JetStream says that it is there while there are no events. Without a second one it is asked
// anew: a consumer may go while nothing is asked of it.
const heartbeat = 5 * time.Second

// take takes events until ctx ends, which is no error, or the consumer is lost.
func (w *worker) take(ctx context.Context, c jetstream.Consumer) error {
	most, handle := singleBuffer, w.single
	switch {
	case w.trigger.Ordered:
		most, handle = 1, w.ordered
	case w.trigger.Batch > 0:
		most, handle = batchBuffer(w.trigger.Batch), w.batches
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(most), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return err
	}
	in := &intake{messages}
	defer in.giveBack(w.f.js.Conn())
	return handle(ctx, in)
}

// intake is the events that JetStream sends.
type intake struct{ jetstream.MessagesContext }

// next returns the next event, or an error when ctx ends or JetStream sends no more.
func (in *intake) next(ctx context.Context) (jetstream.Msg, error) {
	return in.Next(jetstream.NextContext(ctx))
}

// giveBack gives back what came and was not looked at, so that others have it at once. Without a server it is delivered
// again a while later.
func (in *intake) giveBack(nc *nats.Conn) {
	defer in.Stop()
	if !nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ackLimit)
	defer cancel()
	in.Drain()
	for {
		m, err := in.next(ctx)
		if err != nil {
			return
		}
		nak(m, 0)
	}
}

// nak has an event delivered again after a while. An error means that the connection is gone, and then it is too.
func nak(m jetstream.Msg, after time.Duration) { _ = m.NakWithDelay(after) }

// report takes note of what does not work. The same is said once.
func (w *worker) report(what string, err error) {
	if err == nil || w.f.js.Conn().IsClosed() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts++
	if text := what + ": " + err.Error(); text != w.failing {
		w.failing = text
		w.log.Warn(what, "err", err)
	}
}

// works takes note that an event has become a job.
func (w *worker) works() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing != "" {
		w.log.Info("events are taken again")
	}
	w.failing, w.attempts = "", 0
}

// delay returns how long it takes until something is tried again: longer with each attempt that has failed.
func (w *worker) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(longest, shortest<<min(w.attempts, 8))
}

// pause waits before the next attempt.
func (w *worker) pause(ctx context.Context) {
	t := time.NewTimer(w.delay())
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-w.back:
	}
}
