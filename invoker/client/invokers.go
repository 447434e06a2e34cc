package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// stallTime is how long to wait for one more answer.
	stallTime = 300 * time.Millisecond
	// maxGathered is the number of answers after which no more are read: strangers may send them too.
	maxGathered = 10_000
)

// Invokers returns the invokers that answer a ping, sorted by id. It leaves out an invoker that answers more than a
// third of a second after the one before. The error's code is 503 if none answers.
func (c *Client) Invokers(ctx context.Context) ([]protocol.Member, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	ctx, permitted := c.Permitted(ctx, protocol.APIPing.Subject())
	seen := map[string]protocol.Member{}
	err := c.gather(ctx, protocol.APIPing.Subject(), func(m *nats.Msg) {
		var p protocol.Pong
		if json.Unmarshal(m.Data, &p) == nil && p.ID != "" && !p.Gone {
			seen[p.ID] = p.Member
		}
	})
	if err = permitted(err); err != nil {
		return nil, c.RequestError("ping", err)
	}
	all := make([]protocol.Member, 0, len(seen))
	for _, m := range seen {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b protocol.Member) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// gather sends a request that all invokers hear, and hands over the answers until no more come. It tries again for a
// moment if nobody hears it, and then the error is nats.ErrNoResponders.
func (c *Client) gather(ctx context.Context, subject string, each func(*nats.Msg)) error {
	for begun := time.Now(); ; pause(ctx, askPause) {
		if err := c.connected(ctx); err != nil {
			return err
		}
		err := c.gatherOnce(ctx, subject, each)
		retry := errors.Is(err, nats.ErrNoResponders) && time.Since(begun) <= absence || c.broke(err)
		if !retry || ctx.Err() != nil {
			return err
		}
	}
}

// gatherOnce is gather for one question.
func (c *Client) gatherOnce(ctx context.Context, subject string, each func(*nats.Msg)) error {
	inbox := c.Conn.NewInbox()
	sub, err := c.Conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.Conn.PublishRequest(subject, inbox, nil); err != nil {
		return err
	}
	for n := range maxGathered {
		wait := stallTime
		if n == 0 {
			wait = c.timeout()
		}
		m, err := next(ctx, sub, wait)
		if n > 0 && errors.Is(err, nats.ErrTimeout) {
			return nil
		}
		if err != nil {
			return err
		}
		each(m)
	}
	return nil
}

// next waits for a message for a while. The error of a while that has passed is nats.ErrTimeout.
func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := sub.NextMsgWithContext(waiting)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nats.ErrTimeout
	}
	return m, err
}
