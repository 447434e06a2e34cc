package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
)

// TestTodoStory runs the story of the sample todo, which needs the runtime of JavaScript. Where it is not built the
// test is skipped, unless RUNTIMES says where it must be.
func TestTodoStory(t *testing.T) {
	bundle, err := runtimesFolder().Get("javascript")
	if err != nil && os.Getenv("RUNTIMES") == "" {
		t.Skip("the runtime javascript is not built: make runtimes does it")
	}
	if err != nil {
		t.Fatal(err)
	}
	bin := buildPolyvoke(t, t.TempDir())
	scripts(t, "testdata/todo", func(e *testscript.Env) {
		e.Setenv("BUILT", bin)
		folder := interpreters.Folder(filepath.Join(e.Getenv("XDG_CACHE_HOME"), "polyvoke", "runtimes"))
		if _, err := folder.Put(bundle); err != nil {
			t.Fatal(err)
		}
	})
}
