package samples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/samples"
)

const (
	runTimeout  = 60 * time.Second // no run should come near it
	memoryPages = 1024             // of 64 KiB each: 64 MiB
)

// A sandbox runs modules as plain WASI processes on wazero, without any part of polyvoke.
type sandbox struct {
	t       *testing.T
	runtime wazero.Runtime
}

// An outcome is what a process leaves behind.
type outcome struct {
	stdout, stderr string
	exit           int
}

// newSandbox returns one that compiles; newInterpreter one that is quick to load a module and slow to
// run it.
func newSandbox(t *testing.T) sandbox     { return open(t, wazero.NewRuntimeConfigCompiler()) }
func newInterpreter(t *testing.T) sandbox { return open(t, wazero.NewRuntimeConfigInterpreter()) }

func open(t *testing.T, config wazero.RuntimeConfig) sandbox {
	t.Helper()
	ctx := context.Background() // not of the test: Close runs after that has ended
	config = config.WithMemoryLimitPages(memoryPages).WithCloseOnContextDone(true)
	b := sandbox{t, wazero.NewRuntimeWithConfig(ctx, config)}
	t.Cleanup(func() {
		if err := b.runtime.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, b.runtime); err != nil {
		t.Fatal(err)
	}
	return b
}

// build builds and compiles a sample.
func (b sandbox) build(s samples.Sample) wazero.CompiledModule {
	b.t.Helper()
	wasm, err := s.Build(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return b.compile(wasm)
}

func (b sandbox) compile(wasm []byte) wazero.CompiledModule {
	b.t.Helper()
	p, err := b.runtime.CompileModule(b.t.Context(), wasm)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// run runs p once, as a fresh instance.
func (b sandbox) run(p wazero.CompiledModule, args []string, stdin []byte) outcome {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), runTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"sample"}, args...)...).
		WithStdin(bytes.NewReader(stdin)).WithStdout(&stdout).WithStderr(&stderr).
		WithSysWalltime().WithSysNanotime()
	m, err := b.runtime.InstantiateModule(ctx, p, config)
	if m != nil {
		defer m.Close(ctx)
	}
	var exit *sys.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Errorf("trap: %v", err)
		return outcome{stdout.String(), stderr.String(), -1}
	}
	return outcome{stdout.String(), stderr.String(), int(exitCode(exit))}
}

func exitCode(e *sys.ExitError) uint32 {
	if e == nil {
		return 0
	}
	return e.ExitCode()
}

// A vector is a request and what must come of it; vectors.json files hold lists of them.
type vector struct {
	About   string   `json:"about"`
	Args    []string `json:"args"`
	Stdin   string   `json:"stdin"`
	Stdin64 []byte   `json:"stdin64"` // instead of Stdin, where that is not UTF-8
	Stdout  string   `json:"stdout"`
	Log     string   `json:"log"` // stderr; empty for anything, but a bad request has one line
	Exit    int      `json:"exit"`
}

func readVectors(t *testing.T, name string) []vector {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var vectors []vector
	if err := d.Decode(&vectors); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(vectors) == 0 {
		t.Fatalf("%s: no vectors", name)
	}
	return vectors
}

func (v vector) body() []byte {
	if v.Stdin64 != nil {
		return v.Stdin64
	}
	return []byte(v.Stdin)
}
