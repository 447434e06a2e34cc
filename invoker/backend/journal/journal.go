// Package journal keeps what a run does with the files that it is granted, and plays that back. In goes a tree; out
// comes the same tree, of which each operation is taken down with its result. With what was taken down there is later
// a tree that gives the same answers, with nothing behind it.
//
// A process that gets the same answers asks the same questions, so that one answer after the other is enough. One that
// asks something else, such as another version of the program, gets the answer to what it asks if there is one.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// operation is what a process asks of a tree. Its result is put into op.
type operation = func(op *protocol.FileOp) error

// steps is what answers operations.
type steps interface {
	// step returns an operation with its result, and its error. do is the operation itself.
	step(ctx context.Context, op protocol.FileOp, do operation) (protocol.FileOp, error)
}

// tree is a files.Tree of which each operation is a step.
type tree struct {
	path  string
	steps steps
	of    files.Tree // nil: it is played back
}

// Forms of a tree: what the one below it is known to be, it is too.
type (
	inlineTree   struct{ *tree }
	readOnlyTree struct {
		files.ReadOnly
		reading
	}
	inlineReadOnlyTree struct{ readOnlyTree }
)

// reading are the methods of a tree that change nothing.
type reading interface {
	Open(ctx context.Context, name string, how files.Flags) (files.File, error)
	Stat(ctx context.Context, name string) (files.Info, error)
	ReadDir(ctx context.Context, name string) ([]files.Entry, error)
}

// Inline implements files.Inline.
func (inlineTree) Inline() {}

// Inline implements files.Inline.
func (inlineReadOnlyTree) Inline() {}

// as returns a tree in the form that is asked for.
func (t *tree) as(inline, readOnly bool) files.Tree {
	switch {
	case inline && readOnly:
		return inlineReadOnlyTree{readOnlyTree{reading: t}}
	case inline:
		return inlineTree{t}
	case readOnly:
		return readOnlyTree{reading: t}
	}
	return t
}

// at returns the absolute path of a name, which need not be valid.
func (t *tree) at(name string) string {
	if name == "." {
		return t.path
	}
	return t.path + "/" + name
}

// op returns an operation on a name.
func (t *tree) op(op, name string) protocol.FileOp {
	return protocol.FileOp{Op: op, Path: t.at(name)}
}

// Open implements files.Tree.
func (t *tree) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	f := &file{t: t}
	op := t.op(protocol.OpOpen, name)
	op.At = int64(how)
	op, err := t.steps.step(ctx, op, func(*protocol.FileOp) (err error) {
		f.of, err = t.of.Open(ctx, name, how)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.path = op.Path
	return f, nil
}

// Stat implements files.Tree.
func (t *tree) Stat(ctx context.Context, name string) (files.Info, error) {
	op, err := t.steps.step(ctx, t.op(protocol.OpStat, name), func(op *protocol.FileOp) error {
		i, err := t.of.Stat(ctx, name)
		op.Info = kept(i, err)
		return err
	})
	return infoOf(op), err
}

// ReadDir implements files.Tree.
func (t *tree) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	var all []files.Entry
	op, err := t.steps.step(ctx, t.op(protocol.OpList, name), func(op *protocol.FileOp) (err error) {
		all, err = t.of.ReadDir(ctx, name)
		for _, e := range all {
			op.Entries = append(op.Entries, protocol.FileEntry{Name: e.Name, Mode: e.Mode})
		}
		return err
	})
	if t.of == nil {
		for _, e := range op.Entries {
			all = append(all, files.Entry{Name: e.Name, Mode: e.Mode})
		}
	}
	return all, err
}

// Mkdir implements files.Tree.
func (t *tree) Mkdir(ctx context.Context, name string) error {
	return t.change(ctx, t.op(protocol.OpMkdir, name), func() error { return t.of.Mkdir(ctx, name) })
}

// Remove implements files.Tree.
func (t *tree) Remove(ctx context.Context, name string) error {
	return t.change(ctx, t.op(protocol.OpRemove, name), func() error { return t.of.Remove(ctx, name) })
}

// Rename implements files.Tree.
func (t *tree) Rename(ctx context.Context, from, to string) error {
	op := t.op(protocol.OpRename, from)
	op.To = t.at(to)
	return t.change(ctx, op, func() error { return t.of.Rename(ctx, from, to) })
}

// SetTime implements files.Tree.
func (t *tree) SetTime(ctx context.Context, name string, at time.Time) error {
	return t.change(ctx, t.op(protocol.OpTime, name), func() error { return t.of.SetTime(ctx, name, at) })
}

// change is a step without a result.
func (t *tree) change(ctx context.Context, op protocol.FileOp, do func() error) error {
	_, err := t.steps.step(ctx, op, func(*protocol.FileOp) error { return do() })
	return err
}

// file is a files.File of which each operation is a step.
type file struct {
	t    *tree
	path string
	of   files.File // nil: it is played back
}

