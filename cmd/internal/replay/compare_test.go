package replay_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/cmd/internal/replay"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// ran returns a recording with some stdout, and an outcome that is the same.
func ran(stdout string) (*protocol.Recording, *localrun.Outcome) {
	r := &protocol.Recording{Function: protocol.Function{Name: "f", Version: 2, Digest: "sha256:a"}, ID: "1",
		Stdout: protocol.Beginning([]byte(stdout), protocol.MaxRecordedStdout),
		Stderr: protocol.Output{Size: 3, Kept: []byte("log")}, Fuel: 100, Memory: 65536}
	return r, &localrun.Outcome{Stdout: []byte(stdout), Stderr: []byte("log"), StderrSize: 3,
		Usage: runtimes.Usage{Fuel: 100, Memory: 65536}}
}

// TestCompare compares outcomes that differ in one thing.
func TestCompare(t *testing.T) {
	long := strings.Repeat("x", protocol.MaxRecordedStdout)
	for _, c := range []struct {
		about, stdout string
		change        func(*localrun.Outcome)
		same, sameOf  bool   // with the same code, and with other code
		what          string // of the first difference
		says          string // in what is printed
	}{
		{"nothing", "a", func(*localrun.Outcome) {}, true, true, "", "f.1 (f@2): the same\n"},
		{"exit", "a", func(o *localrun.Outcome) { o.Exit = 3 }, false, false, "exit", "exit 0, and now 3"},
		{"no exit", "a", func(o *localrun.Outcome) { o.Exit = -1 }, false, false, "exit", "exit 0, and now none"},
		{"code", "a", func(o *localrun.Outcome) { o.Code, o.Error = 507, "memory" }, false, false, "code",
			"success, and now 507 memory"},
		{"stdout", "one\ntwo\nthree", func(o *localrun.Outcome) { o.Stdout = []byte("one\ntoo\nthree") }, false, false,
			"stdout", "they differ from line 2, byte 5 on\n  - two\n  + too\n"},
		{"stdout ends", "one\ntwo", func(o *localrun.Outcome) { o.Stdout = []byte("one\n") }, false, false, "stdout",
			"from line 2, byte 4 on\n  - two\n  + \n"},
		{"bytes", "\xff\x00", func(o *localrun.Outcome) { o.Stdout = []byte("\xff\x01") }, false, false, "stdout",
			`  - "\xff\x00"`},
		{"long", long + "a", func(o *localrun.Outcome) { o.Stdout = []byte(long + "b") }, false, false, "stdout",
			"they differ after the first 16384 bytes"},
		{"long line", long, func(o *localrun.Outcome) { o.Stdout = []byte(long[1:] + "y") }, false, false, "stdout",
			"they differ from line 1, byte 16383 on"},
		{"stderr", "a", func(o *localrun.Outcome) { o.Stderr = []byte("lag") }, false, true, "stderr", "  - log\n  + lag\n"},
		{"longer stderr", "a", func(o *localrun.Outcome) { o.StderrSize = 4 }, false, true, "stderr", "stderr"},
		{"fuel", "a", func(o *localrun.Outcome) { o.Usage.Fuel = 150 }, false, true, "fuel",
			"fuel 100, and now 150 (1.50x)"},
		{"memory", "a", func(o *localrun.Outcome) { o.Usage.Memory = 0 }, false, true, "memory",
			"memory 65536 bytes, and now 0"},
		{"draws", "a", func(o *localrun.Outcome) { o.Draws = "it waits" }, false, true, "draws", "time and entropy: it waits"},
		{"cut", "a", func(o *localrun.Outcome) { o.Cut, o.Usage.Fuel, o.Stdout = true, 1, nil }, true, true, "stdout",
			"the same, but for stdout, fuel"},
	} {
		rec, o := ran(c.stdout)
		c.change(o)
		for digest, want := range map[string]bool{"sha256:a": c.same, "sha256:b": c.sameOf} {
			r := replay.New(rec, digest)
			r.Compare(rec, o)
			var out bytes.Buffer
			r.Print(&out, terminal.PaintFor(&out, "never", os.Getenv), false)
			first := ""
			if len(r.Differences) > 0 {
				first = r.Differences[0].What
			}
			if r.Same != want || first != c.what || !strings.Contains(out.String(), c.says) ||
				(r.With != "") != (digest != "sha256:a") {
				t.Errorf("%s with %s: same %v, first difference %q, printed\n%s", c.about, digest, r.Same, first, &out)
			}
		}
	}
}

// TestSummary checks what several results come to.
func TestSummary(t *testing.T) {
	same, differs, skipped := &replay.Result{Same: true}, &replay.Result{}, &replay.Result{Skipped: "x"}
	for _, c := range []struct {
		results []*replay.Result
		passed  bool
		says    string
	}{
		{nil, false, "0 the same, 0 differ"},
		{[]*replay.Result{same}, true, "1 the same, 0 differ"},
		{[]*replay.Result{same, differs}, false, "1 the same, 1 differ"},
		{[]*replay.Result{same, skipped}, true, "1 the same, 0 differ, 1 could not be run again"},
		{[]*replay.Result{skipped}, false, "0 the same, 0 differ, 1 could not be run again"},
	} {
		var s replay.Summary
		for _, r := range c.results {
			s.Count(r)
		}
		if s.Passed() != c.passed || s.String() != c.says {
			t.Errorf("%v, %q, want %v, %q", s.Passed(), &s, c.passed, c.says)
		}
	}
}
