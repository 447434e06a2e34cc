package localrun

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/disk"
)

// Folder is what stands for something that is granted while a function runs without NATS.
type Folder struct {
	Kind string // of the grant: protocol.GrantKV, GrantObj, GrantSecret, GrantPub or GrantSQL
	Name string // of the bucket or the database; empty for a secret and for messages
	Path string // of a folder, or with GrantSQL of a file
}

// FolderForms are the forms that ParseFolder reads, for people.
const FolderForms = "kv:BUCKET=DIR, obj:BUCKET=DIR, sql:NAME=FILE, secret:DIR or pub:DIR"

// ParseFolder reads one of FolderForms.
func ParseFolder(text string) (Folder, error) {
	kind, rest, _ := strings.Cut(text, ":")
	f := Folder{Kind: kind, Path: rest}
	switch kind {
	case protocol.GrantKV, protocol.GrantObj, protocol.GrantSQL:
		f.Name, f.Path, _ = strings.Cut(rest, "=")
	case protocol.GrantSecret, protocol.GrantPub:
	case protocol.GrantFn:
		return f, fmt.Errorf("%q: a call of another function cannot be a folder: run both with polyvoke dev", text)
	case protocol.GrantHTTP:
		return f, fmt.Errorf("%q: requests of HTTP cannot be a folder: an invoker makes them, such as polyvoke dev", text)
	case protocol.GrantTmp:
		return f, fmt.Errorf(`%q: /tmp is in memory, and there by itself if the manifest grants tmp = "64MiB"`, text)
	default:
		return f, fmt.Errorf("%q: write %s", text, FolderForms)
	}
	if f.Path == "" {
		return f, fmt.Errorf("%q names no folder: write %s", text, FolderForms)
	}
	return f, nil
}

// grant returns what the manifest would have to say so that the folder is seen.
func (f Folder) grant() protocol.Grant {
	switch f.Kind {
	case protocol.GrantKV:
		return protocol.Grant{KV: f.Name, Access: protocol.AccessWrite}
	case protocol.GrantObj:
		return protocol.Grant{Obj: f.Name, Access: protocol.AccessWrite}
	}
	return protocol.Grant{SQL: f.Name, Access: protocol.AccessWrite}
}

// GrantFolders lets a manifest without grants for some folders have them: a bucket, or a database, that it does not
// grant it may read and write. Of messages and secrets it has what it grants. The error's code is 422.
func GrantFolders(f *protocol.Function, folders []Folder) error {
	for _, folder := range folders {
		has := func(g protocol.Grant) bool {
			return g.Kind() == folder.Kind && (folder.Name == "" || g.Target(folder.Kind) == folder.Name)
		}
		switch {
		case slices.ContainsFunc(f.Grants, has):
		case folder.Name == "":
			return protocol.Errorf(protocol.CodeRefused, "", "--grant-dir %s:%s: the manifest grants no %[1]s: add a "+
				"[[grant]] that names it, or take it off", folder.Kind, folder.Path)
		default:
			f.Grants = append(slices.Clone(f.Grants), folder.grant())
		}
	}
	return f.Check()
}

// mounts are the trees of one run.
type mounts struct {
	all  []files.Mount
	open []io.Closer
}

// close lets go of the folders.
func (m *mounts) close() {
	for _, c := range m.open {
		_ = c.Close() // they were only read, or each file has been closed
	}
}

// mountGrants returns the trees for what a manifest grants: folders, and empty trees in memory for what has none, which
// say is told of.
func mountGrants(f *protocol.Function, folders []Folder, say func(format string, a ...any)) (*mounts, error) {
	m := &mounts{}
	for _, path := range f.Mounts() {
		var here []protocol.Grant
		for _, g := range f.Grants {
			if g.Mount() == path {
				here = append(here, g)
			}
		}
		tree, err := m.tree(path, here, folders, say)
		if err != nil {
			m.close()
			return nil, err
		}
		if tree != nil {
			m.all = append(m.all, files.Mount{Path: path, Tree: tree})
		}
	}
	return m, nil
}

// tree returns what is behind one mount, or nil for an empty folder that cannot be changed.
func (m *mounts) tree(path string, here []protocol.Grant, folders []Folder, say func(string, ...any)) (files.Tree, error) {
	kind := here[0].Kind()
	if kind == protocol.GrantTmp {
		return files.NewMemory(int64(here[0].Tmp)), nil
	}
	if kind == protocol.GrantSQL {
		return m.databases(here, folders, say)
	}
	at := slices.IndexFunc(folders, func(f Folder) bool { return f.Kind == kind && f.Name == nameOf(here[0]) })
	if at < 0 {
		return m.empty(path, here[0], say), nil
	}
	tree, err := m.disk(folders[at].Path)
	if err != nil {
		return nil, err
	}
	switch kind {
	case protocol.GrantPub:
		return &outbox{tree: tree, grants: here}, nil
	case protocol.GrantSecret:
		return granted{Tree: tree.ReadOnly(), grants: here}, nil
	}
	return granted{Tree: access(tree, here), grants: here}, nil
}

// nameOf returns what a Folder for a grant is called.
func nameOf(g protocol.Grant) string { return g.KV + g.Obj }

// access returns a tree, or one that can only be read if none of the grants lets it be written.
func access(t *disk.Tree, here []protocol.Grant) files.Tree {
	if slices.ContainsFunc(here, protocol.Grant.CanWrite) {
		return t
	}
	return t.ReadOnly()
}

