package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// entry is a file, or a folder if its name ends in a slash, in an archive.
type entry struct {
	name string
	mode fs.FileMode
	user int // user and group
	data []byte
}

// archives writes an archive for each platform, with the command and what must come with it.
func (r *release) archives(context.Context) error {
	for _, b := range r.binaries {
		entries, err := r.entries(b)
		if err != nil {
			return err
		}
		pack, extension := tarGzip, ".tar.gz"
		if b.os == "windows" {
			pack, extension = zipped, ".zip"
		}
		data, err := pack(entries, r.date)
		if err != nil {
			return err
		}
		if err := r.publish(b.name()+extension, data); err != nil {
			return err
		}
	}
	return nil
}

// entries returns what is in a platform's archive: one folder of the archive's name.
func (r *release) entries(b *binary) ([]entry, error) {
	program, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	folder := b.name() + "/"
	entries := []entry{{name: folder, mode: 0o755}, {name: folder + filepath.Base(b.path), mode: 0o755, data: program}}
	for _, name := range []string{"LICENSE", "README.md"} {
		text, err := os.ReadFile(filepath.Join(r.source, name))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: folder + name, mode: 0o644, data: text})
	}
	return append(entries, entry{name: folder + noticesFile, mode: 0o644, data: noticesOf(r.modulesIn(b))}), nil
}

// tarred returns a tar archive whose files all have one time and no owner's name.
func tarred(entries []entry, date time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: tar.TypeReg, Mode: int64(e.mode), Uid: e.user, Gid: e.user,
			Size: int64(len(e.data)), ModTime: date, Format: tar.FormatUSTAR}
		if e.name[len(e.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// tarGzip returns a compressed tar archive.
func tarGzip(entries []entry, date time.Time) ([]byte, error) {
	plain, err := tarred(entries, date)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// zipped returns a zip archive.
func zipped(entries []entry, date time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: date}
		h.SetMode(e.mode)
		if e.name[len(e.name)-1] == '/' {
			h.Method = zip.Store
			h.SetMode(e.mode | fs.ModeDir)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
