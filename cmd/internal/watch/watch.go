// Package watch reports when the files in a folder change.
//
// In go a folder and which files in it do not count; out come the names of the files that differ from what they were,
// once their writer has finished. What differs is found by looking at the files; events only say when to look. So it
// does not matter how an editor saves: it may write a second file and rename it. Events that get lost or come twice do
// no harm, and what was written without a change is no change.
package watch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// DefaultQuiet is how long nothing must happen before the files are looked at.
	DefaultQuiet = 30 * time.Millisecond
	// mostQuiet is how many times as long they may go on happening at most.
	mostQuiet = 10
	// maxFiles is how many files and folders are watched at most.
	maxFiles = 10_000
	// maxRead is the size up to which files are compared by what is in them, in bytes; larger ones by time and size.
	maxRead = 4 << 20
)

// ErrTooMany is in the chain of errors if there are more files than can be watched.
var ErrTooMany = errors.New("too many files")

// Config says what to watch.
type Config struct {
	// Dir is the folder, with those below it. It must not be empty.
	Dir string
	// Ignore, if it is not nil, says which paths below Dir do not count, with all that is below them. Hidden files,
	// what editors leave beside what they edit, and folders that tools fill never count.
	Ignore func(path string) bool
	// Quiet is how long nothing must happen before the files are looked at. 0 means DefaultQuiet.
	Quiet time.Duration
}

// A Watcher watches a folder. Its methods are for one goroutine, but Close may be called from any.
type Watcher struct {
	config Config
	notify *fsnotify.Watcher
	known  map[string]state
}

// state is what a file was like.
type state struct {
	hash [sha256.Size]byte
	size int64
	time time.Time // of files that are not read
}

// New begins to watch. What changes from now on is a change.
func New(c Config) (*Watcher, error) {
	if c.Quiet == 0 {
		c.Quiet = DefaultQuiet
	}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", c.Dir, err)
	}
	w := &Watcher{config: c, notify: n}
	if w.known, err = w.look(); err != nil {
		n.Close()
		return nil, err
	}
	return w, nil
}

// Close ends the watch. Next returns an error then.
func (w *Watcher) Close() error { return w.notify.Close() }

// Next waits until files differ from what they were when Next returned last, or New did, and returns their paths,
// relative to the folder, in order. Files that come and go are among them. The error is that of ctx, or says why the
// folder can no longer be watched; fs.ErrNotExist is in its chain if it is gone.
func (w *Watcher) Next(ctx context.Context) ([]string, error) {
	for {
		if err := w.event(ctx, nil); err != nil {
			return nil, err
		}
		if err := w.settle(ctx); err != nil {
			return nil, err
		}
		now, err := w.look()
		if err != nil {
			return nil, err
		}
		if changed := w.compare(now); len(changed) > 0 {
			w.known = now
			return changed, nil
		}
	}
}

// errQuiet says that nothing has happened.
var errQuiet = errors.New("quiet")

// event waits for something to happen, or until the timer rings.
func (w *Watcher) event(ctx context.Context, timer <-chan time.Time) error {
	closed := fmt.Errorf("watch %s: %w", w.config.Dir, fs.ErrClosed)
	for {
		select {
		case e, ok := <-w.notify.Events:
			if !ok {
				return closed
			}
			if e.Op != fsnotify.Chmod && !w.ignored(e.Name) {
				return nil
			}
		case _, ok := <-w.notify.Errors:
			if !ok {
				return closed
			}
			return nil // events were lost: look
		case <-timer:
			return errQuiet
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle waits until nothing has happened for a moment.
func (w *Watcher) settle(ctx context.Context) error {
	for range mostQuiet {
		timer := time.NewTimer(w.config.Quiet)
		err := w.event(ctx, timer.C)
		timer.Stop()
		if err == errQuiet {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compare returns the files that are not as they were.
func (w *Watcher) compare(now map[string]state) (changed []string) {
	for path, s := range now {
		if old, ok := w.known[path]; !ok || old != s {
			changed = append(changed, path)
		}
	}
	for path := range maps.Keys(w.known) {
		if _, ok := now[path]; !ok {
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	return changed
}

// look reads the folder and those below it, and watches each before it reads what is in it, so that nothing is missed.
func (w *Watcher) look() (map[string]state, error) {
	found, count := map[string]state{}, 0
	err := filepath.WalkDir(w.config.Dir, func(path string, e fs.DirEntry, err error) error {
		if count++; count > maxFiles {
			return fmt.Errorf("watch %s: %w: more than %d: keep only sources in the folder", w.config.Dir, ErrTooMany, maxFiles)
		}
		root := path == w.config.Dir
		switch {
		case !root && errors.Is(err, fs.ErrNotExist):
			return nil // it has gone meanwhile
		case err != nil:
			return fmt.Errorf("watch: %w", err)
		case !root && w.ignored(path):
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case e.IsDir():
			if err := w.notify.Add(path); err != nil && (root || !errors.Is(err, fs.ErrNotExist)) {
				return fmt.Errorf("watch %s: %w: the system may limit how many files are watched", path, err)
			}
			return nil
		}
		if s, ok := read(path); ok {
			rel, _ := filepath.Rel(w.config.Dir, path) // it is below
			found[rel] = s
		}
		return nil
	})
	return found, err
}

// read returns what a file is like, and false if it is none or cannot be read.
func read(path string) (s state, ok bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return s, false
	}
	if s.size = info.Size(); s.size > maxRead {
		s.time = info.ModTime()
		return s, true
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return s, false
	}
	s.hash, s.size = sha256.Sum256(b), int64(len(b))
	return s, true
}

// ignored reports whether a path below the folder does not count.
func (w *Watcher) ignored(path string) bool {
	name := filepath.Base(path)
	switch {
	case path == w.config.Dir:
		return false
	case strings.HasPrefix(name, "."), strings.HasPrefix(name, "#"), strings.HasSuffix(name, "~"),
		strings.HasSuffix(name, ".swp"),
		strings.HasSuffix(name, ".tmp"), name == "4913": // with that name vim finds out whether it may write
		return true
	case slices.Contains([]string{"node_modules", "target", "zig-out", "nimcache", "__pycache__"}, name):
		return true
	}
	return w.config.Ignore != nil && w.config.Ignore(path)
}
