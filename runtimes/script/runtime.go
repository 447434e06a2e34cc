package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// Source finds interpreters.
type Source interface {
	// Bundle returns the bundle of the interpreter that ref names, as runtimes.Options.Interpreter does, and what is
	// the same for the same bundle only. The error says what to do if there is none. It may be called from several
	// goroutines.
	Bundle(ctx context.Context, ref string) (id string, bundle func() ([]byte, error), err error)
}

// Runtime is a runtimes.Runtime for scripts and for modules, which it leaves to another Runtime. It must be closed.
type Runtime struct {
	modules runtimes.Runtime
	source  Source

	mu        sync.Mutex
	languages map[key]*language // those that somebody uses; guarded by mu
	closed    bool              // guarded by mu
}

// key is what makes two compiled interpreters the same.
type key struct {
	id    string
	stack uint64
	level runtimes.Optimization
	setup *recording.Draws // see runtimes.Options
}

var _ runtimes.Runtime = (*Runtime)(nil)

// New returns a Runtime for scripts, whose interpreters come from source, on top of one for modules. The latter stays
// the caller's to close, after this one.
func New(modules runtimes.Runtime, source Source) *Runtime {
	return &Runtime{modules: modules, source: source, languages: map[key]*language{}}
}

// Compile implements runtimes.Runtime. A script is checked, and its interpreter compiled if no other script has been
// there.
func (r *Runtime) Compile(ctx context.Context, module []byte, o runtimes.Options) (runtimes.Program, error) {
	if !Is(module) {
		if o.Interpreter != "" {
			return nil, refused(fmt.Errorf("the runtime %s runs scripts, and this is none", o.Interpreter))
		}
		return r.modules.Compile(ctx, module, o)
	}
	s, err := Parse(module)
	if err != nil {
		return nil, refused(err)
	}
	l, err := r.acquire(ctx, o)
	if err != nil {
		return nil, err
	}
	p, err := l.program(ctx, s, o)
	if err != nil {
		return nil, errors.Join(err, r.release(l))
	}
	return p, nil
}

// refused makes an error one about the module.
func refused(err error) error { return &runtimes.ModuleError{Reason: err.Error(), Err: err} }

// acquire returns the interpreter for a script, ready to use. It must be released.
func (r *Runtime) acquire(ctx context.Context, o runtimes.Options) (*language, error) {
	if o.Interpreter == "" {
		return nil, refused(errors.New(`the script needs a runtime, such as runtime = "python" in its manifest`))
	}
	id, bundle, err := r.source.Bundle(ctx, o.Interpreter)
	if err != nil {
		return nil, err
	}
	l, first, err := r.claim(key{id, cmp.Or(o.Stack, runtimes.DefaultStack), o.Optimize, o.Setup})
	if err != nil {
		return nil, err
	}
	if first {
		l.err = l.prepare(ctx, r.modules, bundle)
		if l.err != nil {
			r.forget(l)
		}
		close(l.ready)
	}
	select {
	case <-l.ready:
		err = l.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, r.release(l))
	}
	return l, nil
}

// claim counts one more use of an interpreter. first reports whether the caller must prepare it.
func (r *Runtime) claim(k key) (l *language, first bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false, errors.New("the runtime has been closed")
	}
	l = r.languages[k]
	if l == nil {
		first = true
		l = &language{runtime: r, key: k, ready: make(chan struct{})}
		r.languages[k] = l
	}
	l.uses++
	return l, first, nil
}

// forget drops an interpreter: the next call that needs it prepares it anew.
func (r *Runtime) forget(l *language) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.languages[l.key] == l {
		delete(r.languages, l.key)
	}
}

// release counts one use less. The last one frees the interpreter.
func (r *Runtime) release(l *language) error {
	r.mu.Lock()
	l.uses--
	last := l.uses == 0
	if last && r.languages[l.key] == l {
		delete(r.languages, l.key)
	}
	r.mu.Unlock()
	if !last {
		return nil
	}
	return l.close()
}

// Close implements runtimes.Runtime. Programs must have been closed before, or be closed after.
func (r *Runtime) Close(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}
