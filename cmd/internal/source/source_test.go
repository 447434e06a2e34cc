package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
)

// FuzzManifest gives strangers' manifests to deploy: whatever is in one, there is a manifest, or
// an error with an exit code of its own.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		"module = \"greet.wasm\"\nname = \"greet\"\n[limits]\ntimeout = \"1s\"\n",
		"module = \"greet.wasm\"\n[[trigger]]\nsubject = \"orders.*\"\n",
		"module = 3", "= =", "module = \"../..\"", "created = 1979-05-27T07:32:00Z\nmodule = \"a\"",
		"x = nan\nmodule = \"a\"",
	} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, project.ManifestName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &Source{}
		err := s.readManifest(path, "")
		if err == nil && s.Path == "" {
			t.Fatal("no module and no error")
		}
		var x *exit.Error
		if err != nil && (!errors.As(err, &x) || !strings.Contains(x.Msg, path)) {
			t.Fatalf("not an error for the user: %v", err)
		}
	})
}
