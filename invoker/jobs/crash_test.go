package jobs

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestCrash has an invoker end after each step of a job, and another one take over: one outcome, and no more runs than
// the end explains (facts on durable calls, the table of crashes).
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		step    string
		reply   func(n int32) *protocol.Reply // of the nth run
		state   protocol.JobState
		runs    int32
		letters int
	}{
		{"run", func(int32) *protocol.Reply { return success("x") }, protocol.StateDone, 2, 0},
		{"record", func(int32) *protocol.Reply { return success("x") }, protocol.StateDone, 1, 0},
		{"record", func(int32) *protocol.Reply { return failure(65) }, protocol.StateDead, 1, 1},
		{"letter", func(int32) *protocol.Reply { return failure(65) }, protocol.StateDead, 1, 1},
		{"later", func(n int32) *protocol.Reply {
			if n == 1 {
				return failure(1)
			}
			return success("x")
		}, protocol.StateDone, 3, 0}, // the message runs again, and so may the next attempt
	} {
		t.Run(fmt.Sprint(c.step, " ", c.state), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var runs atomic.Int32
			caller := callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return c.reply(runs.Add(1)) })
			fn := function("f")
			var once sync.Once
			ended := make(chan struct{})
			first := b.start(caller, func(f *Front) {
				f.after = func(step string) {
					if step == c.step {
						once.Do(func() { f.nc.Close(); close(ended) })
					}
				}
			})
			first.Apply(fn)
			id := b.publish("job.f", "x")
			<-ended
			first.end()
			second := b.start(caller)
			second.Apply(fn)
			r := b.outcome("f", id)
			b.empty("f")
			if r.State != c.state {
				t.Errorf("the outcome is %+v", r)
			}
			if n := runs.Load(); n > c.runs {
				t.Errorf("%d runs, want at most %d", n, c.runs)
			}
			if l, ok, err := b.st.Letter(t.Context(), "f", id); err != nil || ok != (c.letters > 0) {
				t.Errorf("the dead letter is %v %+v %v", ok, l, err)
			}
		})
	}
}

// TestInnocent has jobs run beside one that ends its process, whenever it runs: that one is dead, with the reason, and
// nobody else is.
func TestInnocent(t *testing.T) {
	b := newBench(t)
	var current atomic.Pointer[front]
	crashed := make(chan struct{}, 100)
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) *protocol.Reply {
		if string(r.Body) == "crash" {
			current.Load().nc.Close() // what it says is not heard any more
			crashed <- struct{}{}
			<-ctx.Done()
			return failure(1)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
		return success("x")
	})
	begin := func() *front {
		f := b.start(caller)
		current.Store(f)
		f.config.Drain = time.Millisecond
		f.Apply(function("f"))
		return f
	}
	f := begin()
	bad := b.publish("job.f", "crash")
	var good []string
	for range 40 {
		good = append(good, b.publish("job.f", "good"))
	}
	ends := 0
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		b.outcome("f", bad)
	}()
	for over := false; !over; {
		select {
		case <-dead:
			over = true
		case <-crashed:
			ends++
			f.end()
			f = begin()
		}
	}
	if r := b.outcome("f", bad); r.State != protocol.StateDead || r.Reason != protocol.ReasonCrash {
		t.Errorf("the one that crashes: %+v", r)
	}
	for _, id := range good {
		if r := b.outcome("f", id); r.State != protocol.StateDone {
			t.Errorf("an innocent one: %+v", r)
		}
	}
	if ends != interruptions+aloneTries {
		t.Errorf("%d processes have ended, want %d", ends, interruptions+aloneTries)
	}
	b.empty("f")
}
