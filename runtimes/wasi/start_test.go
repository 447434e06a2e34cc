package wasi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// The functions that the guests of these tests import, in this order.
const (
	fnRead = iota
	fnWrite
	fnClock
	fnRandom
	fnPoll
	fnOpen
	fnClose
	fnYield
	fnArgs
	fnExit
)

// guest returns a module that does something, and then sends stdin back.
func guest(before string) assembly { return script(before + echoes()) }

// script returns a module that does something. Its memory has the word "id" at 512.
func script(code string) assembly {
	return assembly{
		imports: []string{"fd_read", "fd_write", "clock_time_get", "random_get", "poll_oneoff", "path_open", "fd_close",
			"sched_yield", "args_sizes_get", "proc_exit"},
		data: "\x00" + i32(512) + "\x0b" + text("id\nxyz\n"), code: code,
	}
}

// invoke is code that calls a function, and drops its result.
func invoke(fn int, args ...int) string {
	c := ""
	for _, a := range args {
		c += i32(a)
	}
	return c + "\x10" + uleb(fn) + "\x1a"
}

// echoes is code that sends stdin back, in pieces of 32 KiB.
func echoes() string {
	const load, store = "\x28\x02\x00", "\x36\x02\x00"
	c := transfer("\x10"+uleb(fnRead), 0, 1024, 32<<10)
	c += i32(4) + i32(8) + load + store + invoke(fnWrite, 1, 0, 1, 12)
	return "\x03\x40" + c + i32(8) + load + "\x0d\x00\x0b"
}

// says is code that writes n bytes of those at 512.
func says(fd, n int) string { return transfer("\x10"+uleb(fnWrite), fd, 512, n) }

// spins is code that counts to n, which takes about 6 units of fuel each time.
func spins(n int) string {
	return i32(n) + "\x21\x00\x03\x40\x20\x00" + i32(1) + "\x6b\x22\x00\x0d\x00\x0b"
}

// looks is code that looks at a clock, and writes the time to memory.
func looks(clock, at int) string {
	return i32(clock) + "\x42\x00" + i32(at) + "\x10" + uleb(fnClock) + "\x1a"
}

// sleeps is code that sleeps for some milliseconds.
func sleeps(ms int) string {
	c := i32(2048+8) + "\x42\x00\x37\x03\x00" // the type, and more
	c += i32(2048+16) + i32(1) + "\x36\x02\x00"
	c += i32(2048+24) + "\x42" + sleb(ms*1_000_000) + "\x37\x03\x00"
	c += i32(2048+40) + i32(0) + "\x36\x02\x00"
	return c + invoke(fnPoll, 2048, 4096, 1, 8192)
}

// opens is code that opens the file id below /request.
func opens() string { return opensAt(3, 512, 2) }

// opensAt is code that opens a file by n bytes of the memory.
func opensAt(fd, at, n int) string {
	return i32(fd) + i32(0) + i32(at) + i32(n) + i32(0) + "\x42\x02\x42\x00" + i32(0) + i32(16) +
		"\x10" + uleb(fnOpen) + "\x1a"
}

// withTableSet is a guest that changes a table.
func withTableSet(before string) assembly {
	a := guest(before + i32(0) + "\xd0\x70\x26\x00")
	a.table = "\x01\x70\x00\x01"
	return a
}

// slow is code that is worth being run before the request comes.
func slow() string { return spins(400_000) }

// choice is a module, and the start kind that it gets.
type choice struct {
	name   string
	module []byte
	fuel   uint64
	kind   string
	why    string // a part of the reason
	reply  bool   // it sends stdin back
}

// choices are all ways in which a start kind is chosen.
func choices(t *testing.T) []choice {
	t.Helper()
	goes, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	started, slowly := guest(""), guest(slow())
	started.start, slowly.start = true, true
	thrower := guest(slow() + i32(0) + "\x04\x40\x08\x00\x0b")
	thrower.tags = "\x01\x00\x00"
	referrer := guest(slow() + "\x02\x69\x1f\x40\x01\x03\x00\x0b\xd0\x69\x0b\x1a")
	referrer.tags = thrower.tags
	collector := referrer
	collector.table = "\x01\x69\x00\x01"
	return []choice{
		{"C", runtimestest.Wasm(), 0, "reset", "takes only", true},
		{"Go", goes, 0, "prefork", "units of fuel", false},
		{"quick", guest("").bytes(), 0, "reset", "takes only", true},
		{"slow", guest(slow()).bytes(), 0, "checkpoint", "neither the time nor entropy", true},
		{"slow with a clock", guest(slow() + looks(0, 16)).bytes(), 0, "prefork", "units of fuel", true},
		{"slow with entropy", guest(invoke(fnRandom, 16, 8) + slow()).bytes(), 0, "prefork", "units of fuel", true},
		{"quick with a table", withTableSet("").bytes(), 0, "fresh", "it changes tables", true},
		{"slow with a table", withTableSet(slow()).bytes(), 0, "prefork", "units of fuel", true},
		{"start section", started.bytes(), 0, "reset", "takes only", true},
		{"slow start section", slowly.bytes(), 0, "checkpoint", "neither", true},
		{"exceptions", thrower.bytes(), 0, "checkpoint", "neither", true},
		{"references to exceptions", referrer.bytes(), 0, "checkpoint", "neither", true},
		{"references to exceptions in a table", collector.bytes(), 0, "reset", "in tables", true},
		{"never reads", script(slow() + says(1, 3)).bytes(), 0, "reset", "ends without reading stdin", false},
		{"exits", script(slow() + i32(7) + "\x10" + uleb(fnExit)).bytes(), 0, "reset", "exit status 7", false},
		{"traps", script(slow() + "\x00").bytes(), 0, "reset", "unreachable", false},
		{"opens a file", guest(slow() + opens()).bytes(), 0, "reset", "/request", true},
		{"looks for a file that no request has",
			guest(slow() + opensAt(3, 515, 3)).bytes(), 0, "checkpoint", "neither", true},
		{"looks for a file that is nowhere", guest(slow() + opensAt(4, 515, 3)).bytes(), 0, "checkpoint", "neither", true},
		{"sleeps", guest(slow() + sleeps(200)).bytes(), 0, "reset", "it sleeps", true},
		{"sleeps a little", guest(slow() + sleeps(1)).bytes(), 0, "checkpoint", "neither", true},
		{"writes a lot", guest(slow() + strings.Repeat(transfer("\x10"+uleb(fnWrite), 1, 0, 60<<10), 2)).bytes(), 0, "reset",
			"64 KiB", false},
		{"loops", guest(slow() + "\x03\x40\x0c\x00\x0b").bytes(), 0, "reset", "has not read stdin after 100ms", false},
		{"closes stderr", guest(slow() + invoke(fnClose, 2)).bytes(), 0, "reset", "opens or closes", true},
		{"too little fuel", guest(slow()).bytes(), 1_000_000, "reset", "fuel is used up", false},
	}
}