// op returns an operation on the file.
func (f *file) op(op string) protocol.FileOp { return protocol.FileOp{Op: op, Path: f.path} }

// Stat implements files.File.
func (f *file) Stat(ctx context.Context) (files.Info, error) {
	op, err := f.t.steps.step(ctx, f.op(protocol.OpFileStat), func(op *protocol.FileOp) error {
		i, err := f.of.Stat(ctx)
		op.Info = kept(i, err)
		return err
	})
	return infoOf(op), err
}

// ReadAt implements files.File.
func (f *file) ReadAt(ctx context.Context, b []byte, at int64) (n int, err error) {
	op := f.op(protocol.OpRead)
	op.At, op.N = at, int64(len(b))
	op, err = f.t.steps.step(ctx, op, func(op *protocol.FileOp) (err error) {
		n, err = f.of.ReadAt(ctx, b, at)
		op.Data = b[:n]
		return err
	})
	if f.of == nil {
		n = copy(b, op.Data)
	}
	return n, err
}

// WriteAt implements files.File.
func (f *file) WriteAt(ctx context.Context, b []byte, at int64) (int, error) {
	op := f.op(protocol.OpWrite)
	op.At, op.N, op.Digest = at, int64(len(b)), digest(b)
	op, err := f.t.steps.step(ctx, op, func(op *protocol.FileOp) error {
		n, err := f.of.WriteAt(ctx, b, at)
		op.Done = int64(n)
		return err
	})
	return int(min(op.Done, int64(len(b)))), err
}

// digest tells what was written from all else.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Truncate implements files.File.
func (f *file) Truncate(ctx context.Context, size int64) error {
	op := f.op(protocol.OpTruncate)
	op.N = size
	return f.t.change(ctx, op, func() error { return f.of.Truncate(ctx, size) })
}

// SetTime implements files.File.
func (f *file) SetTime(ctx context.Context, at time.Time) error {
	return f.t.change(ctx, f.op(protocol.OpFileTime), func() error { return f.of.SetTime(ctx, at) })
}

// Sync implements files.File.
func (f *file) Sync(ctx context.Context) error {
	return f.t.change(ctx, f.op(protocol.OpSync), func() error { return f.of.Sync(ctx) })
}

// Close implements files.File.
func (f *file) Close(ctx context.Context) error {
	return f.t.change(ctx, f.op(protocol.OpClose), func() error { return f.of.Close(ctx) })
}

// kept returns what is kept of what is known about a file.
func kept(i files.Info, err error) *protocol.FileInfo {
	if err != nil {
		return nil
	}
	k := &protocol.FileInfo{Mode: i.Mode, Size: i.Size, Stream: i.Stream}
	if !i.ModTime.IsZero() {
		k.Time = &i.ModTime
	}
	return k
}

// infoOf returns what is known about a file.
func infoOf(op protocol.FileOp) (i files.Info) {
	if k := op.Info; k != nil {
		i = files.Info{Mode: k.Mode, Size: max(0, k.Size), Stream: k.Stream}
		if k.Time != nil {
			i.ModTime = *k.Time
		}
	}
	return i
}

// names are the errors that a process can tell from one another, in the order in which preview1 asks for them: the
// first that fits is meant.
var names = []struct {
	name string
	err  error
}{
	{"EOF", io.EOF}, {"ENOENT", fs.ErrNotExist}, {"ENOTEMPTY", files.ErrNotEmpty}, {"EACCES", syscall.EACCES},
	{"EPERM", fs.ErrPermission}, {"EINVAL", fs.ErrInvalid}, {"EEXIST", fs.ErrExist},
	{"ENOTDIR", files.ErrNotDir}, {"EISDIR", files.ErrIsDir}, {"EROFS", files.ErrReadOnly}, {"ENOSPC", files.ErrNoSpace},
	{"EFBIG", files.ErrTooLarge}, {"EBADF", files.ErrBadFile}, {"EBADF", fs.ErrClosed},
	{"EBUSY", files.ErrBusy}, {"EXDEV", files.ErrOtherTree},
	{"ENAMETOOLONG", files.ErrNameTooLong}, {"ELOOP", syscall.ELOOP}, {"EINVAL", syscall.EINVAL},
	{"EAGAIN", syscall.EAGAIN}, {"ESPIPE", syscall.ESPIPE}, {"EDQUOT", syscall.EDQUOT},
	{"ETIMEDOUT", context.DeadlineExceeded}, {"ECANCELED", context.Canceled}, {"ENOTSUP", errors.ErrUnsupported},
}

// nameOf returns the name of an error. Any other is one of input and output.
func nameOf(err error) string {
	if err == nil {
		return ""
	}
	for _, n := range names {
		if errors.Is(err, n.err) {
			return n.name
		}
	}
	return "EIO"
}

// errorOf returns the error of a name.
func errorOf(name string) error {
	if name == "" {
		return nil
	}
	for _, n := range names {
		if n.name == name {
			return n.err
		}
	}
	return syscall.EIO
}
