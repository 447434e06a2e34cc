package compiler

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler/price"
)

// TestLimits checks the shares that modules have of the time.
func TestLimits(t *testing.T) {
	p := &Compiler{timeout: 2 * time.Minute, memory: 1 << 30}
	for _, c := range []struct {
		size int
		cpu  time.Duration
	}{{0, 3750 * time.Millisecond}, {16 << 20, 123750 * time.Millisecond}, {24 << 20, 183750 * time.Millisecond}} {
		l := p.limits(make([]byte, c.size), price.Price{Plain: time.Second})
		if l.cpu != c.cpu || l.quick != 3250*time.Millisecond || l.memory != 1<<30 || l.wall() <= l.cpu {
			t.Errorf("%d bytes: %+v", c.size, l)
		}
	}
}

// TestHammerLanes has many children that are quick, dense or become slow, and end at any time: no lane but the quick
// one ever has two, all places are given back, and each child that stands still goes on.
func TestHammerLanes(t *testing.T) {
	l := newLanes()
	var dense, most atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			turn, err := l.enter(t.Context(), i%3 > 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer turn.end()
			if i%3 == 0 {
				most.Store(max(most.Load(), dense.Add(1)))
				dense.Add(-1)
				return
			}
			child := exec.Command("/bin/sh", "-c", "exit 0")
			child.SysProcAttr = childAttr()
			if err := child.Start(); err != nil {
				t.Error(err)
				return
			}
			if i%3 == 1 {
				woken := make(chan struct{})
				turn.slowDown(child.Process, func() {}, func() { close(woken) })
				turn.slowDown(child.Process, func() {}, func() { t.Error("slowed down twice") })
				if i%2 == 0 {
					<-woken
				}
			}
			_ = child.Wait() // whatever it says
		})
	}
	all.Wait()
	if len(l.quick)+len(l.slow)+len(l.dense) != 0 || most.Load() > 1 {
		t.Errorf("%d, %d and %d places are taken, and once %d were in the dense lane",
			len(l.quick), len(l.slow), len(l.dense), most.Load())
	}
}

// TestEnterCancelled gives up waiting for a place.
func TestEnterCancelled(t *testing.T) {
	l := newLanes()
	turn, err := l.enter(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errClosed)
	if _, err := l.enter(ctx, false); !errors.Is(err, errClosed) {
		t.Errorf("got the error %v", err)
	}
	turn.end()
	if turn, err = l.enter(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	turn.end()
}
