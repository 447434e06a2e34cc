package preview1_test

import (
	"context"
	"errors"
	"io"
	"math"
	"path"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero/sys"
)

// FuzzCalls makes random calls in one instance, with and without a tree that can be written. None may panic or hang,
// and after Reset the descriptors are those of a new run and no file is open.
func FuzzCalls(f *testing.F) {
	readOnly := &counted{FS: folder()}
	guests := [2]*guest{newGuest(f, &preview1.State{Start: time.Now()}),
		newGuest(f, &preview1.State{Start: time.Now(), Mounts: []preview1.Mount{{Path: "/tmp"}}})}
	data, _ := paths()
	functions := preview1.Functions()
	for i := range functions {
		f.Add(byte(i), strings.Repeat(string([]byte{byte(i), 3, 0, 1, 20, 5, 2, 2, 4, 1, 9}), 3))
	}
	// Opens and closes.
	f.Add(byte(0), "\x1f\x03\x00\x16\x02\x00\x01\x01\x00\x0c\x08\x04\x1f\x03\x00\x16\x02\x00\x01\x01\x00\x0c")
	// Makes a file, writes to it, renames it.
	for _, kind := range []byte{2, 6} {
		f.Add(kind, "\x1f\x04\x01\x86\x02\x01\x42\x42\x00\x80"+"\x1a\x06\x83\x02\x80"+"\x13\x06\x83\x02\x09\x80"+
			"\x22\x04\x86\x02\x04\x87\x02"+"\x16\x04\x82\x7f\x00\x80")
	}
	f.Fuzz(func(t *testing.T, kind byte, program string) {
		const room = 1 << 16
		g, memory := guests[kind>>1&1], files.NewMemory(room)
		s := g.state
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s.Args, s.Env, s.Files, s.Stdout = []string{"fn", "x"}, []string{"A=1"}, tree(readOnly), io.Discard
		s.Own = nil
		if kind&2 != 0 {
			s.Own = []preview1.Mount{{Path: "/tmp", Tree: memory}}
		}
		if kind&4 != 0 && s.Own != nil {
			s.Own[0].Tree = struct{ files.Tree }{memory} // which is not Inline
		}
		s.Wait = func(ctx context.Context, _ <-chan struct{}) error { return ctx.Err() }
		s.Stdin = strings.NewReader("stdin")
		if kind&1 == 1 {
			s.Stdin = iotest.OneByteReader(strings.NewReader("stdin"))
		}
		g.ctx = s.Begin(ctx)
		m := g.memory()
		clear(m)
		copy(m[names:], data)
		copy(m[vec:], little(buf, 3, buf+100, 4, buf, 0, far, 0, far, 2))
		copy(m[subs:], clock(1, 1, 5, 0)+ready(2, 1, 0)+ready(3, 2, 1)+ready(4, 1, 4)+clock(5, 0, 5, 1))
		for steps := 0; len(program) > 0 && steps < 100; steps++ {
			fn := functions[int(program[0])%len(functions)]
			p := make([]uint64, len(fn.Params))
			program = program[1:]
			for i := range p {
				p[i], program = parameter(program)
			}
			var exit *sys.ExitError
			if _, err := g.call(t, fn.Name, p...); err != nil && !errors.As(err, &exit) {
				t.Fatalf("%s(%#x): %v", fn.Name, p, err)
			}
		}
		if err := ctx.Err(); err != nil || s.Err() != nil && !errors.Is(s.Err(), io.ErrNoProgress) {
			t.Fatalf("ended by %v and %v", err, s.Err())
		}
		s.Finish()
		s.Reset()
		if n := readOnly.open.Load(); n != 0 {
			t.Fatalf("%d files are open", n)
		}
		empty(t, memory)
		if left := memory.Room(); left != room {
			t.Fatalf("a file is open: there is room for %d", left)
		}
		s.Stdin = strings.NewReader("second")
		g.ctx = s.Begin(t.Context())
		checkInitial(t, g)
		s.Reset()
	})
}

// empty removes all that is in a tree.
func empty(t *testing.T, tree files.Tree) {
	var below func(name string)
	below = func(name string) {
		all, err := tree.ReadDir(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			p := path.Join(name, e.Name)
			if e.Mode.IsDir() {
				below(p)
			}
			if err := tree.Remove(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	below(".")
}

// parameter takes a parameter from a program: a small number, a place that means something, or any number.
func parameter(program string) (uint64, string) {
	if program == "" {
		return 0, ""
	}
	c, rest := program[0], program[1:]
	places := [...]uint64{at, at2, buf, vec, vec + 8, vec + 24, names, names + 2, subs, events, end, end - 1, end - 8, far,
		garbage, math.MaxUint32, math.MaxUint64, 1 << 63, 1 << 28, 1 << 16}
	switch {
	case c < 128:
		return uint64(c), rest
	case c < 128+100:
		return places[int(c)%len(places)], rest
	case len(rest) >= 4:
		v := uint64(rest[0]) | uint64(rest[1])<<8 | uint64(rest[2])<<16 | uint64(rest[3])<<24
		return v | v<<40, rest[4:]
	}
	return uint64(c) << 32, rest
}
