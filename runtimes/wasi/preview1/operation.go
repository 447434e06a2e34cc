package preview1

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Operations of a tree that is files.Inline are made where the guest runs, with the context of the run. Those of any
// other are made apart: in a goroutine, with a context and buffers of their own, while the guest waits in State.Wait.
// So a guest whose time is up leaves behind what it waits for, and nothing that is left behind comes near its memory.

// maxApart is how much one operation reads or writes that is made apart, in bytes. It may be done with less than it
// was asked for.
const maxApart = 1 << 20

// Wait implements files.Waiter, for operations that are made where the guest runs.
func (c *Context) Wait(ctx context.Context, done <-chan struct{}) error {
	s := c.state
	s.waited = true
	err := s.wait(ctx, done)
	if err != nil && ctx.Err() == nil {
		s.refused = err
	}
	return err
}

var _ files.Waiter = (*Context)(nil)

// settle is called after an operation that was made where the guest runs. It ends the process if that has waited, and
// was told not to go on.
func (s *State) settle() {
	if !s.waited {
		return
	}
	s.waited = false
	s.Live()
	if s.refused != nil {
		s.Stop(s.refused)
	}
}

// operating returns the context of operations that are made apart. It belongs to one run: the context of the run does
// not, for the caller may use it again.
func (s *State) operating() context.Context {
	if s.apart == nil {
		if at, ok := s.ctx.Deadline(); ok {
			s.apart, s.part = context.WithDeadline(context.Background(), at)
		} else {
			s.apart, s.part = context.WithCancel(context.Background())
		}
	}
	return s.apart
}

// abandon ends the context of operations that are made apart.
func (s *State) abandon() {
	if s.apart != nil {
		s.part()
		s.apart, s.part = nil, nil
	}
}

// operation is one that is made apart.
type operation[T any] struct {
	done     chan struct{}
	drop     func(T) // what is to be done with a result that nobody takes; nil: nothing
	state    atomic.Int32
	result   T
	err      error
	panicked any // what the operation ended with, if it has not returned
}

// The states of an operation.
const (
	going = iota
	finished
	abandoned
	taken
)

// errGoexit is what an operation has ended with that has ended its goroutine.
var errGoexit = errors.New("it ended its goroutine")

// start starts an operation.
func start[T any](ctx context.Context, f func(context.Context) (T, error), drop func(T)) *operation[T] {
	o := &operation[T]{done: make(chan struct{}), drop: drop, panicked: errGoexit}
	go func() {
		defer o.finish()
		defer func() {
			if p := recover(); p != nil {
				o.panicked = p
			}
		}()
		o.result, o.err = f(ctx)
		o.panicked = nil
	}()
	return o
}

// finish is called when the operation has ended.
func (o *operation[T]) finish() {
	if o.state.CompareAndSwap(going, finished) {
		close(o.done)
	} else if o.drop != nil && o.panicked == nil {
		o.drop(o.result)
	}
}

// leave gives the operation up, unless its result was taken.
func (o *operation[T]) leave() {
	if o.state.CompareAndSwap(going, abandoned) || !o.state.CompareAndSwap(finished, abandoned) {
		return
	}
	if o.drop != nil && o.panicked == nil {
		go o.drop(o.result)
	}
}

// made makes an operation apart, and waits for it. It does not return if the process must not go on.
func made[T any](s *State, f func(context.Context) (T, error), drop func(T)) (T, error) {
	o := start(s.operating(), f, drop)
	defer o.leave() // also if Wait panics
	s.await(o.done, true)
	if o.panicked != nil {
		s.Stop(fmt.Errorf("an operation of files panicked: %v", o.panicked))
	}
	o.state.Store(taken)
	return o.result, o.err
}

// do makes an operation of a tree, or of a file of it.
func do[T any](s *State, t files.Tree, f func(context.Context) (T, error)) (T, error) {
	if !files.IsInline(t) {
		return made(s, f, nil)
	}
	result, err := f(&s.context)
	s.settle()
	return result, err
}

