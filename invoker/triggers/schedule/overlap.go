package schedule

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// overlaps reports whether a run must be left out, since the job of the one before has no outcome.
func (f *Front) overlaps(ctx context.Context, c *chain, m Mark) (bool, error) {
	if c.trigger.Overlap != protocol.OverlapSkip || m.Run.IsZero() {
		return false, nil
	}
	var job protocol.Job
	if c.function.Job != nil {
		job = *c.function.Job
	}
	job = job.WithDefaults(c.function.Limits)
	age := f.config.Now().Sub(m.Began)
	if age >= time.Duration(job.MaxAge) {
		return false, nil
	}
	name, id := c.function.Name, c.trigger.RunID(m.Run)
	r, ok, err := f.config.Store.Record(ctx, name, id)
	switch {
	case err != nil:
		return false, err
	case ok:
		return !r.State.Decided(), nil
	case age < time.Duration(job.Result):
		return true, nil // its record would still be there
	}
	return f.exists(ctx, name, id, m.Sequence)
}

// exists reports whether a job is in its queue, where it was put, or waits for its next attempt. A job whose record may
// have expired is looked for.
func (f *Front) exists(ctx context.Context, name, id string, sequence uint64) (bool, error) {
	stream, err := f.js.Stream(ctx, protocol.QueueStream(name))
	if objects.Gone(err) {
		return false, nil
	}
	if err == nil {
		var m *jetstream.RawStreamMsg
		m, err = stream.GetMsg(ctx, sequence)
		if err == nil && m.Header.Get(protocol.HeaderID) == id {
			return true, nil
		}
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, unavailable("look for the run before", err)
	}
	_, waits, err := f.config.Later.Get(ctx, name, id)
	return waits, err
}
