package schedule

import (
	"context"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// clock is a front's time, and what waits for it.
type clock struct {
	now  time.Time
	wait map[string]*nats.Msg
	at   map[string]time.Time
}

func (c *clock) Make(context.Context) error { return nil }
func (c *clock) Put(_ context.Context, name, id string, at time.Time, m *nats.Msg) error {
	c.wait[name+"."+id], c.at[name+"."+id] = m, at
	return nil
}
func (c *clock) Cancel(_ context.Context, name, id string) (bool, error) {
	_, found := c.wait[name+"."+id]
	delete(c.wait, name+"."+id)
	return found, nil
}
func (c *clock) Get(_ context.Context, name, id string) (later.Waiting, bool, error) {
	m, found := c.wait[name+"."+id]
	return later.Waiting{Name: name, ID: id, Msg: m}, found, nil
}

// bench is a front with a clock of the test's own, one function and its queue.
type bench struct {
	*testing.T
	*clock
	front *Front
	js    jetstream.JetStream
	store *store.Store
	id    string
}

func newBench(t *testing.T, trigger protocol.Trigger, job *protocol.Job, now time.Time) bench {
	js := registrytest.JetStream(t, registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0)))
	c := &clock{now, map[string]*nats.Msg{}, map[string]time.Time{}}
	b := bench{t, c, nil, js, store.New(js, store.Config{}), id("f", trigger)}
	if err := b.store.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.front = New(Config{Store: b.store, Later: c, Now: func() time.Time { return c.now }})
	b.front.Synced()
	b.apply(&protocol.Function{Name: "f", Job: job, Triggers: []protocol.Trigger{trigger}})
	return b
}

func (b bench) apply(f *protocol.Function) {
	b.Helper()
	if _, err := b.store.MakeQueue(b.Context(), f); err != nil {
		b.Fatal(err)
	}
	b.front.Apply(f)
	b.settle()
}

// settle does what the front does when it is told of something.
func (b bench) settle() {
	b.Helper()
	for id := range b.front.changed {
		if err := b.front.settleOne(b.Context(), id, b.wait[Kind+"."+id] != nil); err != nil {
			b.Fatal(err)
		}
		delete(b.front.changed, id)
	}
}

// tick gives the front what waits, at its time or later.
func (b bench) tick(late time.Duration) {
	b.Helper()
	m := b.wait[Kind+"."+b.id]
	if m == nil {
		b.Fatal("nothing waits")
	}
	if at := b.at[Kind+"."+b.id].Add(late); at.After(b.now) {
		b.clock.now = at
	}
	if err := b.front.Tick(b.Context(), &later.Due{Name: Kind, ID: b.id, Msg: m, Delivered: 1}); err != nil {
		b.Fatal(err)
	}
}

// runs returns the times of the jobs in the queue.
func (b bench) runs() (runs []string) {
	b.Helper()
	stream, err := b.js.Stream(b.Context(), protocol.QueueStream("f"))
	if err != nil {
		b.Fatal(err)
	}
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(b.Context(), seq)
		if err != nil {
			continue // it has been done
		}
		j, err := protocol.ParseJob(m.Subject, protocol.Header(m.Header), m.Data)
		if err != nil || !j.Redo || j.Request.ID == "" || len(m.Data) > 0 {
			b.Errorf("job %d: %+v, %v", seq, j, err)
		}
		runs = append(runs, m.Header.Get(protocol.HeaderScheduled))
	}
	return runs
}

func (b bench) mark() Mark {
	b.Helper()
	m, ok, err := ReadMark(b.Context(), b.js, "f", b.front.chains[b.id].trigger)
	if err != nil || !ok {
		b.Fatalf("the mark: %v, %v", ok, err)
	}
	return m
}