// change is do for an operation that has no result.
func (s *State) change(t files.Tree, f func(context.Context) error) errno {
	_, err := do(s, t, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return errnoOf(err)
}

// described is an open file, and what is known about it.
type described struct {
	f    files.File
	info files.Info
}

// openFile opens a file and describes it.
func openFile(ctx context.Context, t files.Tree, name string, how files.Flags) (described, error) {
	f, err := t.Open(ctx, name, how)
	if err != nil {
		return described{}, err
	}
	info, err := f.Stat(ctx)
	if err != nil {
		_ = f.Close(ctx) // what is wrong has been said
		return described{}, err
	}
	return described{f, info}, nil
}

// openIn opens a file of a tree.
func (s *State) openIn(t files.Tree, name string, how files.Flags) (described, error) {
	if !files.IsInline(t) {
		open := func(ctx context.Context) (described, error) { return openFile(ctx, t, name, how) }
		return made(s, open, func(d described) {
			if d.f != nil {
				letGo(d.f) // nobody has seen it
			}
		})
	}
	d, err := openFile(&s.context, t, name, how)
	s.unclaimed = d.f
	s.settle()
	s.unclaimed = nil
	return d, err
}

// statIn describes a file of a tree, or a link if it is not to be followed.
func (s *State) statIn(t files.Tree, name string, follow bool) (info files.Info, err error) {
	if links, ok := t.(files.Linker); ok && !follow {
		return do(s, t, func(ctx context.Context) (files.Info, error) { return links.Lstat(ctx, name) })
	}
	if !files.IsInline(t) {
		return made(s, func(ctx context.Context) (files.Info, error) { return t.Stat(ctx, name) }, nil)
	}
	info, err = t.Stat(&s.context, name)
	s.settle()
	return info, err
}

// describe describes an open file.
func (s *State) describe(f *file) (files.Info, error) {
	if !f.inline {
		return made(s, f.f.Stat, nil)
	}
	info, err := f.f.Stat(&s.context)
	s.settle()
	return info, err
}

// readFile reads from some position of a file. Nothing is read at its end.
func (s *State) readFile(f *file, b []byte, at int64) (int, errno) {
	if f.inline {
		n, err := f.f.ReadAt(&s.context, b, at)
		s.settle()
		return n, errnoOf(err)
	}
	open, own := f.f, make([]byte, min(len(b), maxApart))
	n, err := made(s, func(ctx context.Context) (int, error) { return open.ReadAt(ctx, own, at) }, nil)
	return copy(b, own[:min(n, len(own))]), errnoOf(err)
}

// written is what came of writing: how much that was, and where in the file it ended.
type written struct {
	n   int
	end int64
}

// writeAt writes to a file, and has it stored if sync says so.
func writeAt(ctx context.Context, f files.File, b []byte, at int64, sync bool) (w written, err error) {
	w.n, err = f.WriteAt(ctx, b, at)
	w.end = at + int64(w.n)
	if at == files.End && w.n > 0 {
		info, e := f.Stat(ctx)
		w.end, err = info.Size, errors.Join(err, e)
	}
	if sync && w.n > 0 {
		err = errors.Join(err, f.Sync(ctx))
	}
	return w, err
}

// writeFile writes to some position of a file, or behind its end.
func (s *State) writeFile(d *descriptor, b []byte, at int64) (w written, e errno) {
	f, sync := d.f, d.flags&(flagSync|flagDsync) != 0
	if at > d.end { // a gap may be any number of bytes
		s.work(piece)
	}
	var err error
	if d.inline {
		w, err = writeAt(&s.context, f, b, at, sync)
		s.settle()
	} else {
		own := slices.Clone(b[:min(len(b), maxApart)])
		w, err = made(s, func(ctx context.Context) (written, error) { return writeAt(ctx, f, own, at, sync) }, nil)
	}
	d.end = max(d.end, w.end)
	return w, errnoOf(err)
}

// closeFile closes what is open behind a descriptor that has been closed.
func (s *State) closeFile(f *file) errno {
	if f == nil || f.f == nil {
		return 0
	}
	if !f.inline {
		_, err := made(s, closing(f.f), nil)
		return errnoOf(err)
	}
	err := f.f.Close(&s.context)
	s.settle()
	return errnoOf(err)
}

// Finish closes the files that a guest that has ended has left open, and waits for that as long as its context lasts.
// It is called before Reset, which does not wait. The error is that of the context, or of Wait, if a file was given up:
// nobody knows whether what was written to it is where it should be. What closing a file returns is nobody's business.
func (s *State) Finish() (err error) {
	for err == nil && !s.table.initial {
		f := s.table.leaveOne()
		if f == nil {
			break
		}
		err = s.finish(f)
	}
	return err
}

// finish closes a file, whatever comes of it: the guest has ended.
func (s *State) finish(f *file) error {
	err := deadline.ErrAt(s.ctx, time.Now())
	switch {
	case f.inline && err != nil:
		_ = f.f.Close(ended()) // which returns at once
		return nil
	case f.inline:
		_ = f.f.Close(&s.context)
		return s.refused
	case err != nil:
		letGo(f.f)
		return err
	}
	o := start(s.operating(), closing(f.f), nil)
	if err = s.wait(s.ctx, o.done); err == nil {
		err = deadline.Await(s.ctx, o.done)
	}
	return err
}

// letGo closes a file that nobody waits for.
func letGo(f files.File) { start(ended(), closing(f), nil) }

// closing returns the operation that closes a file.
func closing(f files.File) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, f.Close(ctx) }
}

// ended returns a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
