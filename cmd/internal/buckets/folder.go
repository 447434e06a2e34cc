package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/polyvoke/polyvoke/protocol"
)

// Outcome is what became of a folder.
type Outcome struct {
	Done    int      `json:"done"`
	Bytes   int64    `json:"bytes"`
	Skipped []string `json:"skipped,omitempty"` // names, with why
}

// file is one that is imported.
type file struct {
	path string // in the folder
	name string // of the entry
	size int64
}

// Import puts the files of a folder, and of those in it, into a bucket: each under its path, behind a prefix. All names
// and sizes are looked at before the first is put. Links and what else is no plain file are skipped. meter is told how
// many bytes there are, and returns what is told of each that is put.
func Import(ctx context.Context, s Store, dir, prefix string, meter func(total int64) func(int64)) (o Outcome, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return o, err
	}
	defer root.Close()
	all, total, err := o.collect(s, root.FS(), prefix)
	if err != nil {
		return o, err
	}
	tell := meter(total)
	for _, f := range all {
		if err := f.put(ctx, s, root); err != nil {
			return o, fmt.Errorf("%s: %w (%d of %d files were put)", f.path, err, o.Done, len(all))
		}
		o.Done++
		o.Bytes += f.size
		tell(f.size)
	}
	return o, nil
}

// collect returns the files of a folder that can be put.
func (o *Outcome) collect(s Store, folder fs.FS, prefix string) (all []file, total int64, err error) {
	err = fs.WalkDir(folder, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			o.Skipped = append(o.Skipped, p+": no plain file")
			return nil
		}
		f := file{path: p, name: prefix + p, size: info.Size()}
		total += f.size
		all = append(all, f)
		return s.Check(f.name, f.size)
	})
	return all, total, err
}

// put puts one file.
func (f file) put(ctx context.Context, s Store, root *os.Root) error {
	r, err := root.Open(filepath.FromSlash(f.path))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = s.Put(ctx, f.name, r, f.size)
	return err
}

// Export writes the entries of a bucket that begin with a prefix as files of a folder, which is made if there is none.
// No file is outside of it: a name that leads there, or that no file has, is skipped. meter is told how many entries
// there are, and returns what is told of each that was written.
func Export(ctx context.Context, s Store, dir, prefix string, meter func(total int64) func(int64)) (o Outcome, err error) {
	all, err := s.List(ctx, prefix)
	if err != nil {
		return o, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return o, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return o, err
	}
	defer root.Close()
	tell := meter(int64(len(all)))
	for _, e := range all {
		size, err := get(ctx, s, root, e.Name)
		var refused *fs.PathError
		switch {
		case errors.As(err, &refused):
			o.Skipped = append(o.Skipped, fmt.Sprintf("%.200q: %v", e.Name, refused.Err))
		case protocol.CodeOf(err) == protocol.CodeNotFound: // deleted meanwhile
		case err != nil:
			return o, err
		default:
			o.Done++
			o.Bytes += size
		}
		tell(1)
	}
	return o, nil
}

// get writes one entry to a file of its name.
func get(ctx context.Context, s Store, root *os.Root, name string) (size int64, err error) {
	if !fs.ValidPath(name) || name == "." || !filepath.IsLocal(filepath.FromSlash(name)) {
		return 0, &fs.PathError{Op: "create", Path: name, Err: errors.New("no file can have this name")}
	}
	at := filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o777); err != nil {
		return 0, err
	}
	f, err := root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return 0, err
	}
	e, err := s.Get(ctx, name, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, errors.Join(err, root.Remove(at))
	}
	return e.Size, nil
}

// Meter advances a reader that shows progress: total comes to as many bytes as are told of.
func Meter(progress func(r io.Reader, total int64) io.Reader) func(total int64) func(int64) {
	return func(total int64) func(int64) {
		r := progress(zeros{}, total)
		return func(n int64) { _, _ = io.CopyN(io.Discard, r, n) } // zeros do not fail
	}
}

// zeros is a reader without an end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(b []byte) (int, error) { return len(b), nil }
