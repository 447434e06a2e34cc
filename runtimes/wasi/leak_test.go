package wasi_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
)

// TestNoMemoryKeptAfter10000Calls runs processes that end in every way and checks that nothing of them is
// left, within 5 %.
func TestNoMemoryKeptAfter10000Calls(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	many(t, g, 2000)
	level.Check(t, 3, func() { many(t, g, 10_000) })
}

// many runs n processes.
func many(t *testing.T, g runtimes.Program, n int) {
	t.Helper()
	folder := os.DirFS(".")
	for i := range n {
		p := args("echo")
		p.Stdin, p.Stdout = strings.NewReader("body"), &bytes.Buffer{}
		wantErr := true
		switch i % 20 {
		case 1:
			p = args("exit", "7")
		case 2:
			p = args("trap")
		case 3:
			p = args("grow", "3")
			wantErr = false
		case 4:
			p.Stdin = &slowReader{strings.NewReader("body")}
			wantErr = false
		case 5:
			p.Args[1], p.Stdout = "stubborn", &runtimes.CapWriter{W: p.Stdout, N: 10}
		case 6:
			p = args("hold", "/request/leak_test.go", "20")
			p.Files, wantErr = files.FS(folder), false
		case 7:
			p.Args = append(p.Args, fmt.Sprint(i))
			p.Files, wantErr = files.Static(files.Map{"id": []byte("x")}), false
		case 8:
			if i%400 != 8 { // a deadline costs its time
				continue
			}
			ended(t, g)
			continue
		default:
			wantErr = false
		}
		if _, err := run(t, g, p); (err != nil) != wantErr {
			t.Fatalf("%q: got the error %v", p.Args, err)
		}
	}
}

// ended runs processes into a deadline.
func ended(t *testing.T, g runtimes.Program) {
	t.Helper()
	for _, mode := range []string{"loop", "sleep"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := g.Run(ctx, args(mode, "1000000")); err == nil {
			t.Fatalf("%s ended well", mode)
		}
		cancel()
	}
}

// slowReader is a Reader that the runtime does not know.
type slowReader struct{ r *strings.Reader }

func (s *slowReader) Read(b []byte) (int, error) { return s.r.Read(b) }