// empty returns what stands for something that has no folder.
func (m *mounts) empty(path string, g protocol.Grant, say func(string, ...any)) files.Tree {
	const room = 64 << 20
	switch kind := g.Kind(); kind {
	case protocol.GrantFn, protocol.GrantHTTP:
		say("%s is an empty folder: only an invoker, such as that of polyvoke dev, can make calls and requests", path)
		return nil
	case protocol.GrantSecret, protocol.GrantPub:
		say("%s is an empty folder: give it one with --grant-dir %s:DIR", path, kind)
	default:
		say("%s is an empty folder in memory: give it one with --grant-dir %s:%s=DIR", path, kind, nameOf(g))
	}
	switch {
	case g.Pub != "":
		return &outbox{tree: files.NewMemory(room), grants: []protocol.Grant{g}}
	case g.CanWrite():
		return files.NewMemory(room)
	}
	return nil
}

// disk opens a folder of this machine.
func (m *mounts) disk(path string) (*disk.Tree, error) {
	t, err := disk.Open(path)
	if err != nil {
		return nil, folderError(path, err)
	}
	m.open = append(m.open, t)
	return t, nil
}

// folderError says what to do about a folder that cannot be opened.
func folderError(path string, err error) error {
	hint := "check the path"
	if os.IsNotExist(err) {
		hint = fmt.Sprintf("make it first: mkdir -p %s", path)
	}
	return &exit.Error{Code: exit.Usage, Msg: fmt.Sprintf("--grant-dir: %v: %s", err, hint), Err: err}
}

// databases returns a folder with the databases that have a file, and those beside them that SQLite makes.
func (m *mounts) databases(here []protocol.Grant, folders []Folder, say func(string, ...any)) (files.Tree, error) {
	t := databases{}
	for _, g := range here {
		at := slices.IndexFunc(folders, func(f Folder) bool { return f.Kind == protocol.GrantSQL && f.Name == g.SQL })
		if at < 0 {
			say("/sql/%s.db is in memory: give it a file with --grant-dir sql:%[1]s=FILE", g.SQL)
			t[g.SQL+".db"] = database{tree: files.NewMemory(256 << 20), base: g.SQL + ".db"}
			continue
		}
		dir, base := filepath.Split(filepath.Clean(folders[at].Path))
		tree, err := m.disk(filepath.Clean(dir + "."))
		if err != nil {
			return nil, err
		}
		t[g.SQL+".db"] = database{tree: access(tree, []protocol.Grant{g}), base: base}
	}
	return t, nil
}

// granted is a tree of which a process sees what is granted.
type granted struct {
	files.Tree
	grants []protocol.Grant
}

// find returns the grant that speaks of a file.
func (g granted) find(name string) (protocol.Grant, bool) {
	for _, one := range g.grants {
		if one.Secret == name || one.Secret == "" && one.Covers(name) {
			return one, true
		}
	}
	return protocol.Grant{}, false
}

// Open implements files.Tree.
func (g granted) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	one, ok := g.find(name)
	switch {
	case !ok && how.Has(files.Create):
		return nil, files.ErrReadOnly
	case !ok:
		how = files.Read // a folder is none
		if info, err := g.Stat(ctx, name); err != nil || !info.IsDir() {
			return nil, os.ErrNotExist
		}
	case how.Has(files.Write) && !one.CanWrite():
		return nil, g.readOnly(ctx, name, how)
	}
	return g.Tree.Open(ctx, name, how)
}

// readOnly says why a file that must not be written is not.
func (g granted) readOnly(ctx context.Context, name string, how files.Flags) error {
	_, err := g.Tree.Stat(ctx, name)
	switch {
	case err != nil && !how.Has(files.Create):
		return err
	case err == nil && how.Has(files.Create|files.Exclusive):
		return os.ErrExist
	}
	return files.ErrReadOnly
}

// Stat implements files.Tree.
func (g granted) Stat(ctx context.Context, name string) (files.Info, error) {
	info, err := g.Tree.Stat(ctx, name)
	if _, ok := g.find(name); err == nil && !info.IsDir() && !ok {
		return files.Info{}, os.ErrNotExist
	}
	return info, err
}

// ReadDir implements files.Tree.
func (g granted) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	all, err := g.Tree.ReadDir(ctx, name)
	return slices.DeleteFunc(all, func(e files.Entry) bool {
		path := e.Name
		if name != "." {
			path = name + "/" + path
		}
		_, ok := g.find(path)
		return !ok && !e.Mode.IsDir()
	}), err
}

// Remove implements files.Tree.
func (g granted) Remove(ctx context.Context, name string) error {
	if err := g.changes(ctx, name); err != nil {
		return err
	}
	return g.Tree.Remove(ctx, name)
}

// Rename implements files.Tree.
func (g granted) Rename(ctx context.Context, from, to string) error {
	if err := g.changes(ctx, from); err != nil {
		return err
	}
	if one, ok := g.find(to); !ok || !one.CanWrite() {
		return files.ErrReadOnly
	}
	return g.Tree.Rename(ctx, from, to)
}

// changes returns an error for a file that must not be changed.
func (g granted) changes(ctx context.Context, name string) error {
	info, err := g.Stat(ctx, name)
	if err != nil || info.IsDir() {
		return err
	}
	if one, _ := g.find(name); !one.CanWrite() {
		return files.ErrReadOnly
	}
	return nil
}
