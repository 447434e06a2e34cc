package tiered_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/tiered"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// gate is a Parter in which wholes wait until they may be compiled, after the first.
type gate struct {
	runtimes.Parter
	open   chan error         // one for each whole: why it cannot be compiled, or nil
	begun  chan runtimes.Part // gets each part
	mu     sync.Mutex
	wholes int
}

// newGate returns a gate in front of a sandbox.
func newGate(t testing.TB) *gate {
	return &gate{Parter: newSandbox(t), open: make(chan error, 10), begun: make(chan runtimes.Part, 10)}
}

// CompilePart implements runtimes.Parter.
func (g *gate) CompilePart(
	ctx context.Context, module []byte, o runtimes.Options, p runtimes.Part,
) (runtimes.Program, error) {
	g.mu.Lock()
	wait := p.Called && g.wholes > 0
	if p.Called {
		g.wholes++
	}
	g.mu.Unlock()
	g.begun <- p
	if wait {
		select {
		case err := <-g.open:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.Parter.CompilePart(ctx, module, o, p)
}

// part waits for the next compilation, and checks whether it is that of a whole.
func (g *gate) part(t *testing.T, whole bool) {
	t.Helper()
	select {
	case p := <-g.begun:
		if p.Called != whole || (p.Without == nil) != whole {
			t.Errorf("got a part with %d functions to leave out, of which it remembers calls: %t", len(p.Without), p.Called)
		}
	case <-time.After(patience):
		t.Fatal("nothing is compiled")
	}
}

// newLine returns a runtime behind a gate, that knows what the probe needs to copy its input, and a draft of the probe.
func newLine(t *testing.T, set func(*tiered.Runtime) *tiered.Runtime) (*gate, *tiered.Runtime, runtimes.Program) {
	t.Helper()
	g := newGate(t)
	r := set(tiered.New(g, slog.New(slog.NewTextHandler(io.Discard, nil))))
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := train(r, "a", "echo"); err != nil {
		t.Fatal(err)
	}
	g.part(t, true)
	return g, r, draft(t, g, r)
}

// draft compiles the next edit, of which there is a draft.
func draft(t *testing.T, g *gate, r *tiered.Runtime) runtimes.Program {
	t.Helper()
	p, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Line: "a"})
	if err != nil {
		t.Fatal(err)
	}
	g.part(t, false)
	return p
}

// echo runs a process that copies its input, and returns how much work that was.
func echo(t *testing.T, g runtimes.Program) uint64 {
	t.Helper()
	var out bytes.Buffer
	p := process("echo")
	p.Stdin, p.Stdout = strings.NewReader("body"), &out
	if err := g.Run(t.Context(), p); err != nil || out.String() != "body" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	return p.Usage.Fuel
}

// exit runs a process that ends with a code, in a goroutine.
func exit(ctx context.Context, g runtimes.Program) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, process("exit", "7")) }()
	return ended
}

// wait returns what comes.
func wait(t *testing.T, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		t.Fatal("it does not come")
		return nil
	}
}

func eager(r *tiered.Runtime) *tiered.Runtime { return r.Eager() }

// TestDraft runs what calls have used before, without the whole, and what they have not as soon as that is there.
func TestDraft(t *testing.T) {
	g, r, p := newLine(t, eager)
	plain, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := echo(t, plain)
	if got := echo(t, p); got != want || want == 0 {
		t.Errorf("the draft uses %d units of fuel, a program without one %d", got, want)
	}
	kind, s := plain.Start().Kind, p.Start()
	if s.Kind != kind || !strings.Contains(s.Reason, "the others are being compiled") {
		t.Errorf("the draft starts like %+v", s)
	}

	ended := exit(t.Context(), p)
	g.part(t, true)
	if got := echo(t, p); got != want {
		t.Errorf("while the whole is compiled, the draft uses %d units of fuel", got)
	}
	g.open <- nil
	var code *runtimes.ExitError
	if err := wait(t, ended); !errors.As(err, &code) || code.Code != 7 {
		t.Errorf("the process that needs the whole ends with %v", err)
	}
	if got := echo(t, p); got != want {
		t.Errorf("the whole uses %d units of fuel, a program without draft %d", got, want)
	}
	if s := p.Start(); s != plain.Start() {
		t.Errorf("the whole starts like %+v", s)
	}
	next := draft(t, g, r) // which has been taught more
	if err := wait(t, exit(t.Context(), next)); !errors.As(err, &code) || code.Code != 7 {
		t.Errorf("the next draft ends with %v", err)
	}
}

