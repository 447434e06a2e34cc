package store

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Stored is a record as the bucket of results has it.
type Stored struct {
	protocol.Record
	Revision uint64    // what a later record must name to replace it
	Time     time.Time // when it was stored
}

// Record returns the record of a job, as the leader of the results knows it: a decision that is confirmed is seen. ok
// is false if there is none: the job has no outcome, or had it long ago. Then the revision is still what a record must
// name.
func (s *Store) Record(ctx context.Context, name, id string) (r Stored, ok bool, err error) {
	m, err := objects.Last(ctx, s.js, ResultsStream, recordSubject(name, id))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return r, false, nil
	case err != nil:
		return r, false, unavailable("read an outcome", err)
	}
	r.Revision, r.Time = m.Sequence, m.Time
	if m.Header.Get(jetstream.MarkerReasonHeader) != "" || m.Header.Get("KV-Operation") != "" {
		return r, false, nil // it has expired, or was deleted; a new one replaces the marker by its revision
	}
	r.Record, err = protocol.ParseRecord(protocol.Header(m.Header), m.Data)
	return r, err == nil, err
}

// recordSubject returns the subject on which the bucket of results takes the record of a job.
func recordSubject(name, id string) string {
	return "$KV." + protocol.BucketResults + "." + protocol.ResultKey(name, id)
}

// RecordMessage returns the message that decides about a job: JetStream takes it only if the last record of the job is
// the one of the revision, or, with revision 0, if there is none. It is kept for the time that ttl says. So of several
// that decide one is first, whoever else believes to be it ("NATS ADR-8", optimistic concurrency). Who publishes it
// and reads the answer is up to the caller: Decide waits for it.
func (s *Store) RecordMessage(name, id string, r *protocol.Record, revision uint64, ttl time.Duration) *nats.Msg {
	h, body := r.Message()
	h[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(revision, 10)}
	h[jetstream.MsgTTLHeader] = []string{ttlValue(ttl)}
	return &nats.Msg{Subject: s.kv + recordSubject(name, id), Header: nats.Header(h), Data: body}
}

// ttlValue returns a time to live as JetStream reads it: in seconds.
func ttlValue(ttl time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(ttl.Seconds())), 10) + "s"
}

// ErrDecided says that somebody else has decided about a job.
var ErrDecided = errors.New("the job has its outcome already")

// Decide stores the record of a job, see RecordMessage. The error is ErrDecided if somebody was first.
func (s *Store) Decide(ctx context.Context, m *nats.Msg) (revision uint64, err error) {
	ack, err := s.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	switch {
	case objects.WrongSequence(err):
		return 0, ErrDecided
	case err != nil:
		return 0, unavailable("store an outcome", err)
	}
	return ack.Sequence, nil
}
