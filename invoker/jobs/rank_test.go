package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// held is a Caller whose attempts last until they are let go, one by one. It notes which began.
type held struct {
	mu    sync.Mutex
	began []string
	let   chan struct{}
}

func newHeld() *held { return &held{let: make(chan struct{})} }

func (h *held) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	if r.DryRun {
		return &protocol.Reply{Exit: -1, Err: protocol.Errorf(404, "", "no such function")}, nil
	}
	began := time.Now()
	h.mu.Lock()
	h.began = append(h.began, string(r.Body))
	h.mu.Unlock()
	select {
	case <-h.let:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	reply := success(string(r.Body))
	reply.Report.Duration = time.Since(began)
	return reply, nil
}

func (h *held) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.began)
}

// last returns what began last.
func (h *held) last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.began[len(h.began)-1]
}

// flood publishes n jobs with a priority without waiting for each.
func (b *bench) flood(subject, priority string, n int) {
	b.t.Helper()
	await.Until(b.t, "the queue", func() bool {
		_, err := b.js.Stream(b.t.Context(), protocol.QueueStream("f"))
		return err == nil
	})
	for i := range n {
		m := &nats.Msg{Subject: subject, Header: nats.Header{}, Data: []byte(priority + " " + strconv.Itoa(i))}
		if priority != "" {
			m.Header[protocol.HeaderPriority] = []string{priority}
		}
		if _, err := b.js.PublishMsgAsync(m); err != nil {
			b.t.Fatal(err)
		}
		if i%1000 < 999 && i < n-1 {
			continue
		}
		select {
		case <-b.js.PublishAsyncComplete():
		case <-time.After(waits):
			b.t.Fatal("the jobs are not accepted")
		}
	}
}

// waiting waits until so many jobs of a priority are in hand and cannot begin.
func (f *front) waiting(b *bench, name string, p protocol.Priority, n int) {
	b.t.Helper()
	await.Until(b.t, fmt.Sprint(n, " ", p, " jobs that wait"), func() bool {
		for _, q := range f.of(name) {
			if q.kind == ofRanks && q.priority == p {
				q.mu.Lock()
				defer q.mu.Unlock()
				return len(q.waiting) >= n
			}
		}
		return false
	})
}

// ranksEmpty waits until no job of a function is left.
func (b *bench) ranksEmpty(name string) {
	b.t.Helper()
	b.empty(name)
	await.Until(b.t, "the end of all priorities of "+name, func() bool {
		s, err := b.js.Stream(b.t.Context(), protocol.RankStream(name))
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
}

// A job of high priority begins after those that run, whatever came before it, and a low one begins now and then.
func TestPriority(t *testing.T) {
	for _, key := range []string{"", "header Order"} {
		t.Run("key="+key, func(t *testing.T) {
			b, h := newBench(t), newHeld()
			f := b.start(h)
			const most = 3
			fn := function("f", func(j *protocol.Job) { j.Concurrency, j.Key = most, key })
			f.Apply(fn)
			f.Synced()
			flood := 5000
			if key != "" {
				flood = 300 // they are sorted one by one
			}
			b.flood("job.f", "low", flood)
			await.Until(b.t, "as many jobs as may run", func() bool { return h.count() == most })
			b.publish("job.f", "high", protocol.HeaderPriority, "high")
			f.waiting(b, "f", protocol.PriorityHigh, 1)
			h.let <- struct{}{}
			await.Until(b.t, "the next job", func() bool { return h.count() == most+1 })
			if h.last() != "high" {
				t.Errorf("%s begins before the job of high priority", h.last())
			}
			b.flood("job.f", "high", 40)
			low := 0
			for n := most + 2; n <= most+31; n++ {
				f.waiting(b, "f", protocol.PriorityHigh, 1)
				f.waiting(b, "f", protocol.PriorityLow, 1)
				h.let <- struct{}{}
				await.Until(b.t, "the next job", func() bool { return h.count() == n })
				if strings.HasPrefix(h.last(), "low") {
					low++
				}
			}
			if low != 3 {
				t.Errorf("%d of 30 jobs that began are of low priority", low)
			}
			close(h.let)
		})
	}
}

// crowd counts how many jobs run at a time on all invokers.
type crowd struct{ now, most, ran atomic.Int32 }

func (c *crowd) Call(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	time.Sleep(time.Millisecond)
	c.ran.Add(1)
	return success(string(r.Body)), nil
}

// job.concurrency holds over three invokers and three priorities, while invokers come and go.
func TestPriorityConcurrency(t *testing.T) {
	for _, most := range []int{1, 2, 10} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			b, c := newBench(t), new(crowd)
			begin := func() *front {
				f := b.start(c)
				f.Apply(function("f", func(j *protocol.Job) { j.Concurrency = most }))
				f.Synced()
				return f
			}
			begin()
			second := begin()
			for i, p := range []string{"", "low", "high"} {
				b.flood("job.f", p, 150)
				if i == 1 {
					begin()
				}
			}
			second.end()
			b.ranksEmpty("f")
			if got := int(c.most.Load()); got > most {
				t.Errorf("%d jobs ran at a time, of %d", got, most)
			}
			if got := c.ran.Load(); got != 450 {
				t.Errorf("%d attempts of 450 jobs", got)
			}
		})
	}
}

