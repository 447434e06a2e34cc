//go:build unix

package invoker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/invoker/backend/standard"
	"github.com/polyvoke/polyvoke/protocol"
)

// awayTime is for how long TestServerProcessAway has no NATS; NATS_AWAY changes it.
const awayTime = 2 * time.Second

// TestServerProcessAway has the process of the server stopped, and killed, for a while, as calls read and write. Each
// is answered by success, or by 503, or has ended by itself because it could not read. It has written all or nothing,
// and its answer says which, unless that says that nobody knows. Then calls succeed again by themselves.
func TestServerProcessAway(t *testing.T) {
	away := awayTime
	if text := os.Getenv("NATS_AWAY"); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ leave, back func(p *natsProcess) error }{
		"stopped": {
			func(p *natsProcess) error { return p.cmd.Process.Signal(syscall.SIGSTOP) },
			func(p *natsProcess) error { return p.cmd.Process.Signal(syscall.SIGCONT) },
		},
		"killed": {
			func(p *natsProcess) error { p.kill(); return nil },
			func(p *natsProcess) error { p.start(); return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := startNATSProcess(t)
			nc := p.connect()
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			v := serveOn(t, nc, func(v *invoker.Invoker) {
				b, end := standard.New(standard.Config{JetStream: js, Conn: nc, Caller: v})
				t.Cleanup(end)
				v.Backend = b
			})
			deploy(t, nc, clerk("clerk", "stock", func(g *protocol.Grant) { g.Atomic, g.Consistent = true, true }),
				backendtest.Clerk())
			pairs := &pairs{service: v, outcome: map[int]error{}, codes: map[int]int{}}
			stop := pairs.begin()
			pairs.await(5)
			if err := c.leave(p); err != nil {
				t.Fatal(err)
			}
			time.Sleep(away) // what the test is about
			if err := c.back(p); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			settled(t, v, "get /kv/stock/none\nput /kv/stock/again 1\n")
			recovered := time.Since(back)
			pairs.await(5)
			stop()
			pairs.check(t)
			t.Logf("away for %v: calls by code %v; well again after %v", away, pairs.codes, recovered)
			v.end(t) // before the server
		})
	}
}

// pairs are calls that each write two keys.
type pairs struct {
	*service
	mu      sync.Mutex
	n, well int
	outcome map[int]error
	codes   map[int]int
	wake    chan struct{}
}

// begin has eight callers make calls until stop is called, which waits for them.
func (p *pairs) begin() (stop func()) {
	p.wake = make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				p.one()
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// one makes one call.
func (p *pairs) one() {
	p.mu.Lock()
	n := p.n
	p.n++
	p.mu.Unlock()
	r := p.Invoke(context.Background(), &protocol.Request{Function: protocol.Ref{Name: "clerk"},
		Body: fmt.Appendf(nil, "get /kv/stock/a%d\nput /kv/stock/a%[1]d 1\nput /kv/stock/b%[1]d 1\n", n)})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcome[n] = nil
	code := 0
	if r.Err != nil {
		if p.outcome[n], code = r.Err, r.Err.Code; r.Exit == 74 { // it could not read, and has said so itself
			code = protocol.CodeUnavailable
		}
	} else {
		p.well++
	}
	p.codes[code]++
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// await waits for more successes.
func (p *pairs) await(more int) {
	p.mu.Lock()
	want := p.well + more
	p.mu.Unlock()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		well := p.well
		p.mu.Unlock()
		if well >= want {
			return
		}
		select {
		case <-p.wake:
		case <-limit:
			return // check says what is wrong
		}
	}
}

// check compares what calls were answered with what there is.
func (p *pairs) check(t *testing.T) {
	kv := bucket(t, p.service, "stock")
	for n := range maps.Keys(p.outcome) {
		_, errA := kv.Get(t.Context(), fmt.Sprint("a", n))
		_, errB := kv.Get(t.Context(), fmt.Sprint("b", n))
		err := p.outcome[n]
		switch has := errA == nil; {
		case errA == nil != (errB == nil):
			t.Errorf("call %d (%v) has written a half: %v, %v", n, err, errA, errB)
		case err == nil && !has:
			t.Errorf("call %d has succeeded and written nothing: %v", n, errA)
		case err != nil && has && !errors.Is(err, backend.ErrUnknown):
			t.Errorf("call %d has written although it came to %v", n, err)
		}
	}
	for code := range p.codes {
		if code != 0 && code != protocol.CodeUnavailable {
			t.Errorf("calls came to %v, want 0 and 503 only", p.codes)
		}
	}
	if p.codes[0] < 10 {
		t.Errorf("calls came to %v: too few have succeeded", p.codes)
	}
}
