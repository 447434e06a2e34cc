//go:build unix

package quarantine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// die leaves the journal's files as they would be if the process ended now, with what Go writes about that.
func (j *Journal) die(crash string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	// The lock goes with the process. Here a copy without one takes the file's place.
	b, err := os.ReadFile(j.path + runEnding)
	if err == nil {
		err = os.WriteFile(filepath.Join(j.dir, "dead"+runEnding), b, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(j.dir, "dead"+crashEnding), []byte(crash), 0o600)
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
func (s script) Start() runtimes.Start                              { return runtimes.Start{} }
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

// crashOf is what Go writes when a goroutine of a module crashes, or one of nobody's.
func crashOf(module string) string {
	label := ""
	if module != "" {
		label = ` labels:{"module": "` + protocol.Digest([]byte(module)) + `"}`
	}
	return "fatal error: oops\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x1 pc=0x1]\n\n" +
		"goroutine 7 gp=0x1 m=2 mp=0x2 [running" + label + "]:\nmain.f()\n"
}

// TestDeath has processes die while a module runs, and looks at what becomes of the module and of another.
func TestDeath(t *testing.T) {
	for _, c := range []struct {
		what    string
		crashes []string
		refused bool
	}{
		{"kill -9, again and again", []string{"", "", "", "", ""}, false},
		{"a crash that names it", []string{crashOf("bad")}, true},
		{"a crash that names another", []string{crashOf("other"), crashOf("other")}, false},
		{"a crash that names nobody", []string{crashOf("")}, false},
		{"two such crashes", []string{crashOf(""), crashOf("")}, true},
		{"a kill and such a crash", []string{"", crashOf("")}, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			for _, crash := range c.crashes {
				j := open(t, dir)
				p := compile(t, j, script(func(context.Context) error { j.die(crash); return nil }), "bad")
				if err := call(t, p); err != nil {
					t.Fatalf("it is refused too soon: %v", err)
				}
				j.Close()
			}
			checkQuarantine(t, dir, c.refused)
		})
	}
}

// checkQuarantine checks that the module "bad" is refused or not, that another is not, and what a pardon does.
func checkQuarantine(t *testing.T, dir string, refused bool) {
	j := open(t, dir)
	ran := 0
	work := script(func(context.Context) error { ran++; return nil })
	bad, good := compile(t, j, work, "bad"), compile(t, j, work, "good")
	for range 2 {
		err := call(t, bad)
		said := protocol.CodeOf(err) == protocol.CodeRefused && strings.Contains(err.Error(), "deploy it again")
		if !refused && err != nil || refused && !said {
			t.Errorf("the bad one: %v", err)
		}
	}
	if err := call(t, good); err != nil {
		t.Errorf("another one: %v", err)
	}
	j.Pardon("sha256:nobody")
	if err := call(t, bad); refused && err == nil {
		t.Error("pardoned by another's digest")
	}
	ran = 0
	j.Pardon(protocol.Digest([]byte("bad")))
	if err := errors.Join(call(t, bad), call(t, compile(t, j, work, "bad"))); err != nil || ran != 2 {
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
	barred := suspect{Time: now, Reason: "it crashed"}
	both := suspects{protocol.Digest([]byte("bad")): barred, protocol.Digest([]byte("refused")): barred}
	if err := both.write(dir); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	for _, module := range []string{"bad", "refused"} {
		p := compile(t, j, work, module)
		if err := call(t, p); protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("%s in quarantine: %v", module, err)
		}
		p.(*program).watch.barred.Load().Time = now.Add(-memoryOfBlame)
		err := call(t, p)
		refused := protocol.CodeOf(err) == protocol.CodeRefused && err.Error() == "refused"
		if module == "bad" && err != nil || module == "refused" && !refused {
			t.Errorf("%s afterwards: %v", module, err)
		}
		p.Close(t.Context())
		if err := call(t, p); err == nil {
			t.Errorf("%s runs after Close", module)
		}
	}
}

// TestSuspectsRunAlone checks that suspects wait for each other, but not long, until a call of theirs has ended, and
// for nobody else.
func TestSuspectsRunAlone(t *testing.T) {
	dir := t.TempDir()
	some := suspect{Time: time.Now()}
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
	if err := call(t, b); err != nil {
		t.Errorf("another suspect that has waited long enough: %v", err)
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
	a.die("") // with nothing running
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
	if n := len(j.watches); n != slotCount-1 {
		t.Errorf("%d modules are remembered", n)
	}
	p := compile(t, j, script(func(context.Context) error { j.die(crashOf("")); return nil }), "one more")
	if err := call(t, p); err != nil {
		t.Fatal(err)
	}
	ran, _, err := readFile(filepath.Join(j.dir, "dead"+runEnding))
	if err != nil || len(ran) != 1 || ran[0].digest != protocol.Digest([]byte("one more")) {
		t.Errorf("the journal then says %+v, %v", ran, err)
	}
}

// TestCrowd has more modules loaded than there are slots, and one run without a slot of its own beside a suspect
// when the process crashes: the suspect was not alone.
func TestCrowd(t *testing.T) {
	dir := t.TempDir()
	lone := protocol.Digest([]byte("lone"))
	if err := (suspects{lone: {Time: time.Now()}}).write(dir); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	work := script(func(context.Context) error { return nil })
	p := compile(t, j, script(func(ctx context.Context) error {
		crowd := compile(t, j, script(func(context.Context) error { j.die(crashOf("")); return nil }), "crowd")
		return call(t, crowd)
	}), "lone")
	for i := range slotCount {
		compile(t, j, work, strconv.Itoa(i))
	}
	if err := call(t, p); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = open(t, dir)
	if s := j.suspects[lone]; s.Reason != "" || len(j.suspects) != 1 {
		t.Errorf("the suspects are %+v", j.suspects)
	}
}

// TestHammerJournal has many goroutines load, run and pardon the same modules, one of which is in quarantine.
func TestHammerJournal(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	both := suspects{protocol.Digest([]byte("0")): {Time: now, Reason: "x"}, protocol.Digest([]byte("1")): {Time: now}}
	if err := both.write(dir); err != nil {
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
		if s := &j.file.slots[i]; s.running.Load() != 0 {
			t.Errorf("%v: %d run", s.digest, s.running.Load())
		}
	}
}

// FuzzParse reads files in which something was changed: what cannot have been written is an error.
func FuzzParse(f *testing.F) {
	name := filepath.Join(f.TempDir(), "x")
	file, err := os.Create(name)
	if err != nil {
		f.Fatal(err)
	}
	made, err := create(file)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		made.slots[i].take(digest{byte(i + 1)})
		made.slots[i].running.Add(1)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	file.Close()
	f.Add([]byte("{}"), uint32(headerSize-1), uint32(fileSize))
	f.Add([]byte{1}, uint32(headerSize), uint32(fileSize))
	f.Add([]byte{0xff, 1, 1, 1}, uint32(headerSize+32), uint32(fileSize))
	f.Add([]byte{}, uint32(0), uint32(10))
	f.Fuzz(func(t *testing.T, change []byte, at, size uint32) {
		b := bytes.Clone(whole)
		copy(b[int(at)%fileSize:], change)
		b = b[:min(int(size), fileSize)]
		ran, err := parse(b)
		if err == nil && len(ran) > len(change)/slotSize+4 || bytes.Equal(b, whole) && (err != nil || len(ran) != 3) {
			t.Errorf("got %v and %v", ran, err)
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

// starter is a runtime whose programs say how they start.
type starter struct{ runtimes.Runtime }

func (starter) Compile(context.Context, []byte, runtimes.Options) (runtimes.Program, error) {
	return starting{}, nil
}

// starting is a program of it.
type starting struct{}

func (starting) Run(context.Context, *runtimes.Process) error { return nil }
func (starting) Close(context.Context) error                  { return nil }
func (starting) Start() runtimes.Start                        { return runtimes.Start{Kind: "reset", Reason: "tests"} }

// TestStart checks that a program with a journal says how it starts, once it is compiled.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	want := runtimes.Start{Kind: "reset", Reason: "tests"}
	if got := compile(t, j, starter{}, "module").Start(); got != want {
		t.Errorf("got %+v", got)
	}
	if got := compile(t, j, script(nil), "other").Start(); got != (runtimes.Start{}) {
		t.Errorf("a program that does not know says %+v", got)
	}
	l := &later{runtime: starter{}}
	if got := l.Start(); got != (runtimes.Start{}) {
		t.Errorf("before it is compiled: %+v", got)
	}
	if err := l.Run(t.Context(), &runtimes.Process{}); err != nil {
		t.Fatal(err)
	}
	if got := l.Start(); got != want {
		t.Errorf("after it is compiled: %+v", got)
	}
}

// TestDamagedFolder opens journals in folders whose files were damaged at random. What is damaged is named in the log,
// a module in quarantine is refused or not, and all others run.
func TestDamagedFolder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	original := t.TempDir()
	j := open(t, original)
	dies := script(func(context.Context) error { j.die(crashOf("bad")); return nil })
	if err := call(t, compile(t, j, dies, "bad")); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if err := (suspects{protocol.Digest([]byte("worse")): {Time: time.Now(), Reason: "x"}}).write(original); err != nil {
		t.Fatal(err)
	}
	for round := range 60 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(original)); err != nil {
			t.Fatal(err)
		}
		name := []string{"dead" + runEnding, suspectsFile, "dead" + crashEnding}[round%3]
		damage(t, filepath.Join(dir, name), random)
		var log bytes.Buffer
		j, err := Open(t.Context(), dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if name != "dead"+crashEnding && !strings.Contains(log.String(), filepath.Join(dir, name)) {
			t.Errorf("%s is damaged, and the log says %s", name, &log)
		}
		work := script(func(context.Context) error { return nil })
		for _, module := range []string{"good", "bad", "worse"} {
			err := call(t, compile(t, j, work, module))
			if err != nil && (module == "good" || protocol.CodeOf(err) != protocol.CodeRefused) {
				t.Errorf("%s with a damaged %s: %v", module, name, err)
			}
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// damage flips a bit of a file, or cuts it.
func damage(t *testing.T, path string, random *rand.Rand) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := random.IntN(len(b))
	if random.IntN(2) == 0 {
		b[at] ^= 1 << random.IntN(8)
	} else {
		b = b[:at]
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLockedFolder opens a journal while another process holds the lock and does not go on.
func TestLockedFolder(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockFolder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	j, err := Open(ctx, dir, testLog(t))
	if j != nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got the error %v", err)
	}
	unlock()
	open(t, dir)
}
