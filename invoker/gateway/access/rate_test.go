package access

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

func newRates() *rates {
	r := new(rates)
	r.init()
	return r
}

// TestRate takes as many as a rate says, and says when there is one more.
func TestRate(t *testing.T) {
	for text, tt := range map[string]struct {
		burst int
		after time.Duration
	}{
		"1/s": {1, time.Second}, "5/s": {5, 200 * time.Millisecond}, "100/s": {100, 10 * time.Millisecond},
		"10/m": {1, 6 * time.Second}, "1/h": {1, time.Hour}, "120/m": {2, 500 * time.Millisecond},
		"1000000/s": {1_000_000, time.Microsecond},
	} {
		rate, err := protocol.ParseRate(text)
		if err != nil {
			t.Fatal(err)
		}
		r, now, b := newRates(), time.Now().UnixNano(), bucket{who: "key:a"}
		n := 0
		var refused error
		for ; n <= 2*tt.burst && refused == nil; n++ {
			refused = r.take(b, rate, now)
		}
		if n-1 != tt.burst {
			t.Errorf("%s: %d at once; want %d", text, n-1, tt.burst)
		}
		if protocol.CodeOf(refused) != protocol.CodeTooMany ||
			RetryAfter(refused) != max(tt.after.Round(time.Second), time.Second) {
			t.Errorf("%s: %v after %s", text, refused, RetryAfter(refused))
		}
		if err := r.take(b, rate, now+int64(tt.after)-1); err == nil {
			t.Errorf("%s: one too early", text)
		}
		if err := r.take(b, rate, now+int64(tt.after)); err != nil {
			t.Errorf("%s: %v at its time", text, err)
		}
		if err := r.take(bucket{who: "key:b"}, rate, now); err != nil {
			t.Errorf("%s: another client: %v", text, err)
		}
	}
	if err := newRates().take(bucket{}, protocol.Rate{}, 0); err != nil {
		t.Error(err)
	}
}

// TestRateBounded fills the table. Those who have used theirs up get no more by it, whoever comes, and memory stays as
// it is.
func TestRateBounded(t *testing.T) {
	r, now := newRates(), time.Now().UnixNano()
	rate := protocol.Rate{Count: 1, Per: time.Minute}
	used := bucket{route: "GET /x", who: "key:used"}
	if err := r.take(used, rate, now); err != nil {
		t.Fatal(err)
	}
	let := 0
	for i := range 3 * shards * perShard {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if r.take(bucket{route: "GET /x", addr: addr}, rate, now+int64(i)) == nil {
			let++
		}
	}
	if err := r.take(used, rate, now+int64(time.Second)); err == nil {
		t.Error("a flood of others has filled a bucket that was used up")
	}
	size := 0
	for i := range r.shards {
		size += len(r.shards[i].full)
	}
	if size > shards*perShard || let > shards*perShard+shared {
		t.Errorf("%d buckets, and %d were let in", size, let)
	}
	// Later all of them are full again, and make room.
	later := now + int64(2*time.Minute)
	for i := range shards * perShard / 2 {
		if err := r.take(bucket{route: "GET /y", who: fmt.Sprint(i)}, rate, later); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

// TestBuckets keeps clients apart, and addresses that one client has together.
func TestBuckets(t *testing.T) {
	nobody, ada := &Identity{}, &Identity{Name: "ada", principal: "jwt:ada"}
	for _, tt := range []struct {
		a, b bucket
		same bool
	}{
		{bucketOf("x", ada, "10.0.0.1"), bucketOf("x", ada, "10.0.0.2"), true},
		{bucketOf("x", ada, "10.0.0.1"), bucketOf("y", ada, "10.0.0.1"), false},
		{bucketOf("x", nobody, "10.0.0.1"), bucketOf("x", nobody, "10.0.0.2"), false},
		{bucketOf("x", nobody, "10.0.0.1"), bucketOf("x", nobody, "::ffff:10.0.0.1"), true},
		{bucketOf("x", nobody, "2001:db8::1"), bucketOf("x", nobody, "2001:db8::2:3"), true},
		{bucketOf("x", nobody, "2001:db8::1"), bucketOf("x", nobody, "2001:db8:0:1::1"), false},
		{bucketOf("x", nobody, "fe80::1%eth0"), bucketOf("x", nobody, "fe80::1%eth1"), true},
		{bucketOf("x", nobody, "what"), bucketOf("x", nobody, ""), true},
		{bucketOf("x", nobody, "10.0.0.1"), bucketOf("x", ada, "10.0.0.1"), false},
	} {
		if (tt.a == tt.b) != tt.same {
			t.Errorf("%+v and %+v: %v", tt.a, tt.b, !tt.same)
		}
	}
}

// TestRates refuses clients that have used up their rates: the route's, the gateway's, the key's.
func TestRates(t *testing.T) {
	js, s := store(t)
	now := newClock()
	slow := protocol.Rate{Count: 2, Per: time.Second}
	g := serve(t, Config{JetStream: js, Now: now.now, Rate: slow})
	url := mount(t, g, Want{Route: "GET /x"})
	for range 2 {
		ask(t, url).want(t, 200)
	}
	if a := ask(t, url).want(t, 429, "at most 2 in 1s"); a.Get("Retry-After") != "1s" {
		t.Errorf("%v", a.Header)
	}
	ask(t, mount(t, g, Want{Route: "GET /y"})).want(t, 200)
	ask(t, mount(t, g, Want{Route: "GET /z", Rate: protocol.Rate{Count: 1, Per: time.Second}})).want(t, 200)
	now.add(time.Second)
	ask(t, url).want(t, 200)
	_, text := create(t, s, keys.Key{Rate: "1/s"})
	_, other := create(t, s, keys.Key{})
	first := mount(t, g, Want{Auth: "key", Route: "GET /x"})
	second := mount(t, g, Want{Auth: "key", Route: "GET /y"})
	await.Until(t, "the keys are known", func() bool {
		now.add(time.Second)
		return ask(t, first, "X-Api-Key: "+other).code == 200
	})
	ask(t, first, "X-Api-Key: "+text).want(t, 200)
	ask(t, second, "X-Api-Key: "+text).want(t, 429, "at most 1 in 1s") // a key's own rate is that of all routes
	ask(t, second, "X-Api-Key: "+other).want(t, 200)
}

// TestHammerRates takes from few buckets with many goroutines: none gives more than it has.
func TestHammerRates(t *testing.T) {
	r, now := newRates(), time.Now().UnixNano()
	rate := protocol.Rate{Count: 100, Per: time.Second}
	var let [4]atomic.Int64
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for i := range 400 {
				if r.take(bucket{who: fmt.Sprint(i % 4)}, rate, now) == nil {
					let[i%4].Add(1)
				}
			}
		})
	}
	running.Wait()
	for i := range let {
		if n := let[i].Load(); n != 100 {
			t.Errorf("bucket %d gave %d", i, n)
		}
	}
}
