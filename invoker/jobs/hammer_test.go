package jobs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestHammer has fronts come and go while jobs of two functions succeed, fail for a while, fail for good and are
// cancelled: each has one outcome, and a dead letter exactly if it is dead.
func TestHammer(t *testing.T) {
	b := newBench(t)
	var runs atomic.Int32
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) *protocol.Reply {
		runs.Add(1)
		switch rand.N(8) {
		case 0:
			return failure(65)
		case 1, 2:
			return failure(1)
		case 3:
			select {
			case <-ctx.Done():
				return &protocol.Reply{Exit: -1, Err: protocol.Errorf(503, "", "stopped"), Report: ran("1")}
			case <-time.After(rand.N(5 * time.Millisecond)):
			}
		}
		return success(string(r.Body))
	})
	begin := func() *front {
		f := b.start(caller)
		for _, name := range []string{"f", "g"} {
			f.Apply(function(name, func(j *protocol.Job) { j.Attempts = 3 }))
		}
		return f
	}
	stay := begin()
	const each = 150
	var publishing sync.WaitGroup
	ids := make(chan [2]string, 2*each)
	for _, name := range []string{"f", "g"} {
		publishing.Go(func() {
			for i := range each {
				id := fmt.Sprint(name, "-", i)
				b.publish("job."+name, id, protocol.HeaderID, id)
				ids <- [2]string{name, id}
				if i%10 == 0 {
					m := b.st.RecordMessage(name, id, &protocol.Record{State: protocol.StateCancelled}, 0, time.Hour)
					if _, err := b.st.Decide(t.Context(), m); err == nil {
						_ = b.st.MarkCancelled(t.Context(), name, id)
					}
				}
			}
		})
	}
	for range 3 {
		f := begin()
		await.Until(b.t, "some runs", func() bool { return runs.Load() > 50 })
		runs.Store(0)
		f.end()
	}
	publishing.Wait()
	close(ids)
	states := map[protocol.JobState]int{}
	for job := range ids {
		r := b.outcome(job[0], job[1])
		states[r.State]++
	}
	b.empty("f")
	b.empty("g")
	t.Log(states)
	stay.end()
	for _, name := range []string{"f", "g"} {
		for i := range each {
			id := fmt.Sprint(name, "-", i)
			r := b.outcome(name, id)
			if _, ok, err := b.st.Letter(t.Context(), name, id); err != nil || ok != (r.State == protocol.StateDead) {
				t.Errorf("%s is %s, and has a letter: %v %v", id, r.State, ok, err)
			}
		}
	}
}

// TestHammerGate has many enter a gate while some are alone in it.
func TestHammerGate(t *testing.T) {
	var g gate
	var inside, alone atomic.Int32
	lonely := make(chan struct{}, 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				if !g.enter() {
					continue
				}
				inside.Add(1)
				if alone.Load() > 0 {
					t.Error("somebody else was to be alone")
				}
				inside.Add(-1)
				g.leave()
			}
		})
		all.Go(func() {
			for range 50 {
				lonely <- struct{}{}
				if g.alone(t.Context()) {
					alone.Add(1)
					if inside.Load() > 0 {
						t.Error("somebody is not alone")
					}
					alone.Add(-1)
					g.open()
				}
				<-lonely
			}
		})
	}
	all.Wait()
}

// What has not begun when a front ends goes back at once, and what runs ends.
func TestDrain(t *testing.T) {
	b := newBench(t)
	begun, goOn := make(chan struct{}, 100), make(chan struct{})
	first := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply {
		begun <- struct{}{}
		<-goOn
		return success("first")
	}))
	first.Apply(function("f", func(j *protocol.Job) { j.AckWait = protocol.Duration(time.Hour) }))
	var ids []string
	for range 50 {
		ids = append(ids, b.publish("job.f", "x"))
	}
	<-begun
	second := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success("second") }))
	second.Apply(function("f", func(j *protocol.Job) { j.AckWait = protocol.Duration(time.Hour) }))
	ended := make(chan struct{})
	go func() { defer close(ended); first.stop(); <-first.done }()
	await.Until(b.t, "the end of what did not begin", func() bool {
		s, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
		return err == nil && s.CachedInfo().State.Msgs <= uint64(len(begun)+1)
	})
	close(goOn)
	<-ended
	for _, id := range ids {
		if r := b.outcome("f", id); r.State != protocol.StateDone || r.Attempts != 1 {
			t.Errorf("the outcome is %+v", r)
		}
	}
	b.empty("f")
}

// A front of which the caller never returns ends all the same, and its jobs are another's.
func TestGiveUp(t *testing.T) {
	b := newBench(t)
	begun := make(chan struct{}, 10)
	first := b.start(callerFunc(func(ctx context.Context, _ *protocol.Request) *protocol.Reply {
		begun <- struct{}{}
		<-ctx.Done()
		return &protocol.Reply{Exit: -1, Err: protocol.Errorf(503, "", "stopped"), Report: ran("1")}
	}), func(f *Front) { f.config.Drain = time.Millisecond })
	first.Apply(function("f"))
	id := b.publish("job.f", "x")
	<-begun
	first.end()
	second := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success("x") }))
	second.Apply(function("f"))
	if r := b.outcome("f", id); r.State != protocol.StateDone || r.Attempts != 1 {
		t.Errorf("the outcome is %+v", r)
	}
	b.empty("f")
}
