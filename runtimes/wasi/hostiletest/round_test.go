package hostiletest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// slots are the right to use a processor after the first slice, as package invoker gives it to calls: in turn, and one
// less than there are processors.
type slots chan struct{}

// newSlots returns slots that are free.
func newSlots() slots {
	s := make(slots, max(1, runtime.GOMAXPROCS(0)-1))
	for range cap(s) {
		s <- struct{}{}
	}
	return s
}

// share makes a process take its turn. The function that it returns gives the slot back.
func (s slots) share(p *runtimes.Process) (leave func()) {
	held := false
	leave = func() {
		if held {
			s <- struct{}{} // whoever has waited longest gets it
			held = false
		}
	}
	take := func(ctx context.Context) error {
		select {
		case <-s:
			held = true
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.Yield = func(ctx context.Context) error {
		leave()
		return take(ctx)
	}
	p.Wait = func(ctx context.Context, done <-chan struct{}) error {
		had := held
		leave()
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !had {
			return nil
		}
		return take(ctx)
	}
	return leave
}

// result is how a run ended, and how long after its deadline.
type result struct {
	err  error
	late time.Duration // below 0: before
}

// round runs a call n times at once.
func (c *attack) round(ctx context.Context, g runtimes.Program, s slots, n int, patience time.Duration) []result {
	results := make([]result, n)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = c.once(ctx, g, s, patience) })
	}
	all.Wait()
	return results
}

// once runs a call once.
func (c *attack) once(ctx context.Context, g runtimes.Program, s slots, patience time.Duration) result {
	p := c.process()
	leave := s.share(p)
	defer leave()
	at := time.Now().Add(patience)
	ctx, cancel := context.WithDeadline(ctx, at)
	defer cancel()
	err := g.Run(ctx, p)
	r := result{err, time.Since(at)}
	if p, ok := p.Stdin.(*pipe); ok {
		p.writer.Close()
	}
	return r
}

// compiled compiles a call's guest, for a start kind or, where that is not possible, for the one that is chosen.
func (c *attack) compiled(t testing.TB, r runtimes.Runtime, start string, memory int) runtimes.Program {
	t.Helper()
	o := runtimes.Options{Start: start, Memory: uint64(memory), Args: c.process().Args, Env: c.process().Env}
	g, err := r.Compile(t.Context(), c.guest.build(), o)
	if err != nil {
		o.Start = runtimes.StartAuto
		g, err = r.Compile(t.Context(), c.guest.build(), o)
	}
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return g
}

// beside calls a good function over and over while a test runs. The function that it returns ends that, and returns
// how long each call took.
func beside(t testing.TB, g runtimes.Program, s slots, pause time.Duration) (end func() []time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var took []time.Duration
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				start := time.Now()
				if err := echo(ctx, g, s); err != nil && ctx.Err() == nil {
					done <- err
					return
				}
				took = append(took, time.Since(start))
			case <-ctx.Done():
				done <- nil
				return
			}
		}
	}()
	return func() []time.Duration {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the good function: %v", err)
		}
		return took
	}
}

// body is what the good function gets.
const body = "hello"

// echo calls the good function once.
func echo(ctx context.Context, g runtimes.Program, s slots) error {
	p, out := echoProcess(body)
	leave := s.share(p)
	defer leave()
	if err := g.Run(ctx, p); err != nil {
		return err
	}
	if out.String() != body {
		return fmt.Errorf("it said %q", out.String())
	}
	return nil
}
