package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// membersQuiet is how long no invoker needs to say that it is there until no other one is expected to.
	membersQuiet = 300 * time.Millisecond
	// mostMembers is how many invokers are listened to.
	mostMembers = 1000
	// mostAsked is how many invokers are asked at a time.
	mostAsked = 16
	// maxMemberText is how much of an invoker's words about itself is kept, in bytes.
	maxMemberText = 100
)

// MemberStats are the figures of a function on one invoker.
type MemberStats struct {
	protocol.Member
	Stats protocol.Stats `json:"stats"`
}

// Members returns the invokers that serve functions on this NATS, sorted by machine and id: all that say so until
// nothing has come for a moment. There may be none.
func (c *Client) Members(ctx context.Context) ([]protocol.Member, error) {
	ctx, cancel := c.Within(ctx)
	defer cancel()
	asking, permitted := c.Permitted(ctx, protocol.APIPing.Subject())
	found, err := c.members(asking)
	if err = permitted(err); err != nil {
		return nil, c.RequestError("the invokers", err)
	}
	slices.SortFunc(found, func(a, b protocol.Member) int {
		return strings.Compare(a.Host+" "+a.ID, b.Host+" "+b.ID)
	})
	return found, nil
}

// members collects the answers to a ping.
func (c *Client) members(ctx context.Context) (found []protocol.Member, err error) {
	inbox := c.Conn.NewInbox()
	sub, err := c.Conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.Conn.PublishMsg(&nats.Msg{Subject: protocol.APIPing.Subject(), Reply: inbox}); err != nil {
		return nil, err
	}
	for wait := c.timeout(); len(found) < mostMembers; {
		m, err := next(ctx, sub, wait)
		switch {
		case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout),
			len(found) > 0 && errors.Is(err, context.DeadlineExceeded):
			return found, nil
		case err != nil:
			return nil, err
		}
		var p protocol.Pong
		if json.Unmarshal(m.Data, &p) != nil || !isToken(p.ID) ||
			slices.ContainsFunc(found, func(m protocol.Member) bool { return m.ID == p.ID }) {
			continue
		}
		p.Host, p.Version = protocol.CleanValue(p.Host, maxMemberText), protocol.CleanValue(p.Version, maxMemberText)
		found, wait = append(found, p.Member), membersQuiet
	}
	return found, nil
}

// isToken reports whether an id can be a token of a subject.
func isToken(id string) bool {
	return id != "" && len(id) <= maxMemberText && !strings.ContainsAny(id, ".*> \t\r\n")
}

// Figures returns what each invoker has counted of a function, in the order of Members. One that ends meanwhile, or
// does not serve the function, is left out.
func (c *Client) Figures(ctx context.Context, name string) ([]MemberStats, error) {
	if err := protocol.CheckName(name); err != nil {
		return nil, err
	}
	members, err := c.Members(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	body, err := json.Marshal(protocol.NameRequest{Name: name})
	if err != nil {
		return nil, err
	}
	answers := make([]*MemberStats, len(members))
	places := make(chan struct{}, mostAsked)
	var group sync.WaitGroup
	for i, m := range members {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			answers[i] = c.figures(ctx, m, body)
		})
	}
	group.Wait()
	var all []MemberStats
	for _, a := range answers {
		if a != nil {
			all = append(all, *a)
		}
	}
	return all, ctx.Err()
}

// figures asks one invoker. It returns nil if that has no answer.
func (c *Client) figures(ctx context.Context, m protocol.Member, body []byte) *MemberStats {
	asking, permitted := c.Permitted(ctx, protocol.APIInfo.Subject())
	msg, err := c.Conn.RequestWithContext(asking, protocol.APIInfo.At(m.ID), body)
	if permitted(err) != nil {
		return nil
	}
	var info protocol.InfoReply
	if r, err := protocol.ParseReply(protocol.Header(msg.Header), msg.Data); err != nil || r.Err != nil || json.Unmarshal(msg.Data, &info) != nil {
		return nil
	}
	return &MemberStats{m, info.Stats}
}

// Sum adds up the figures of several invokers. The durations are those of the slowest: those of all calls together are
// no longer. What is said of the version comes from the invoker that has the newest.
func Sum(all []MemberStats) protocol.Stats {
	var sum protocol.Stats
	for _, m := range all {
		s := m.Stats
		if s.Version > sum.Version || sum.Start == "" {
			sum.Digest, sum.Language, sum.Version, sum.Start, sum.StartReason = s.Digest, s.Language, s.Version, s.Start, s.StartReason
		}
		sum.Requests += s.Requests
		sum.Errors += s.Errors
		sum.Cold += s.Cold
		sum.InFlight += s.InFlight
		sum.Waiting += s.Waiting
		sum.P50, sum.P99 = max(sum.P50, s.P50), max(sum.P99, s.P99)
	}
	return sum
}
