package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Lost decides about a job that was to come again and has no queue any more, or cannot be a job: it is dead. m is the
// message that would have come. Until it returns nil it has to be called again.
func (f *Front) Lost(ctx context.Context, name, id string, m *nats.Msg, reason string) error {
	j, malformed := protocol.ParseJob(m.Subject, protocol.Header(m.Header), m.Data)
	why := protocol.Errorf(protocol.CodeNotFound, "", "function %s is gone", name)
	if malformed != nil {
		why = protocol.Errorf(protocol.CodeOf(malformed), "", "the message cannot be a job: %w", malformed)
	}
	r := store.Stored{Record: protocol.Record{State: protocol.StateDead, Reason: reason, Attempts: j.Before,
		Accepted: j.Accepted, Reply: protocol.Reply{ID: id, Exit: -1, Err: why}}}
	message := f.store.RecordMessage(name, id, &r.Record, j.Revision, time.Duration(protocol.DefaultResult))
	revision, err := f.store.Decide(ctx, message)
	switch r.Revision = revision; {
	case errors.Is(err, store.ErrDecided):
		stored, ok, err := f.store.Record(ctx, name, id)
		if err != nil || !ok || stored.State != protocol.StateDead {
			return err
		}
		r = stored
	case err != nil:
		return err
	}
	return f.store.Bury(ctx, &store.Letter{Function: name, ID: id, Subject: m.Subject, Reason: r.Reason, Err: r.Reply.Err,
		Attempts: r.Attempts, Accepted: j.Accepted, Story: j.Story, Revision: r.Revision, Header: plain(m.Header),
		Body: m.Data})
}
