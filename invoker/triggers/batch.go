package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// A batch must be the same job when its events are delivered again, though they may come in other company then. So
// which events are one is written down before their job is published: a plan. An event that is delivered again is
// looked for in the plans of all invokers, and the batch that it belongs to is published as it was.

// plan is a batch: the sequences of its events.
type plan struct {
	ID        string   `json:"id"` // of its job
	Sequences []uint64 `json:"sequences"`
}

// batch is what a worker allocates for a batch, and uses again for the next one.
type batch struct {
	messages  []jetstream.Msg
	events    []event
	sequences []uint64
	body      []byte
}

// mostSpare is the largest body that is kept for the next one, in bytes.
const mostSpare = 256 << 10

// drop forgets what the batch was about, and keeps the memory.
func (b *batch) drop() {
	clear(b.messages[:cap(b.messages)])
	clear(b.events[:cap(b.events)])
	if cap(b.body) > mostSpare {
		b.body = nil
	}
}

// batchBuffer returns how many events JetStream sends ahead: while one batch is published, the next one comes.
// JetStream is asked again when half of them are there, so each request is for a batch. A large batch comes alone, since
// what lies here is hidden from other invokers.
func batchBuffer(batch int) int { return max(batch, min(2*batch, mostPending/2)) }

// batches makes several events together a job.
func (w *worker) batches(ctx context.Context, in *intake) error {
	defer w.dropPlan()
	for {
		all, err := w.gather(ctx, in)
		stop := w.progress(ctx, all...)
		for len(all) > 0 && ctx.Err() == nil {
			all = w.batch(ctx, all)
		}
		stop()
		for _, m := range all {
			nak(m, 0)
		}
		w.spare.drop()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// gather returns as many events as are a batch at most: those that come while its window is open. An error means that
// no more come.
func (w *worker) gather(ctx context.Context, in *intake) ([]jetstream.Msg, error) {
	first, err := in.next(ctx)
	if err != nil {
		return nil, err
	}
	all := append(w.spare.messages[:0], first)
	defer func() { w.spare.messages = all }()
	window := max(time.Duration(w.trigger.Window), shortestWindow)
	ctx, cancel := context.WithTimeout(ctx, window)
	defer cancel()
	for len(all) < w.trigger.Batch {
		m, err := in.next(ctx)
		if ctx.Err() != nil && err != nil {
			break
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

// shortestWindow is how long events may take that JetStream has sent.
const shortestWindow = time.Millisecond

// batch makes a batch of events a job, and acknowledges them. It returns those that are left: all if it has not
// succeeded, and those for which there is no room in a message.
func (w *worker) batch(ctx context.Context, all []jetstream.Msg) []jetstream.Msg {
	events, err := w.events(all)
	if err == nil && slices.ContainsFunc(events, func(e event) bool { return e.delivered > 1 }) {
		var done int
		if done, err = w.again(ctx, all, events); done > 0 {
			return slices.DeleteFunc(all, func(m jetstream.Msg) bool { return m == nil })
		}
	}
	var n int
	if err == nil {
		n, err = w.publishBatch(ctx, events)
	}
	if err != nil {
		w.report("events wait", err)
		w.pause(ctx)
		return all
	}
	w.open = !acknowledge(ctx, all[:n])
	w.works()
	return all[n:]
}

// events reads messages.
func (w *worker) events(all []jetstream.Msg) ([]event, error) {
	w.spare.events = w.spare.events[:0]
	for _, m := range all {
		e, err := w.source.event(m)
		if err != nil {
			return nil, err
		}
		w.spare.events = append(w.spare.events, e)
	}
	return w.spare.events, nil
}

// acknowledge says of events that they are a job, and reports whether JetStream has heard so. Otherwise they are
// delivered again, and looked for in plans.
func acknowledge(ctx context.Context, all []jetstream.Msg) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackLimit)
	defer cancel()
	last := len(all) - 1
	for _, m := range all[:last] {
		if m.Ack() != nil {
			return false
		}
	}
	return all[last].DoubleAck(ctx) == nil // JetStream hears of one after the other
}

// publishBatch publishes the job of as many events as a message has room for, and returns how many they are.
func (w *worker) publishBatch(ctx context.Context, events []event) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	body, n := w.lines(events)
	p := plan{ID: w.trigger.BatchID(events[0].sequence, n, events[0].created), Sequences: w.spare.sequences[:0]}
	for _, e := range events[:n] {
		p.Sequences = append(p.Sequences, e.sequence)
	}
	w.spare.sequences = p.Sequences
	if err := w.putPlan(ctx, p); err != nil {
		return 0, err
	}
	w.f.after("plan")
	if err := w.putBatch(ctx, p.ID, events[:n], body); err != nil {
		return 0, err
	}
	w.f.after("answer")
	return n, nil
}

// roomBeside is what a message has room for beside the lines of a batch: the headers of its job.
const roomBeside = 4 << 10

// lines returns the lines of as many events as fit a message, and of one in any case. They hold until the next batch.
func (w *worker) lines(events []event) (body []byte, n int) {
	body = w.spare.body[:0]
	defer func() { w.spare.body = body }()
	room := int(w.f.js.Conn().MaxPayload()) - roomBeside
	for i, e := range events {
		longer := e.line(body)
		if i > 0 && len(longer) > room {
			return body, i
		}
		body = longer
	}
	return body, len(events)
}

// line appends the line that the event is in a batch.
func (e *event) line(b []byte) []byte {
	return protocol.AppendEvent(b, protocol.Event{Subject: e.subject, Sequence: e.sequence, Time: e.time,
		Header: plain(e.header, protocol.SourceStream)}, e.body)
}

// putBatch publishes the job of a batch, unless that has its outcome.
func (w *worker) putBatch(ctx context.Context, id string, events []event, body []byte) error {
	h := protocol.Header{protocol.HeaderBatch: {strconv.Itoa(len(events))}}
	if w.trigger.To != "" {
		h[protocol.HeaderTo] = []string{w.trigger.To}
	}
	events[0].name(h, id)
	m := &nats.Msg{Subject: redo(w.name), Header: nats.Header(h), Data: body}
	w.made(m)
	if err := w.fit(ctx, m); err != nil {
		return err
	}
	_, err := w.f.js.PublishMsg(ctx, m)
	return err
}

// again publishes anew the batches that events which are delivered again belong to, acknowledges those events, and
// makes them nil in all. It returns how many they are.
func (w *worker) again(ctx context.Context, all []jetstream.Msg, events []event) (done int, err error) {
	limited, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	plans, err := w.plans(limited)
	if err != nil {
		return 0, err
	}
	for _, p := range plans {
		var theirs []jetstream.Msg
		for i, e := range events {
			if all[i] != nil && e.delivered > 1 && slices.Contains(p.Sequences, e.sequence) {
				theirs, all[i] = append(theirs, all[i]), nil
			}
		}
		if len(theirs) == 0 {
			continue
		}
		if err := w.republish(ctx, p, events); err != nil {
			for _, m := range theirs {
				nak(m, shortest)
			}
			return done + len(theirs), nil
		}
		acknowledge(ctx, theirs)
		done += len(theirs)
	}
	return done, nil
}

// republish publishes the job of a plan, unless it has its outcome. The queue knows it if it has it.
func (w *worker) republish(ctx context.Context, p plan, known []event) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if done, err := w.decided(ctx, p.ID); done || err != nil {
		return err
	}
	var events []event
	for _, sequence := range p.Sequences {
		if i := slices.IndexFunc(known, func(e event) bool { return e.sequence == sequence }); i >= 0 {
			events = append(events, known[i])
			continue
		}
		m, err := w.source.stream.GetMsg(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a limit of the stream has removed it, or the stream is a work queue: then it was acknowledged
		}
		if err != nil {
			return err
		}
		events = append(events, event{stream: w.source.name, subject: m.Subject, header: m.Header, body: m.Data,
			sequence: m.Sequence, time: m.Time, created: w.source.created})
	}
	if len(events) == 0 {
		return nil
	}
	var body []byte
	for _, e := range events {
		body = e.line(body)
	}
	return w.putBatch(ctx, p.ID, events, body)
}

// parsePlan reads a plan. ok is false for what is none.
func parsePlan(b []byte) (p plan, ok bool) {
	err := json.Unmarshal(b, &p)
	return p, err == nil && p.ID != "" && len(p.Sequences) <= protocol.MaxBatch
}
