package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
	"github.com/polyvoke/polyvoke/samples"
)

// outcome is all that a run comes to.
type outcome struct {
	stdout, stderr, err string
	fuel, memory        uint64
}

// runDraws runs a process that takes down its draws or repeats them.
func runDraws(
	t *testing.T, g runtimes.Program, args []string, body string, d *recording.Draws, r *recording.Replay,
) (outcome, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	p := &runtimes.Process{Args: args, Stdin: strings.NewReader(body), Stdout: &stdout, Stderr: &stderr,
		Draws: d, Replay: r}
	err := g.Run(ctx, p)
	return outcome{stdout.String(), stderr.String(), fmt.Sprint(err), p.Usage.Fuel, p.Usage.Memory}, p.Usage.Start
}

// sent returns draws as they are after they have been stored and read.
func sent(t *testing.T, d *recording.Draws) *recording.Draws {
	t.Helper()
	text, err := d.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	read := new(recording.Draws)
	if err := read.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	if !read.Equal(d) {
		t.Errorf("the draws changed on their way")
	}
	return read
}

// sampleWasm returns the module of a sample.
func sampleWasm(t *testing.T, name string) []byte {
	t.Helper()
	for _, s := range samples.All() {
		if s.Name == name {
			b, err := s.Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatalf("there is no sample %s", name)
	return nil
}

// TestReplay records processes of each start kind, and replays them on another runtime: they do the same to the byte
// and to the unit of fuel.
func TestReplay(t *testing.T) {
	guest, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		module []byte
		args   []string
		bodies []string
		differ bool // two runs do
	}{
		{"C", sampleWasm(t, "greet-c"), []string{"fn"}, []string{"Ada", ""}, false},
		{"Rust", sampleWasm(t, "wordcount"), []string{"fn"}, []string{"the cat saw the dog"}, false},
		{"Go", guest, []string{"fn", "draws"}, []string{"body", "fail"}, true},
		{"Go, panic", guest, []string{"fn", "panic"}, []string{""}, false},
	} {
		for _, kind := range []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork,
			runtimes.StartCheckpoint} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				if kind == runtimes.StartPrefork || kind == runtimes.StartCheckpoint {
					wasi.NeedKind(t, kind)
				}
				if c.name == "Go, panic" && kind != runtimes.StartFresh && kind != runtimes.StartReset {
					t.Skip("it never reads stdin")
				}
				g := compile(t, c.module, runtimes.Options{Args: c.args, Start: kind})
				again := compile(t, c.module, runtimes.Options{Args: c.args, Start: runtimes.StartFresh})
				var last outcome
				seen := false
				for i := range 6 { // a sandbox is used again
					body := c.bodies[i%len(c.bodies)]
					d := new(recording.Draws)
					want, started := runDraws(t, g, c.args, body, d, nil)
					seen = seen || started == kind
					if d.Lost() != "" {
						t.Fatalf("run %d is not recorded: %s", i, d.Lost())
					}
					if c.differ && want.stdout == last.stdout {
						t.Errorf("run %d: two runs are the same, so that this test proves nothing: %q", i, want.stdout)
					}
					last = want
					replay(t, again, c.args, body, sent(t, d), want)
				}
				if !seen {
					t.Errorf("no run was of the kind %s", kind)
				}
			})
		}
	}
}

// replay runs a process with draws, and compares what it comes to.
func replay(t *testing.T, g runtimes.Program, args []string, body string, d *recording.Draws, want outcome) {
	t.Helper()
	r := recording.NewReplay(d)
	for range 2 { // a Replay can be used again
		got, started := runDraws(t, g, args, body, nil, r)
		if got != want || r.Difference() != "" || started != runtimes.StartFresh {
			t.Errorf("replayed (%s):\n got %+v\nwant %+v\ndifference: %s", started, got, want, r.Difference())
		}
	}
}

