package script

import (
	"archive/zip"
	"bytes"
	"cmp"
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

const (
	// plain is how large any archive may be, unpacked and in bytes, however small it is packed.
	plain = 32 << 20
	// ratio is how many bytes more may come of each byte of an archive. Sources and modules come to less than ten.
	ratio = 32
	// headers is how many entries an archive may have for each file that is allowed, folders included.
	headers = 4
	// maxPath and maxDepth bound the path of a file, in bytes and in folders.
	maxPath, maxDepth = 1024, 64
)

// directoryEntry is how each entry of an archive's directory begins.
const directoryEntry = "PK\x01\x02"

// errLarge says that there is more than the limits allow.
var errLarge = errors.New("all files together are too large")

// openArchive opens an archive. What is not in the limits is refused by what its directory says, before anything is
// unpacked.
func openArchive(b []byte, most limits) (*zip.Reader, error) {
	if bytes.Count(b, []byte(directoryEntry)) > headers*most.files { // nobody has made anything of them yet
		return nil, fmt.Errorf("it has more than %d files", most.files)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("it is no zip archive: %w", err)
	}
	room := min(most.bytes, plain+ratio*int64(len(b)))
	z.File = slices.DeleteFunc(z.File, func(f *zip.File) bool { return strings.HasSuffix(f.Name, "/") })
	if len(z.File) > most.files {
		return nil, fmt.Errorf("it has more than %d files", most.files)
	}
	for _, f := range z.File {
		if err := checkEntry(f); err != nil {
			return nil, fmt.Errorf("%.200q: %w", f.Name, err)
		}
		if f.UncompressedSize64 > uint64(room) {
			return nil, fmt.Errorf("%.200q: %w", f.Name, errLarge)
		}
		room -= int64(f.UncompressedSize64)
	}
	return z, checkOverlap(z.File)
}

// checkEntry refuses what cannot be a file in a folder.
func checkEntry(f *zip.File) error {
	switch {
	case !fs.ValidPath(f.Name) || f.Name == "." || strings.ContainsAny(f.Name, "\\\x00"),
		len(f.Name) > maxPath || strings.Count(f.Name, "/") > maxDepth:
		return errors.New("that is no path in a folder")
	case !f.Mode().IsRegular():
		return errors.New("it is neither a file nor a folder: links are not followed")
	}
	return nil
}

// checkOverlap refuses files that share bytes of the archive: a few of them could come to any size.
func checkOverlap(files []*zip.File) error {
	type span struct{ from, to int64 }
	var spans []span
	for _, f := range files {
		from, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("%.200q: %w", f.Name, err)
		}
		if f.CompressedSize64 > 0 {
			spans = append(spans, span{from, from + int64(f.CompressedSize64)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i, s := range spans {
		if s.to < s.from || i > 0 && spans[i-1].to > s.from {
			return errors.New("its files overlap")
		}
	}
	return nil
}

// readArchive unpacks an archive. Folders in it are passed over: they are where files are. Of files for which keep
// says no, nothing is kept but that they are there.
//
// # Errors
//
// Whatever the archive is, the error says what is wrong with it, and neither time nor memory exceed what the limits
// allow.
func readArchive(b []byte, most limits, keep func(name string) bool) (tree, error) {
	z, err := openArchive(b, most)
	if err != nil {
		return nil, err
	}
	t := make(tree, len(z.File))
	for _, f := range z.File {
		if _, twice := t[f.Name]; twice {
			return nil, fmt.Errorf("%.200q: it is there twice", f.Name)
		}
		if t[f.Name], err = unpack(f, keep(f.Name)); err != nil {
			return nil, fmt.Errorf("%.200q: %w", f.Name, err)
		}
	}
	return t, t.check()
}

// all keeps everything.
func all(string) bool { return true }

// unpack unpacks one file, which must have the size and the checksum that the directory says. It returns an empty
// slice if the content is not to be kept.
func unpack(f *zip.File, keep bool) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content := []byte{}
	if keep {
		content = make([]byte, f.UncompressedSize64)
		_, err = io.ReadFull(r, content)
	} else {
		_, err = io.CopyN(io.Discard, r, int64(f.UncompressedSize64))
	}
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, 1); err != io.EOF { // which has the checksum
		return nil, cmp.Or(err, zip.ErrFormat)
	}
	return content, nil
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

// archive packs files into what can be read again. The same files give the same bytes.
func (t tree) archive(most limits) ([]byte, error) {
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
	_, err := openArchive(out.Bytes(), most)
	return out.Bytes(), err
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
		b, err := readFile(files, name, most.bytes)
		most.bytes -= int64(len(b))
		t[name] = b
		return err
	})
	return t, err
}

// readFile reads a file of at most that many bytes, also if it grows meanwhile.
func readFile(files fs.FS, name string, most int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: %w", name, errLarge)
	}
	return b, err
}
