package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Lost makes a dead letter of a job that has waited for its time, and has no queue any more, or cannot be a job. reason
// is one of protocol's Reason constants. It can be done again.
func (f *Front) Lost(ctx context.Context, name, id string, m *nats.Msg, reason string) error {
	parsed, _ := protocol.ParseJob(m.Subject, protocol.Header(m.Header), m.Data)
	err := protocol.Errorf(protocol.CodeNotFound, "",
		"the function %s has no queue any more: it was removed while the job waited", name)
	if reason == protocol.ReasonMalformed {
		err = protocol.Errorf(protocol.CodeBadRequest, "", "what has waited cannot be a job of %s", name)
	}
	r := protocol.Record{State: protocol.StateDead, Reason: reason, Attempts: parsed.Before, Accepted: parsed.Accepted,
		Reply: protocol.Reply{ID: id, Exit: -1, Err: err}}
	decision := f.store.RecordMessage(name, id, &r, parsed.Revision, time.Duration(protocol.DefaultResult))
	revision, failed := f.store.Decide(ctx, decision)
	if errors.Is(failed, store.ErrDecided) {
		var known store.Stored
		if known, _, failed = f.store.Record(ctx, name, id); known.State != protocol.StateDead {
			return failed
		}
		revision = known.Revision
	}
	if failed != nil {
		return failed
	}
	return f.store.Bury(ctx, &store.Letter{Function: name, ID: id, Subject: m.Subject, Reason: reason, Err: err,
		Attempts: parsed.Before, Accepted: parsed.Accepted, Story: parsed.Story, Revision: revision,
		Header: plain(m.Header), Body: m.Data})
}
