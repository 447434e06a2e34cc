package localrun

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// outbox is /pub without NATS: each file that is written and closed becomes a message, which is a file NUMBER.SUBJECT
// of a tree. Folders are those that lead to a subject, and have nothing in them.
type outbox struct {
	tree   files.Tree
	grants []protocol.Grant

	mu   sync.Mutex
	sent int
}

// subject returns the subject that a name is, if it is granted.
func (o *outbox) subject(name string) (string, bool) {
	subject := strings.ReplaceAll(name, "/", ".")
	for _, g := range o.grants {
		if _, ok := protocol.Match(g.Pub, subject); ok && !strings.ContainsAny(subject, "*> ") {
			return subject, true
		}
	}
	return "", false
}

// leads reports whether a name can be the beginning of a subject that is granted.
func (o *outbox) leads(name string) bool {
	if name == "." {
		return true
	}
	for _, g := range o.grants {
		if protocol.Overlap(g.Pub, strings.ReplaceAll(name, "/", ".")+".>") {
			return true
		}
	}
	return false
}

// Open implements files.Tree.
func (o *outbox) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	subject, ok := o.subject(name)
	switch {
	case !ok && o.leads(name):
		return nil, files.ErrIsDir
	case !ok:
		return nil, fs.ErrNotExist
	case how.Has(files.Read):
		return nil, fs.ErrPermission
	}
	message, err := files.NewMemory(1<<30).Open(ctx, "message", files.Read|files.Write|files.Create)
	return &letter{File: message, box: o, subject: subject}, err
}

// Stat implements files.Tree. A message that was sent is no file any more.
func (o *outbox) Stat(_ context.Context, name string) (files.Info, error) {
	switch {
	case !fs.ValidPath(name):
		return files.Info{}, fs.ErrInvalid
	case o.leads(name):
		return files.Info{Mode: fs.ModeDir}, nil
	}
	return files.Info{}, fs.ErrNotExist
}

// ReadDir implements files.Tree.
func (o *outbox) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	_, err := o.Stat(ctx, name)
	return nil, err
}

// Mkdir implements files.Tree: what leads to a subject is there.
func (o *outbox) Mkdir(ctx context.Context, name string) error {
	if _, err := o.Stat(ctx, name); err != nil {
		return files.ErrReadOnly
	}
	return fs.ErrExist
}

// Remove implements files.Tree.
func (o *outbox) Remove(context.Context, string) error { return fs.ErrPermission }

// Rename implements files.Tree.
func (o *outbox) Rename(context.Context, string, string) error { return fs.ErrPermission }

// SetTime implements files.Tree.
func (o *outbox) SetTime(context.Context, string, time.Time) error { return nil }

// letter is a message that is being written.
type letter struct {
	files.File
	box     *outbox
	subject string
}

// ReadAt implements files.File.
func (l *letter) ReadAt(context.Context, []byte, int64) (int, error) { return 0, files.ErrBadFile }

// Close implements files.File.
func (l *letter) Close(ctx context.Context) error {
	info, err := l.Stat(ctx)
	if err != nil {
		return err
	}
	body := make([]byte, info.Size)
	if len(body) > 0 {
		if _, err := l.File.ReadAt(ctx, body, 0); err != nil {
			return err
		}
	}
	return l.box.send(context.WithoutCancel(ctx), l.subject, body)
}

// send writes a message.
func (o *outbox) send(ctx context.Context, subject string, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent++
	f, err := o.tree.Open(ctx, fmt.Sprintf("%06d.%s", o.sent, subject), files.Write|files.Create|files.Truncate)
	if err != nil {
		return err
	}
	for at := 0; at < len(body) && err == nil; {
		var n int
		n, err = f.WriteAt(ctx, body[at:], int64(at))
		at += n
	}
	if closed := f.Close(ctx); err == nil {
		err = closed
	}
	return err
}

// database is a file of a folder.
type database struct {
	tree files.Tree
	base string
}

// databases are files of several folders, by what a process calls them.
type databases map[string]database

// find returns the tree that has a file, and its name there. Those that SQLite makes beside a database have the
// database's name, and an ending.
func (d databases) find(name string) (files.Tree, string, error) {
	if !fs.ValidPath(name) {
		return nil, "", fs.ErrInvalid
	}
	for _, ending := range []string{"", "-journal", "-wal", "-shm"} {
		if db, ok := d[strings.TrimSuffix(name, ending)]; ok && strings.HasSuffix(name, ending) {
			return db.tree, db.base + ending, nil
		}
	}
	return nil, "", fs.ErrNotExist
}

// Open implements files.Tree.
func (d databases) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if name == "." {
		return nil, files.ErrIsDir
	}
	tree, at, err := d.find(name)
	if err != nil {
		return nil, err
	}
	return tree.Open(ctx, at, how)
}

// Stat implements files.Tree.
func (d databases) Stat(ctx context.Context, name string) (files.Info, error) {
	if name == "." {
		return files.Info{Mode: fs.ModeDir}, nil
	}
	tree, at, err := d.find(name)
	if err != nil {
		return files.Info{}, err
	}
	return tree.Stat(ctx, at)
}

// ReadDir implements files.Tree.
func (d databases) ReadDir(ctx context.Context, name string) (all []files.Entry, err error) {
	if name != "." {
		if _, err = d.Stat(ctx, name); err == nil {
			err = files.ErrNotDir
		}
		return nil, err
	}
	for name := range d {
		if info, err := d.Stat(ctx, name); err == nil {
			all = append(all, files.Entry{Name: name, Mode: info.Mode.Type()})
		}
	}
	return all, nil
}

// Mkdir implements files.Tree.
func (databases) Mkdir(context.Context, string) error { return files.ErrReadOnly }

// Remove implements files.Tree.
func (d databases) Remove(ctx context.Context, name string) error {
	tree, at, err := d.find(name)
	if err != nil {
		return err
	}
	return tree.Remove(ctx, at)
}

// Rename implements files.Tree.
func (databases) Rename(context.Context, string, string) error { return files.ErrReadOnly }

// SetTime implements files.Tree.
func (d databases) SetTime(ctx context.Context, name string, t time.Time) error {
	tree, at, err := d.find(name)
	if err != nil {
		return err
	}
	return tree.SetTime(ctx, at, t)
}
