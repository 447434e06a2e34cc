package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// The measure of TestLedger. LEDGER_JOBS, LEDGER_KILLS, LEDGER_SERVER_KILLS, LEDGER_TIME and LEDGER_SEED are the
// variables that change it; see make soak. With LEDGER_MEDDLE=1 jobs are cancelled and redriven at random, with
// LEDGER_ONLY=NAME all jobs are of that function.
const (
	ledgerJobs        = 1500
	ledgerKills       = 8
	ledgerServerKills = 2
	ledgerPause       = time.Second     // between two kills
	ledgerTime        = 5 * time.Minute // until every job must have its outcome
	ledgerAttempts    = 4
)

// entry is a function of the ledger: what its jobs do, and what must become of them.
type entry struct {
	name   string
	args   []string // of the probe
	share  int      // of a thousand jobs
	want   protocol.JobState
	reason string
	plan   int // executions, without kills; 0: not counted
	key    string
}

// ledgerEntries are the eight functions. Jobs of ranked have priorities, and with LEDGER_PRIORITIES=1 all. Those of keyed have one of seven keys. crash does no harm by itself: whatever runs it is killed.
var ledgerEntries = []entry{
	{"ranked", []string{"attempt", "1"}, 100, protocol.StateDone, "", 2, ""},
	{"good", []string{"attempt", "0"}, 200, protocol.StateDone, "", 1, ""},
	{"slow", []string{"attempt", "0", "60"}, 250, protocol.StateDone, "", 1, ""},
	{"twice", []string{"attempt", "2"}, 200, protocol.StateDone, "", 3, ""},
	{"poison", []string{"attempt", "1000"}, 100, protocol.StateDead, protocol.ReasonAttempts, ledgerAttempts, ""},
	{"keyed", []string{"attempt", "1"}, 100, protocol.StateDone, "", 2, "header Order"},
	{"bomb", []string{"grow", "100000"}, 49, protocol.StateDead, protocol.ReasonVerdict, 0, ""},
	{"crash", []string{"attempt", "0", "20000"}, 1, protocol.StateDead, protocol.ReasonCrash, 0, ""},
}

// manifest returns the function's manifest.
func (e entry) manifest() protocol.Function {
	return protocol.Function{Name: e.name, Args: e.args, Job: &protocol.Job{
		Key: e.key, Attempts: ledgerAttempts, Timeout: protocol.Duration(time.Minute), AckWait: protocol.Duration(3 * time.Second),
		Backoff: protocol.Backoff{First: protocol.Duration(200 * time.Millisecond),
			Most: protocol.Duration(400 * time.Millisecond)}}}
}

// TestLedger accepts jobs of eight functions while invokers and the server are killed, and then looks at the books: each
// accepted job has exactly one outcome, the right one; whatever is dead is a dead letter and nothing else is; and no
// job is dead because of what ran beside it.
func TestLedger(t *testing.T) {
	seed := uint64(number(t, "LEDGER_SEED", int(time.Now().UnixNano()&0xffffffff)))
	t.Logf("LEDGER_SEED=%d", seed)
	w := newWorld(t)
	b := &books{w: w, s: session(t, w.url), jobs: map[string]*account{}}
	b.open(t)
	ctx, stop := context.WithTimeout(t.Context(), duration(t, "LEDGER_TIME", ledgerTime))
	defer stop()
	var working sync.WaitGroup
	working.Go(func() { b.publish(ctx, number(t, "LEDGER_JOBS", ledgerJobs)) })
	working.Go(func() { b.killCrashing(ctx) })
	meddling, enough := context.WithCancel(ctx)
	var meddlers sync.WaitGroup
	if number(t, "LEDGER_MEDDLE", 0) > 0 {
		meddlers.Go(func() { b.meddle(meddling, rand.New(rand.NewPCG(seed, 3))) })
	}
	b.kill(ctx, rand.New(rand.NewPCG(seed, 2)), number(t, "LEDGER_KILLS", ledgerKills),
		number(t, "LEDGER_SERVER_KILLS", ledgerServerKills))
	enough()
	meddlers.Wait()
	err := b.settle(ctx)
	stop()
	working.Wait()
	if err != nil {
		t.Error(err)
	}
	b.judge(t)
}

