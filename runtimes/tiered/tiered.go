// Package tiered makes an edited module run soon. In go modules, each an edit of the one before; out come programs that
// run as soon as a part of the module is compiled.
//
// An edit changes a few functions of thousands, and processes call a few hundred of them. The calls of the versions
// before have shown which ones. So these and the new ones are compiled first (the draft), and all of them (the whole)
// while the draft is in use. A process that calls a function which the draft lacks is started again in the whole, as
// soon as that is there. Only the time shows it: what a process has read is read again, and what it writes is held back
// until it has ended.
package tiered

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// pause is how long after a draft its whole is compiled, if no process needs it before: whoever edits a function saves,
// builds and calls it a few times in a row, and each of these is to have the processors for itself.
const pause = 2 * time.Second

// small is the size of modules, in bytes, which are compiled in no time as they are.
const small = 256 << 10

// Runtime is a runtimes.Runtime that compiles modules with Options.Line in two steps, and leaves all others to the
// Parter.
type Runtime struct {
	runtimes.Parter
	log   *slog.Logger
	pause time.Duration
	small int

	mu     sync.Mutex
	lines  map[string]*line
	drafts map[*program]struct{} // whose wholes are to be compiled; nil after Close
	tasks  sync.WaitGroup        // that compile them
}

var _ runtimes.Runtime = (*Runtime)(nil)

// New returns a runtime that compiles modules by another, which it closes. It logs whole modules that could not be
// compiled.
func New(r runtimes.Parter, log *slog.Logger) *Runtime {
	return &Runtime{Parter: r, log: log, pause: pause, small: small,
		lines: map[string]*line{}, drafts: map[*program]struct{}{}}
}

// Close implements runtimes.Runtime.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	for g := range r.drafts {
		g.stop()
	}
	r.drafts = nil
	r.mu.Unlock()
	r.tasks.Wait()
	return r.Parter.Close(ctx)
}

// line returns what is known of a line.
func (r *Runtime) line(name string) *line {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lines[name]
	if l == nil {
		l = newLine()
		r.lines[name] = l
	}
	return l
}

// Compile implements runtimes.Runtime.
func (r *Runtime) Compile(ctx context.Context, b []byte, o runtimes.Options) (runtimes.Program, error) {
	if o.Line == "" || len(b) <= r.small {
		return r.Parter.Compile(ctx, b, o)
	}
	l := r.line(o.Line)
	l.begin()
	defer l.end()
	next := l.plan(b)
	g := &program{ready: make(chan struct{}), wanted: make(chan struct{})}
	if g.draft = r.draft(ctx, b, o, l, next); g.draft == nil {
		whole, err := r.CompilePart(ctx, b, o, runtimes.Part{Called: true})
		if err != nil {
			return nil, err
		}
		g.complete(whole, nil)
		next.kind = whole.Start().Kind
	} else if !r.promise(ctx, g, l, bytes.Clone(b), o) {
		return nil, errClosed
	}
	next.program = g
	l.set(next)
	return g, nil
}

// draft returns a program with a part of a module's functions, or nil if that is of no use. Whatever is wrong with
// it, is wrong with the whole, too, which then says so.
func (r *Runtime) draft(ctx context.Context, b []byte, o runtimes.Options, l *line, next *state) runtimes.Program {
	if next.without == nil {
		return nil
	}
	draft, err := r.CompilePart(ctx, b, o, runtimes.Part{Without: next.without})
	if err != nil {
		return nil
	}
	if next.kind = l.latest.kind; draft.Start().Kind != next.kind { // its start does not come as far as before
		_ = draft.Close(ctx) // it has not run
		return nil
	}
	return draft
}

// promise begins to compile the whole of a program. It returns false, and closes the program's draft, if the runtime
// is closed.
func (r *Runtime) promise(ctx context.Context, g *program, l *line, b []byte, o runtimes.Options) bool {
	ctx, g.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drafts == nil {
		g.stop()
		_ = g.draft.Close(ctx) // it has not run
		return false
	}
	r.drafts[g] = struct{}{}
	r.tasks.Go(func() {
		whole, err := r.whole(ctx, l, g, b, o)
		if err != nil && ctx.Err() == nil {
			r.log.Error("an edited module cannot be compiled whole: it runs without functions that were never called",
				"function", o.Line, "err", err)
		}
		g.complete(whole, err)
		g.stop()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.drafts, g)
	})
	return true
}

// whole compiles a whole module after a pause, while nothing of its line is more urgent, and begins again when
// something was.
func (r *Runtime) whole(
	ctx context.Context, l *line, g *program, b []byte, o runtimes.Options,
) (runtimes.Program, error) {
	t := time.NewTimer(r.pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.wanted:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		limited, done, err := l.background(ctx, g)
		if err != nil {
			return nil, err
		}
		whole, err := r.CompilePart(limited, b, o, runtimes.Part{Called: true})
		put := limited.Err() != nil && ctx.Err() == nil
		done()
		if err == nil || !put {
			return whole, err
		}
	}
}
