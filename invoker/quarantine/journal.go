// Package quarantine keeps a function that ends the whole process from being tried for ever.
//
// In goes what a process runs, call by call; out comes, at the next start after it has died, which function may have
// done that. A function with evidence against it is refused for a while; all others go on. See blame.go for the rules.
//
// # How
//
// Each process has a file, which it maps into its memory: a slot for each module, with the number of calls that run.
// A call costs two atomic additions there and no system call; what was written is in the file even if the process is
// killed by SIGKILL. Beside it, Go writes why it crashes, if it does, and the label of the goroutine, by which its
// module is known. A process that ends in order removes its files. One that starts looks for files that nobody holds
// a lock on, and reads in them what ran when their processes died.
//
// Processes that have the same folder for their journals share what they found out. A file that is damaged
// is named in the log, and counts for nothing.
package quarantine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// digest names a module: its SHA-256.
type digest [sha256.Size]byte

// String returns the digest as manifests write it.
func (d digest) String() string { return fmt.Sprintf("sha256:%x", d[:]) }

// Journal is the journal of this process. A nil Journal is one that does nothing. All methods may be called from
// several goroutines.
type Journal struct {
	dir  string
	path string // of the file, without its ending
	log  *slog.Logger
	file *file
	turn chan struct{} // has a token while no suspect runs

	mu       sync.Mutex
	free     []*slot
	idle     []*watch // that were not loaded any more at some time; their slots may be taken
	watches  map[digest]*watch
	suspects suspects
}

// Open judges the processes that have died since the last start, and begins the journal of this one. It makes the
// folder if it does not exist. A process has one open journal at most, because it takes Go's crash output (see
// debug.SetCrashOutput). On systems other than Unix there is none: Open returns nil.
//
// # Errors
//
// An error means that the folder cannot be used, or ctx has ended while another process judged.
func Open(ctx context.Context, dir string, log *slog.Logger) (*Journal, error) {
	if !supported {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	unlock, err := lockFolder(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer unlock()
	j := &Journal{dir: dir, log: log, turn: make(chan struct{}, 1), watches: map[digest]*watch{}}
	j.turn <- struct{}{}
	if err := j.judge(time.Now()); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := j.begin(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// begin makes this process's file, and has Go write there beside why it crashes, if it does.
func (j *Journal) begin() error {
	f, err := os.CreateTemp(j.dir, "*"+runEnding)
	if err != nil {
		return err
	}
	j.path = strings.TrimSuffix(f.Name(), runEnding)
	if j.file, err = create(f); err != nil {
		f.Close()
		os.Remove(f.Name())
		return err
	}
	j.file.slots[0].take(overflow)
	for i := range j.file.slots[1:] {
		j.free = append(j.free, &j.file.slots[1+i])
	}
	if err := recordCrash(j.path + crashEnding); err != nil {
		j.log.Warn("a crash will be taken for a kill", "err", err)
	}
	return nil
}

// Close ends the journal: the process ends in order. Nothing may run any more.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	_ = debug.SetCrashOutput(nil, debug.CrashOptions{}) // that cannot fail
	os.Remove(j.path + crashEnding)
	err := os.Remove(j.path + runEnding) // before the lock on it goes
	j.file.f.Close()
	j.file = nil
	return err
}

// Pardon forgets what there is against a module, so that it is tried at once. Other processes with the same
// folder learn of that when they start again.
func (j *Journal) Pardon(module string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.suspects[module]; !ok {
		return
	}
	delete(j.suspects, module)
	for d, w := range j.watches {
		if d.String() == module {
			w.barred.Store(nil)
			w.slot.suspect.Store(0)
		}
	}
	if err := j.forget(module); err != nil {
		j.log.Warn("a pardon is not kept", "digest", module, "err", err)
	}
}

// forget takes a module out of the file of suspects.
func (j *Journal) forget(module string) error {
	unlock, err := lockFolder(context.Background(), j.dir)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := readSuspects(j.dir)
	if err != nil {
		return err
	}
	delete(all, module)
	return all.write(j.dir)
}

// watch returns what is known about a module while it is loaded. It must be released.
func (j *Journal) watch(module []byte) *watch {
	d := digest(sha256.Sum256(module))
	j.mu.Lock()
	defer j.mu.Unlock()
	w := j.watches[d]
	if w == nil {
		w = &watch{digest: d, slot: j.slot(d), labels: d.labelled()}
		if s, ok := j.suspects[d.String()]; ok {
			if s.barred(time.Now()) {
				w.barred.Store(&s)
			}
			if w.slot.digest == d {
				w.slot.suspect.Store(1)
			}
		}
		j.watches[d] = w
	}
	w.uses++
	return w
}

// slot returns a slot for a module: a free one, that of a module which is not loaded any more, or the one for those
// that find none. The caller holds the mutex.
func (j *Journal) slot(d digest) *slot {
	for len(j.free) == 0 && len(j.idle) > 0 {
		w := j.idle[0]
		j.idle = j.idle[1:]
		if w.idle = false; w.uses == 0 {
			delete(j.watches, w.digest)
			j.free = append(j.free, w.slot)
		}
	}
	if len(j.free) == 0 {
		return &j.file.slots[0]
	}
	s := j.free[len(j.free)-1]
	j.free = j.free[:len(j.free)-1]
	s.take(d)
	return s
}

// release says that a module is loaded once less. What is known about it stays for as long as its slot is not needed.
func (j *Journal) release(w *watch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	w.uses--
	switch {
	case w.uses > 0 || w.idle:
	case w.slot.digest == overflow:
		delete(j.watches, w.digest)
	default:
		w.idle = true
		j.idle = append(j.idle, w)
	}
}

// judge reads the files of processes that have died, and finds out what that means for the modules in them. The caller
// holds the folder's lock.
func (j *Journal) judge(now time.Time) error {
	var err error
	if j.suspects, err = readSuspects(j.dir); err != nil {
		j.log.Warn("no module is in quarantine any more", "err", err)
	}
	j.suspects.expire(now)
	files, err := filepath.Glob(filepath.Join(j.dir, "*"+runEnding))
	if err != nil {
		return err
	}
	for _, path := range files {
		j.autopsy(path, now)
	}
	return j.suspects.write(j.dir)
}

// autopsy judges one process, if it has died, and removes its files.
func (j *Journal) autopsy(path string, now time.Time) {
	ran, alive, err := readFile(path)
	if alive || errors.Is(err, fs.ErrNotExist) { // it has just ended in order
		return
	}
	crashPath := strings.TrimSuffix(path, runEnding) + crashEnding
	text, _ := readMost(crashPath, maxCrash)
	defer os.Remove(path)
	defer os.Remove(crashPath)
	c := readCrash(text)
	if err != nil {
		j.log.Warn("a journal cannot be read", "file", path, "err", err)
		c.raised = false // who knows what else ran
	}
	j.log.Warn("an invoker has died here",
		"running", len(ran), "crash", protocol.CleanValue(c.reason, 200), "module", c.module)
	if guilty := j.suspects.judge(c, ran, now); guilty != "" {
		s := j.suspects[guilty]
		j.log.Error("function in quarantine", "digest", guilty, "until", s.Time.Add(memoryOfBlame), "reason", s.Reason)
	}
}

// maxCrash is how much is read of what Go wrote, in bytes. What counts comes first.
const maxCrash = 1 << 20
