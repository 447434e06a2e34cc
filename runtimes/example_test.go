package runtimes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// probe compiles the small C program of the conformance suite. A service keeps runtime and program.
func probe(ctx context.Context) (runtimes.Runtime, runtimes.Program) {
	r, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		log.Fatal(err)
	}
	g, err := r.Compile(ctx, runtimestest.Wasm(), runtimes.Options{Memory: 16 << 20})
	if err != nil {
		log.Fatal(err)
	}
	return r, g
}

func ExampleProgram() {
	ctx := context.Background()
	r, g := probe(ctx)
	defer r.Close(ctx)

	err := g.Run(ctx, &runtimes.Process{
		Args:   []string{"echo"},
		Stdin:  strings.NewReader("Hello, Ada!\n"),
		Stdout: os.Stdout,
		Stderr: os.Stderr,
	})
	fmt.Println(err)
	// Output:
	// Hello, Ada!
	// <nil>
}

func ExampleRuntime() {
	ctx := context.Background()
	r, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close(ctx)

	_, err = r.Compile(ctx, []byte("(module)"), runtimes.Options{})
	fmt.Println(err)
	// Output: not a wasm module: it is in the text format; compile it with wat2wasm
}

func ExampleModuleError() {
	ctx := context.Background()
	r, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close(ctx)

	_, err = r.Compile(ctx, runtimestest.Wasm(), runtimes.Options{Memory: 64 << 10})
	var refused *runtimes.ModuleError
	fmt.Println(errors.As(err, &refused))
	fmt.Println(err)
	// Output:
	// true
	// the module needs 192 KiB of memory to begin with, but its limit is 64 KiB: raise the limit, or link it with less memory or a smaller stack
}

func ExampleProcess_files() {
	ctx := context.Background()
	r, g := probe(ctx)
	defer r.Close(ctx)

	p := &runtimes.Process{
		Args:   []string{"fn", "cat", "/request/subject"},
		Stdout: os.Stdout,
		Files:  files.Static(files.Map{"subject": []byte("fn.hello.world\n")}),
	}
	if err := g.Run(ctx, p); err != nil {
		log.Fatal(err)
	}
	fmt.Println("start:", p.Usage.Start, "memory:", p.Usage.Memory>>10, "KiB")
	// Output:
	// fn.hello.world
	// start: reset memory: 192 KiB
}

func ExampleExitError() {
	ctx := context.Background()
	r, g := probe(ctx)
	defer r.Close(ctx)

	err := g.Run(ctx, &runtimes.Process{Args: []string{"fn", "exit", "65"}})
	var exit *runtimes.ExitError
	if errors.As(err, &exit) {
		fmt.Println(exit.Code, exit)
	}
	// Output: 65 exit status 65
}

func ExampleTrapError() {
	ctx := context.Background()
	r, g := probe(ctx)
	defer r.Close(ctx)

	err := g.Run(ctx, &runtimes.Process{Args: []string{"fn", "trap"}})
	var trap *runtimes.TrapError
	if errors.As(err, &trap) {
		fmt.Println(trap.Reason)
	}
	// Output: unreachable
}

func ExampleCapWriter() {
	ctx := context.Background()
	r, g := probe(ctx)
	defer r.Close(ctx)

	var out bytes.Buffer
	err := g.Run(ctx, &runtimes.Process{
		Args:   []string{"fn", "stubborn"}, // writes for ever, and ignores all errors
		Stdout: &runtimes.CapWriter{W: &out, N: 100},
	})
	fmt.Println(out.Len(), errors.Is(err, runtimes.ErrOutput))
	// Output: 100 true
}

func ExampleProgram_deadline() {
	r, g := probe(context.Background())
	defer r.Close(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := g.Run(ctx, &runtimes.Process{Args: []string{"fn", "loop"}})
	fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
	// Output: context deadline exceeded true
}

func ExampleOptions() {
	ctx := context.Background()
	r, g := probe(ctx) // with 16 MiB
	defer r.Close(ctx)

	err := g.Run(ctx, &runtimes.Process{Args: []string{"fn", "grow", "100"}})
	fmt.Println(errors.Is(err, runtimes.ErrMemory))
	fmt.Println(err)
	// Output:
	// true
	// memory limit reached: trap: unreachable
}

func ExampleStart() {
	ctx := context.Background()
	r, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close(ctx)

	g, err := r.Compile(ctx, runtimestest.Wasm(), runtimes.Options{Start: runtimes.StartCheckpoint})
	if err != nil {
		log.Fatal(err)
	}
	s := g.Start()
	fmt.Printf("%s: %s\n", s.Kind, s.Reason)

	_, err = r.Compile(ctx, runtimestest.Wasm(), runtimes.Options{Start: runtimes.StartCheckpoint, Varies: true})
	fmt.Println(err)
	// Output:
	// checkpoint: it was asked for
	// the start kind "checkpoint" is not possible for this module: its environment differs from call to call; use "auto"
}
