package client

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// mostAsked is how many invokers are asked at a time.
	mostAsked = 16
	// figuresTime is how long one invoker may take to say what it has counted.
	figuresTime = 2 * time.Second
	// maxID is the length of the longest id of an invoker that is asked, in bytes.
	maxID = 100
)

// MemberStats are the figures of a function on one invoker.
type MemberStats struct {
	protocol.Member
	Stats protocol.Stats `json:"stats"`
}

// isToken reports whether an id can be a token of a subject.
func isToken(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsAny(id, ".*> \t\r\n")
}

// Figures returns what each invoker has counted of a function, in the order of Invokers. One that ends meanwhile, or
// has no answer within two seconds, is left out.
func (c *Client) Figures(ctx context.Context, name string) ([]MemberStats, error) {
	if err := protocol.CheckName(name); err != nil {
		return nil, err
	}
	members, err := c.Invokers(ctx)
	if err != nil {
		return nil, err
	}
	members = slices.DeleteFunc(members, func(m protocol.Member) bool { return !isToken(m.ID) })
	ctx, cancel := context.WithTimeout(ctx, 2*figuresTime)
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
	return all, nil
}

// figures asks one invoker. It returns nil if that has no answer.
func (c *Client) figures(ctx context.Context, m protocol.Member, body []byte) *MemberStats {
	ctx, cancel := context.WithTimeout(ctx, figuresTime)
	defer cancel()
	asking, permitted := c.Permitted(ctx, protocol.APIInfo.Subject())
	msg, err := c.Conn.RequestWithContext(asking, protocol.APIInfo.At(m.ID), body)
	if permitted(err) != nil {
		return nil
	}
	var info protocol.InfoReply
	if r, err := protocol.ParseReply(protocol.Header(msg.Header), msg.Data); err != nil || r.Err != nil ||
		json.Unmarshal(msg.Data, &info) != nil {
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
			sum.Digest, sum.Language, sum.Version, sum.Start, sum.StartReason = s.Digest, s.Language, s.Version,
				s.Start, s.StartReason
		}
		sum.Requests += s.Requests
		sum.Errors += s.Errors
		sum.Cold += s.Cold
		sum.InFlight += s.InFlight
		sum.Waiting += s.Waiting
		sum.Versions, sum.Aliases = addVersions(sum.Versions, s.Versions), addAliases(sum.Aliases, s.Aliases)
		sum.P50, sum.P99, sum.Memory = max(sum.P50, s.P50), max(sum.P99, s.P99), max(sum.Memory, s.Memory)
	}
	return sum
}

// addVersions adds the figures of versions on one more invoker.
func addVersions(sum, more []protocol.VersionStats) []protocol.VersionStats {
	for _, m := range more {
		i, found := slices.BinarySearchFunc(sum, m.Version, func(s protocol.VersionStats, v int) int { return s.Version - v })
		if !found {
			sum = slices.Insert(sum, i, m)
			continue
		}
		s := &sum[i]
		s.Requests, s.Errors, s.InFlight = s.Requests+m.Requests, s.Errors+m.Errors, s.InFlight+m.InFlight
	}
	return sum
}

// addAliases adds the figures of aliases on one more invoker. Of two revisions of an alias, the newer one counts.
func addAliases(sum, more []protocol.AliasStats) []protocol.AliasStats {
	for _, m := range more {
		newer := func(s protocol.AliasStats) bool { return s.Alias == m.Alias && s.Revision > m.Revision }
		if slices.ContainsFunc(sum, newer) {
			continue
		}
		sum = slices.DeleteFunc(sum, func(s protocol.AliasStats) bool { return s.Alias == m.Alias && s.Revision < m.Revision })
		i := slices.IndexFunc(sum, func(s protocol.AliasStats) bool { return s.Alias == m.Alias && s.Version == m.Version })
		if i < 0 {
			sum = append(sum, m)
			continue
		}
		s := &sum[i]
		s.Requests, s.Errors = s.Requests+m.Requests, s.Errors+m.Errors
		s.P50, s.P99 = max(s.P50, m.P50), max(s.P99, m.P99)
	}
	return sum
}
