package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// firstSpan is how far back Newest looks first, in messages that are wanted. It looks further when there is less.
	firstSpan = 4
	// mostLooks bounds what one Newest costs JetStream.
	mostLooks = 24
	// lookTime is how long the consumer of a look may be silent before JetStream drops it.
	lookTime = 10 * time.Second
)

// Newest returns the newest messages of a subject, without their bodies, newest first: at most n of those with a
// sequence below before, or of all if that is 0. Header Nats-Msg-Size has the length of a body. next is set if there may
// be more: it is the before of the next call, which may return none and have another. A stream that does not exist has
// none.
func (s *Store) Newest(ctx context.Context, stream, subject string, before uint64, n int) (
	all []Message, next uint64, err error) {
	defer func() { err = unavailable("list "+stream, err) }()
	info, err := s.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, err
	}
	state := info.CachedInfo().State
	high := state.LastSeq + 1 // what lies below has not been looked at
	if before > 0 {
		high = min(high, before)
	}
	look := looker{stream: info, subject: subject}
	above, err := look.count(ctx, high)
	if err != nil {
		return nil, 0, err
	}
	span := uint64(firstSpan * n)
	for range mostLooks {
		if high <= max(state.FirstSeq, 1) || len(all) >= n {
			break
		}
		low := max(state.FirstSeq, 1)
		if high > low+span {
			low = high - span
		}
		part, pending, err := look.read(ctx, low, high, above, 2*firstSpan*n)
		switch {
		case err != nil:
			return nil, 0, err
		case part == nil && pending > above && span > 1: // too many
			span = max(span/4, 1)
			continue
		}
		all, high, above, span = append(all, part...), low, pending, span*4
	}
	if len(all) > n {
		all = all[:n]
		return all, all[n-1].Sequence, nil
	}
	if high > max(state.FirstSeq, 1) {
		next = high
	}
	return all, next, nil
}

// looker looks at the headers of a subject's messages by consumers that are there for a moment.
type looker struct {
	stream  jetstream.Stream
	subject string
}

// consumer makes a consumer of what has a sequence or a higher one.
func (l *looker) consumer(ctx context.Context, from uint64) (jetstream.Consumer, error) {
	return l.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{FilterSubject: l.subject, HeadersOnly: true,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1), AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: lookTime})
}

// end drops a consumer.
func (l *looker) end(ctx context.Context, c jetstream.Consumer) {
	_ = l.stream.DeleteConsumer(context.WithoutCancel(ctx), c.CachedInfo().Name) // otherwise JetStream does, a little later
}

// count returns how many messages have a sequence or a higher one.
func (l *looker) count(ctx context.Context, from uint64) (uint64, error) {
	c, err := l.consumer(ctx, from)
	if err != nil {
		return 0, err
	}
	defer l.end(ctx, c)
	return c.CachedInfo().NumPending, nil
}

// read returns the messages from low up to high, newest first, and how many there are from low on, of which that many
// are above. If there are more than most it returns none.
func (l *looker) read(ctx context.Context, low, high, above uint64, most int) (
	part []Message, pending uint64, err error) {
	c, err := l.consumer(ctx, low)
	if err != nil {
		return nil, 0, err
	}
	defer l.end(ctx, c)
	pending = c.CachedInfo().NumPending
	count := int(pending - min(above, pending))
	if count == 0 || count > most && high > low+1 {
		return nil, pending, nil
	}
	batch, err := c.FetchNoWait(count)
	if err != nil {
		return nil, 0, err
	}
	for m := range batch.Messages() {
		info, err := m.Metadata()
		if err != nil {
			return nil, 0, err
		}
		if seq := info.Sequence.Stream; seq < high {
			part = append(part, Message{Subject: m.Subject(), Sequence: seq, Time: info.Timestamp,
				Header: protocol.Header(m.Headers())})
		}
	}
	slices.Reverse(part)
	return part, pending, batch.Error()
}
