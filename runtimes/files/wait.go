package files

import (
	"context"

	"github.com/polyvoke/polyvoke/runtimes/deadline"
)

// Inline is a Tree whose operations return at once, or wait by Wait and by nothing else. Those of its files do too.
// A runtime calls them where the process runs: they cost a call, and no goroutine. A runtime cannot end such an
// operation, so one that waits in another way holds up its process, and the processor that this has.
type Inline interface {
	Tree

	// Inline does nothing.
	Inline()
}

// IsInline reports whether a tree has the method of Inline. Nil has nothing to wait for.
func IsInline(t Tree) bool {
	_, ok := t.(Inline)
	return ok || t == nil
}

// Waiter waits on behalf of a process.
type Waiter interface {
	// Wait waits until done is closed, or until ctx ends, and then returns its error. The process needs no processor
	// meanwhile. Another error says that the process must not go on.
	Wait(ctx context.Context, done <-chan struct{}) error
}

// WaiterKey is the key of the Waiter among the values of the context of an operation, if it has one.
type WaiterKey struct{}

// Wait waits until done is closed or ctx ends, and returns the error of ctx in that case. In an operation of an Inline
// tree, with the context of the operation or one derived from it, Wait also gives up the processor meanwhile. The
// operation must return the error of Wait.
func Wait(ctx context.Context, done <-chan struct{}) error {
	if w, ok := ctx.Value(WaiterKey{}).(Waiter); ok {
		return w.Wait(ctx, done)
	}
	return deadline.Await(ctx, done)
}
