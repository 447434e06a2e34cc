//go:build toolchain

package devloop_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/devloop"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/watch"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/tiered"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// compileModule makes this test's binary compile a module, as polyvoke serve has it done.
const compileModule = "compile-module"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compileModule {
		os.Exit(wasi.CompileChild(context.Background(), os.Args[2:], os.Stdin, os.Stderr))
	}
	os.Exit(m.Run())
}

// greeter is the source of a function, but for its number, with which it answers.
type greeter struct{ language, main, source string }

// inC takes two seconds for its answer if the request begins with an s.
var inC = greeter{"c", "main.c", `#include <stdio.h>
#include <time.h>
int main(void) {
  char first = 0;
  fread(&first, 1, 1, stdin);
  if (first == 's')
    for (time_t end = time(NULL) + 2; time(NULL) <= end;) {}
  printf("%%d", %d);
  return 0;
}
`}

// bench is a polyvoke dev on a function.
type bench struct {
	t       testing.TB
	greeter greeter
	dir     string
	session *connect.Session
	events  chan devloop.Event
	number  int // of the program that was written last
}

// start starts everything, with the program number 1, and waits until that answers.
func start(t testing.TB, g greeter) *bench {
	t.Helper()
	s, err := connect.To(&connect.Settings{Server: serve(t), Timeout: patience}, "test")
	check(t, err)
	t.Cleanup(s.Close)
	s.Edits = true
	b := &bench{t: t, greeter: g, dir: filepath.Join(t.TempDir(), "shout"), session: s,
		events: make(chan devloop.Event, 1)}

	l, err := project.Find(g.language)
	check(t, err)
	_, err = project.Create(filepath.Dir(b.dir), "shout", l)
	check(t, err)
	b.write(fmt.Sprintf(g.source, b.next()))
	b.develop()
	if e := b.event(); e.Err != nil || e.Live.String() != "shout@1" {
		t.Fatalf("the beginning: %+v", e)
	}
	return b
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve starts NATS and an invoker, and returns the server's address.
func serve(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	rt, err := wasi.New(t.Context(),
		wasi.Config{CacheDir: t.TempDir(), Compiler: []string{self, compileModule}, CompileTimeout: patience})
	check(t, err)
	soon := tiered.New(rt, slog.Default())
	t.Cleanup(func() { check(t, soon.Close(context.Background())) })
	return invokertest.Start(t, func(c *invokertest.Config) { c.Runtime, c.Drain = soon, time.Second }).URL
}

// develop starts the loop on the function's folder, as the command does.
func (b *bench) develop() {
	p, err := project.Open(b.dir)
	check(b.t, err)
	w, err := watch.New(watch.Config{Dir: b.dir, Ignore: p.Output})
	check(b.t, err)
	var wasm []byte
	l := devloop.Loop{
		Build: func(ctx context.Context) error {
			built, err := p.Build(ctx)
			wasm = built.Wasm
			return err
		},
		Deploy: func(ctx context.Context) (protocol.DeployReply, error) {
			limits := protocol.Limits{Timeout: protocol.Duration(patience)}
			return b.session.Deploy(ctx, protocol.Function{Name: "shout", Limits: limits}, wasm)
		},
		Next: w.Next,
		Say:  func(e devloop.Event) { b.events <- e },
	}
	b.background(func(ctx context.Context) error {
		defer w.Close()
		return l.Run(ctx)
	})
}

// background runs f until the test ends, and expects that it ends by that.
func (b *bench) background(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				b.t.Error(err)
			}
		case <-time.After(patience):
			b.t.Error("it does not end")
		}
	})
}

// wait waits for something, which it names when it does not come.
func wait[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s does not come", what)
	}
	return v
}

func (b *bench) event() devloop.Event { b.t.Helper(); return wait(b.t, "an event", b.events) }

// next returns a number that no program has had.
func (b *bench) next() int {
	b.number++
	return b.number
}

// write saves a source: in place, or as editors do that write a second file and rename it.
func (b *bench) write(source string) {
	file := filepath.Join(b.dir, b.greeter.main)
	if b.number%2 == 0 {
		check(b.t, os.WriteFile(file, []byte(source), 0o644))
		return
	}
	check(b.t, os.WriteFile(file+"~", []byte(source), 0o644))
	check(b.t, os.Rename(file+"~", file))
}