// number reads a variable.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q: %v", name, text, err)
	}
	return n
}

// account is one accepted job.
type account struct {
	entry     entry
	runs      int  // as far as its log lines have arrived
	cancelled bool // JetStream has heard so
	maybe     bool // it may have been cancelled: nobody has said
}

// books is what has been accepted, and what is seen of it.
type books struct {
	w *world
	s *connect.Session

	mu          sync.Mutex
	jobs        map[string]*account // by NAME.ID
	refused     int
	published   bool
	cancelled   int // jobs
	redriven    int // jobs
	kills       int // of invokers, at random
	crashKills  int // of invokers that ran crash
	serverKills int
}

// open deploys the functions and begins to read their logs.
func (b *books) open(t *testing.T) {
	t.Helper()
	for _, e := range ledgerEntries {
		ctx, cancel := context.WithTimeout(t.Context(), deployTime)
		if _, err := b.s.Deploy(ctx, e.manifest(), runtimestest.Wasm()); err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		cancel()
	}
	sub, err := b.s.Subscribe(protocol.RootLog+".*", b.ran)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ledgerEntries { // invokers make queues when they hear of the function
		for b.held(t.Context(), protocol.QueueStream(e.name)).jobs < 0 {
			if t.Context().Err() != nil {
				t.Fatalf("%s has no queue", e.name)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// ran takes a log line.
func (b *books) ran(m *nats.Msg) {
	line := protocol.ParseLogLine(protocol.Header(m.Header), m.Data)
	if line.Platform || line.Text != "ran" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := b.jobs[protocol.ResultKey(line.Function.Name, line.ID)]; j != nil {
		j.runs++
	}
}

// publish publishes jobs, each until it is accepted. One in ten has no id of its own.
func (b *books) publish(ctx context.Context, n int) {
	var publishers sync.WaitGroup
	for p := range 4 {
		publishers.Go(func() {
			for i := p; i < n && ctx.Err() == nil; i += 4 {
				b.publishOne(ctx, i)
			}
		})
	}
	publishers.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published = true
}

// entryOf spreads the functions evenly, or takes the one that LEDGER_ONLY names.
func entryOf(i int) entry {
	for _, e := range ledgerEntries {
		if e.name == os.Getenv("LEDGER_ONLY") {
			return e
		}
	}
	at := i * 7919 % 1000
	for _, e := range ledgerEntries {
		if at -= e.share; at < 0 {
			return e
		}
	}
	return ledgerEntries[0]
}

func (b *books) publishOne(ctx context.Context, i int) {
	e, id := entryOf(i), "j"+strconv.Itoa(i)
	m := nats.NewMsg(protocol.RootJob + "." + e.name)
	m.Data = []byte(id)
	m.Header.Set(jetstream.MsgIDHeader, id)
	m.Header.Set("Order", strconv.Itoa(i%7))
	if p := protocol.Priorities()[i/7%3]; e.name == "ranked" || os.Getenv("LEDGER_PRIORITIES") != "" {
		m.Header.Set(protocol.HeaderPriority, p.String())
	}
	if i%10 != 0 {
		m.Header.Set(protocol.HeaderID, id)
		b.mu.Lock() // before it can run
		b.jobs[protocol.ResultKey(e.name, id)] = &account{entry: e}
		b.mu.Unlock()
	}
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		ack, err := b.s.JS.PublishMsg(asking, m, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			b.accepted(ctx, i, e, ack)
			return
		}
		if i%10 == 0 {
			break // it may have been accepted, under an id that nobody knows
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused++
	if i%10 != 0 {
		delete(b.jobs, protocol.ResultKey(e.name, id))
	}
}

// accepted enters a job that has no id of its own.
func (b *books) accepted(ctx context.Context, i int, e entry, ack *jetstream.PubAck) {
	if i%10 != 0 {
		return
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := b.s.JS.Stream(asking, ack.Stream)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jobs[protocol.ResultKey(e.name, protocol.NewJobID(ack.Sequence, stream.CachedInfo().Created))] =
		&account{entry: e, runs: -1} // some of its lines came before it was known
}

// kill kills invokers at random, and the server in between.
func (b *books) kill(ctx context.Context, r *rand.Rand, invokers, servers int) {
	for i := range invokers {
		time.Sleep(ledgerPause)
		if ctx.Err() != nil {
			return
		}
		b.w.invokers[r.IntN(chaosInvokers)].signal(syscall.SIGKILL)
		b.mu.Lock()
		b.kills++
		server := (i+1)*servers/invokers > i*servers/invokers
		if server {
			b.serverKills++
		}
		b.mu.Unlock()
		if server {
			b.w.server.signal(syscall.SIGKILL)
		}
	}
}

// meddle cancels jobs and redrives dead letters at random.
func (b *books) meddle(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		b.mu.Lock()
		all := slices.Collect(maps.Keys(b.jobs))
		b.mu.Unlock()
		if len(all) == 0 {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		switch key := all[r.IntN(len(all))]; key[:strings.IndexByte(key, '.')] {
		case "good", "slow", "twice", "keyed", "ranked":
			b.cancel(asking, key)
		case "poison", "bomb":
			reply, err := b.s.Redrive(asking, protocol.DeadRequest{Job: key}, nil)
			if err == nil {
				b.mu.Lock()
				b.redriven += reply.Done
				b.mu.Unlock()
			}
		}
		cancel()
	}
}

// cancel cancels a job, and enters what is known of that.
func (b *books) cancel(ctx context.Context, key string) {
	_, err := b.s.CancelJob(ctx, key)
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.jobs[key]
	switch code := protocol.CodeOf(err); {
	case j == nil, code == protocol.CodeConflict, code == protocol.CodeNotFound: // it is over, or not there yet
	case err == nil:
		j.cancelled = true
		b.cancelled++
	default:
		j.maybe = true
	}
}

// killCrashing kills every invoker that runs crash, as if crash had done it.
func (b *books) killCrashing(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		for _, m := range b.members(ctx) {
			if !b.runs(m, "crash") {
				continue
			}
			for _, s := range b.w.invokers {
				if s.killPID(m.PID) {
					b.mu.Lock()
					b.crashKills++
					b.mu.Unlock()
				}
			}
		}
	}
}

// members returns the invokers that answer a ping at once.
func (b *books) members(ctx context.Context) (all []protocol.Member) {
	inbox := b.s.NewInbox()
	sub, err := b.s.SubscribeSync(inbox)
	if err != nil {
		return nil
	}
	defer func() { _ = sub.Unsubscribe() }()
	if b.s.PublishRequest(protocol.APIPing.Subject(), inbox, nil) != nil {
		return nil
	}
	for len(all) < chaosInvokers && ctx.Err() == nil {
		m, err := sub.NextMsg(200 * time.Millisecond)
		if err != nil {
			break
		}
		var p protocol.Pong
		if json.Unmarshal(m.Data, &p) == nil && p.ID != "" {
			all = append(all, p.Member)
		}
	}
	return all
}

// runs reports whether an invoker runs a function now.
func (b *books) runs(m protocol.Member, name string) bool {
	reply, err := b.s.Request(protocol.APIInfo.At(m.ID), []byte(`{"name":"`+name+`"}`), time.Second)
	if err != nil {
		return false
	}
	var info protocol.InfoReply
	return json.Unmarshal(reply.Data, &info) == nil && info.Stats.InFlight > 0
}

// killPID kills the process if it has that id.
func (s *supervised) killPID(pid int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.cmd.Process.Pid != pid {
		return false
	}
	s.signalLocked(syscall.SIGKILL)
	return true
}

// held is what a stream has.
type held struct {
	jobs int    // -1 if that cannot be said
	last uint64 // sequence of what came last
}

func (b *books) held(ctx context.Context, stream string) held {
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := b.s.JS.Stream(asking, stream)
	if err != nil {
		return held{jobs: -1}
	}
	return held{int(s.CachedInfo().State.Msgs), s.CachedInfo().State.LastSeq}
}

// settle waits until nothing is queued any more, nor waits for its time: all is empty twice, and nothing has come to any
// of it in between, since a job that goes from one to the other can be missed in both.
func (b *books) settle(ctx context.Context) error {
	var before map[string]held
	for {
		now := map[string]held{protocol.StreamLater: b.held(ctx, protocol.StreamLater),
			"lines": b.held(ctx, protocol.TurnStream("keyed"))}
		for _, e := range ledgerEntries {
			now[e.name] = b.held(ctx, protocol.QueueStream(e.name))
			if ranks := b.held(ctx, protocol.RankStream(e.name)); ranks.jobs >= 0 { // it is there
				now[e.name+" by priority"] = ranks
			}
		}
		settled := maps.Equal(now, before)
		for _, h := range now {
			settled = settled && h.jobs == 0
		}
		b.mu.Lock()
		settled = settled && b.published
		b.mu.Unlock()
		if settled {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("jobs are left (-1: nobody says how many): %v", now)
		}
		before = now
		time.Sleep(200 * time.Millisecond)
	}
}

// verdicts counts what became of jobs, and what is wrong with that.
type verdicts struct {
	outcomes map[string]int
	wrong    []string
	innocent int
	missing  int
	atOdds   int
	extra    int // executions beyond the plan
}

// judge compares the books with what JetStream has.
func (b *books) judge(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	st := store.New(b.s.JS, store.Config{})
	v := verdicts{outcomes: map[string]int{}}
	for _, key := range slices.Sorted(maps.Keys(b.jobs)) {
		v.add(t, b, st, key)
	}
	t.Logf("%d jobs accepted, %d not, %d cancelled, %d redriven; %d random kills of invokers, %d of those that ran crash, "+
		"%d of the server", len(b.jobs), b.refused, b.cancelled, b.redriven, b.kills, b.crashKills, b.serverKills)
	for _, o := range slices.Sorted(maps.Keys(v.outcomes)) {
		t.Logf("%6d %s", v.outcomes[o], o)
	}
	t.Logf("without outcome %d, innocent dead letters %d, record and dead letter at odds %d, executions beyond the plan %d",
		v.missing, v.innocent, v.atOdds, v.extra)
	for _, w := range v.wrong[:min(len(v.wrong), 20)] {
		t.Error(w)
	}
	if v.extra > 0 && b.kills+b.crashKills+b.serverKills == 0 {
		t.Errorf("%d executions beyond the plan, and nothing was killed", v.extra)
	}
}

// add looks at one job.
func (v *verdicts) add(t *testing.T, b *books, st *store.Store, key string) {
	j := b.jobs[key]
	name, id, _ := strings.Cut(key, ".")
	r, ok, err := st.Record(t.Context(), name, id)
	if err != nil || !ok {
		v.missing++
		v.wrong = append(v.wrong, fmt.Sprintf("%s has no outcome: %v", key, err))
		return
	}
	v.outcomes[strings.TrimSpace(name+" "+string(r.State)+" "+r.Reason)]++
	want := j.entry.want
	if j.cancelled || j.maybe && r.State == protocol.StateCancelled {
		want = protocol.StateCancelled
	}
	if r.State != want || r.Reason != j.entry.reason {
		v.wrong = append(v.wrong, fmt.Sprintf("%s is %s %s after %d attempts: %v", key, r.State, r.Reason, r.Attempts,
			r.Reply.Err))
		if r.State == protocol.StateDead && j.entry.want == protocol.StateDone {
			v.innocent++
		}
	}
	if has, err := b.letter(t.Context(), name, id); err != nil || has != (r.State == protocol.StateDead) {
		v.atOdds++
		v.wrong = append(v.wrong, fmt.Sprintf("%s is %s, and has a dead letter: %v, %v", key, r.State, has, err))
	}
	if name == "poison" && r.Attempts != ledgerAttempts {
		v.wrong = append(v.wrong, fmt.Sprintf("%s had %d attempts, not %d", key, r.Attempts, ledgerAttempts))
	}
	if j.entry.plan > 0 && b.redriven == 0 {
		v.extra += max(0, j.runs-j.entry.plan)
	}
}

// letter reports whether there is a dead letter of a job.
func (b *books) letter(ctx context.Context, name, id string) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := b.s.JS.Stream(asking, protocol.StreamDead)
	if err != nil {
		return false, err
	}
	_, err = s.GetLastMsgForSubject(asking, protocol.DeadSubject(name, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}
