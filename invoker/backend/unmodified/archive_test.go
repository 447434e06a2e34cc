package unmodified_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

//go:generate sh testdata/build.sh

// archive is a program such as tar.
//
//go:embed testdata/archive.wasm
var archive []byte

// TestArchiveIsBuilt checks that the module was made of the source beside it.
func TestArchiveIsBuilt(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join("testdata", "archive.sum"))
	source, errSource := os.ReadFile(filepath.Join("testdata", "archive.c"))
	if err := errors.Join(err, errSource); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x  archive.c\n%x  archive.wasm\n", sha256.Sum256(source), sha256.Sum256(archive))
	if string(sums) != want {
		t.Errorf("testdata/archive.sum is\n%swant\n%srun go generate", sums, want)
	}
}

// TestArchive packs a folder, and unpacks it in another call. What there is then is the same on each place, the archive
// is one that others read, and one byte that is wrong leaves nothing behind in a bucket.
func TestArchive(t *testing.T) {
	w := newWorld(t)
	program := w.compile(archive, "/kv/b")
	run := func(s *scene, args ...string) outcome {
		return s.run(job{program: program, at: "/kv/b", args: append([]string{"archive"}, args...)})
	}
	content := map[string]string{"in/a": "x", "in/empty": "", "in/d/e/f.txt": strings.Repeat("some text, ", 5000),
		"in/d/block": strings.Repeat("b", 512), "in/z": "\x00\xff"}
	var listed string
	for _, p := range places() {
		s := w.scene(p)
		s.fill(content)
		if o := run(s, "c", "/kv/b/all.tar", "/kv/b/in"); o.exit != 0 || o.err != nil {
			t.Fatalf("%s: %v", p.name, o)
		}
		o := run(s, "x", "/kv/b/all.tar", "/kv/b/out")
		if o.exit != 0 || o.err != nil {
			t.Fatalf("%s: %v", p.name, o)
		}
		if p.name == folder {
			listed = o.stdout
		}
		got := s.content()
		names := readTar(t, got["all.tar"])
		for name, text := range content {
			name = strings.TrimPrefix(name, "in/")
			if got["out/"+name] != text || names[name] != text {
				t.Errorf("%s: %s is not what it was", p.name, name)
			}
		}
		if o.stdout != listed || len(got) != 2*len(content)+1 {
			t.Errorf("%s: it has %d files, and says %q, on a folder %q", p.name, len(got), o.stdout, listed)
		}
		wrong := []byte(got["all.tar"])
		wrong[bytes.LastIndex(wrong, []byte("ustar"))-20]++
		s.fill(map[string]string{"all.tar": string(wrong)})
		before := s.content()
		if o := run(s, "x", "/kv/b/all.tar", "/kv/b/again"); o.exit != 1 {
			t.Errorf("%s: a wrong archive: %v", p.name, o)
		}
		if after := s.content(); maps.Equal(before, after) != (p.name != folder) {
			t.Errorf("%s: after a call that has failed there are %d files, before %d", p.name, len(after), len(before))
		}
	}
}

// readTar returns the files in an archive.
func readTar(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for r := tar.NewReader(strings.NewReader(text)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			all[h.Name] = string(b)
		}
	}
}
