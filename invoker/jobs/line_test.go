package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/protocol"
)

// keyed is what jobs of keys do: they note when they run. The body is KEY NUMBER, and what becomes of the first attempts.
type keyed struct {
	t     *testing.T
	alone bool // no process ends: nothing may run twice at a time

	mu      sync.Mutex
	running map[string]string // by key, the job that runs
	began   map[string][]int  // by key, the numbers of jobs as they begin for the first time
	tries   map[string]int
	most    int // keys that ran at a time
}

func newKeyed(t *testing.T) *keyed {
	return &keyed{t: t, running: map[string]string{}, began: map[string][]int{}, tries: map[string]int{}}
}

func (k *keyed) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	var key, plan string
	var n int
	if _, err := fmt.Sscan(string(r.Body), &key, &n, &plan); err != nil {
		return failure(65), nil
	}
	job := fmt.Sprint(key, " ", n)
	k.mu.Lock()
	if other := k.running[key]; other != "" && other != job {
		k.t.Errorf("%s runs beside %s", job, other)
	} else if other != "" && k.alone {
		k.t.Errorf("%s runs twice at a time", job)
	}
	k.running[key] = job
	k.most = max(k.most, len(k.running))
	if k.tries[job]++; k.tries[job] == 1 {
		k.began[key] = append(k.began[key], n)
	}
	tries := k.tries[job]
	k.mu.Unlock()
	timer := time.NewTimer(rand.N(3 * time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	k.mu.Lock()
	delete(k.running, key)
	k.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return &protocol.Reply{Exit: -1, Err: protocol.Errorf(503, "", "stopped"), Report: ran("1")}, nil
	case plan == "poison", plan == "twice" && tries <= 2:
		return failure(1), nil
	case plan == "bad":
		return failure(65), nil
	}
	return success(job), nil
}

// judge checks that jobs of each key began in their order.
func (k *keyed) judge(keys, each int) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.began) != keys {
		k.t.Errorf("%d keys have run", len(k.began))
	}
	for key, began := range k.began {
		if len(began) != each || !slices.IsSorted(began) {
			k.t.Errorf("jobs of %s began as %v", key, began)
		}
	}
}

// moved has a front keep what waits in FN_LATER, as in service: whoever looks after a line looks there too.
func (b *bench) moved(f *Front) { f.config.Later = later.New(f.config.JetStream, later.Config{}) }

// newMovedBench is newBench with a mover of what waits.
func newMovedBench(t *testing.T) *bench {
	b := newBench(t)
	s := later.New(b.js, later.Config{})
	if err := s.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = later.NewMover(s).Move(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return b
}

// lossy is a Later that loses the first message.
type lossy struct {
	Later
	lost atomic.Bool
}

func (l *lossy) Put(ctx context.Context, name, id string, at time.Time, m *nats.Msg) error {
	if !l.lost.Swap(true) {
		return nil
	}
	return l.Later.Put(ctx, name, id, at, m)
}

// lines waits until no job stands in a line.
func (b *bench) lines(name string) {
	b.t.Helper()
	await.Until(b.t, "the end of all lines of "+name, func() bool {
		s, err := b.js.Stream(b.t.Context(), protocol.TurnStream(name))
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
}

// TestKeys has three fronts run jobs of some keys, by arguments and by headers, while they come and go, end in good order
// or lose their connection: jobs of one key run one after another in their order, and each has its one outcome.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name, key string
		kills     int
		graceful  bool
	}{
		{"argument", "{2}", 0, false},
		{"header", "header Order", 0, false},
		{"drain", "header order", 6, true},
		{"lost connections", "{2}", 6, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const keys, each = 6, 25
			b, k := newMovedBench(t), newKeyed(t)
			k.alone = c.kills == 0 || c.graceful
			begin := func() *front {
				f := b.start(k, b.moved)
				f.config.Drain = time.Second
				f.Apply(function("f", func(j *protocol.Job) { j.Key, j.Attempts = c.key, 3 }))
				return f
			}
			fronts := []*front{begin(), begin(), begin()}
			ids := map[string]protocol.JobState{}
			for i := range keys * each {
				key, plan, state := fmt.Sprint("k", i%keys), "good", protocol.StateDone
				switch i % 11 {
				case 3:
					plan = "twice"
				case 5:
					plan, state = "bad", protocol.StateDead
				case 7:
					plan, state = "poison", protocol.StateDead
				}
				headers := []string{"Order", key}
				if i%3 == 0 {
					headers = append(headers, protocol.HeaderID, fmt.Sprint("mine", i))
				}
				ids[b.publish("job.f.x."+key, fmt.Sprint(key, " ", i/keys, " ", plan), headers...)] = state
			}
			for range c.kills {
				time.Sleep(200 * time.Millisecond)
				at := rand.N(len(fronts))
				if !c.graceful {
					fronts[at].nc.Close()
				}
				fronts[at].end()
				fronts[at] = begin()
			}
			for id, state := range ids {
				r := b.outcome("f", id)
				_, dead, err := b.st.Letter(t.Context(), "f", id)
				if r.State != state || err != nil {
					t.Errorf("%s: %+v, a letter: %v %v", id, r, dead, err)
				}
			}
			b.empty("f")
			b.lines("f")
			k.judge(keys, each)
			if k.most < 2 {
				t.Error("no two keys ran at a time")
			}
		})
	}
}

