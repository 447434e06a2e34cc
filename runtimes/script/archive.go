package script

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// magic is how a zip archive with something in it begins.
const magic = "PK\x03\x04"

// limits bound what an archive may come to.
type limits struct {
	files int   // how many
	bytes int64 // all files together, unpacked
}

// readArchive unpacks an archive. Folders in it are passed over: they are where files are.
//
// # Errors
//
// Whatever the archive is, the error says what is wrong with it, and neither time nor memory exceed what the limits allow.
func readArchive(b []byte, most limits) (tree, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("it is no zip archive: %w", err)
	}
	t := tree{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		if len(t) == most.files {
			return nil, fmt.Errorf("it has more than %d files", most.files)
		}
		if err := t.add(f, &most.bytes); err != nil {
			return nil, fmt.Errorf("%.200q: %w", f.Name, err)
		}
	}
	return t, t.check()
}

// add unpacks one file, if there is room for it.
func (t tree) add(f *zip.File, room *int64) error {
	switch {
	case !fs.ValidPath(f.Name) || f.Name == "." || strings.ContainsAny(f.Name, "\\\x00") || len(f.Name) > 1024:
		return errors.New("that is no path in a folder")
	case !f.Mode().IsRegular():
		return errors.New("it is neither a file nor a folder: links are not followed")
	case t[f.Name] != nil:
		return errors.New("it is there twice")
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, *room+1))
	if err != nil {
		return err
	}
	if *room -= int64(len(content)); *room < 0 {
		return errors.New("all files together are too large")
	}
	t[f.Name] = content
	return nil
}

// check refuses a file that is also a folder.
func (t tree) check() error {
	for name := range t {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := t[dir]; ok {
				return fmt.Errorf("%.200q is a file and a folder", dir)
			}
		}
	}
	return nil
}

// archive packs files. The same files give the same bytes.
func (t tree) archive() ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(t)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(t[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// readTree reads the files of a folder for which keep says yes; it is also asked about folders.
func readTree(files fs.FS, most limits, keep func(name string, folder bool) bool) (tree, error) {
	t := tree{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case !keep(name, d.IsDir()) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || !keep(name, false):
			return nil
		case len(t) == most.files:
			return fmt.Errorf("there are more than %d files", most.files)
		}
		b, err := fs.ReadFile(files, name)
		if most.bytes -= int64(len(b)); err == nil && most.bytes < 0 {
			err = fmt.Errorf("%s: all files together are too large", name)
		}
		t[name] = b
		return err
	})
	return t, err
}
