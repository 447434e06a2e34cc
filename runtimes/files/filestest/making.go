package filestest

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Making is a Memory in which a name makes the folders that lead to it: what a tree with MakesFolders is compared with.
// Memory must be set. It has the concurrency of Memory.
type Making struct{ *files.Memory }

var _ files.Tree = (*Making)(nil)

// parents makes the folders, and returns what takes those away again that it has made.
func (m *Making) parents(ctx context.Context, name string) (undo func()) {
	var made []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		made = append(made, dir)
	}
	slices.Reverse(made)
	made = slices.DeleteFunc(made, func(dir string) bool { return m.Memory.Mkdir(ctx, dir) != nil })
	return func() {
		for _, dir := range slices.Backward(made) {
			_ = m.Memory.Remove(ctx, dir)
		}
	}
}

// with makes an operation that may need folders.
func (m *Making) with(ctx context.Context, name string, do func() error) error {
	err := do()
	if !errors.Is(err, fs.ErrNotExist) || !fs.ValidPath(name) {
		return err
	}
	undo := m.parents(ctx, name)
	if err = do(); err != nil {
		undo()
	}
	return err
}

// Open implements files.Tree. It makes folders for what is created.
func (m *Making) Open(ctx context.Context, name string, how files.Flags) (f files.File, err error) {
	open := func() error { f, err = m.Memory.Open(ctx, name, how); return err }
	if how.Has(files.Create) {
		return f, m.with(ctx, name, open)
	}
	return f, open()
}

// Mkdir implements files.Tree. It makes folders.
func (m *Making) Mkdir(ctx context.Context, name string) error {
	return m.with(ctx, name, func() error { return m.Memory.Mkdir(ctx, name) })
}

// Rename implements files.Tree. It makes folders for the new name.
func (m *Making) Rename(ctx context.Context, from, to string) error {
	if _, err := m.Memory.Stat(ctx, from); err != nil {
		return m.Memory.Rename(ctx, from, to)
	}
	return m.with(ctx, to, func() error { return m.Memory.Rename(ctx, from, to) })
}