// TestPause compiles the whole of a draft that nothing has called, and puts that off for the next edit.
func TestPause(t *testing.T) {
	g, r, p := newLine(t, func(r *tiered.Runtime) *tiered.Runtime { return r.Impatient() })
	g.part(t, true) // and is put off, for now
	next := draft(t, g, r)
	g.part(t, true)
	g.open <- nil
	for _, p := range []runtimes.Program{next, p} {
		ended := exit(t.Context(), p)
		if p != next {
			g.part(t, true) // the process needs it
			g.open <- nil
		}
		var code *runtimes.ExitError
		if err := wait(t, ended); !errors.As(err, &code) {
			t.Error(err)
		}
	}
}

// TestNoWhole tells processes that need the whole why there is none, and runs the others.
func TestNoWhole(t *testing.T) {
	g, _, p := newLine(t, eager)
	ended := exit(t.Context(), p)
	g.part(t, true)
	g.open <- &runtimes.ModuleError{Reason: "too much"}
	for range 2 {
		var refused *runtimes.ModuleError
		if err := wait(t, ended); !errors.As(err, &refused) || refused.Reason != "too much" {
			t.Errorf("the process that needs the whole ends with %v", err)
		}
		echo(t, p)
		ended = exit(t.Context(), p)
	}
	if s := p.Start(); s.Kind == "" {
		t.Error("nobody knows how it starts")
	}
	if err := errors.Join(p.Close(t.Context()), p.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if err := p.Run(t.Context(), process("echo")); err == nil {
		t.Error("it runs after Close")
	}
}

// TestWaiting ends processes that wait for the whole with their context, or the error of their Wait.
func TestWaiting(t *testing.T) {
	g, r, p := newLine(t, eager)
	ctx, cancel := context.WithCancel(t.Context())
	ended := exit(ctx, p)
	g.part(t, true)
	cancel()
	if err := wait(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the process ends with %v", err)
	}
	sleepless := process("exit", "7")
	want := errors.New("no sleep")
	sleepless.Wait = func(context.Context, <-chan struct{}) error { return want }
	if err := p.Run(t.Context(), sleepless); !errors.Is(err, want) {
		t.Errorf("the process ends with %v", err)
	}
	ended = exit(t.Context(), p)
	if err := r.Close(t.Context()); err != nil { // which ends the compilation
		t.Error(err)
	}
	if err := wait(t, ended); err == nil {
		t.Error("a process runs in a runtime that is closed")
	}
}

// TestWritten has processes that can write files run in the whole only: what they have written in a draft would be
// there when they are started again.
func TestWritten(t *testing.T) {
	g, _, p := newLine(t, eager)
	var out bytes.Buffer
	writer := process("echo")
	writer.Stdin, writer.Stdout, writer.Files = strings.NewReader("body"), &out, files.NewMemory(1<<20)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context(), writer) }()
	g.part(t, true)
	select {
	case err := <-ended:
		t.Errorf("it has run before the whole is there: %v", err)
	default:
	}
	reader := process("echo")
	reader.Files = files.Static(files.Map{})
	if err := p.Run(t.Context(), reader); err != nil { // meanwhile
		t.Error(err)
	}
	g.open <- nil
	if err := wait(t, ended); err != nil || out.String() != "body" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// TestOutput holds back what a draft writes, as long as there is room.
func TestOutput(t *testing.T) {
	g, _, p := newLine(t, eager)
	body := strings.Repeat("body", 1<<19)
	var out bytes.Buffer
	long := process("echo")
	long.Stdin, long.Stdout = strings.NewReader(body), &out
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context(), long) }()
	g.part(t, true)
	g.open <- nil
	if err := wait(t, ended); err != nil || out.String() != body {
		t.Errorf("got %d bytes, %v", out.Len(), err)
	}
}

// TestRefusedOutput ends a process with the error of its stdout, as if it had written to that itself.
func TestRefusedOutput(t *testing.T) {
	_, _, p := newLine(t, eager)
	full := process("echo")
	full.Stdin, full.Stdout = strings.NewReader("body"), &runtimes.CapWriter{W: io.Discard, N: 2}
	if err := p.Run(t.Context(), full); !errors.Is(err, runtimes.ErrOutput) {
		t.Errorf("got %v", err)
	}
}

// TestHammer edits under load: no run fails, whether it is in a draft or in a whole, and programs are closed when
// nothing of them runs.
func TestHammer(t *testing.T) {
	r := tiered.New(newSandbox(t), slog.Default()).Impatient()
	if err := train(r, "a", "echo"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Line: "a"})
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for range 4 {
			calls.Go(func() {
				for range 20 {
					echo(t, p)
					var code *runtimes.ExitError
					if err := p.Run(t.Context(), process("exit", "7")); !errors.As(err, &code) || code.Code != 7 {
						t.Error(err)
					}
					p.Start()
				}
			})
		}
		calls.Wait()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
