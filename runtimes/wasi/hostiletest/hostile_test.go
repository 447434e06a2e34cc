package hostiletest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// echoProcess returns a process of the good function, and where its reply will be.
func echoProcess(body string) (*runtimes.Process, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &runtimes.Process{Args: []string{"echo"}, Stdin: strings.NewReader(body), Stdout: out}, out
}

// rounds is in how many rounds what is held must grow to count as a leak.
const rounds = 6

// How long calls may take in a test. A call that ends by itself has all the time it may need. Those that end at their
// deadline may be late by far more than they are: how late is what the benchmark says.
const (
	soon   = 20 * time.Millisecond
	inTime = time.Minute
	most   = 30 * time.Second
)

// TestCalls runs each call several times at once, beside a good function. Each ends as it has to, the good
// function answers, and in the end nothing is left of them.
func TestCalls(t *testing.T) {
	const n, pages = 6, 64
	for _, start := range starts(t) {
		t.Run(start, func(t *testing.T) {
			r, s := newRuntime(t, wasi.Config{}), newSlots()
			patient := newRuntime(t, wasi.Config{StartTime: inTime}) // the good function may start when others run
			good, err := patient.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Start: start})
			if err != nil {
				t.Fatal(err)
			}
			all := some(attacks(pages))
			programs := make([]runtimes.Program, len(all))
			for i, c := range all {
				programs[i] = c.compiled(t, r, start, 2*pages<<16)
			}
			pass := func(n int) {
				for i, c := range all {
					c.check(t, programs[i], s, n)
				}
			}
			end := beside(t, good, s, time.Millisecond)
			pass(n)
			if took := end(); len(took) == 0 {
				t.Error("the good function was not called")
			}
			level.Check(t, rounds, func() { pass(1) })
			for _, g := range programs {
				if err := g.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// some returns the share of a list that is tried.
func some[T any](list []T) (out []T) {
	for i := 0; i < len(list); i += share {
		out = append(out, list[i])
	}
	return out
}

// check runs a call n times at once, and checks how each ended.
func (c *attack) check(t *testing.T, g runtimes.Program, s slots, n int) {
	t.Helper()
	patience := inTime
	if c.want.is(context.DeadlineExceeded) {
		patience = soon
	}
	for _, r := range c.round(t.Context(), g, s, n, patience) {
		if !c.want.is(r.err) {
			t.Errorf("%s: got the error %v, want %s", c.name, r.err, c.want.what)
		}
		if r.late > most {
			t.Errorf("%s: ended %v after its deadline", c.name, r.late)
		}
	}
}

// TestReferences makes a million references to a function in each of many processes of one sandbox: the engine would
// keep every one of them, 40 bytes each, as long as the instance lives.
func TestReferences(t *testing.T) {
	const runs, made, kept = 20, 1_000_000, 16 << 20
	r := newRuntime(t, wasi.Config{})
	g, err := r.Compile(t.Context(), guest{functions: entry(times(made, 0, "\xd2\x00"+drop)), tabled: true}.build(),
		runtimes.Options{Start: runtimes.StartReset})
	if err != nil {
		t.Fatal(err)
	}
	before := level.Measure(t).Heap
	for range runs {
		p := &runtimes.Process{Args: []string{"x"}}
		if err := g.Run(t.Context(), p); err != nil || p.Usage.Fuel < made {
			t.Fatalf("it has used %d units of fuel: %v", p.Usage.Fuel, err)
		}
	}
	if now := level.Measure(t).Heap; now > before+kept {
		t.Errorf("%d bytes are in use, %d before", now, before)
	}
}