// TestChoice checks which start kind a module gets, why, and that calls come out right and get it.
func TestChoice(t *testing.T) {
	for _, c := range choices(t) {
		t.Run(c.name, func(t *testing.T) {
			wasi.NeedKind(t, c.kind)
			g, err := patient(t, c).Compile(t.Context(), c.module, runtimes.Options{Fuel: c.fuel})
			if err != nil {
				t.Fatal(err)
			}
			if kind, why := wasi.KindOf(g); kind != c.kind || wasi.CanPark() && !strings.Contains(why, c.why) {
				t.Errorf("got %s because %q, want %s because %q", kind, why, c.kind, c.why)
			}
			if !c.reply {
				return
			}
			defer func() {
				if wasi.Distrusted(g) {
					t.Error("it is said that a sandbox was not put back")
				}
			}()
			for i := range 30 { // one in ten is verified
				got, p := reply(t, g, "body")
				if got != "body" || p.Usage.Start != c.kind && c.kind != runtimes.StartPrefork {
					t.Fatalf("run %d: got %q, start kind %s", i, got, p.Usage.Start)
				}
			}
		})
	}
}

// patient returns a runtime that gives a start all the time that it needs, but for a start that never ends.
func patient(t testing.TB, c choice) *wasi.Runtime {
	t.Helper()
	if c.name == "loops" {
		return newRuntime(t)
	}
	return newRuntimeOf(t, wasi.Config{StartTime: time.Minute, Verify: 10})
}

// reply sends a body, and returns what comes back.
func reply(t testing.TB, g runtimes.Program, body string) (string, *runtimes.Process) {
	t.Helper()
	p := &runtimes.Process{Stdin: strings.NewReader(body)}
	got, err := run(t, g, p)
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return got, p
}

// TestForcedKinds checks that a kind is refused with the reason exactly if it is not possible.
func TestForcedKinds(t *testing.T) {
	impossible := map[string]string{
		"quick with a table":                  "reset checkpoint",
		"slow with a table":                   "reset checkpoint",
		"references to exceptions in a table": "prefork checkpoint",
		"never reads":                         "prefork checkpoint",
		"exits":                               "prefork checkpoint",
		"traps":                               "prefork checkpoint",
		"opens a file":                        "prefork checkpoint",
		"sleeps":                              "prefork checkpoint",
		"writes a lot":                        "prefork checkpoint",
		"loops":                               "prefork checkpoint",
		"closes stderr":                       "prefork checkpoint",
		"too little fuel":                     "prefork checkpoint",
	}
	for _, c := range choices(t) {
		for _, kind := range kinds() {
			g, err := patient(t, c).Compile(t.Context(), c.module, runtimes.Options{Start: kind, Fuel: c.fuel})
			var refused *runtimes.ModuleError
			if strings.Contains(impossible[c.name], kind) {
				if !errors.As(err, &refused) || !strings.Contains(refused.Reason, kind) || len(refused.Reason) < 80 {
					t.Errorf("%s: %s: got the error %v", c.name, kind, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s: %v", c.name, kind, err)
				continue
			}
			if got, why := wasi.KindOf(g); got != kind || why == "" {
				t.Errorf("%s: got %s because %q, want %s", c.name, got, why, kind)
			}
			if c.reply {
				if got, _ := reply(t, g, "body"); got != "body" {
					t.Errorf("%s: %s: got %q", c.name, kind, got)
				}
			}
		}
	}
	var refused *runtimes.ModuleError
	_, err := newRuntime(t).Compile(t.Context(), guest("").bytes(), runtimes.Options{Start: "warm"})
	if !errors.As(err, &refused) {
		t.Errorf("an unknown kind: got the error %v", err)
	}
}
