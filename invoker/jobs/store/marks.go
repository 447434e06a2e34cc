package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// The kinds of marks: the first token of their keys.
const (
	markCancel = "cancel" // cancel.NAME.ID: the job has been cancelled, whoever runs it stops
	markQueue  = "queue"  // queue.NAME: the function's queue has been opened
	markAlone  = "alone"  // alone.NAME.ID: how often the job was begun alone
	markFirst  = "id"     // id.NAME.ID: the message that is the job of a caller's id
	markRank   = "rank"   // rank.NAME: the function has got a job with a priority
	markBudget = "budget" // budget.NAME: how many jobs each invoker may run at a time, see Budget
	markRate   = "rate"   // rate.NAME: when the next job of the function may begin, in nanoseconds since 1970
)

// How long marks stay.
const (
	cancelTTL = 24 * time.Hour
	aloneTTL  = 24 * time.Hour
)

// Mark is what an invoker is told by others.
type Mark struct {
	Cancelled bool   // the job of the id is cancelled; otherwise the function's queue was opened, or
	Ranked    bool   // the function has got a job with a priority
	Function  string // whose
	ID        string // of the job
}

// markSubject returns the subject of a mark, as it is stored.
func markSubject(kind, name, id string) string {
	key := kind + "." + name
	if id != "" {
		key += "." + id
	}
	return "$KV." + protocol.BucketMarks + "." + key
}

// putMark stores a mark, for a time unless ttl is 0. With expect it must be the first one of its key, or follow the
// one with that revision.
func (s *Store) putMark(ctx context.Context, subject, value string, ttl time.Duration, expect *uint64) error {
	m := &nats.Msg{Subject: s.kv + subject, Data: []byte(value), Header: nats.Header{}}
	if ttl > 0 {
		m.Header[jetstream.MsgTTLHeader] = []string{ttlValue(ttl)}
	}
	if expect != nil {
		m.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(*expect, 10)}
	}
	_, err := s.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	return err
}

// mark returns the value and the revision of a mark: "" if there is none.
func (s *Store) mark(ctx context.Context, subject string) (value string, revision uint64, err error) {
	m, err := objects.Last(ctx, s.js, MarksStream, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return "", 0, nil
	case err != nil:
		return "", 0, unavailable("read a mark", err)
	case m.Header.Get(jetstream.MarkerReasonHeader) != "" || m.Header.Get("KV-Operation") != "":
		return "", m.Sequence, nil
	}
	return string(m.Data), m.Sequence, nil
}

// deleteMark removes a mark. One that does not exist is no error.
func (s *Store) deleteMark(ctx context.Context, subject string) error {
	stream, err := s.js.Stream(ctx, MarksStream)
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
	}
	return unavailable("delete a mark", err)
}

// MarkCancelled tells all invokers that a job has been cancelled: its record says so already.
func (s *Store) MarkCancelled(ctx context.Context, name, id string) error {
	return unavailable("mark a job as cancelled", s.putMark(ctx, markSubject(markCancel, name, id), "1", cancelTTL, nil))
}

// MarkQueue tells all invokers that a function's queue has been opened: MakeQueue has made it.
func (s *Store) MarkQueue(ctx context.Context, name string) error {
	return unavailable("mark a queue as opened", s.putMark(ctx, markSubject(markQueue, name, ""), "1", 0, nil))
}

// MarkRanks tells all invokers that a function has got a job with a priority: MakeRanks has made what that needs.
func (s *Store) MarkRanks(ctx context.Context, name string) error {
	return unavailable("mark that a function has priorities", s.putMark(ctx, markSubject(markRank, name, ""), "1", 0, nil))
}

