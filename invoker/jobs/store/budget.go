package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Budget is one invoker's part of how many jobs of a function run at a time on all invokers. The parts are one mark of
// the function, which invokers change by compare-and-set: what all of them have never exceeds what there is. One of which
// the others hear nothing for a time loses its part. Nobody compares clocks: each measures by its own how long a count
// has stood still (the lock client of Amazon DynamoDB works so). The zero value has no part; one goroutine may use it.
type Budget struct {
	Function string
	Invoker  string        // a name that no other invoker has
	Silence  time.Duration // after which an invoker is believed to be dead

	joined bool // the mark had this invoker's part before
	beat   uint64
	seen   map[string]heard
}

// heard is when a count of another invoker was seen first.
type heard struct {
	beat uint64
	at   time.Time
}

// part is what the mark says of an invoker.
type part struct {
	Want int    `json:"want"` // jobs that it could run at a time
	Has  int    `json:"has"`  // jobs that it may run at a time
	Beat uint64 `json:"beat"` // is counted up
}

// Renew says that the invoker is alive, has so many jobs running, and could run want of all at a time. It returns how many
// it may run. The first time it gets no more than run already, so that others can say first what runs there.
func (s *Store) Renew(ctx context.Context, b *Budget, running, want, all int) (may int, err error) {
	err = s.changeParts(ctx, b, func(parts map[string]part) {
		own := parts[b.Invoker]
		others := 0
		for name, p := range parts {
			if name != b.Invoker {
				others += p.Has
			}
		}
		own.Want = want
		may = running
		if fair := fairPart(parts, b.Invoker, own, all); b.joined {
			may = max(min(fair, all-others), min(running, max(own.Has, 0)))
		}
		b.beat++
		own.Has, own.Beat = may, b.beat
		parts[b.Invoker] = own
	})
	if err != nil {
		return 0, err
	}
	b.joined = true
	return may, nil
}

// Release gives the invoker's part back.
func (s *Store) Release(ctx context.Context, b *Budget) error {
	return s.changeParts(ctx, b, func(parts map[string]part) { delete(parts, b.Invoker) })
}

// fairPart returns how many jobs an invoker may run if all get the same, and what one does not want goes to the others.
// If there are fewer than invokers, those who have a part keep it.
func fairPart(parts map[string]part, name string, own part, all int) int {
	parts = maps.Clone(parts)
	parts[name] = own
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(parts[a].Want, parts[b].Want), cmp.Compare(parts[b].Has, parts[a].Has), cmp.Compare(a, b))
	})
	for i, n := range names {
		left := len(names) - i
		get := min(parts[n].Want, (all+left-1)/left)
		if n == name {
			return get
		}
		all -= get
	}
	return 0
}

// changeParts changes the parts of all invokers that live.
func (s *Store) changeParts(ctx context.Context, b *Budget, change func(map[string]part)) error {
	subject := markSubject(markBudget, b.Function, "")
	for {
		value, revision, err := s.mark(ctx, subject)
		if err != nil {
			return err
		}
		parts := map[string]part{}
		if json.Unmarshal([]byte(value), &parts) != nil {
			parts = map[string]part{} // somebody else has written there
		}
		b.bury(parts, time.Now())
		change(parts)
		text, err := json.Marshal(parts)
		if err != nil {
			return unavailable("share what runs of "+b.Function, err)
		}
		err = s.putMark(ctx, subject, string(text), budgetTTL, &revision)
		if !objects.WrongSequence(err) {
			return unavailable("share what runs of "+b.Function, err)
		}
	}
}

// budgetTTL is how long the parts of invokers stay that have all ended.
const budgetTTL = 24 * time.Hour

// bury takes the parts of invokers away of which nothing has been heard for a time, and those that cannot be true.
func (b *Budget) bury(parts map[string]part, now time.Time) {
	seen := map[string]heard{}
	for name, p := range parts {
		last, ok := b.seen[name]
		switch {
		case name == b.Invoker:
			continue
		case p.Has < 0 || p.Want < 0 || p.Has > protocol.MaxJobs || p.Want > protocol.MaxJobs:
			delete(parts, name)
			continue
		case !ok || last.beat != p.Beat:
			last = heard{p.Beat, now}
		case now.Sub(last.at) > b.Silence:
			delete(parts, name)
			continue
		}
		seen[name] = last
	}
	b.seen = seen
}
