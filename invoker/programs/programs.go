// Package programs keeps compiled modules, one for all functions that need it.
//
// In goes a manifest, which says what its program is compiled with; out comes a program that stays until the last
// function that needs it has given it back.
package programs

import (
	"context"
	"sync"

	"github.com/polyvoke/polyvoke/runtimes"
)

// Program is a compiled module that several versions and functions can share.
type Program struct {
	runtimes.Program
	key   Key
	uses  int           // guarded by the cache's mutex
	ready chan struct{} // closed when Program or err is set
	err   error
}

// Cache holds the programs that somebody needs. All methods may be called from several
// goroutines.
type Cache struct {
	tokens chan struct{} // one for each compilation that may go on

	mu    sync.Mutex
	byKey map[Key]*Program
}

// New returns a cache in which at most parallel modules are compiled at a time.
func New(parallel int) *Cache {
	return &Cache{tokens: make(chan struct{}, parallel), byKey: map[Key]*Program{}}
}

// Acquire returns the program of a key. The first caller starts its compilation; the others wait for it. compile runs
// in a goroutine of its own and does not end with ctx: the next caller may have use for it. A program that was acquired
// must be released. An error is compile's, or ctx's.
func (c *Cache) Acquire(ctx context.Context, key Key, compile func() (runtimes.Program, error)) (*Program, error) {
	p, first := c.claim(key)
	if first {
		go func() {
			c.tokens <- struct{}{}
			p.Program, p.err = compile()
			<-c.tokens
			c.Release(p) // before anyone can go on: the last to go on leaves nothing behind
			close(p.ready)
		}()
	}
	select {
	case <-p.ready:
	case <-ctx.Done():
		c.Release(p)
		return nil, ctx.Err()
	}
	if p.err != nil {
		c.Release(p)
		return nil, p.err
	}
	return p, nil
}

// claim counts one more use of a program. If there was none, first is true: then the caller
// has it compiled, and has one more use to release when that is done.
func (c *Cache) claim(key Key) (p *Program, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p = c.byKey[key]; p != nil {
		p.uses++
		return p, false
	}
	p = &Program{key: key, uses: 2, ready: make(chan struct{})}
	c.byKey[key] = p
	return p, true
}

// Release gives a program back. The last one closes it; nothing of it may run then.
func (c *Cache) Release(p *Program) {
	c.mu.Lock()
	p.uses--
	last := p.uses == 0
	if last {
		delete(c.byKey, p.key)
	}
	c.mu.Unlock()
	if last && p.Program != nil {
		_ = p.Program.Close(context.Background()) // nothing of it runs; there is nobody to tell
	}
}

// Len returns how many programs there are.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byKey)
}
