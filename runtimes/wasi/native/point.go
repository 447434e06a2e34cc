package native

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/tetratelabs/wazero/experimental"
)

// Point is where a guest can be taken back to. One goroutine at a time uses a Point.
//
// The engine's own snapshots are good for once: a guest that is restored from one goes on upon the copy of the stack
// in it, and spoils it. To take a new one each time is to allocate a stack for each run, and most of what a short run
// then costs is the collector's work. So a Point keeps what was on the stack, and puts it back into the same place
// first.
type Point struct {
	snapshot experimental.Snapshot
	function Function
	stack    []byte // the stack that the guest goes on upon
	live     []byte // the part of it that was in use
	kept     []byte // what it was; nil: the Point is for once
}

// Take returns the point at which the caller, a host function, was called by function f; ctx is its context, which
// must be made with experimental.WithSnapshotter. From there the guest can go on in later calls of the same function
// object. Its stack has room bytes, or some more than are in use, whichever is more. The result is nil if the
// engine's snapshots are not of the kind that is known.
func (f Function) Take(ctx context.Context, room int) *Point {
	if f.stack == nil || f.sp == nil {
		return nil
	}
	own := *f.stack
	*f.stack = f.model(room)
	defer func() { *f.stack = own }()
	p := &Point{snapshot: experimental.GetSnapshotter(ctx).Snapshot(), function: f}
	var ok bool
	if p.stack, p.live, ok = snapshotStack(p.snapshot); !ok {
		return nil
	}
	return p
}

// more is by how many bytes the engine makes the copy of a stack longer than the stack.
const more = 16

// leastStack is what the engine gives a function to begin with, in bytes; headroom is what there is besides what is
// in use.
const (
	leastStack = 10 << 10
	headroom   = 4 << 10
)

// model returns a stack that is as long as one must be for its copy to have room bytes, or a little more than are in
// use; the engine looks at its length and at nothing else.
func (f Function) model(room int) []byte {
	own := *f.stack
	size := max(room, leastStack, f.StackUsed()+headroom) - more
	if size <= len(own) {
		return own[:size]
	}
	return make([]byte, size)
}

// Keep makes it a point to which the guest can be taken back more than once. It must be called before the first
// Restore.
func (p *Point) Keep() { p.kept = bytes.Clone(p.live) }

// Restore takes the guest back: the host function that was called at the point returns results to it. It must be
// called by a host function that a call of the same function object has called, and does not return.
func (p *Point) Restore(results []uint64) {
	if p.kept != nil {
		copy(p.live, p.kept)
	}
	p.snapshot.Restore(results)
}

// Grown returns how many bytes of native stack the function has now, if they are more than those of the Point, or 0.
func (p *Point) Grown() int {
	if n := p.function.StackSize(); n > len(p.stack) {
		return n
	}
	return 0
}

// Besides returns how many bytes of native stack the function has besides those of the Point.
func (p *Point) Besides() int {
	if own := *p.function.stack; unsafe.SliceData(own) != unsafe.SliceData(p.stack) {
		return len(own)
	}
	return 0
}

// Resident returns about how many bytes the Point takes.
func (p *Point) Resident() int { return len(p.stack) + len(p.kept) }
