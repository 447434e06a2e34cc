package modulecache

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// write makes a file of a certain age.
func write(t *testing.T, path, text string, age time.Duration) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-age)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// fill makes a cache with one entry of each kind.
func fill(t *testing.T) string {
	dir := t.TempDir()
	for _, f := range []struct {
		path, text string
		age        time.Duration
	}{
		{engineFolder() + "/used", "12345", time.Hour},
		{engineFolder() + "/fresh", "1", 0},
		{engineFolder() + "/old", "123", 60 * 24 * time.Hour},
		{"wazero-v0.0.1-amd64-linux/other", "12", time.Hour},
		{"compiled/a.json", `{"file":"` + engineFolder() + `/used"}`, time.Hour},
		{"compiled/evil.json", `{"file":"../../sources/x"}`, time.Hour},
		{"compiled/broken.json", `{`, time.Hour},
		{"sources/aa", "1234567", time.Hour},
		{"running/1.run", "1234567", 60 * 24 * time.Hour},
		{"note.txt", "mine", 60 * 24 * time.Hour},
		{"compiling-1/x", "1", 0},
		{"compiling-2/x", "1", 0},
	} {
		write(t, filepath.Join(dir, f.path), f.text, f.age)
	}
	old := time.Now().Add(-4 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "compiling-2"), old, old); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRead(t *testing.T) {
	c, err := Read(fill(t))
	if err != nil {
		t.Fatal(err)
	}
	unused, bytes := c.Unused()
	if len(c.Entries) != 6 || c.Size != 13 || c.Sources != 1 || c.SourcesSize != 7 || len(unused) != 3 || bytes != 6 {
		t.Errorf("the cache has %+v, of which %+v are not used", c, unused)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
	if c, err := Read(filepath.Join(t.TempDir(), "none")); err != nil || len(c.Entries) != 0 {
		t.Errorf("a folder that is not there: %+v, error %v", c, err)
	}
}

func TestClear(t *testing.T) {
	for _, test := range []struct {
		unused bool
		want   Cleared
		gone   []string
		stays  []string
	}{
		{true, Cleared{Removed: 3, Freed: 6}, []string{engineFolder() + "/old", "wazero-v0.0.1-amd64-linux",
			"compiling-2"},
			[]string{engineFolder() + "/used", "compiled/a.json", "compiling-1"}},
		{false, Cleared{Removed: 4, Freed: 11, Kept: 2}, []string{engineFolder() + "/used", "compiled/a.json"},
			[]string{engineFolder() + "/fresh", "compiling-1"}},
	} {
		dir := fill(t)
		c, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Clear(test.unused); err != nil || got != test.want {
			t.Errorf("Clear(%t) = %+v, error %v, want %+v", test.unused, got, err, test.want)
		}
		for _, f := range test.gone {
			if _, err := os.Stat(filepath.Join(dir, f)); err == nil {
				t.Errorf("Clear(%t): %s is still there", test.unused, f)
			}
		}
		for _, f := range append(test.stays, "sources/aa", "running/1.run", "note.txt") {
			if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
				t.Errorf("Clear(%t): %v", test.unused, err)
			}
		}
	}
}