// A key with many jobs that wait, and one that takes long or waits for its next attempt, keeps no other key out.
func TestKeyFlood(t *testing.T) {
	b := newMovedBench(t)
	hold, begun := make(chan struct{}), make(chan struct{}, 1000)
	var attempts atomic.Int32
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		switch {
		case r.Args[0] == "slow":
			begun <- struct{}{}
			<-hold
		case r.Args[0] == "poison" && attempts.Add(1) == 1:
			return failure(1)
		}
		return success("x")
	}), b.moved)
	f.Apply(function("f", func(j *protocol.Job) {
		j.Key, j.Concurrency = "{1}", 2
		j.Backoff = protocol.Backoff{First: protocol.Duration(time.Hour), Most: protocol.Duration(time.Hour)}
	}))
	publish := func(key string) { // without waiting for each
		if _, err := b.js.PublishAsync("job.f."+key, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.publish("job.f.slow", "")
	for range 500 {
		publish("slow")
		publish("poison")
	}
	<-b.js.PublishAsyncComplete()
	<-begun
	for i := range 20 {
		if r := b.outcome("f", b.publish(fmt.Sprint("job.f.other", i%3), "")); r.State != protocol.StateDone {
			t.Errorf("another key: %+v", r)
		}
	}
	if n := attempts.Load(); n != 1 {
		t.Errorf("%d of a key ran before the first one's next attempt", n)
	}
	close(hold)
}

// Jobs without the key, and those of a function that has lost its key or changed it, run all the same.
func TestKeyChanges(t *testing.T) {
	b := newMovedBench(t)
	hold := make(chan struct{})
	var running atomic.Int32
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		running.Add(1)
		<-hold
		return success(strings.Join(r.Args, " "))
	}))
	keyless := func(j *protocol.Job) { j.Key = "header Order" }
	f.Apply(function("f", keyless))
	ids := []string{b.publish("job.f", ""), b.publish("job.f.a", ""), b.publish("job.f.b", "", "Order", ""),
		b.publish("job.f.c", "", "Order", "1"), b.publish("job.f.d", "", "Order", "1")}
	await.Until(b.t, "four at a time", func() bool { return running.Load() == 4 })
	await.Until(b.t, "the fifth in its line", func() bool { // else it would not be in one without the key
		s, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
	f.Apply(function("f"))
	await.Until(b.t, "a queue without a key", func() bool {
		c, err := b.js.Consumer(t.Context(), protocol.QueueStream("f"), "run")
		return err == nil && c.CachedInfo().Config.MaxAckPending > 1
	})
	ids = append(ids, b.publish("job.f", "", "Order", "1"))
	await.Until(b.t, "one that has no key any more", func() bool { return running.Load() == 5 })
	close(hold)
	for _, id := range ids {
		b.outcome("f", id)
	}
	b.empty("f")
	b.lines("f")
	f.Remove("f")
}

// TestKeyCrash has an invoker end after each step of a job of a key, and another one take over.
func TestKeyCrash(t *testing.T) {
	for _, step := range []string{"stand", "run", "record", "later", "letter", "hand on"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b, k := newMovedBench(t), newKeyed(t)
			fn := function("f", func(j *protocol.Job) { j.Key, j.Attempts = "{1}", 2 })
			var once sync.Once
			ended := make(chan struct{})
			first := b.start(k, b.moved, func(f *Front) {
				f.config.Drain = time.Millisecond
				f.after = func(s string) {
					if s == step {
						once.Do(func() { f.nc.Close(); close(ended) })
					}
				}
			})
			first.Apply(fn)
			var ids []string
			for i := range 4 {
				ids = append(ids, b.publish("job.f.a", fmt.Sprint("a ", i, []string{" good", " poison"}[i%2])))
			}
			<-ended
			first.end()
			second := b.start(k, b.moved)
			second.Apply(fn)
			for i, id := range ids {
				want := []protocol.JobState{protocol.StateDone, protocol.StateDead}[i%2]
				if r := b.outcome("f", id); r.State != want {
					t.Errorf("the outcome is %+v", r)
				}
			}
			b.empty("f")
			b.lines("f")
			k.judge(1, 4)
		})
	}
}

