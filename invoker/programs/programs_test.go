package programs

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// counted is a program that notices when it is closed twice, or while it is in use.
type counted struct {
	runtimes.Program
	t      *testing.T
	users  atomic.Int32
	closed atomic.Bool
}

func (p *counted) Close(context.Context) error {
	if p.closed.Swap(true) {
		p.t.Error("closed twice")
	}
	if n := p.users.Load(); n != 0 {
		p.t.Errorf("closed with %d users", n)
	}
	return nil
}

func TestHammerCache(t *testing.T) {
	c := New(2)
	broken := errors.New("broken")
	var compiling, made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				key := KeyOf(string(rune('a'+rand.IntN(4))), runtimes.Options{})
				p, err := c.Acquire(t.Context(), key, func() (runtimes.Program, error) {
					if compiling.Add(1) > 2 {
						t.Error("more than two compile")
					}
					defer compiling.Add(-1)
					if key.digest == "d" {
						return nil, broken
					}
					made.Add(1)
					return &counted{t: t}, nil
				})
				if key.digest == "d" {
					if err != broken {
						t.Errorf("got %v", err)
					}
					continue
				}
				q := p.Program.(*counted)
				q.users.Add(1)
				if q.closed.Load() {
					t.Error("acquired after it was closed")
				}
				q.users.Add(-1)
				c.Release(p)
			}
		})
	}
	all.Wait()
	if made.Load() == 0 || c.Len() != 0 {
		t.Errorf("%d compiled, %d left", made.Load(), c.Len())
	}
}

func TestAcquireGivesUp(t *testing.T) {
	c := New(1)
	ctx, cancel := context.WithCancel(t.Context())
	proceed, closed := make(chan struct{}), make(chan struct{})
	cancel()
	_, err := c.Acquire(ctx, Key{}, func() (runtimes.Program, error) {
		<-proceed
		return closing(func() { close(closed) }), nil
	})
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(proceed)
	<-closed // nobody needs it any more when it is ready
	if c.Len() != 0 {
		t.Error("it is kept")
	}
}

// closing is a program that can only be closed.
type closing func()

func (f closing) Run(context.Context, *runtimes.Process) error { return nil }
func (f closing) Start() runtimes.Start                        { return runtimes.Start{} }
func (f closing) Close(context.Context) error                  { f(); return nil }
