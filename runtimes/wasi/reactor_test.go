package wasi_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// resident is a module that is set up once. Each setup adds 1 to a global, and notes what it is then at address 100.
// The entry copies a byte of stdin to address 101, writes both, adds 16 to the global and grows the memory.
type resident struct {
	wizer bool   // setup is wizer.initialize of a command; otherwise _initialize of a reactor
	start bool   // setup is named by the start section, and if it is not that of wizer the module is a command
	setup string // more code for it
	code  bool   // a reactor's entry returns the byte as its exit code
	draws bool   // setup draws what it notes by chance
}

// bytes puts the module together.
func (r resident) bytes() []byte {
	const count, note = "\x23\x00" + "\x41\x01\x6a\x24\x00", "\x41\xe4\x00" + "\x23\x00" + "\x3a\x00\x00"
	const vector = "\x41\x00\x41\xe5\x00\x36\x02\x00" + "\x41\x04\x41\x01\x36\x02\x00" // one byte at 101
	const read = "\x41\x00\x41\x00\x41\x01\x41\x08\x10\x00\x1a"
	const both = "\x41\x00\x41\xe4\x00\x36\x02\x00" + "\x41\x04\x41\x02\x36\x02\x00" +
		"\x41\x01\x41\x00\x41\x01\x41\x08\x10\x01\x1a"
	entry := vector + read + both + "\x23\x00\x41\x10\x6a\x24\x00" + "\x41\x01\x40\x00\x1a"
	setup, first, imports, random := r.setup, byte(2), "\x02", ""
	if r.draws { // as function 2
		setup, first, imports = "\x41\xe4\x00\x41\x01\x10\x02\x1a"+setup, 3, "\x03"
		random = text("wasi_snapshot_preview1") + text("random_get") + "\x00\x03"
	}
	kind, names := "\x00", []string{"_initialize", "handle"}
	if r.code {
		kind, entry = "\x02", entry+"\x41\xe5\x00\x2d\x00\x00"
	}
	begin := ""
	if r.start {
		names, begin = []string{"setup", "_start"}, section(8, string(first))
	}
	if r.wizer {
		names = []string{"wizer.initialize", "_start"}
	}
	b := "\x00asm\x01\x00\x00\x00" + section(1, "\x04\x60\x00\x00"+"\x60\x04\x7f\x7f\x7f\x7f\x01\x7f"+
		"\x60\x00\x01\x7f"+"\x60\x02\x7f\x7f\x01\x7f")
	wasi := text("wasi_snapshot_preview1")
	b += section(2, imports+wasi+text("fd_read")+"\x00\x01"+wasi+text("fd_write")+"\x00\x01"+random) +
		section(3, "\x02\x00"+kind) + section(5, "\x01\x00\x01")
	b += section(6, "\x01\x7f\x01\x41\x00\x0b") +
		section(7, "\x03"+text(names[0])+"\x00"+string(first)+text(names[1])+"\x00"+string(first+1)+text("memory")+"\x02\x00")
	return []byte(b + begin + section(10, "\x02"+body(count+note+setup)+body(entry)))
}

// body is a function without locals.
func body(code string) string { return uleb(len(code)+2) + "\x00" + code + "\x0b" }

// check runs the module many times: each process finds what setup has left, and nothing of another.
func (r resident) check(t *testing.T, o runtimes.Options) {
	t.Helper()
	g := compile(t, r.bytes(), o)
	for i := range 20 {
		p := args()
		in := []byte{byte(i)}
		p.Stdin = bytes.NewReader(in)
		got, err := run(t, g, p)
		var exit *runtimes.ExitError
		if errors.As(err, &exit); got != "\x01"+string(in) || (err == nil) != (!r.code || i == 0) ||
			exit != nil && exit.Code != uint32(i) {
			t.Errorf("got %q and the error %v from a %s process", got, err, p.Usage.Start)
		}
	}
}

// TestReactor runs reactors on all start kinds.
func TestReactor(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			for _, r := range []resident{{}, {code: true}, {setup: "\x41\x02\x40\x00\x1a"}} { // the last: it grows the memory
				r.check(t, runtimes.Options{Start: kind})
			}
		})
	}
}

// TestStartSection runs commands whose start section names a function, on all start kinds: it is called once for each
// process, before the entry.
func TestStartSection(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			for _, r := range []resident{{start: true}, {start: true, setup: "\x41\x02\x40\x00\x1a"}} {
				r.check(t, runtimes.Options{Start: kind})
			}
		})
	}
}

// TestReactorTraps checks that a reactor that fails to set itself up fails every request.
func TestReactorTraps(t *testing.T) {
	g := compile(t, resident{setup: "\x00"}.bytes(), runtimes.Options{})
	for range 3 {
		var trap *runtimes.TrapError
		if _, err := run(t, g, args()); !errors.As(err, &trap) {
			t.Errorf("got the error %v", err)
		}
	}
}

// TestWizer runs modules that want to be initialized once, on all start kinds.
func TestWizer(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			for _, r := range []resident{{wizer: true}, {wizer: true, setup: "\x41\x02\x40\x00\x1a"}} {
				r.check(t, runtimes.Options{Start: kind})
			}
		})
	}
}

// TestWizerRefused initializes modules that fail at it.
func TestWizerRefused(t *testing.T) {
	const read = "\x41\x00\x41\x00\x41\x01\x41\x08\x10\x00\x1a"
	for name, c := range map[string]struct {
		resident
		want string
	}{
		"trap":          {resident{setup: "\x00"}, "unreachable"},
		"loop":          {resident{setup: "\x03\x40\x0c\x00\x0b"}, "deadline"},
		"reads stdin":   {resident{setup: read}, "stdin"},
		"start section": {resident{start: true}, "start section"},
	} {
		c.wizer = true
		_, err := newRuntime(t).Compile(t.Context(), c.bytes(), runtimes.Options{})
		var e *runtimes.ModuleError
		if !errors.As(err, &e) || !strings.Contains(e.Reason, "wizer.initialize") || !strings.Contains(e.Reason, c.want) {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}