// First reports whether a message is the one that is the job of a caller's id, or becomes it: message is what
// NewJobID makes of it. That holds for the time unique.
func (s *Store) First(ctx context.Context, name, id, message string, unique time.Duration) (bool, error) {
	subject := markSubject(markFirst, name, id)
	for {
		first, revision, err := s.mark(ctx, subject)
		if err != nil {
			return false, err
		}
		if first != "" {
			return first == message, nil
		}
		err = s.putMark(ctx, subject, message, unique, &revision)
		if !objects.WrongSequence(err) {
			return err == nil, unavailable("mark the first job of an id", err)
		}
	}
}

// BeginAlone counts that a job is begun alone, and returns how often it had been before. A job that ends says so with
// EndAlone; who does not come to that had its process end.
func (s *Store) BeginAlone(ctx context.Context, name, id string) (before int, err error) {
	subject := markSubject(markAlone, name, id)
	for {
		value, revision, err := s.mark(ctx, subject)
		if err != nil {
			return 0, err
		}
		before, _ = strconv.Atoi(value)
		err = s.putMark(ctx, subject, strconv.Itoa(before+1), aloneTTL, &revision)
		if !objects.WrongSequence(err) {
			return before, unavailable("mark a job that runs alone", err)
		}
	}
}

// EndAlone says that a job that was begun alone has ended, and its process has not.
func (s *Store) EndAlone(ctx context.Context, name, id string) error {
	return s.deleteMark(ctx, markSubject(markAlone, name, id))
}

// Reserve takes n moments at which jobs of a function may begin, gap apart, the first one now or later, and returns that:
// nobody else gets the same. It is the generic cell rate algorithm (ATM Forum, Traffic Management 4.0) with one cell for
// all invokers, which go by their own clocks.
func (s *Store) Reserve(ctx context.Context, name string, n int, gap time.Duration) (first time.Time, err error) {
	subject := markSubject(markRate, name, "")
	for {
		value, revision, err := s.mark(ctx, subject)
		if err != nil {
			return first, err
		}
		first = time.Now()
		if next, err := strconv.ParseInt(value, 10, 64); err == nil && next > first.UnixNano() {
			first = time.Unix(0, next)
		}
		next := first.Add(time.Duration(n) * gap)
		err = s.putMark(ctx, subject, strconv.FormatInt(next.UnixNano(), 10), time.Until(next)+time.Minute, &revision)
		if !objects.WrongSequence(err) {
			return first, unavailable("keep to the rate of "+name, err)
		}
	}
}

// WatchMarks tells of cancelled jobs and opened queues, those that there are and those to come, until ctx ends or the
// bucket is lost, which is an error.
func (s *Store) WatchMarks(ctx context.Context, tell func(Mark)) error {
	kv, err := s.js.KeyValue(ctx, protocol.BucketMarks)
	if err != nil {
		return unavailable("watch marks", err)
	}
	w, err := kv.WatchFiltered(ctx, []string{markCancel + ".>", markQueue + ".>", markRank + ".>"}, jetstream.IgnoreDeletes(),
		jetstream.MetaOnly())
	if err != nil {
		return unavailable("watch marks", err)
	}
	defer func() { _ = w.Stop() }() // an error means that it has stopped
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			if !ok {
				return protocol.Errorf(protocol.CodeUnavailable, "watch marks", "the bucket %s is lost", protocol.BucketMarks)
			}
			if m, ok := parseMark(e); ok {
				tell(m)
			}
		}
	}
}

// parseMark reads the key of a mark. Others than invokers may have written it.
func parseMark(e jetstream.KeyValueEntry) (m Mark, ok bool) {
	if e == nil {
		return m, false // all that there were have been told
	}
	kind, rest, _ := strings.Cut(e.Key(), ".")
	if m.Cancelled = kind == markCancel; !m.Cancelled {
		m.Function, m.Ranked = rest, kind == markRank
		return m, (m.Ranked || kind == markQueue) && protocol.CheckName(rest) == nil
	}
	var err error
	m.Function, m.ID, err = protocol.ParseJobKey(rest)
	return m, err == nil
}
