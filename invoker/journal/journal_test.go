//go:build unix

package journal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// testLog writes into a test's output.
func testLog(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// open opens a journal that is closed when the test ends.
func open(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := Open(t.Context(), dir, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// die leaves the journal's file as it would be if the process were killed now.
func (j *Journal) die() {
	j.mu.Lock()
	defer j.mu.Unlock()
	// The lock goes with the process. Here a copy without one takes the file's place.
	b, err := os.ReadFile(j.path + runEnding)
	if err == nil {
		err = os.WriteFile(filepath.Join(j.dir, "dead"+runEnding), b, 0o600)
	}
	if err != nil {
		panic(err)
	}
}

// script is a runtime whose programs do what a function says.
type script func(ctx context.Context) error

func (s script) Compile(_ context.Context, module []byte, _ runtimes.Options) (runtimes.Program, error) {
	if bytes.HasPrefix(module, []byte("refused")) {
		return nil, &runtimes.ModuleError{Reason: "refused"}
	}
	return s, nil
}
func (s script) Run(ctx context.Context, _ *runtimes.Process) error { return s(ctx) }
func (s script) Close(context.Context) error                        { return nil }

// compile returns a program with a journal.
func compile(t testing.TB, j *Journal, r runtimes.Runtime, module string) runtimes.Program {
	t.Helper()
	p, err := j.Guard(r).Compile(t.Context(), []byte(module), runtimes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// call runs a program.
func call(t testing.TB, p runtimes.Program) error {
	return p.Run(t.Context(), &runtimes.Process{})
}

func TestNoJournal(t *testing.T) {
	var j *Journal
	if j.Guard(script(nil)) == nil || j.Close() != nil {
		t.Error("a nil journal does something")
	}
	j.Pardon("x")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err := Open(t.Context(), file, testLog(t)); err == nil || j != nil {
		t.Error("a file can be the folder")
	}
}

// TestDeath has a process die in the first call of a module, twice, and looks at what becomes of the module.
func TestDeath(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		j := open(t, dir)
		p := compile(t, j, script(func(context.Context) error { j.die(); return nil }), "bad")
		if err := call(t, p); err != nil {
			t.Fatalf("it is refused too soon: %v", err)
		}
		j.Close()
	}
	j := open(t, dir)
	ran := 0
	work := script(func(context.Context) error { ran++; return nil })
	bad, good, refused := compile(t, j, work, "bad"), compile(t, j, work, "good"), compile(t, j, work, "bad")
	for range 2 {
		if err := call(t, bad); protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), "deploy it again") {
			t.Errorf("the guilty one: %v", err)
		}
	}
	if err := call(t, good); err != nil || ran != 1 {
		t.Errorf("another one: %v, %d have run", err, ran)
	}
	j.Pardon("sha256:nobody")
	if err := call(t, refused); err == nil {
		t.Error("pardoned by another's digest")
	}
	j.Pardon(protocol.Digest([]byte("bad")))
	if err := errors.Join(call(t, bad), call(t, refused), call(t, compile(t, j, work, "bad"))); err != nil || ran != 4 {
		t.Errorf("after a pardon: %v, %d have run", err, ran)
	}
	j.Close()
	if j = open(t, dir); call(t, compile(t, j, work, "bad")) != nil {
		t.Error("the pardon is forgotten")
	}
}

// TestQuarantineEnds lets the time of a quarantine pass: then the module is compiled and run.
func TestQuarantineEnds(t *testing.T) {
	dir := t.TempDir()
	work := script(func(context.Context) error { return nil })
	now := time.Now()
	barred := suspect{Points: guilty, Time: now, Until: now.Add(time.Hour)}
	if err := (suspects{protocol.Digest([]byte("bad")): barred, protocol.Digest([]byte("refused")): barred}).write(dir); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	for _, module := range []string{"bad", "refused"} {
		p := compile(t, j, work, module)
		if err := call(t, p); protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("%s in quarantine: %v", module, err)
		}
		p.(*program).watch.barred.Load().Until = time.Now()
		err := call(t, p)
		if module == "bad" && err != nil || module == "refused" && (protocol.CodeOf(err) != protocol.CodeRefused || err.Error() != "refused") {
			t.Errorf("%s afterwards: %v", module, err)
		}
		p.Close(t.Context())
		if err := call(t, p); err == nil {
			t.Errorf("%s runs after Close", module)
		}
	}
}

// TestSuspectsRunAlone checks that suspects wait for each other, until a call of theirs has ended, and for nobody else.
func TestSuspectsRunAlone(t *testing.T) {
	dir := t.TempDir()
	some := suspect{Points: 2, Time: time.Now()}
	if err := (suspects{protocol.Digest([]byte("a")): some, protocol.Digest([]byte("b")): some}).write(dir); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	started, proceed := make(chan struct{}), make(chan struct{})
	hold := script(func(context.Context) error { started <- struct{}{}; <-proceed; return nil })
	quick := script(func(context.Context) error { return nil })
	a, b, c := compile(t, j, hold, "a"), compile(t, j, quick, "b"), compile(t, j, quick, "c")
	done := make(chan error)
	go func() { done <- call(t, a) }()
	<-started
	if err := call(t, c); err != nil {
		t.Errorf("one that is not suspected: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.Run(ctx, &runtimes.Process{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another suspect meanwhile: %v", err)
	}
	proceed <- struct{}{}
	if err := errors.Join(<-done, call(t, b)); err != nil {
		t.Error(err)
	}
	go func() { done <- call(t, a) }()
	<-started
	if err := call(t, b); err != nil {
		t.Errorf("one that has worked since: %v", err)
	}
	proceed <- struct{}{}
	<-done
}

// TestFolder checks what is left in the folder by processes that live, end in order and die.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	files := func() string {
		list, err := filepath.Glob(filepath.Join(dir, "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(list, " ")
	}
	a := open(t, dir)
	b := open(t, dir) // beside it
	if n := len(strings.Fields(files())); n != 4 {
		t.Errorf("two processes have %s", files())
	}
	b.Close()
	a.die() // with nothing running
	open(t, dir).Close()
	a.Close()
	if files() != "" {
		t.Errorf("in the end there are %s", files())
	}
	if err := os.WriteFile(filepath.Join(dir, "x"+runEnding), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()
	if files() != "" {
		t.Errorf("nonsense stays: %s", files())
	}
}

// TestStopping checks that a kill after the process was told to end blames nobody.
func TestStopping(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		ctx, stop := context.WithCancel(t.Context())
		j, err := Open(ctx, dir, testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		stop()
		ended := time.Now().Add(time.Minute)
		for j.file.header.stopping.Load() == 0 {
			if time.Now().After(ended) {
				t.Fatal("it takes no note of the end of its context")
			}
			runtime.Gosched()
		}
		err = call(t, compile(t, j, script(func(context.Context) error { j.die(); return nil }), "a"))
		if err != nil {
			t.Fatal(err)
		}
		j.Close()
	}
	if s := readSuspects(dir); len(s) > 0 {
		t.Errorf("suspects: %v", s)
	}
}

// TestManyModules loads more modules than there are slots, one after the other and all at once.
func TestManyModules(t *testing.T) {
	j := open(t, t.TempDir())
	work := script(func(context.Context) error { return nil })
	var kept []runtimes.Program
	for i := range 3 * slotCount {
		p, err := j.Guard(work).Compile(t.Context(), []byte{byte(i), byte(i >> 8)}, runtimes.Options{})
		if err != nil || call(t, p) != nil {
			t.Fatal(err)
		}
		if i < slotCount {
			p.Close(t.Context())
		} else {
			kept = append(kept, p)
		}
	}
	for _, p := range kept {
		p.Close(t.Context())
	}
	if _, err := j.Guard(work).Compile(t.Context(), []byte("refused"), runtimes.Options{}); err == nil {
		t.Error("a module that is refused is not refused")
	}
	if n := len(j.watches); n != slotCount {
		t.Errorf("%d modules are remembered", n)
	}
	p := compile(t, j, script(func(context.Context) error { j.die(); return nil }), "one more")
	if err := call(t, p); err != nil {
		t.Fatal(err)
	}
	r, _, err := readFile(filepath.Join(j.dir, "dead"+runEnding))
	if err != nil || len(r.entries) != 1 || r.entries[0].digest != protocol.Digest([]byte("one more")) {
		t.Errorf("the journal then says %+v, %v", r, err)
	}
}

// TestHammerJournal has many goroutines load, run and pardon the same modules, one of which is in quarantine.
func TestHammerJournal(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	if err := (suspects{protocol.Digest([]byte("0")): {Points: guilty, Time: now, Until: now.Add(time.Hour)}, protocol.Digest([]byte("1")): {Points: 2, Time: now}}).write(dir); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	var ran, refused atomic.Int64
	r := j.Guard(script(func(context.Context) error { ran.Add(1); return nil }))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range 300 {
				p, err := r.Compile(t.Context(), []byte{'0' + byte(rand.IntN(4))}, runtimes.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					if err := call(t, p); protocol.CodeOf(err) == protocol.CodeRefused {
						refused.Add(1)
					} else if err != nil {
						t.Error(err)
					}
				}
				if n == 200 {
					j.Pardon(protocol.Digest([]byte("0")))
				}
				p.Close(t.Context())
			}
		})
	}
	all.Wait()
	if ran.Load()+refused.Load() != 8*300*3 || refused.Load() == 0 {
		t.Errorf("%d ran, %d were refused", ran.Load(), refused.Load())
	}
	for i := range j.file.slots {
		if s := &j.file.slots[i]; s.running.Load() != 0 || s.loading.Load() != 0 {
			t.Errorf("%v: %d run, %d are loading", s.digest, s.running.Load(), s.loading.Load())
		}
	}
}

