package script_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/script"
)

// archived returns an archive with files as they are described.
func archived(t testing.TB, list ...zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range list {
		h := list[i]
		content := h.Comment
		h.Comment = ""
		w, err := z.CreateHeader(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// file describes a file of an archive.
func file(name, content string) zip.FileHeader {
	return zip.FileHeader{Name: name, Comment: content, Method: zip.Deflate}
}

// directory returns where the directory of an archive begins, and where it ends.
func directory(b []byte) (from, to int) {
	to = bytes.LastIndex(b, []byte("PK\x05\x06"))
	return int(binary.LittleEndian.Uint32(b[to+16:])), to
}

// repeated returns an archive whose directory has all its entries so many times.
func repeated(b []byte, n int, rename bool) []byte {
	from, to := directory(b)
	out := bytes.Clone(b[:from])
	for i := range n {
		entry := bytes.Clone(b[from:to])
		if rename { // the name has room for a number
			copy(entry[46:], fmt.Sprintf("%06d", i))
		}
		out = append(out, entry...)
	}
	end := bytes.Clone(b[to:])
	count := uint16(n * int(binary.LittleEndian.Uint16(end[8:])))
	binary.LittleEndian.PutUint16(end[8:], count)
	binary.LittleEndian.PutUint16(end[10:], count)
	binary.LittleEndian.PutUint32(end[12:], uint32(len(out)-from))
	return append(out, end...)
}

// sized returns an archive whose directory says that its first file has such a size, unpacked.
func sized(b []byte, size uint32) []byte {
	b = bytes.Clone(b)
	from, _ := directory(b)
	binary.LittleEndian.PutUint32(b[from+24:], size)
	return b
}

// hostile are archives that are refused, each with what the error says.
func hostile(t testing.TB) map[string]struct {
	archive []byte
	want    string
} {
	zeros := strings.Repeat("\x00", 36<<20)
	bomb := archived(t, file("bomb", zeros))
	nested := archived(t, file("a", string(bomb)), file("b", string(bomb)))
	link := file("a", "/etc/passwd")
	link.SetMode(fs.ModeSymlink | 0o777)
	raw := file("caf\xe9", "")
	raw.NonUTF8 = true
	return map[string]struct {
		archive []byte
		want    string
	}{
		"a bomb":                              {bomb, "too large"},
		"a bomb that says it is small":        {sized(bomb, 10), "not a valid zip file"},
		"a file that says it is endless":      {sized(archived(t, file("a", "x")), 0xfffffffe), "too large"},
		"a file that says it is larger":       {sized(archived(t, file("a", "x")), 30<<20), "unexpected EOF"},
		"one file by many names":              {repeated(archived(t, file("000000", zeros[:1<<20])), 30, true), "overlap"},
		"one file many times":                 {repeated(archived(t, file("a", "")), 20, false), "overlap"},
		"very many entries":                   {repeated(archived(t, file("000000", "")), 100_000, true), "more than"},
		"very many entries, as many as 65536": {repeated(archived(t, file("000000", "")), 1<<17+1, true), "more than"},
		"very many folders": {repeated(archived(t, zip.FileHeader{Name: "000000/"}), 100_000, true),
			"more than"},
		"a link":                   {archived(t, link), "links are not followed"},
		"a folder above":           {archived(t, file("a/../../b", "")), "no path"},
		"an absolute path":         {archived(t, file("/a", "")), "no path"},
		"a path of another system": {archived(t, file(`a\b`, "")), "no path"},
		"a path of a drive":        {archived(t, file(`C:\b`, "")), "no path"},
		"no name":                  {archived(t, file("", "")), "no path"},
		"a NUL":                    {archived(t, file("a\x00", "")), "no path"},
		"no UTF-8":                 {archived(t, raw), "no path"},
		"a long name":              {archived(t, file(strings.Repeat("a", 1025), "")), "no path"},
		"a deep path":              {archived(t, file(strings.Repeat("a/", 200)+"a", "")), "no path"},
		"an archive of bombs":      {nested, "cannot be read"}, // what is in it is not unpacked
		"cut off":                  {bomb[:len(bomb)/2], "no zip archive"},
	}
}

// mostAllocated is how many bytes reading any archive may allocate: the most that a small one may come to, unpacked,
// and what a directory with as many entries as a bundle may have takes.
const mostAllocated = 80 << 20

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileArchives checks that archives are refused that would come to more than is allowed, or are no files of a
// folder, and that nothing of the kind takes more memory than the limits say.
func TestHostileArchives(t *testing.T) {
	readers := map[string]func(b []byte) error{
		"script":      func(b []byte) error { _, err := script.Parse(b); return err },
		"bundle":      func(b []byte) error { _, err := script.ParseBundle(b); return err },
		"check":       func(b []byte) error { _, err := script.CheckBundle(b); return err },
		"description": func(b []byte) error { _, err := script.ParseInfo(b); return err },
	}
	for name, c := range hostile(t) {
		for kind, read := range readers {
			t.Run(name+"/"+kind, func(t *testing.T) {
				var err error
				got := allocated(func() { err = read(c.archive) })
				switch {
				case err == nil:
					t.Error("it is taken")
				case kind != "description" && c.want != "more than" && !strings.Contains(err.Error(), c.want) &&
					!strings.Contains(err.Error(), "runtime.json"):
					t.Errorf("got %q, want %q", err, c.want)
				}
				if got > mostAllocated {
					t.Errorf("%d MiB were allocated for %d KiB", got>>20, len(c.archive)>>10)
				}
			})
		}
	}
}

// TestCheckBundle checks that looking at a bundle does not take the memory that its files do.
func TestCheckBundle(t *testing.T) {
	const size = 24 << 20
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(i * i >> 7)
	}
	b := archived(t, file("runtime.json", `{"name":"a","version":"1","language":"A"}`), file("runtime.wasm", "x"),
		file("files/a", strings.Repeat(string(random), size/len(random))),
		zip.FileHeader{Name: "files/b", Comment: string(random), Method: zip.Store})
	var err error
	if got := allocated(func() { _, err = script.CheckBundle(b) }); err != nil || got > 4<<20 {
		t.Errorf("%d bytes were allocated, and the error %v", got, err)
	}
	r, err := script.ParseBundle(b)
	if err != nil || r.Name != "a" {
		t.Errorf("got %+v and the error %v", r, err)
	}
	damaged := bytes.Clone(b)
	damaged[bytes.Index(damaged, random[:100])+50] ^= 1
	if _, err := script.CheckBundle(damaged); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("damaged: got the error %v", err)
	}
}

// TestPackHostile checks that nothing is packed that could not be read again.
func TestPackHostile(t *testing.T) {
	for name, content := range map[string]string{"caf\xe9": "", strings.Repeat("a/", 100) + "b": ""} {
		if _, err := script.Pack(files("main.lines", "say x", name, content), "main.lines", nil); err == nil {
			t.Errorf("%.20q was packed", name)
		}
	}
	info := `{"name":"a","version":"1","language":"A"}`
	if _, err := script.PackBundle(files("runtime.json", info, "runtime.wasm", strings.Repeat("x", 40<<20))); err == nil ||
		!strings.Contains(err.Error(), "too large") {
		t.Errorf("a file of one letter: got the error %v", err)
	}
}