// On the days on which clocks change each time has one job, in two zones.
func TestDaylightSaving(t *testing.T) {
	for _, day := range []struct {
		zone, begin, text string
		runs              int
		first, last       string
	}{
		{"Europe/Berlin", "2026-03-29T00:00:00+01:00", "*/30 * * * *", 46,
			"2026-03-29T00:00:00+01:00", "2026-03-29T23:30:00+02:00"},
		{"Europe/Berlin", "2026-10-25T00:00:00+02:00", "*/30 * * * *", 50,
			"2026-10-25T00:00:00+02:00", "2026-10-25T23:30:00+01:00"},
		{"America/New_York", "2026-03-08T00:00:00-05:00", "30 2 * * *", 1,
			"2026-03-08T03:00:00-04:00", "2026-03-08T03:00:00-04:00"},
		{"America/New_York", "2026-11-01T00:00:00-04:00", "15 0,1,2 * * *", 3,
			"2026-11-01T00:15:00-04:00", "2026-11-01T02:15:00-05:00"},
	} {
		t.Run(day.begin+" "+day.text, func(t *testing.T) {
			begin, err := time.Parse(time.RFC3339, day.begin)
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t, protocol.Trigger{Schedule: day.text, Zone: day.zone}, nil, begin.Add(-time.Second))
			midnight := begin.Add(36 * time.Hour).In(b.front.chains[b.id].schedule.Zone()).Truncate(time.Hour)
			for midnight.Hour() > 0 {
				midnight = midnight.Add(-time.Hour)
			}
			for b.at[Kind+"."+b.id].Before(midnight) {
				b.tick(100 * time.Millisecond)
			}
			runs := b.runs()
			if len(runs) != day.runs || runs[0] != day.first || runs[len(runs)-1] != day.last {
				t.Errorf("%d runs from %s to %s", len(runs), runs[0], runs[len(runs)-1])
			}
		})
	}
}

// A message that comes late, since nobody was there, has the jobs that the policy says.
func TestMissed(t *testing.T) {
	begin := time.Date(2026, 5, 1, 0, 0, 30, 0, time.UTC)
	for _, c := range []struct {
		text, missed string
		late         time.Duration
		runs         int
		first        string
		left         uint64
	}{
		{"* * * * *", "", 4 * time.Second, 1, "2026-05-01T00:01:00Z", 0},
		{"* * * * *", protocol.MissedSkip, 4 * time.Second, 1, "2026-05-01T00:01:00Z", 0},
		{"* * * * *", "", 10*time.Minute + 10*time.Second, 1, "2026-05-01T00:11:00Z", 10},
		{"* * * * *", protocol.MissedAll, 10*time.Minute + 10*time.Second, 11, "2026-05-01T00:01:00Z", 0},
		{"* * * * *", protocol.MissedSkip, 10*time.Minute + 10*time.Second, 0, "", 11},
		{"* * * * *", protocol.MissedSkip, 10*time.Minute + 3*time.Second, 1, "2026-05-01T00:11:00Z", 10},
		{"@every 1s", "", 3 * time.Second, 4, "2026-05-01T00:00:31Z", 0}, // late, and not missed
		{"@every 1s", protocol.MissedAll, time.Hour, MaxMissed, "2026-05-01T00:43:52Z", 1},
		{"0 0 1 * *", "", 40 * 24 * time.Hour, 1, "2026-07-01T00:00:00Z", 1},
	} {
		b := newBench(t, protocol.Trigger{Schedule: c.text, Missed: c.missed}, nil, begin)
		for b.tick(c.late); !b.at[Kind+"."+b.id].After(b.now); {
			b.tick(0)
		}
		runs := b.runs()
		if len(runs) != c.runs || c.runs > 0 && runs[0] != c.first || b.mark().Missed != c.left {
			t.Errorf("%q missed %q, %s late: %d runs %.60v, %+v", c.text, c.missed, c.late, len(runs), runs, b.mark())
		}
		if again := b.wait[Kind+"."+b.id].Header.Get(protocol.HeaderScheduled); b.now.Format(time.RFC3339) >= again {
			t.Errorf("at %s the next one is for %s", b.now, again)
		}
	}
}

