package jobs

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Two invokers keep to one rate: no more jobs begin in any time than it allows, and all run.
func TestRate(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex
	var begun []time.Time
	caller := callerFunc(func(context.Context, *protocol.Request) *protocol.Reply {
		mu.Lock()
		defer mu.Unlock()
		begun = append(begun, time.Now())
		return success("")
	})
	fn := function("f", func(j *protocol.Job) { j.Rate = "40/s" })
	for range 2 {
		f := b.start(caller)
		f.Apply(fn)
		f.Synced()
	}
	const n = 60
	var ids []string
	for range n {
		ids = append(ids, b.publish("job.f", ""))
	}
	for _, id := range ids {
		if r := b.outcome("f", id); r.State != protocol.StateDone {
			t.Errorf("job %s is %s", id, r.State)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.SortFunc(begun, time.Time.Compare)
	if len(begun) != n {
		t.Fatalf("%d jobs have begun", len(begun))
	}
	gap := time.Second / 40
	// Moments may be used up to a second late, so that many more can fall together.
	late := int(stale/gap) + 1
	for i := range begun {
		for k := i + late + 1; k < n; k++ {
			if least := time.Duration(k-i-late) * gap; begun[k].Sub(begun[i]) < least-time.Millisecond {
				t.Fatalf("%d jobs have begun in %v, which is less than %v", k-i+1, begun[k].Sub(begun[i]), least)
			}
		}
	}
}

func TestRateMoments(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name string
		rate rate
		want int // jobs that may begin now
	}{
		{"no bound", rate{}, 5},
		{"none taken", rate{gap: time.Hour}, 0},
		{"one has come", rate{gap: time.Hour, next: now, left: 3}, 1},
		{"two have come", rate{gap: time.Minute, next: now.Add(-time.Minute), left: 3}, 1}, // the first is stale
		{"all have come", rate{gap: time.Millisecond, next: now.Add(-5 * time.Millisecond), left: 3}, 3},
		{"all are stale", rate{gap: time.Millisecond, next: now.Add(-time.Hour), left: 3}, 0},
		{"none has come", rate{gap: time.Millisecond, next: now.Add(time.Hour), left: 3}, 0},
	} {
		got := 0
		for range 5 {
			if tt.rate.take() {
				got++
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d jobs may begin, not %d", tt.name, got, tt.want)
		}
	}
	for text, want := range map[string]int{"": 64, "50/s": 64, "1/m": 1, "2/s": 20} {
		var r rate
		if r.set(text); r.room(64) != want {
			t.Errorf("at %q there is room for %d jobs, not %d", text, r.room(64), want)
		}
	}
}
