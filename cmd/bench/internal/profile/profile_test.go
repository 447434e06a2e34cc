package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// burn uses processor time for a while.
func burn(d time.Duration) (n uint64) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for range 1000 {
			n = n*6364136223846793005 + 1
		}
	}
	return n
}

// TestMerge takes two profiles of this process, and checks that the one made of them has the functions and lines of
// both, and no file's name.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		stop, err := Start(dir)
		if err != nil {
			t.Fatal(err)
		}
		if burn(500*time.Millisecond) == 0 {
			t.Fatal("nothing was computed")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(t.TempDir(), "default.pgo")
	if err := Merge(dir, to); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range p.Function {
		found = found || strings.HasSuffix(f.Name, ".burn") && f.StartLine > 0
		if f.Filename != "" {
			t.Errorf("%s is said to be in %s", f.Name, f.Filename)
		}
	}
	for _, m := range p.Mapping {
		if m.File != "" {
			t.Errorf("the machine's %s is in the profile", m.File)
		}
	}
	if !found {
		t.Error("what took the time is not in the profile")
	}
}

// TestMergeNothing checks that there is no profile of nothing, nor of what is none.
func TestMergeNothing(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "default.pgo")
	if err := Merge(dir, to); err == nil {
		t.Error("nothing was merged")
	}
	if err := os.WriteFile(filepath.Join(dir, "a.pprof"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Merge(dir, to); err == nil || !strings.Contains(err.Error(), "a.pprof") {
		t.Errorf("of nonsense: %v", err)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("a profile was written")
	}
}
