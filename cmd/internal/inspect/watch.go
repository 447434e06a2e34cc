package inspect

import (
	"bytes"
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/module/opens"
)

// watchTime is how long a module runs at most so that it is known what it opens.
const watchTime = 2 * time.Second

// watch runs the module once more, with an empty request, and adds what it opens of what can be granted to the report.
// There is nothing to be found: what it would open then is not known. However it ends is of no interest.
func (r *Report) watch(ctx context.Context, rt runtimes.Runtime, b []byte, name string) error {
	var o runtimes.Options
	w := new(watcher)
	p := &runtimes.Process{Args: []string{name}, Stdin: bytes.NewReader(nil)}
	for _, kind := range protocol.GrantKinds() {
		if kind == protocol.GrantTmp { // which has no name
			continue
		}
		o.Mounts = append(o.Mounts, runtimes.Mount{Path: "/" + kind})
		p.Mounts = append(p.Mounts, runtimes.Mount{Path: "/" + kind, Tree: &watched{watcher: w, kind: kind}})
	}
	o.Args, o.Start = p.Args, runtimes.StartFresh
	program, err := rt.Compile(ctx, b, o)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, watchTime)
	defer cancel()
	_ = program.Run(limited, p)
	for _, path := range w.paths() {
		if !slices.Contains(r.Opens, path) {
			r.Opens = append(r.Opens, path)
		}
	}
	slices.Sort(r.Opens)
	r.Opened = append(r.Opened, w.paths()...)
	return program.Close(ctx)
}

// watcher takes down what was opened.
type watcher struct {
	mu  sync.Mutex
	all []string
}

// paths returns it, sorted.
func (w *watcher) paths() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.all))
}

// watched is a folder of grants of one kind. Nothing is in it, and nothing can be made there.
type watched struct {
	files.ReadOnly
	*watcher
	kind string
}

var _ files.Inline = (*watched)(nil)

// Inline implements files.Inline.
func (t *watched) Inline() {}

// note takes down what a name belongs to: the bucket, function, secret, subject, host or database.
func (t *watched) note(name string) {
	if name == "." {
		return
	}
	if t.kind == protocol.GrantPub {
		name = strings.ReplaceAll(name, "/", ".")
	} else {
		name, _, _ = strings.Cut(name, "/")
	}
	if t.kind == protocol.GrantFn {
		name, _, _ = strings.Cut(name, ".") // .headers and the like
	}
	path := "/" + t.kind + "/" + name
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) < opens.Most && len(name) <= protocol.MaxSubject && !slices.Contains(t.all, path) {
		t.all = append(t.all, path)
	}
}

// Open implements files.Tree.
func (t *watched) Open(_ context.Context, name string, how files.Flags) (files.File, error) {
	t.note(name)
	switch {
	case name == ".":
		return nil, files.ErrIsDir
	case how.Has(files.Create):
		return nil, syscall.EACCES
	}
	return nil, fs.ErrNotExist
}

// Stat implements files.Tree.
func (t *watched) Stat(_ context.Context, name string) (files.Info, error) {
	if name == "." {
		return files.Info{Mode: fs.ModeDir}, nil
	}
	t.note(name)
	return files.Info{}, fs.ErrNotExist
}

// ReadDir implements files.Tree.
func (t *watched) ReadDir(_ context.Context, name string) ([]files.Entry, error) {
	if name == "." {
		return nil, nil
	}
	t.note(name)
	return nil, fs.ErrNotExist
}
