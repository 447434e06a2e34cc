package access

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// A rate is kept as a time, the one at which a bucket would be full again: GCRA, the generic cell rate algorithm of
// ATM, which is a token bucket without a clock that fills it. A bucket that is full says nothing, so it is dropped for
// free; one that is not full is never dropped, so nobody can have their bucket filled by making others. When there are
// too many of those, what is new shares buckets with others that are new.
const (
	shards   = 64
	perShard = 1024 // buckets that are not full
	shared   = 4096 // buckets for what has no room
	burst    = time.Second

	// ipv6Client is the length of the prefix of addresses that count as one client: whoever has one address of version
	// 6 has them all.
	ipv6Client = 64
)

// bucket names a bucket.
type bucket struct {
	route string
	who   string     // a principal; empty: an address
	addr  netip.Addr // of a client that nobody knows
}

// bucketOf returns the name of a client's bucket on a route.
func bucketOf(route string, id *Identity, client string) bucket {
	if id.Name != "" {
		return bucket{route: route, who: id.principal}
	}
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return bucket{route: route, who: id.principal} // all of them together
	}
	addr = addr.Unmap()
	if addr.Is6() {
		p, _ := addr.WithZone("").Prefix(ipv6Client) // it is that long
		addr = p.Addr()
	}
	return bucket{route: route, addr: addr}
}

// rates keeps the rates of all clients. Its size is bounded.
type rates struct {
	seed   maphash.Seed
	shards [shards]shard
	shared [shared]atomic.Int64
}

// shard has some of the buckets.
type shard struct {
	mu    sync.Mutex
	full  map[bucket]int64 // when each is full again, in nanoseconds since 1970
	swept int64            // when those that are full were dropped
}

func (r *rates) init() {
	r.seed = maphash.MakeSeed()
	for i := range r.shards {
		r.shards[i].full = map[bucket]int64{}
	}
}

// take takes one from a bucket. The error says when it has one again.
func (r *rates) take(b bucket, rate protocol.Rate, now int64) error {
	if rate.Count == 0 {
		return nil
	}
	gap := int64(rate.Gap())
	after := r.takeAt(b, gap, max(0, int64(burst)-gap), now)
	if after == 0 {
		return nil
	}
	return busy(protocol.CodeTooMany, time.Duration(after), "too many requests: at most %d in %s; try again in %s",
		rate.Count, protocol.Duration(rate.Per), max(time.Duration(after).Round(time.Millisecond), time.Millisecond))
}

// takeAt takes one from a bucket, one more of which comes in each gap, and which is full when it has what comes in
// slack and gap. It returns how long to wait if there is none.
func (r *rates) takeAt(b bucket, gap, slack, now int64) (after int64) {
	h := maphash.Comparable(r.seed, b)
	s := &r.shards[h%shards]
	s.mu.Lock()
	full, known := s.full[b]
	if known || s.room(now) {
		next, after := spend(full, gap, slack, now)
		s.full[b] = next
		s.mu.Unlock()
		return after
	}
	s.mu.Unlock()
	for at := &r.shared[h/shards%shared]; ; {
		full := at.Load()
		next, after := spend(full, gap, slack, now)
		if after > 0 || at.CompareAndSwap(full, next) {
			return after
		}
	}
}

// spend returns when a bucket is full again once one is taken from it, or that nothing has changed, and how long to
// wait then.
func spend(full, gap, slack, now int64) (next, after int64) {
	base := max(full, now)
	if after := base - now - slack; after > 0 {
		return full, after
	}
	return base + gap, 0
}

// room reports whether there is room for another bucket. It looks at all of them once a second at most.
func (s *shard) room(now int64) bool {
	if len(s.full) < perShard {
		return true
	}
	if now-s.swept >= int64(time.Second) || now < s.swept {
		s.swept = now
		for b, full := range s.full {
			if full <= now {
				delete(s.full, b)
			}
		}
	}
	return len(s.full) < perShard
}
