package guest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file is made when it is missing, or older than one that it is made from; and not by halves.
func TestOnce(t *testing.T) {
	b := &builder{dir: t.TempDir()}
	made := 0
	write := func(out string) error {
		made++
		return os.WriteFile(out, nil, 0o644)
	}
	touch := func(name string, at time.Time) {
		if err := os.Chtimes(b.path(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(b.path("source"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, c := range []struct {
		source, out time.Time
		made        int
	}{{now, now, 1}, {now.Add(-time.Hour), now, 1}, {now.Add(time.Hour), now, 2}} {
		touch("source", c.source)
		if i > 0 {
			touch("out", c.out)
		}
		if _, err := b.once("out", write, "source"); err != nil || made != c.made {
			t.Errorf("%d: made %d times, want %d; error %v", i, made, c.made, err)
		}
	}
	failure := errors.New("failure")
	failing := func(out string) error { return errors.Join(write(out), failure) }
	if _, err := b.once("other", failing); !errors.Is(err, failure) {
		t.Errorf("got the error %v", err)
	}
	if _, err := os.Stat(b.path("other")); !os.IsNotExist(err) {
		t.Errorf("half a file is there: %v", err)
	}
}

// What cannot be built is an error that names the guest and says why.
func TestBuildError(t *testing.T) {
	r := Recipe{"X", "", func(b *builder, g *Guest) error {
		return b.run(nil, "sh", "-c", "echo first; echo last; exit 3")
	}}
	g, err := r.Build(t.TempDir())
	if g != nil || err == nil || err.Error() != "X: sh: exit status 3: last" {
		t.Errorf("got %v and the error %v", g, err)
	}
}

func TestSources(t *testing.T) {
	for _, r := range Recipes() {
		if r.source == "" {
			continue
		}
		b, err := newBuilder(filepath.Join(t.TempDir(), "g"), r.source)
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		if files, err := os.ReadDir(b.dir); err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, error %v", r.Name, len(files), err)
		}
	}
}

func TestWat(t *testing.T) {
	for in, want := range map[string]string{
		"() -> ()":            " ",
		"(i32) -> ()":         "(param i32) ",
		"(i32, i64) -> (f64)": "(param i32 i64) (result f64)",
		"() -> (i32)":         " (result i32)",
	} {
		if got := wat(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := watString("a\x00\""); got != `\61\00\22` {
		t.Errorf("got %q", got)
	}
}