// FuzzParse reads files in which something was changed: there is a record, or an error.
func FuzzParse(f *testing.F) {
	name := filepath.Join(f.TempDir(), "x")
	file, err := os.Create(name)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := create(file, circumstancesNow()); err != nil {
		f.Fatal(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		f.Fatal(err)
	}
	whole, err := io.ReadAll(file)
	if err != nil {
		f.Fatal(err)
	}
	file.Close()
	f.Add([]byte("{}"), uint32(unsafe.Sizeof(header{})), uint32(fileSize))
	f.Add([]byte{1}, uint32(headerSize), uint32(fileSize))
	f.Add([]byte{1, 1, 1, 1}, uint32(headerSize+32), uint32(fileSize))
	f.Add([]byte{}, uint32(0), uint32(10))
	f.Fuzz(func(t *testing.T, change []byte, at, size uint32) {
		b := bytes.Clone(whole)
		copy(b[int(at)%fileSize:], change)
		r, err := parse(b[:min(int(size), fileSize)])
		if (r == nil) == (err == nil) {
			t.Errorf("got %v and %v", r, err)
		}
	})
}

// BenchmarkRun is what a call costs with a journal and without.
func BenchmarkRun(b *testing.B) {
	r := script(func(context.Context) error { return nil })
	bare, err := r.Compile(b.Context(), nil, runtimes.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range map[string]runtimes.Program{"bare": bare, "journal": compile(b, open(b, b.TempDir()), r, "x")} {
		b.Run(name, func(b *testing.B) {
			process := &runtimes.Process{}
			for b.Loop() {
				if err := p.Run(context.Background(), process); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"-parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				process := &runtimes.Process{}
				for pb.Next() {
					if err := p.Run(context.Background(), process); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
