package recent_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// see has an observer see one call.
func see(k *recent.Calls, name, id string, took time.Duration, code int) {
	r := &protocol.Request{ID: id, Body: []byte("body of " + id), Args: []string{"x"}}
	c := &stats.Call{Function: protocol.Ref{Name: name}, Request: r, Received: time.Now()}
	k.Begin(c)
	c.Took, c.Queue, c.Run, c.Code = took, took/4, took-took/4, code
	if code != 0 {
		c.Failure = fmt.Sprintf("%d:it failed", code)
	}
	k.End(c)
}

func TestCalls(t *testing.T) {
	var k recent.Calls
	see(&k, "f", "one", time.Millisecond, 0)
	end := k.Watch()
	see(&k, "f", "two", 2*time.Millisecond, 500)
	end()
	end() // once more is no harm
	see(&k, "g", "three", time.Second, 0)
	running := &stats.Call{Function: protocol.Ref{Name: "f"}, Request: &protocol.Request{}, Received: time.Now()}
	k.Begin(running)
	all := k.Last(10, nil)
	if len(all) != 4 || !all[0].Running || all[1].ID != "three" || all[3].ID != "one" || k.Seen() != 4 {
		t.Fatalf("%+v", all)
	}
	if two := all[2]; string(two.Body) != "body of two" || two.Code != 500 || two.Ran() != 1500*time.Microsecond {
		t.Errorf("%+v", two)
	}
	if one := all[3]; one.Body != nil {
		t.Errorf("a body was kept while nobody looked: %q", one.Body)
	}
	k.End(running)
	if c, ok := k.Get(4); !ok || c.Running {
		t.Errorf("%+v, %v", c, ok)
	}
	if c, ok := k.Find("two"); !ok || c.Seq != 2 {
		t.Errorf("%+v, %v", c, ok)
	}
	if _, ok := k.Get(0); ok {
		t.Error("there is a call 0")
	}
	codes := k.Codes("f")
	if len(codes) != 1 || codes[0].Code != 500 || codes[0].Calls != 1 || codes[0].Last != "500:it failed" {
		t.Errorf("%+v", codes)
	}
	for range 2 * recent.Kept {
		see(&k, "f", "more", time.Millisecond, 0)
	}
	if _, ok := k.Get(1); ok || len(k.Last(5000, nil)) != recent.Kept {
		t.Error("too many calls are kept")
	}
}

// TestBuckets checks that each duration is in the bucket that says so, and that the buckets leave nothing out.
func TestBuckets(t *testing.T) {
	for range 2000 {
		var k recent.Calls
		took := time.Duration(rand.Int64N(int64(time.Duration(1) << rand.IntN(39))))
		see(&k, "f", "", took, 0)
		all := k.Durations("f")
		if len(all) != 1 || all[0].Calls != 1 || took < all[0].From || took >= all[0].To {
			t.Fatalf("%v is in %+v", took, all)
		}
	}
	var k recent.Calls
	for d := time.Microsecond; d < time.Minute; d = d*5/4 + 1 {
		see(&k, "f", "", d, 0)
	}
	all := k.Durations("f")
	for i, b := range all {
		if i > 0 && b.From != all[i-1].To || b.From >= b.To {
			t.Errorf("%v follows %v", b, all[max(0, i-1)])
		}
	}
	if k.Durations("g") != nil {
		t.Error("a function that was not called has durations")
	}
}

// TestHammerCalls sees calls from many goroutines while others look.
func TestHammerCalls(t *testing.T) {
	var k recent.Calls
	const callers, each = 8, 2000
	var calling, looking sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		looking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				end := k.Watch()
				for _, c := range k.Last(50, nil) {
					if want := "body of " + c.ID; c.Body != nil && string(c.Body) != want {
						t.Errorf("call %s has %q", c.ID, c.Body)
					}
				}
				_, _ = k.Durations("f0"), k.Codes("f1")
				end()
			}
		})
	}
	for n := range callers {
		calling.Go(func() {
			for i := range each {
				see(&k, fmt.Sprintf("f%d", i%3), fmt.Sprintf("%d-%d", n, i), time.Millisecond, i%2*500)
			}
		})
	}
	calling.Wait()
	close(done)
	looking.Wait()
	var sum int64
	for _, name := range []string{"f0", "f1", "f2"} {
		for _, b := range k.Durations(name) {
			sum += b.Calls
		}
	}
	if sum != callers*each || k.Seen() != callers*each {
		t.Errorf("%d calls are counted, and %d were seen, of %d", sum, k.Seen(), callers*each)
	}
}

// BenchmarkCalls measures what a call costs more when a console looks on.
func BenchmarkCalls(b *testing.B) {
	var k recent.Calls
	c := &stats.Call{Function: protocol.Ref{Name: "f"}, Request: &protocol.Request{ID: "0198c2f4-5a53-7000-8000-000000000000"},
		Received: time.Now(), Took: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		k.Begin(c)
		k.End(c)
	}
}