// A line whose first job has lost its turn, or what waited of it, goes on when the next job comes.
func TestKeyMend(t *testing.T) {
	b, k := newMovedBench(t), newKeyed(t)
	l := &lossy{}
	f := b.start(k, b.moved, func(f *Front) { l.Later, f.config.Later = f.config.Later, l })
	f.Apply(function("f", func(j *protocol.Job) { j.Key = "{1}" }))
	first := b.publish("job.f.a", "a 1 twice")
	await.Until(b.t, "the loss of its next attempt", l.lost.Load)
	second := b.publish("job.f.a", "a 2 good")
	for _, id := range []string{first, second} {
		if r := b.outcome("f", id); r.State != protocol.StateDone {
			t.Errorf("%s: %+v", id, r)
		}
	}
	b.lines("f")
	k.judge(1, 2)
}

// The jobs of a function that is removed are dead, those in lines too, and its streams go.
func TestKeyRemoved(t *testing.T) {
	b := newMovedBench(t)
	hold, begun := make(chan struct{}), make(chan struct{}, 10)
	var removed atomic.Bool
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		if removed.Load() {
			return &protocol.Reply{Exit: -1, Err: protocol.Errorf(protocol.CodeNotFound, "", "no function f")}
		}
		begun <- struct{}{}
		<-hold
		return success("x")
	}), b.moved)
	f.Apply(function("f", func(j *protocol.Job) { j.Key = "{1}" }))
	f.Synced()
	ids := []string{b.publish("job.f.a", ""), b.publish("job.f.a", ""), b.publish("job.f.a", "")}
	<-begun
	await.Until(b.t, "all in their line", func() bool {
		_, left, _, err := b.st.LookAtTurns(t.Context(), "f")
		return err == nil && left == 4
	})
	removed.Store(true)
	f.Remove("f")
	close(hold)
	for i, id := range ids {
		want, reason := protocol.StateDead, protocol.ReasonFunction
		if i == 0 {
			want, reason = protocol.StateDone, ""
		}
		if r := b.outcome("f", id); r.State != want || r.Reason != reason {
			t.Errorf("job %d: %+v", i, r)
		}
	}
	for _, stream := range []string{protocol.QueueStream("f"), protocol.TurnStream("f")} {
		await.Until(b.t, "the end of "+stream, func() bool {
			_, err := b.js.Stream(t.Context(), stream)
			return errors.Is(err, jetstream.ErrStreamNotFound)
		})
	}
}

// What has been deleted is made again, and what is left of a key goes on.
func TestKeyStreamDeleted(t *testing.T) {
	b, k := newMovedBench(t), newKeyed(t)
	f := b.start(k, b.moved)
	f.Apply(function("f", func(j *protocol.Job) { j.Key = "{1}" }))
	b.outcome("f", b.publish("job.f.a", "a 1 good"))
	b.lines("f")
	if err := b.js.DeleteStream(t.Context(), protocol.TurnStream("f")); err != nil {
		t.Fatal(err)
	}
	b.outcome("f", b.publish("job.f.a", "a 2 good"))
	b.lines("f")
}
