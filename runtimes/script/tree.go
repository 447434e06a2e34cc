package script

import (
	"context"
	"io/fs"
	"maps"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// tree holds files in memory, by their paths. It does not change.
type tree files.Map

// with returns a tree with one more file.
func (t tree) with(name string, content []byte) tree {
	more := maps.Clone(t)
	if more == nil {
		more = tree{}
	}
	more[name] = content
	return more
}

// tree returns the files as processes have them.
func (t tree) tree() files.Tree { return files.Static(files.Map(t)) }

// fs returns the files as package io/fs has them.
func (t tree) fs() fs.FS { return files.Std(context.Background(), t.tree()) }
