package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Mark is the record of a schedule: the mark tick.FUNCTION.SOURCE.
type Mark struct {
	Last     time.Time `json:"last"`               // the last of its times that was dealt with; at first, when it began
	Run      time.Time `json:"run,omitzero"`       // the last of its times for which there is a job
	Began    time.Time `json:"began,omitzero"`     // when that job was published
	Sequence uint64    `json:"sequence,omitempty"` // of that job in its queue
	Missed   uint64    `json:"missed,omitempty"`   // times without a job, since nobody was there; at least
	Skipped  uint64    `json:"skipped,omitempty"`  // times without a job, since the one before had no outcome
}

// ReadMark returns the record of a function's trigger. ok is false if it has none yet.
func ReadMark(ctx context.Context, js jetstream.JetStream, name string, t protocol.Trigger) (m Mark, ok bool,
	err error) {
	return readMark(ctx, js, id(name, t))
}

// markKey returns the key of a chain's mark.
func markKey(id string) string { return "tick." + nameOf(id) + "." + id[len(nameOf(id))+1:] }

// readMark asks the leader: another one of the bucket's servers may not know the latest.
func readMark(ctx context.Context, js jetstream.JetStream, id string) (m Mark, ok bool, err error) {
	const subject = "$KV." + protocol.BucketMarks + "."
	stored, err := objects.Last(ctx, js, "KV_"+protocol.BucketMarks, subject+markKey(id))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return m, false, nil
	case err != nil:
		return m, false, unavailable("read the last run of a schedule", err)
	case stored.Header.Get("KV-Operation") != "" || json.Unmarshal(stored.Data, &m) != nil:
		return Mark{}, false, nil // deleted, or not ours: as if there were none
	}
	return m, true, nil
}

// writeMark stores the mark of a chain. With first there must be none.
func (f *Front) writeMark(ctx context.Context, id string, m Mark, first bool) error {
	kv, err := f.bucket(ctx)
	if err != nil {
		return err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if first {
		_, err = kv.Create(ctx, markKey(id), b)
	} else {
		_, err = kv.Put(ctx, markKey(id), b)
	}
	return unavailable("note a run of a schedule", err)
}

// deleteMark deletes the mark of a chain that has ended.
func (f *Front) deleteMark(ctx context.Context, id string) error {
	kv, err := f.bucket(ctx)
	if err != nil {
		return err
	}
	return unavailable("forget the runs of a schedule", kv.Purge(ctx, markKey(id)))
}

// bucket returns the bucket of marks.
func (f *Front) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	f.mu.Lock()
	kv := f.marks
	f.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	kv, err := f.js.KeyValue(ctx, protocol.BucketMarks)
	if err != nil {
		return nil, unavailable("open the bucket of marks", err)
	}
	f.mu.Lock()
	f.marks = kv
	f.mu.Unlock()
	return kv, nil
}

// unavailable says that JetStream could not be asked.
func unavailable(op string, err error) error {
	if err == nil || errors.Is(err, jetstream.ErrKeyExists) {
		return err
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "JetStream does not do what was asked for: %w", err)
}
