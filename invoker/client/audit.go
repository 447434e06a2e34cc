package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// AuditQuery says which entries of the audit are wanted. The zero value is all that there are.
type AuditQuery struct {
	Function string           // empty: of all functions
	Verb     protocol.APIVerb // empty: all verbs
	Since    time.Time        // zero: from the beginning
	Follow   bool             // goes on with what comes
}

// filter returns the subjects of what is asked for.
func (q AuditQuery) filter() string {
	return protocol.AuditSubject(cmp.Or(string(q.Verb), "*"), cmp.Or(q.Function, "*"), "*")
}

// Audit yields entries of the audit, the oldest first. A message that is no entry comes as one without an ID, with an
// Error. An error ends it: its code is 400 for a query that is wrong, 403 if NATS does not let this user read the
// audit, and 503 if JetStream does not answer. If there is no audit, it yields nothing, and if it is to follow, what
// comes from now on.
func (c *Client) Audit(ctx context.Context, q AuditQuery) iter.Seq2[protocol.AuditEntry, error] {
	return func(yield func(protocol.AuditEntry, error) bool) {
		stopped := errors.New("enough")
		err := c.audit(ctx, q, func(e protocol.AuditEntry) error {
			if !yield(e, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(protocol.AuditEntry{}, err)
		}
	}
}

// audit hands over what Audit yields.
func (c *Client) audit(ctx context.Context, q AuditQuery, each func(protocol.AuditEntry) error) error {
	if q.Function != "" {
		if err := protocol.CheckName(q.Function); err != nil {
			return err
		}
	}
	if q.Verb != "" && !q.Verb.Audited() {
		return protocol.Errorf(protocol.CodeBadRequest, "", "%.40q is no verb that the audit has", q.Verb)
	}
	js, err := c.JetStream()
	if err != nil {
		return err
	}
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{q.filter()}}
	if !q.Since.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
	}
	asking, cancel := c.Within(ctx)
	defer cancel()
	asking, permitted := c.Permitted(asking, "")
	consumer, err := js.OrderedConsumer(asking, protocol.StreamAudit, config)
	switch err = permitted(err); {
	case errors.Is(err, jetstream.ErrStreamNotFound) && q.Follow:
		return c.followAudit(ctx, q, each)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil
	case protocol.CodeOf(err) == protocol.CodeForbidden, err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		return protocol.Errorf(protocol.CodeUnavailable, "", "the audit on %s cannot be read: %w", c.url(), err)
	}
	reading, permitted := c.Permitted(ctx, "")
	return permitted(readAudit(reading, consumer, q.Follow, each))
}

// readAudit hands over what is stored, and what comes then if it is to follow.
func readAudit(
	ctx context.Context, consumer jetstream.Consumer, follow bool, each func(protocol.AuditEntry) error,
) error {
	if consumer.CachedInfo().NumPending == 0 && !follow {
		return nil
	}
	messages, err := consumer.Messages(jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	defer messages.Stop()
	for {
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
		if err := each(auditEntry(m.Subject(), m.Data())); err != nil {
			return err
		}
		if meta.NumPending == 0 && !follow {
			return nil
		}
	}
}

// followAudit hands over what comes where there is no stream yet.
func (c *Client) followAudit(ctx context.Context, q AuditQuery, each func(protocol.AuditEntry) error) (err error) {
	ctx, permitted := c.Permitted(ctx, q.filter())
	defer func() { err = permitted(err) }()
	sub, err := c.Conn.SubscribeSync(q.filter())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		if err := each(auditEntry(m.Subject, m.Data)); err != nil {
			return err
		}
	}
}

// auditEntry reads a message, which must be an entry of its subject.
func auditEntry(subject string, data []byte) protocol.AuditEntry {
	e, err := protocol.ParseAuditEntry(data)
	if err == nil && (e.Subject() != subject || e.ID == "") {
		err = fmt.Errorf("a message on %s says that it is of another subject, or has no id", subject)
	}
	if err != nil {
		return protocol.AuditEntry{Error: protocol.CleanValue(err.Error(), protocol.MaxErrorText)}
	}
	return e
}
