package client

import (
	"context"
	"errors"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// LogQuery says which log lines Logs returns.
type LogQuery struct {
	// Name is the function. Empty means all functions, or those of Names.
	Name string
	// Names are several functions, or patterns of path.Match, in place of Name. Empty means what Name says.
	Names []string
	// Lines is how many of the lines that are kept come first. 0 means none.
	Lines int
	// Since is from when on lines come. Zero means from the first that is kept.
	Since time.Time
	// Match reports whether a line is wanted; Lines counts those. It is called by one goroutine. Nil means that all are.
	Match func(LogLine) bool
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
	if q.Name == "" && len(q.Names) == 1 && !isPattern(q.Names[0]) {
		q.Name, q.Names = q.Names[0], nil
	}
	if q.Name != "" {
		subject, q.Names = protocol.LogSubject(q.Name), nil
	}
	if err := c.checkLogs(ctx, &q); err != nil {
		return err
	}
	q.narrow()
	consumer, err := c.logConsumer(ctx, js, subject, q)
	switch {
	case err == nil:
		reading, permitted := c.Permitted(ctx, "")
		return permitted(readLogs(reading, consumer, q, each))
	case ctx.Err() != nil:
		return ctx.Err()
	case q.Follow:
		return c.followLogs(ctx, subject, q.Match, each)
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
	switch {
	case q.Lines <= 0:
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	case !q.Since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
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
	last := latest{most: q.Lines}
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
		line := LogLine{protocol.ParseLogLine(protocol.Header(m.Headers()), m.Data()), meta.Timestamp}
		switch {
		case q.Match != nil && seen <= pending: // which are the last ones shows at the end
			err = last.add(line, q.Match, seen == pending || meta.NumPending == 0, each)
		case q.Match != nil && !q.Match(line):
		case seen > pending || meta.NumPending < uint64(max(q.Lines, 0)):
			err = each(line)
		}
		if err != nil {
			return err
		}
		if !q.Follow && meta.NumPending == 0 {
			return nil
		}
	}
}

// followLogs hands over lines as they are published. It needs no JetStream.
func (c *Client) followLogs(
	ctx context.Context, subject string, match func(LogLine) bool, each func(LogLine) error,
) (err error) {
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
		line := LogLine{protocol.ParseLogLine(protocol.Header(m.Header), m.Data), time.Now()}
		if match != nil && !match(line) {
			continue
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// isPattern reports whether a name stands for several functions.
func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// checkLogs returns what is wrong with a query: a name that no function can have, or that none has.
func (c *Client) checkLogs(ctx context.Context, q *LogQuery) error {
	names := q.Names
	if q.Name != "" {
		names = []string{q.Name}
	}
	for _, name := range names {
		if isPattern(name) {
			if _, err := path.Match(name, ""); err != nil {
				return protocol.Errorf(protocol.CodeBadRequest, "", "%.80q is no pattern: %v", name, err)
			}
			continue
		}
		if err := protocol.CheckName(name); err != nil {
			return err
		}
		if _, err := c.Info(ctx, name); err != nil && !q.Follow {
			return err
		}
	}
	return nil
}

// narrow makes several names a part of what is matched.
func (q *LogQuery) narrow() {
	names, match := q.Names, q.Match
	if len(names) == 0 {
		return
	}
	q.Match = func(l LogLine) bool {
		return slices.ContainsFunc(names, func(p string) bool {
			ok, err := path.Match(p, l.Function.Name)
			return ok && err == nil
		}) && (match == nil || match(l))
	}
}

// latest holds back lines that match, until it is known which are the last.
type latest struct {
	most  int
	lines []LogLine
}

// add takes a line. At the end it hands over what it has.
func (l *latest) add(line LogLine, match func(LogLine) bool, end bool, each func(LogLine) error) error {
	if match(line) {
		if l.lines = append(l.lines, line); len(l.lines) >= 2*l.most+100 {
			l.lines = append(l.lines[:0], l.lines[len(l.lines)-l.most:]...)
		}
	}
	if !end {
		return nil
	}
	for _, line := range l.lines[max(0, len(l.lines)-l.most):] {
		if err := each(line); err != nil {
			return err
		}
	}
	l.lines = nil
	return nil
}
