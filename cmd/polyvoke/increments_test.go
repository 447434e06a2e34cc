package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/protocol"
)

// The measure of TestIncrements. INCREMENTS_EACH, INCREMENTS_KILLS, INCREMENTS_SERVER_KILLS and INCREMENTS_TIME are the
// variables that change it; see make increments.
const (
	incrementWriters     = 64
	incrementsEach       = 5
	incrementKills       = 4
	incrementServerKills = 1
	incrementTime        = 4 * time.Minute // until every job must have had its effect
)

// TestIncrements has writers add jobs that each increment one key, by reading and writing a file, while invokers and
// the server are killed. Each job's effect is there exactly once.
func TestIncrements(t *testing.T) {
	w := newWorld(t)
	s := session(t, w.url)
	f := protocol.Function{Name: "increment", Grants: []protocol.Grant{{KV: "ledger", Access: protocol.AccessWrite, Create: true}},
		Job: &protocol.Job{Attempts: 100, Timeout: protocol.Duration(time.Minute), AckWait: protocol.Duration(3 * time.Second),
			Backoff: protocol.Backoff{First: protocol.Duration(100 * time.Millisecond),
				Most: protocol.Duration(400 * time.Millisecond)}}}
	ctx, stop := context.WithTimeout(t.Context(), duration(t, "INCREMENTS_TIME", incrementTime))
	defer stop()
	if _, err := s.Deploy(ctx, f, backendtest.Clerk()); err != nil {
		t.Fatal(err)
	}
	each := number(t, "INCREMENTS_EACH", incrementsEach)
	var writers sync.WaitGroup
	for n := range incrementWriters {
		writers.Go(func() { writeIncrements(ctx, s.JS, n, each) })
	}
	(&books{w: w}).kill(ctx, rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))),
		number(t, "INCREMENTS_KILLS", incrementKills), number(t, "INCREMENTS_SERVER_KILLS", incrementServerKills))
	writers.Wait()
	want := strconv.Itoa(incrementWriters * each)
	got := ""
	for ; (got != want || jobsWait(ctx, s.JS, f.Name)) && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		got = incremented(ctx, s.JS)
	}
	if got != want {
		t.Errorf("the key is %s after %s jobs", got, want)
	}

}

// writeIncrements publishes jobs, each until it is accepted.
func writeIncrements(ctx context.Context, js jetstream.JetStream, writer, n int) {
	for i := range n {
		id := "w" + strconv.Itoa(writer) + "-" + strconv.Itoa(i)
		m := &nats.Msg{Subject: protocol.RootJob + ".increment", Data: []byte("add /kv/ledger/count 1\n"),
			Header: nats.Header{jetstream.MsgIDHeader: {id}, protocol.HeaderID: {id}}}
		for ctx.Err() == nil {
			asking, cancel := context.WithTimeout(ctx, time.Second)
			_, err := js.PublishMsg(asking, m, jetstream.WithRetryAttempts(0))
			cancel()
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// incremented returns what the key is, or what is wrong with it.
func incremented(ctx context.Context, js jetstream.JetStream) string {
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	kv, err := js.KeyValue(asking, "ledger")
	if err != nil {
		return err.Error()
	}
	e, err := kv.Get(asking, "count")
	if err != nil {
		return err.Error()
	}
	return string(e.Value())
}

// jobsWait reports whether a function has jobs that have no outcome yet, or that nobody can be asked.
func jobsWait(ctx context.Context, js jetstream.JetStream, name string) bool {
	asking, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stream, err := js.Stream(asking, protocol.QueueStream(name))
	return err != nil || stream.CachedInfo().State.Msgs > 0
}
