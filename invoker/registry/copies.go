package registry

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// copies is a folder with copies of modules, one file each, named by its digest. It makes starts quick, and is where
// the store gets back what it has lost. An empty name means that there is none. Several processes may share a folder:
// files appear whole, and whoever reads one checks it.
type copies struct{ folder string }

// unusedAge is how long a copy stays that no record names.
const unusedAge = 24 * time.Hour

func (c copies) path(digest string) string {
	return filepath.Join(c.folder, strings.TrimPrefix(digest, "sha256:"))
}

// get returns a module, or nil if there is no copy that is whole.
func (c copies) get(digest string) []byte {
	if c.folder == "" || protocol.CheckDigest(digest) != nil {
		return nil
	}
	module, err := os.ReadFile(c.path(digest))
	if err != nil || protocol.Digest(module) != digest {
		return nil
	}
	return module
}

// put keeps a copy of a module. What it cannot keep is missed only if the store loses it too.
func (c copies) put(digest string, module []byte) error {
	if c.folder == "" {
		return nil
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.folder, "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(module)
	if late := f.Close(); err == nil {
		err = late
	}
	if err == nil {
		err = os.Rename(f.Name(), c.path(digest))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // or tidy does it
	}
	return err
}

// have reports whether there is a copy, and notes that it is needed.
func (c copies) have(digest string) bool {
	now := time.Now()
	return c.folder != "" && os.Chtimes(c.path(digest), now, now) == nil
}

// drop removes a copy.
func (c copies) drop(digest string) {
	if c.folder != "" {
		_ = os.Remove(c.path(digest)) // there may be none
	}
}

// tidy removes what nobody has needed for unusedAge.
func (c copies) tidy() {
	if c.folder == "" {
		return
	}
	files, _ := os.ReadDir(c.folder) // none is as good as an empty one
	for _, f := range files {
		if i, err := f.Info(); err == nil && time.Since(i.ModTime()) > unusedAge {
			_ = os.Remove(filepath.Join(c.folder, f.Name()))
		}
	}
}
