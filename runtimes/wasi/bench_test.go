package wasi_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// BenchmarkRun is one call of the C probe that copies stdin to stdout, in process, with a
// body of several sizes; "parallel" is the same from as many goroutines as there are processors.
func BenchmarkRun(b *testing.B) {
	r := newRuntime(b)
	g, err := r.Compile(b.Context(), runtimestest.Wasm(), runtimes.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{16, 1 << 10, 64 << 10} {
		body := bytes.Repeat([]byte("x"), size)
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			p := newEcho()
			for b.Loop() {
				p.run(b, g, body)
			}
		})
		b.Run(fmt.Sprintf("parallel/size=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			b.RunParallel(func(pb *testing.PB) {
				for p := newEcho(); pb.Next(); {
					p.run(b, g, body)
				}
			})
		})
	}
}

// echo is a process that is used again and again.
type echo struct {
	process runtimes.Process
	in      bytes.Reader
	out     bytes.Buffer
}

// newEcho returns a process without input.
func newEcho() *echo {
	e := &echo{}
	e.process = runtimes.Process{Args: []string{"echo"}, Stdin: &e.in, Stdout: &e.out, Stderr: io.Discard}
	return e
}

// run runs it once and checks the answer.
func (e *echo) run(b *testing.B, g runtimes.Program, body []byte) {
	e.in.Reset(body)
	e.out.Reset()
	if err := g.Run(b.Context(), &e.process); err != nil || e.out.Len() != len(body) {
		b.Fatalf("got %d bytes and the error %v", e.out.Len(), err)
	}
}

// BenchmarkStart is one call of the C probe and one of a Go guest, on each start kind.
func BenchmarkStart(b *testing.B) {
	inGo, err := goGuest()
	if err != nil {
		b.Fatal(err)
	}
	r := newRuntime(b)
	for _, guest := range []struct {
		name   string
		module []byte
	}{{"c", runtimestest.Wasm()}, {"go", inGo}} {
		for _, kind := range kinds() {
			b.Run(guest.name+"/"+kind, func(b *testing.B) {
				p := newEcho()
				g, err := r.Compile(b.Context(), guest.module, runtimes.Options{Start: kind, Args: p.process.Args})
				if err != nil {
					b.Fatal(err)
				}
				body := []byte("hello")
				b.ReportAllocs()
				for b.Loop() {
					p.run(b, g, body)
				}
			})
		}
	}
}