// TestReplayInitialization replays processes that begin after an initialization which they share, and which has drawn
// entropy.
func TestReplayInitialization(t *testing.T) {
	module := resident{wizer: true, draws: true}.bytes()
	for _, kind := range kinds() {
		g := compile(t, module, runtimes.Options{Start: kind})
		d := new(recording.Draws)
		want, _ := runDraws(t, g, []string{"fn"}, "x", d, nil)
		if d = sent(t, d); d.Setup() == nil || d.Setup().Len() != 1 {
			t.Fatalf("%s: the initialization's draws are not recorded", kind)
		}
		replay(t, compile(t, module, runtimes.Options{Setup: d.Setup()}), []string{"fn"}, "x", d, want)
	}
}

// TestReplayDiffers replays other processes than the recorded one: each difference is said, and none of them fails for
// want of draws.
func TestReplayDiffers(t *testing.T) {
	guest, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	g := compile(t, guest, runtimes.Options{Start: runtimes.StartFresh})
	short, long := new(recording.Draws), new(recording.Draws)
	runDraws(t, g, []string{"fn", "upper"}, "x", short, nil)
	want, _ := runDraws(t, g, []string{"fn", "draws"}, "x", long, nil)
	for _, c := range []struct {
		name, mode string
		draws      *recording.Draws
		says       string
	}{
		{"more", "draws", short, "it looked at the"},
		{"less", "upper", long, "it made "},
		{"nothing", "draws", new(recording.Draws), "after all of its 0 draws"},
	} {
		r := recording.NewReplay(c.draws)
		first, _ := runDraws(t, g, []string{"fn", c.mode}, "x", nil, r)
		said := r.Difference()
		second, _ := runDraws(t, g, []string{"fn", c.mode}, "x", nil, r)
		if !strings.Contains(said, c.says) || first.err != "<nil>" || first == want {
			t.Errorf("%s: got %+v and the difference %q, want %q", c.name, first, said, c.says)
		}
		if first != second || r.Difference() != said {
			t.Errorf("%s: the second replay is not the same:\n%+v\n%+v", c.name, first, second)
		}
	}
}

// TestReplayDeadline replays a process that was ended while it slept, and one that would sleep for an hour if waiting
// took any time.
func TestReplayDeadline(t *testing.T) {
	guest, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	g := compile(t, guest, runtimes.Options{Start: runtimes.StartFresh})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	d := new(recording.Draws)
	p := &runtimes.Process{Args: []string{"fn", "sleep"}, Draws: d}
	if err := g.Run(ctx, p); !errors.Is(err, context.DeadlineExceeded) || !d.WasCut() {
		t.Fatalf("the process ended with %v", err)
	}
	r := recording.NewReplay(sent(t, d))
	if got, _ := runDraws(t, g, p.Args, "", nil, r); got.err != context.DeadlineExceeded.Error() ||
		got.fuel != p.Usage.Fuel || r.Difference() != "" {
		t.Errorf("got %+v and the difference %q", got, r.Difference())
	}
	r = recording.NewReplay(new(recording.Draws))
	if got, _ := runDraws(t, g, p.Args, "", nil, r); got.err != "<nil>" {
		t.Errorf("got %+v", got)
	}
}

// TestDrawsLost records processes of which not all can be recorded.
func TestDrawsLost(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{Args: []string{"fn", "echo"}})
	d := new(recording.Draws)
	p := args("echo")
	p.Stdin, p.Draws = &slowReader{strings.NewReader("body")}, d
	if _, err := run(t, g, p); err != nil || !strings.Contains(d.Lost(), "stdin") {
		t.Errorf("stdin that blocks: got %q and the error %v", d.Lost(), err)
	}
	p.Stdin = strings.NewReader("body")
	if _, err := run(t, g, p); err != nil || d.Lost() != "" {
		t.Errorf("a second run: got %q and the error %v", d.Lost(), err)
	}
}
