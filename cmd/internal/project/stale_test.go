package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStale(t *testing.T) {
	const build = "module = \"a.wasm\"\n[build]\nsource = \"main.c\"\n"
	old, now := time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	for _, test := range []struct {
		what, manifest string
		newer          string // a file that is newer than the module
		want           string
	}{
		{"nothing is newer", build, "", ""},
		{"a source", build, "main.c", "main.c is newer than a.wasm"},
		{"a file beside it", build, "deep/data.txt", filepath.Join("deep", "data.txt") + " is newer"},
		{"the manifest", build, ManifestName, ManifestName + " is newer"},
		{"a hidden file", build, ".git/index", ""},
		{"what tools make", build, "target/x", ""},
		{"what .gitignore names", build, "b.log", ""},
		{"the request", build, "in.json", ""},
		{"a module that nothing builds", "module = \"a.wasm\"\n", "main.c", ""},
		{"a script", "script = \"a.wasm\"\nruntime = \"lua\"\n", "main.c", ""},
	} {
		dir := write(t, test.manifest)
		check(t, os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*.log\n"), 0o600))
		for _, name := range []string{"a.wasm", "main.c", "deep/data.txt", ".git/index", "target/x", "b.log", "in.json",
			ManifestName} {
			file := filepath.Join(dir, name)
			check(t, os.MkdirAll(filepath.Dir(file), 0o700))
			if name != ManifestName {
				check(t, os.WriteFile(file, nil, 0o600))
			}
			at := old
			if name == test.newer {
				at = now
			}
			check(t, os.Chtimes(file, at, at))
		}
		p, err := Open(dir)
		check(t, err)
		why, err := p.Stale()
		if err != nil || (why == "") != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%s: %q, %v; want %q", test.what, why, err, test.want)
		}
	}
	p, err := Open(write(t, build))
	check(t, err)
	if why, err := p.Stale(); err != nil || why != "a.wasm is not built" {
		t.Errorf("no module: %q, %v", why, err)
	}
}

// What was built again, and came out the same, is not older than its sources any more.
func TestBuiltIsNotStale(t *testing.T) {
	plain, _ := named(t)
	dir := write(t, "module = \"a.wasm\"\n[build]\ncommand = [\"cp\", \"source\", \"a.wasm\"]\n")
	check(t, os.WriteFile(filepath.Join(dir, "source"), plain, 0o600))
	p, err := Open(dir)
	check(t, err)
	for range 2 {
		_, err = p.Build(t.Context())
		check(t, err)
		if why, err := p.Stale(); err != nil || why != "" {
			t.Errorf("after a build: %q, %v", why, err)
		}
		old := time.Now().Add(-time.Hour)
		check(t, os.Chtimes(filepath.Join(dir, "a.wasm"), old, old))
		if why, err := p.Stale(); err != nil || why == "" {
			t.Errorf("an old module: %q, %v", why, err)
		}
	}
}
