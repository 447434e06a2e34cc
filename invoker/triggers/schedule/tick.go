package schedule

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/cloudevents"
)

const (
	waitForSync = 3 * time.Second          // of a message for the functions; it then comes again
	portion     = 100                      // runs that one message makes up for
	strangers   = 6                        // deliveries of a message that no function wants, in 6 s
	hop         = 5 * 366 * 24 * time.Hour // the longest that a message of a chain waits
)

// next lets the next message of a chain wait: for the first of its times behind the last one.
func (f *Front) next(ctx context.Context, id string, c *chain, m Mark) error {
	at := c.schedule.Next(m.Last)
	if at.IsZero() {
		return nil // it has no more; Parse refuses what never has
	}
	return f.put(ctx, id, at, m)
}

// put lets the message for a time wait. It has the mark in it, so that usually nobody has to read that.
func (f *Front) put(ctx context.Context, id string, at time.Time, m Mark) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	wait := at
	if far := f.config.Now().Add(hop); wait.After(far) {
		wait = far // the next 29th of February that is a Sunday is 28 years away
	}
	return f.config.Later.Put(ctx, Kind, id, wait, &nats.Msg{Data: body,
		Header: nats.Header{protocol.HeaderScheduled: {at.UTC().Format(time.RFC3339)}}})
}

// Tick runs a function, or several times, because a message of Kind is due, and lets the next one wait. It may be
// called twice for the same message, by several invokers at a time. With an error the message must come again.
func (f *Front) Tick(ctx context.Context, d *later.Due) error {
	c, err := f.find(ctx, d)
	if c == nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, d.Msg.Header.Get(protocol.HeaderScheduled))
	if err != nil || !c.schedule.Next(at.Add(-time.Second)).Equal(at) {
		return f.begin(ctx, d.ID, c) // a stranger's
	}
	m, err := f.state(ctx, d, at)
	if err != nil {
		return err
	}
	if at.Sub(f.config.Now()) > time.Minute { // a hop
		return f.put(ctx, d.ID, at, m)
	}
	if m.Last.Before(at) {
		if m, err = f.run(ctx, c, m, at); err != nil {
			return err
		}
		if err := f.writeMark(ctx, d.ID, m, false); err != nil {
			return err
		}
	}
	if err := f.next(ctx, d.ID, c, m); err != nil {
		return err
	}
	return f.ended(ctx, d.ID)
}

// state returns the mark of a chain whose message for a time has come. The message has it. One that comes again, or
// late, may have an older one than the bucket: while the queue knows the ids of its jobs that changes nothing.
func (f *Front) state(ctx context.Context, d *later.Due, at time.Time) (m Mark, err error) {
	fresh := d.Delivered == 1 && f.config.Now().Sub(at) <= grace
	if fresh && json.Unmarshal(d.Msg.Data, &m) == nil && !m.Last.IsZero() && m.Last.Before(at) {
		return m, nil
	}
	m, ok, err := readMark(ctx, f.js, d.ID)
	if !ok {
		m = Mark{Last: at.Add(-time.Second)}
	}
	return m, err
}

// ended ends a chain again that was ended while it went on.
func (f *Front) ended(ctx context.Context, id string) error {
	if f.chain(id) != nil {
		return nil
	}
	return f.end(ctx, id)
}

// find returns the chain of a message. If no function has it, and that has been so for a while, the chain ends here:
// its function was removed while nobody was there. An invoker may also hear of a function later than others.
func (f *Front) find(ctx context.Context, d *later.Due) (*chain, error) {
	t := time.NewTimer(waitForSync)
	defer t.Stop()
	select {
	case <-f.synced:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		return nil, errUnknown
	}
	switch c := f.chain(d.ID); {
	case c != nil:
		return c, nil
	case d.Delivered < strangers:
		return nil, errUnknown
	}
	f.config.Log.Info("a schedule ends, since its function is gone", "function", nameOf(d.ID))
	return nil, f.end(ctx, d.ID)
}

// run publishes the jobs that are due, and returns the mark that says so.
func (f *Front) run(ctx context.Context, c *chain, m Mark, at time.Time) (Mark, error) {
	now := f.config.Now()
	times, left := c.due(at, now)
	m.Missed += left
	if left > 0 || now.Sub(at) > grace {
		f.config.Log.Warn("a schedule has missed times", "function", c.function.Name, "schedule", c.trigger.Schedule,
			"since", at.UTC(), "runs", len(times), "left_out", left)
	}
	m.Last = at
	if last, _ := c.schedule.Last(at, now, 1); len(last) > 0 {
		m.Last = last[0]
	}
	if len(times) > portion { // the next message is for the rest, and due at once
		times = times[:portion]
		m.Last = times[portion-1]
	}
	for _, one := range times {
		running, err := f.overlaps(ctx, c, m)
		if err != nil {
			return m, err
		}
		if running {
			m.Skipped++
			continue
		}
		if m.Sequence, err = f.publish(ctx, c, one); err != nil {
			return m, err
		}
		m.Run, m.Began = one, now
	}
	return m, nil
}

// publish publishes the job of a time, and returns its sequence in the queue. A second one of the time is the first.
func (f *Front) publish(ctx context.Context, c *chain, at time.Time) (uint64, error) {
	m, err := c.job(at)
	if err != nil {
		return 0, err
	}
	if made := f.config.Made; made != nil {
		made(c.function.Name, m.Header.Get(protocol.HeaderID), protocol.Header(m.Header))
	}
	ack, err := f.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, queueError(c.function.Name, err)
	}
	return ack.Sequence, nil
}

// job returns the job of a time, as it is published.
func (c *chain) job(at time.Time) (*nats.Msg, error) {
	name, id := c.function.Name, c.trigger.RunID(at)
	subject, err := protocol.JobSubject(name)
	if err != nil {
		return nil, err
	}
	h := protocol.Header{protocol.HeaderID: {id}, jetstream.MsgIDHeader: {protocol.ResultKey(name, id)},
		protocol.HeaderScheduled: {at.In(c.schedule.Zone()).Format(time.RFC3339)}}
	if to, err := c.trigger.Destination(""); err == nil && to != "" {
		h[protocol.HeaderTo] = []string{to}
	}
	if c.trigger.Events {
		e := cloudevents.New(name, id, at, nil)
		e.Attributes[cloudevents.Type] = name + ".scheduled"
		h = e.Request(h)
	}
	return &nats.Msg{Subject: protocol.RedoSubject(subject), Header: nats.Header(h)}, nil
}