// A message that comes twice has one job, though the time between them is longer than the queue knows ids for.
func TestTwice(t *testing.T) {
	b := newBench(t, protocol.Trigger{Schedule: "* * * * *"}, nil, time.Date(2026, 5, 1, 0, 0, 30, 0, time.UTC))
	m := b.wait[Kind+"."+b.id]
	b.tick(0)
	b.tick(0)
	if err := b.js.DeleteStream(t.Context(), protocol.QueueStream("f")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.MakeQueue(t.Context(), &protocol.Function{Name: "f"}); err != nil {
		t.Fatal(err)
	}
	if err := b.front.Tick(t.Context(), &later.Due{Name: Kind, ID: b.id, Msg: m, Delivered: 2}); err != nil {
		t.Fatal(err)
	}
	if runs := b.runs(); len(runs) != 0 {
		t.Errorf("it runs again: %v", runs)
	}
	if at := b.at[Kind+"."+b.id]; !at.After(b.now) {
		t.Errorf("the next is at %s, now is %s", at, b.now)
	}
}

// With overlap = skip a run is left out as long as the one before has no outcome.
func TestOverlap(t *testing.T) {
	job := &protocol.Job{Result: protocol.Duration(2 * time.Minute), MaxAge: protocol.Duration(20 * time.Minute)}
	trigger := protocol.Trigger{Schedule: "* * * * *", Overlap: protocol.OverlapSkip}
	b := newBench(t, trigger, job, time.Date(2026, 5, 1, 0, 0, 30, 0, time.UTC))
	var want []string
	check := func(what string, published bool, skipped uint64) {
		t.Helper()
		b.tick(0)
		if published {
			want = append(want, b.now.Format(time.RFC3339))
		}
		if runs := b.runs(); len(runs) != len(want) || runs[len(runs)-1] != want[len(want)-1] || b.mark().Skipped != skipped {
			t.Errorf("%s: %v, not %v; %+v", what, runs, want, b.mark())
		}
	}
	check("the first", true, 0)
	check("the one before has no record", false, 1)
	b.decide(b.mark().Run, protocol.StateDone)
	check("it is done", true, 1)
	check("it is not", false, 2)
	check("its record may have expired, and it is in the queue", false, 3)
	stream, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
	if err == nil {
		err = stream.DeleteMsg(t.Context(), b.mark().Sequence)
	}
	if err != nil {
		t.Fatal(err)
	}
	want = want[:1]
	if err := b.Put(t.Context(), "f", trigger.RunID(b.mark().Run), b.now, &nats.Msg{}); err != nil {
		t.Fatal(err)
	}
	check("it waits for its next attempt", false, 4)
	delete(b.wait, "f."+trigger.RunID(b.mark().Run))
	check("it is nowhere", true, 4)
	b.clock.now = b.now.Add(21 * time.Minute)
	check("it is too old", true, 4)
}

// decide stores the record of a run's job.
func (b bench) decide(run time.Time, state protocol.JobState) {
	b.Helper()
	id := b.front.chains[b.id].trigger.RunID(run)
	m := b.store.RecordMessage("f", id, &protocol.Record{State: state}, 0, time.Hour)
	if _, err := b.store.Decide(b.Context(), m); err != nil {
		b.Fatal(err)
	}
}

// A schedule goes on when its function is deployed again with it, and begins anew when it was gone.
func TestApply(t *testing.T) {
	trigger := protocol.Trigger{Schedule: "0 * * * *"}
	b := newBench(t, trigger, nil, time.Date(2026, 5, 1, 0, 30, 0, 0, time.UTC))
	b.tick(0)
	before := b.mark()
	trigger.Missed = protocol.MissedAll
	b.clock.now = b.now.Add(30 * time.Minute)
	b.apply(&protocol.Function{Name: "f", Version: 2, Triggers: []protocol.Trigger{trigger}})
	if b.mark() != before || len(b.wait) != 1 {
		t.Errorf("another version changes the mark from %+v to %+v; %d messages wait", before, b.mark(), len(b.wait))
	}
	other := protocol.Trigger{Schedule: "0 0 * * *"}
	b.apply(&protocol.Function{Name: "f", Version: 3, Triggers: []protocol.Trigger{other}})
	if _, ok := b.wait[Kind+"."+id("f", other)]; !ok || len(b.wait) != 1 {
		t.Errorf("with another schedule there wait %v", b.wait)
	}
	if _, ok, err := ReadMark(t.Context(), b.js, "f", trigger); ok || err != nil {
		t.Errorf("the mark of the schedule that is gone: %v, %v", ok, err)
	}
	b.front.Remove("f")
	b.settle()
	if len(b.wait) != 0 {
		t.Errorf("of a function that is gone there wait %v", b.wait)
	}
	b.apply(&protocol.Function{Name: "f", Version: 4, Triggers: []protocol.Trigger{trigger}})
	if at := b.at[Kind+"."+b.id]; !at.After(b.now) || b.mark().Last != b.now {
		t.Errorf("it begins anew at %s: %s, %+v", b.now, at, b.mark())
	}
}

// What waits for a function that nobody knows ends after a while; what a stranger put there is put right.
func TestStrangers(t *testing.T) {
	b := newBench(t, protocol.Trigger{Schedule: "0 * * * *"}, nil, time.Date(2026, 5, 1, 0, 30, 0, 0, time.UTC))
	due := later.Due{Name: Kind, ID: "gone-0123456789", Msg: &nats.Msg{}, Delivered: 1}
	b.wait[Kind+"."+due.ID] = due.Msg
	for ; due.Delivered < strangers; due.Delivered++ {
		if err := b.front.Tick(t.Context(), &due); err == nil {
			t.Errorf("delivery %d is done with", due.Delivered)
		}
	}
	if err := b.front.Tick(t.Context(), &due); err != nil || len(b.wait) != 1 {
		t.Errorf("the last delivery: %v; there wait %v", err, b.wait)
	}
	for _, scheduled := range []string{"", "never", "2026-05-01T00:59:00Z"} {
		b.wait[Kind+"."+b.id] = &nats.Msg{Header: nats.Header{protocol.HeaderScheduled: {scheduled}}}
		b.tick(0)
		if got := b.wait[Kind+"."+b.id].Header.Get(protocol.HeaderScheduled); got != "2026-05-01T01:00:00Z" {
			t.Errorf("after one for %q the next is for %q", scheduled, got)
		}
	}
	if runs := b.runs(); len(runs) != 0 {
		t.Errorf("strangers run functions: %v", runs)
	}
}

// A time that is far away is reached in several steps.
func TestFarAway(t *testing.T) {
	b := newBench(t, protocol.Trigger{Schedule: "0 0 29 2 *"}, nil, time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC))
	for steps := 0; len(b.runs()) == 0; steps++ {
		if b.tick(0); steps > 3 {
			t.Fatalf("after %d steps it is %s", steps, b.now)
		}
	}
	if runs := b.runs(); runs[0] != "2104-02-29T00:00:00Z" {
		t.Errorf("it runs at %s", runs)
	}
}

// A job says where its reply goes, and is a CloudEvent if the trigger says so.
func TestJob(t *testing.T) {
	trigger := protocol.Trigger{Schedule: "0 9 * * *", Zone: "Asia/Seoul", To: "done", Events: true}
	s, err := trigger.ParseSchedule()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	m, err := (&chain{&protocol.Function{Name: "f"}, trigger, s}).job(at)
	if err != nil {
		t.Fatal(err)
	}
	id := trigger.RunID(at)
	for name, want := range map[string]string{"Fn-Id": id, "Fn-To": "done", "Fn-Scheduled": "2026-05-01T09:00:00+09:00",
		"Nats-Msg-Id": "f." + id, "ce-id": id, "ce-type": "f.scheduled", "ce-source": "/polyvoke/f",
		"ce-time": "2026-05-01T00:00:00Z"} {
		if got := m.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	j, err := protocol.ParseJob(m.Subject, protocol.Header(m.Header), m.Data)
	if err != nil || !j.Redo || j.To != "done" || j.Request.Header.Get(protocol.HeaderScheduled) == "" {
		t.Errorf("it is read as %+v, %v", j, err)
	}
}