// edit saves the next program, and returns what became of it.
func (b *bench) edit() devloop.Event {
	b.t.Helper()
	b.write(fmt.Sprintf(b.greeter.source, b.next()))
	return b.event()
}

// load calls a function from many goroutines.
type load struct {
	b             *bench
	live          atomic.Int64 // number of the program that answers for sure
	calls, failed atomic.Int64
	first         atomic.Pointer[string] // that was wrong
	running       sync.WaitGroup
}

// call calls once, and takes note if no program answers that should.
func (l *load) call() {
	least := l.live.Load()
	m, err := l.b.session.Request(protocol.RootCall+".shout", []byte("x"), patience)
	l.calls.Add(1)
	wrong := ""
	switch {
	case err != nil:
		wrong = err.Error()
	case m.Header.Get(protocol.HeaderError) != "":
		wrong = m.Header.Get(protocol.HeaderError)
	default:
		if got, err := strconv.Atoi(string(m.Data)); err != nil || int64(got) < least {
			wrong = fmt.Sprintf("it answers %q, but %d is live", m.Data, least)
		}
	}
	if wrong != "" {
		l.failed.Add(1)
		l.first.CompareAndSwap(nil, &wrong)
	}
}

// number asks the function which program it is.
func (b *bench) ask(body string) string {
	b.t.Helper()
	m, err := b.session.Request(protocol.RootCall+".shout", []byte(body), patience)
	check(b.t, err)
	return m.Header.Get(protocol.HeaderError) + string(m.Data)
}

// TestEdits edits a function under load: each version answers, and no call fails or is answered by a version before
// one that was live.
func TestEdits(t *testing.T) {
	b := start(t, inC)
	l := &load{b: b}
	l.live.Store(1)
	stop := make(chan struct{})
	for range 4 {
		l.running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					l.call()
				}
			}
		})
	}
	for range 20 {
		e := b.edit()
		if e.Err != nil || !e.New || strings.Join(e.Changed, " ") != "main.c" ||
			e.Live.String() != fmt.Sprintf("shout@%d", b.number) {
			t.Errorf("edit %d: %+v", b.number, e)
			break
		}
		l.live.Store(int64(b.number))
		if got := b.ask("x"); got != fmt.Sprint(b.number) {
			t.Errorf("edit %d: it answers %q", b.number, got)
		}
	}
	close(stop)
	l.running.Wait()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d calls failed, such as: %s", n, l.calls.Load(), *l.first.Load())
	}
	if n := l.calls.Load(); n < 100 {
		t.Errorf("%d calls only", n)
	}
}

// TestInFlight edits a function while it works: the call ends with the version that it began with.
func TestInFlight(t *testing.T) {
	b := start(t, inC)
	inbox := nats.NewInbox()
	sub, err := b.session.SubscribeSync(inbox)
	check(t, err)
	check(t, b.session.PublishRequest(protocol.RootCall+".shout", inbox, []byte("slow")))
	if got := b.ask("x"); got != "1" { // what was sent before has begun or is before this in line
		t.Fatalf("it answers %q", got)
	}
	if e := b.edit(); e.Err != nil {
		t.Fatal(e.Err)
	}
	if got := b.ask("x"); got != "2" {
		t.Errorf("after the edit it answers %q", got)
	}
	m, err := sub.NextMsg(patience)
	check(t, err)
	if string(m.Data) != "1" {
		t.Errorf("the call in flight is answered by %q, %v", m.Data, m.Header)
	}
}

// TestBroken saves what does not compile: the version before stays, and the next edit mends it.
func TestBroken(t *testing.T) {
	b := start(t, inC)
	b.next()
	b.write("this is no C\n")
	if e := b.event(); !errors.Is(e.Err, project.ErrBuild) || e.Stage != devloop.Building || e.Live.String() != "shout@1" {
		t.Errorf("broken: %+v", e)
	}
	if got := b.ask("x"); got != "1" {
		t.Errorf("it answers %q", got)
	}
	if e := b.edit(); e.Err != nil || e.Live.String() != "shout@2" {
		t.Errorf("mended: %+v", e)
	}
	if got := b.ask("x"); got != fmt.Sprint(b.number) {
		t.Errorf("it answers %q", got)
	}
	b.write("// The same.\n" + fmt.Sprintf(inC.source, b.number))
	if e := b.event(); e.Err != nil || e.New || e.Live.String() != "shout@2" {
		t.Errorf("the same program: %+v", e)
	}
}