// Jobs of each priority get their outcome while invokers end and lose their connections, and keep their priority over
// retries, delays and redelivery.
func TestHammerPriority(t *testing.T) {
	for _, key := range []string{"", "{1}"} {
		t.Run("key="+key, func(t *testing.T) {
			t.Parallel()
			b := newMovedBench(t)
			var tries sync.Map
			var runs atomic.Int32
			caller := callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
				runs.Add(1)
				n, _ := tries.LoadOrStore(r.ID, new(atomic.Int32))
				if n.(*atomic.Int32).Add(1) == 1 && strings.HasSuffix(string(r.Body), "twice") {
					return failure(1)
				}
				return success(string(r.Body))
			})
			begin := func() *front {
				f := b.start(caller, b.moved)
				f.Apply(function("f", func(j *protocol.Job) { j.Key = key }))
				f.Synced()
				return f
			}
			begin()
			const all = 150
			go func() {
				for range 4 {
					f := begin()
					seen := runs.Load()
					await.Until(b.t, "some runs", func() bool { return runs.Load() > seen+20 || runs.Load() >= all })
					if seen%2 == 0 {
						f.nc.Close()
					}
					f.end()
				}
			}()
			ids := map[string]bool{}
			for i := range all {
				body, id := "once", fmt.Sprint("j", i)
				if i%5 == 0 {
					body = "twice"
				}
				headers := []string{protocol.HeaderPriority, protocol.Priorities()[i%3].String()}
				if i%4 > 0 {
					headers = append(headers, protocol.HeaderID, id)
				}
				if i%7 == 0 {
					headers = append(headers, protocol.HeaderDelay, "20ms")
				}
				ids[b.publish(fmt.Sprint("job.f.k", i%6), body, headers...)] = true
			}
			if len(ids) != all {
				t.Fatalf("%d ids", len(ids))
			}
			for id := range ids {
				if r := b.outcome("f", id); r.State != protocol.StateDone {
					t.Errorf("%s is %s: %v", id, r.State, r.Reply.Err)
				}
			}
			if key != "" {
				b.lines("f")
			}
			b.ranksEmpty("f")
		})
	}
}

// A function that never gets a job with a priority has what it had before there were any. Jobs that an older version left
// in the queue are sorted once there is one, and a wrong priority makes a dead letter.
func TestPriorityUnused(t *testing.T) {
	b, h := newBench(t), newHeld()
	close(h.let)
	f := b.start(h)
	f.Apply(function("f"))
	f.Synced()
	b.outcome("f", b.publish("job.f", "x", protocol.HeaderPriority, "normal"))
	r := b.outcome("f", b.publish("job.f", "x", protocol.HeaderPriority, "urgent"))
	if r.State != protocol.StateDead || r.Reason != protocol.ReasonMalformed || r.Reply.Err.Code != protocol.CodeBadRequest {
		t.Errorf("a wrong priority: %+v", r)
	}
	if _, _, ok, err := b.st.LookAtRanks(t.Context(), "f"); ok || err != nil {
		t.Errorf("there are priorities: %v", err)
	}
	s, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
	if err != nil || s.CachedInfo().State.Consumers != 1 {
		t.Errorf("the queue: %v", err)
	}
	f.end()
	b.flood("job.f", "", 20)
	high := b.publish("job.f", "high", protocol.HeaderPriority, "high")
	f = b.start(h)
	f.Apply(function("f"))
	f.Synced()
	b.outcome("f", high)
	b.ranksEmpty("f")
	f.Remove("f")
	await.Until(b.t, "the end of the priorities", func() bool {
		_, _, ok, err := b.st.LookAtRanks(t.Context(), "f")
		return err == nil && !ok
	})
}
