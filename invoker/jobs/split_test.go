package jobs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// A batch is split until each of its events has its outcome: those that are good succeed, those that are not are dead
// letters, whether the function names them or not.
func TestSplit(t *testing.T) {
	for _, test := range []struct {
		what string
		exit int
		name bool // which lines have failed
		dead string
	}{
		{"silent", 1, false, protocol.ReasonAttempts},
		{"silent and useless", 65, false, protocol.ReasonVerdict},
		{"named", 1, true, protocol.ReasonAttempts},
		{"named and useless", 65, true, protocol.ReasonVerdict},
		{"away", 75, false, protocol.ReasonAttempts},
	} {
		t.Run(test.what, func(t *testing.T) {
			b := newBench(t)
			trigger := protocol.Trigger{Stream: "S", Batch: 50}
			const count = 13
			bad := map[uint64]bool{3: true, 9: true, 10: true}
			var mu sync.Mutex
			good := map[uint64]bool{}
			f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
				lines := events(t, r)
				stderr := ""
				for i, n := range lines {
					if bad[n] {
						stderr += fmt.Sprintf("failed: %d not this one\n", i+1)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				for _, n := range lines {
					if !bad[n] && (stderr == "" || test.name) {
						good[n] = true
					}
				}
				if stderr == "" {
					return success("done")
				}
				reply := failure(test.exit)
				if test.name {
					reply.Body = []byte(stderr)
				}
				return reply
			}))
			f.Apply(&protocol.Function{Name: "f", Version: 1, Triggers: []protocol.Trigger{trigger}, Job: &protocol.Job{
				Attempts: 2, Backoff: protocol.Backoff{First: protocol.MinBackoff, Most: protocol.MinBackoff}}})
			f.Synced()
			created := time.UnixMicro(77)
			b.publishBatch(trigger.BatchID(1, count, created), count)
			for n := range bad {
				r := b.outcome("f", trigger.EventID(n, created))
				if r.State != protocol.StateDead || r.Reason != test.dead {
					t.Errorf("event %d is %s, %s, want dead, %s", n, r.State, r.Reason, test.dead)
				}
			}
			b.empty("f")
			mu.Lock()
			defer mu.Unlock()
			if len(good) != count-len(bad) {
				t.Errorf("%d events succeeded, want %d", len(good), count-len(bad))
			}
		})
	}
}

// events returns the sequences of a batch's events, and checks what the headers say of them.
func events(t *testing.T, r *protocol.Request) (all []uint64) {
	for line := range strings.Lines(string(r.Body)) {
		var n uint64
		if _, err := fmt.Sscanf(line, `{"subject":"s","sequence":%d,`, &n); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		all = append(all, n)
	}
	if r.Header.Get(protocol.HeaderBatch) != fmt.Sprint(len(all)) ||
		r.Header.Get(protocol.HeaderSourceSequence) != fmt.Sprint(all[0]) {
		t.Errorf("%d lines from %d have the headers %v", len(all), all[0], r.Header)
	}
	return all
}

// publishBatch publishes a batch as a trigger does.
func (b *bench) publishBatch(id string, count int) {
	b.t.Helper()
	var body []byte
	for n := range count {
		body = protocol.AppendEvent(body, protocol.Event{Subject: "s", Sequence: uint64(n + 1)}, []byte("1"))
	}
	m := &nats.Msg{Subject: "polyvoke.job.f", Data: body, Header: nats.Header{protocol.HeaderID: {id},
		protocol.HeaderBatch: {fmt.Sprint(count)}, protocol.HeaderSourceSequence: {"1"}}}
	for end := time.Now().Add(waits); ; time.Sleep(10 * time.Millisecond) {
		_, err := b.js.PublishMsg(b.t.Context(), m)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b.t.Fatal(err)
		}
	}
}
