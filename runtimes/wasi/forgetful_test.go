package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// forgetful is a program that does wrong what a runtime can do wrong when it uses a sandbox again: the
// engine's own WASI, and one memory for all calls, of which it puts back nothing or too little.
type forgetful struct {
	engine   wazero.Runtime
	compiled wazero.CompiledModule
	memory   []byte // as long as it can get
	size     int    // of it in use
	image    []byte // of a new instance; nil until there was one
	instance api.Module

	replace bool              // each call gets a new instance, over the old memory
	putBack bool              // all of the memory is put back but what is full of secrets
	process *runtimes.Process // being served
	files   fs.FS             // of the first call, for ever
}

// newForgetful makes such a program.
func newForgetful(t *testing.T, module []byte) *forgetful {
	t.Helper()
	f := &forgetful{memory: make([]byte, 64<<20)}
	// The interpreter has compiled a module of Go in a fraction of the time.
	f.engine = wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	t.Cleanup(func() { f.engine.Close(context.Background()) })
	b := f.engine.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	// The engine's own would close the instance.
	b.NewFunctionBuilder().WithFunc(func(code uint32) { panic(sys.NewExitError(code)) }).Export("proc_exit")
	if _, err := b.Instantiate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.compiled, err = f.engine.CompileModule(t.Context(), module); err != nil {
		t.Fatal(err)
	}
	return f
}

// Run implements runtimes.Program.
func (f *forgetful) Run(ctx context.Context, p *runtimes.Process) error {
	f.process = p
	if f.files == nil {
		f.files = files.Std(context.Background(), p.Files)
	}
	if f.putBack {
		f.forgetSecrets()
	}
	if f.instance == nil || f.replace {
		if err := f.instantiate(ctx); err != nil {
			return err
		}
	}
	_, err := f.instance.ExportedFunction("_start").Call(ctx)
	var exit *sys.ExitError
	switch {
	case err == nil || errors.As(err, &exit) && exit.ExitCode() == 0:
		return nil
	case exit != nil:
		return &runtimes.ExitError{Code: exit.ExitCode()}
	}
	return &runtimes.TrapError{Reason: err.Error()}
}

// Start implements runtimes.Program.
func (f *forgetful) Start() runtimes.Start { return runtimes.Start{} }

// Close implements runtimes.Program.
func (f *forgetful) Close(context.Context) error { return nil }

// instantiate makes an instance.
func (f *forgetful) instantiate(ctx context.Context) error {
	ctx = experimental.WithMemoryAllocator(ctx, f)
	c := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithSysNanotime().WithSysWalltime().
		WithArgs(f.process.Args...).WithStdin(f).WithStdout(f).WithStderr(io.Discard).
		WithRandSource(entropy{}).WithFSConfig(wazero.NewFSConfig().WithFSMount(f, "/request"))
	for _, e := range f.process.Env {
		name, value, _ := strings.Cut(e, "=")
		c = c.WithEnv(name, value)
	}
	f.size = 0
	var err error
	if f.instance, err = f.engine.InstantiateModule(ctx, f.compiled, c); err == nil && f.image == nil {
		f.image = slices.Clone(f.memory[:f.size])
	}
	return err
}

// forgetSecrets puts back the image, but for lines of memory that hold nothing but secrets.
func (f *forgetful) forgetSecrets() {
	const line = 256
	for i := 0; i < len(f.memory); i += line {
		now := f.memory[i : i+line]
		if secretive(now) {
			continue
		}
		clear(now)
		if i < len(f.image) {
			copy(now, f.image[i:])
		}
	}
}

// secretive reports whether memory holds one record after the other and nothing else.
func secretive(b []byte) bool {
	const size = 15 + secretSize + 1
	return bytes.Count(b, []byte{mark}) >= len(b)/2 && bytes.Equal(b[:len(b)-size], b[size:])
}

// Allocate implements experimental.MemoryAllocator.
func (f *forgetful) Allocate(_, _ uint64) experimental.LinearMemory { return f }

// Reallocate implements experimental.LinearMemory.
func (f *forgetful) Reallocate(size uint64) []byte {
	if size > uint64(len(f.memory)) {
		return nil
	}
	f.size = int(size)
	return f.memory[:size:size]
}

// Free implements experimental.LinearMemory.
func (f *forgetful) Free() {}

// Read, Write and Open serve the present call.
func (f *forgetful) Read(b []byte) (int, error)        { return f.process.Stdin.Read(b) }
func (f *forgetful) Write(b []byte) (int, error)       { return f.process.Stdout.Write(b) }
func (f *forgetful) Open(name string) (fs.File, error) { return f.files.Open(name) }

// entropy has no surprises: a seed that is the same for all.
type entropy struct{}

func (entropy) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestSpiesNotice runs spies where nothing, or too little, is put back. They find what the call before has
// left in each place, and the harness complains of each.
func TestSpiesNotice(t *testing.T) {
	for _, c := range []struct {
		spy, name        string
		mode             string // of the call before
		replace, putBack bool
		want             string // the places
	}{
		{spy: "C", name: "nothing put back after a trap", mode: "trap",
			want: "static stack heap freed grown descriptors files count kept pages errno unwritten rand variable " +
				"i32 i64 f32 f64 open descriptor eof stdout handlers served start call"},
		{spy: "C", name: "nothing put back after a return", mode: "return", want: "static stack heap eof variable"},
		{spy: "C", name: "nothing put back, stdin unread", mode: "unread", want: "unread"},
		{spy: "C", name: "grown memory kept", mode: "trap", replace: true, putBack: true, want: "added"},
		// Rust and Go check that they start only once, and do not get far in memory that is not as it was.
		{spy: "Rust", name: "parts of memory kept", mode: "trap", putBack: true,
			want: "static stack heap freed descriptors files pages open descriptor start call"},
		{spy: "Rust", name: "grown memory kept", mode: "trap", replace: true, putBack: true, want: "added"},
		{spy: "Go", name: "parts of memory kept", mode: "return", putBack: true,
			want: "static data memory allocated pages open descriptor descriptors files call"},
		{spy: "Go", name: "grown memory kept", mode: "trap", replace: true, putBack: true, want: "allocated"},
	} {
		t.Run(c.spy+"/"+c.name, func(t *testing.T) {
			s := spyIn(t, c.spy)
			usual := usualReport(t, s)
			f := newForgetful(t, s.module(t))
			f.replace, f.putBack = c.replace, c.putBack
			all := newCampaign()
			var bad []string
			for _, mode := range []string{c.mode, "return"} {
				m := newMission(mode)
				m.run(t.Context(), f)
				bad = all.add(s, m, usual)
			}
			bad = append(bad, all.check(runtimes.StartReset)...)
			for _, place := range strings.Fields(c.want) {
				if !slices.ContainsFunc(bad, func(b string) bool { return strings.HasPrefix(b, place+": ") }) {
					t.Errorf("nobody complained of %s", place)
				}
			}
			if t.Failed() {
				t.Logf("there were %q", bad)
			}
		})
	}
}

// spyIn returns the spy in a language.
func spyIn(t *testing.T, language string) spy {
	t.Helper()
	for _, s := range spies() {
		if s.name == language {
			return s
		}
	}
	t.Fatalf("there is no spy in %s", language)
	return spy{}
}
