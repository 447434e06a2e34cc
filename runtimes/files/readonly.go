package files

import (
	"context"
	"time"
)

// ReadOnly has the methods of a Tree that would change something: all return ErrReadOnly. A tree that embeds it is
// known to be read-only.
type ReadOnly struct{}

// IsReadOnly reports whether a tree is known to be read-only. Nil is.
func IsReadOnly(t Tree) bool {
	_, ok := t.(interface{ readOnly() })
	return ok || t == nil
}

// readOnly is what IsReadOnly asks for.
func (ReadOnly) readOnly() {}

// OnlyRead returns an Inline tree of which nothing can be changed: it opens files as it is asked to, so t must refuse to
// open one to be written.
func OnlyRead(t Inline) Tree { return onlyRead{t: t} }

// onlyRead is what OnlyRead returns.
type onlyRead struct {
	ReadOnly
	t Tree
}

// Inline implements Inline.
func (onlyRead) Inline() {}

// Open implements Tree.
func (r onlyRead) Open(ctx context.Context, name string, how Flags) (File, error) {
	return r.t.Open(ctx, name, how)
}

// Stat implements Tree.
func (r onlyRead) Stat(ctx context.Context, name string) (Info, error) { return r.t.Stat(ctx, name) }

// ReadDir implements Tree.
func (r onlyRead) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	return r.t.ReadDir(ctx, name)
}

// Mkdir refuses.
func (ReadOnly) Mkdir(context.Context, string) error { return ErrReadOnly }

// Remove refuses.
func (ReadOnly) Remove(context.Context, string) error { return ErrReadOnly }

// Rename refuses.
func (ReadOnly) Rename(_ context.Context, _, _ string) error { return ErrReadOnly }

// SetTime refuses.
func (ReadOnly) SetTime(context.Context, string, time.Time) error { return ErrReadOnly }

// ReadOnlyFile has the methods of a File that would change something, and a Sync and a Close that do nothing.
type ReadOnlyFile struct{}

// WriteAt refuses.
func (ReadOnlyFile) WriteAt(context.Context, []byte, int64) (int, error) { return 0, ErrBadFile }

// Truncate refuses.
func (ReadOnlyFile) Truncate(context.Context, int64) error { return ErrBadFile }

// SetTime refuses.
func (ReadOnlyFile) SetTime(context.Context, time.Time) error { return ErrReadOnly }

// Sync does nothing.
func (ReadOnlyFile) Sync(context.Context) error { return nil }

// Close does nothing.
func (ReadOnlyFile) Close(context.Context) error { return nil }
