// Package modulecache looks into the folder of compiled modules, and clears it.
//
// In goes the folder; out come its entries with their sizes and last uses. Several processes may use the folder
// meanwhile: whoever misses a compiled module compiles it again.
package modulecache

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

const (
	// Unread is how long nobody needs to have read an entry until it counts as unused.
	Unread = 30 * 24 * time.Hour
	// Fresh is how old an entry must be to be cleared: whoever has just made it is about to load it.
	Fresh = 10 * time.Second

	records = "compiled"   // folder of the records that say which file is a compiled module
	child   = "compiling-" // how folders of children begin that compile
	engine  = "wazero-"    // how folders of the engine's files begin
	// childAge is how old the folder of a child is that surely has ended: see runtimes/wasi/compiler.
	childAge = 3 * time.Hour
	// maxRecord is the size of the largest record that is read, in bytes.
	maxRecord = 64 << 10
)

// Entry is a compiled module, or what is left of one.
type Entry struct {
	Path   string    `json:"path"`             // relative to the folder
	Size   int64     `json:"size"`             // in bytes
	Made   time.Time `json:"made"`             //
	Read   time.Time `json:"read"`             // when somebody read it last, as far as the system says
	Unused string    `json:"unused,omitempty"` // why it is not used; empty: it may be

	record string // path of its record, relative to the folder; may be empty
}

// Cache is what a folder of compiled modules has.
type Cache struct {
	Dir     string  `json:"path"`    // absolute, if that could be found out
	Entries []Entry `json:"entries"` // sorted by path
	Size    int64   `json:"size"`    // of the entries, in bytes

	Sources     int   `json:"sources"`      // copies of modules as they were deployed; they are never cleared
	SourcesSize int64 `json:"sources_size"` // of these, in bytes

	now time.Time
}

// Read reads a folder. One that does not exist has no entries.
func Read(dir string) (*Cache, error) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	c := &Cache{Dir: dir, Entries: []Entry{}, now: time.Now()}
	tops, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	recorded := c.recorded()
	for _, top := range tops {
		name := top.Name()
		switch {
		case !top.IsDir():
		case strings.HasPrefix(name, child):
			c.addLeftover(name)
		case strings.HasPrefix(name, engine):
			c.addEngine(name, recorded)
		case name == "sources":
			c.Sources, c.SourcesSize = size(filepath.Join(dir, name))
		}
	}
	slices.SortFunc(c.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	for _, e := range c.Entries {
		c.Size += e.Size
	}
	return c, nil
}

// recorded returns the records by the file that they name.
func (c *Cache) recorded() map[string]string {
	by := map[string]string{}
	paths, _ := filepath.Glob(filepath.Join(c.Dir, records, "*.json")) // the pattern is right, but for odd folders
	for _, p := range paths {
		var r struct {
			File string `json:"file"`
		}
		info, err := os.Stat(p)
		if err != nil || info.Size() > maxRecord {
			continue
		}
		b, err := os.ReadFile(p)
		if err != nil || json.Unmarshal(b, &r) != nil || !filepath.IsLocal(r.File) {
			continue // the next compilation writes it again
		}
		by[filepath.Clean(r.File)] = filepath.Join(records, filepath.Base(p))
	}
	return by
}

// addLeftover adds the folder of a child.
func (c *Cache) addLeftover(name string) {
	info, err := os.Stat(filepath.Join(c.Dir, name))
	if err != nil {
		return // it has just gone
	}
	e := Entry{Path: name, Made: info.ModTime(), Read: info.ModTime()}
	_, e.Size = size(filepath.Join(c.Dir, name))
	if c.now.Sub(e.Made) > childAge {
		e.Unused = "left by a compilation that was killed"
	}
	c.Entries = append(c.Entries, e)
}

// addEngine adds the files of one version of the engine.
func (c *Cache) addEngine(folder string, recorded map[string]string) {
	files, _ := os.ReadDir(filepath.Join(c.Dir, folder)) // what cannot be read is not shown
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		e := Entry{Path: filepath.Join(folder, f.Name()), Size: info.Size(), Made: info.ModTime(), Read: lastRead(info)}
		e.record = recorded[e.Path]
		switch {
		case folder != engineFolder():
			e.Unused = "made for another version of the engine, or another platform"
		case c.now.Sub(e.Read) > Unread:
			e.Unused = "not read for 30 days"
		}
		c.Entries = append(c.Entries, e)
	}
}

// engineFolder returns the folder of the engine of this program: its version and the platform.
func engineFolder() string {
	version := "dev" // what the engine calls itself in a test
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/tetratelabs/wazero" && m.Version != "" {
				version = m.Version
			}
		}
	}
	return engine + version + "-" + runtime.GOARCH + "-" + runtime.GOOS
}

// size returns how many files there are below a folder, and their bytes.
func size(dir string) (files int, bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it has just gone, or is not ours
		}
		if info, err := d.Info(); err == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return nil
	})
	return files, bytes
}

// Unused returns the entries that are not used, and their bytes.
func (c *Cache) Unused() (entries []Entry, bytes int64) {
	for _, e := range c.Entries {
		if e.Unused != "" {
			entries, bytes = append(entries, e), bytes+e.Size
		}
	}
	return entries, bytes
}

// Cleared is what Clear has done.
type Cleared struct {
	Removed int   `json:"removed"` // entries
	Freed   int64 `json:"freed"`   // bytes
	Kept    int   `json:"kept"`    // entries that were made in the last ten seconds, and that a child may be making
}

// Clear removes all entries, or those that are not used. A service that uses the folder meanwhile loses nothing but
// the time to compile again, for what it has not loaded yet. Copies of modules, and what is known of modules that
// crashed, stay.
func (c *Cache) Clear(unusedOnly bool) (Cleared, error) {
	var done Cleared
	var errs []error
	for _, e := range c.Entries {
		switch {
		case unusedOnly && e.Unused == "":
			continue
		case c.now.Sub(e.Made) < Fresh, strings.HasPrefix(e.Path, child) && e.Unused == "":
			done.Kept++
			continue
		}
		if e.record != "" { // first: a record without its file would be a warning in the log
			if err := os.Remove(filepath.Join(c.Dir, e.record)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
				continue
			}
		}
		if err := os.RemoveAll(filepath.Join(c.Dir, e.Path)); err != nil {
			errs = append(errs, err)
			continue
		}
		done.Removed, done.Freed = done.Removed+1, done.Freed+e.Size
	}
	c.removeEmpty()
	return done, errors.Join(errs...)
}

// removeEmpty removes the folders of other engines that have nothing left in them.
func (c *Cache) removeEmpty() {
	folders, _ := filepath.Glob(filepath.Join(c.Dir, engine+"*"))
	for _, f := range folders {
		if filepath.Base(f) != engineFolder() {
			_ = os.Remove(f) // fails if there is something
		}
	}
}
