package client

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// LogQuery says which log lines Logs returns.
type LogQuery struct {
	// Name is the function. Empty means all functions.
	Name string
	// Lines is how many of the lines that are kept come first. 0 means none.
	Lines int
	// Follow goes on with lines as they are written, until the context ends.
	Follow bool
}

// LogLine is a line of a function's log, with its time.
type LogLine struct {
	protocol.LogLine
	Time time.Time // when the server received it; without JetStream, when the client did
}

// errStop means that the reader of log lines wants no more.
var errStop = errors.New("no more")

// Logs returns log lines, the oldest first: what functions write to stderr, and what polyvoke says about failed calls.
// A query that follows needs no lines that are kept.
//
// # Errors
//
// The last pair may have an error: that of ctx if it ended, or one with one of these codes:
//   - 403: NATS does not permit it
//   - 404: there is no such function
//   - 503: no lines are kept
func (c *Client) Logs(ctx context.Context, q LogQuery) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		err := c.logs(ctx, q, func(l LogLine) error {
			if !yield(l, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(LogLine{}, err)
		}
	}
}

// logs hands over what Logs returns.
func (c *Client) logs(ctx context.Context, q LogQuery, each func(LogLine) error) error {
	js, err := c.JetStream()
	if err != nil {
		return err
	}
	subject := protocol.LogSubject(">")
	if q.Name != "" {
		if err := protocol.CheckName(q.Name); err != nil {
			return err
		}
		subject = protocol.LogSubject(q.Name)
		if _, err := c.Info(ctx, q.Name); err != nil && !q.Follow {
			return err
		}
	}
	consumer, err := c.logConsumer(ctx, js, subject, q)
	switch {
	case err == nil:
		reading, permitted := c.Permitted(ctx, "")
		return permitted(readLogs(reading, consumer, q, each))
	case ctx.Err() != nil:
		return ctx.Err()
	case q.Follow:
		return c.followLogs(ctx, subject, each)
	case protocol.CodeOf(err) == protocol.CodeForbidden:
		return err
	}
	if _, e := c.List(ctx); e != nil {
		return e // most likely there is no invoker yet
	}
	return protocol.Errorf(protocol.CodeUnavailable, "",
		"no recent lines are kept on %s (%w): polyvoke logs -f shows new ones", c.url(), err)
}

// logConsumer opens the stream of recent lines.
func (c *Client) logConsumer(
	ctx context.Context, js jetstream.JetStream, subject string, q LogQuery,
) (jetstream.Consumer, error) {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}
	if q.Lines <= 0 {
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	ctx, permitted := c.Permitted(ctx, "")
	consumer, err := js.OrderedConsumer(ctx, protocol.StreamLog, config)
	return consumer, permitted(err)
}

// readLogs hands over the last of the lines that are kept, and goes on from there if the query follows.
func readLogs(ctx context.Context, consumer jetstream.Consumer, q LogQuery, each func(LogLine) error) error {
	pending := consumer.CachedInfo().NumPending
	if !q.Follow && (pending == 0 || q.Lines <= 0) {
		return nil
	}
	messages, err := consumer.Messages(jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	defer messages.Stop()
	for seen := uint64(1); ; seen++ {
		m, err := messages.Next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if seen > pending || meta.NumPending < uint64(max(q.Lines, 0)) {
			line := LogLine{protocol.ParseLogLine(protocol.Header(m.Headers()), m.Data()), meta.Timestamp}
			if err := each(line); err != nil {
				return err
			}
		}
		if !q.Follow && meta.NumPending == 0 {
			return nil
		}
	}
}

// followLogs hands over lines as they are published. It needs no JetStream.
func (c *Client) followLogs(ctx context.Context, subject string, each func(LogLine) error) (err error) {
	ctx, permitted := c.Permitted(ctx, subject)
	defer func() { err = permitted(err) }()
	sub, err := c.Conn.SubscribeSync(subject)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		if err := each(LogLine{protocol.ParseLogLine(protocol.Header(m.Header), m.Data), time.Now()}); err != nil {
			return err
		}
	}
}
