//go:build runtimes

package samples_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// runDrawn runs a script that takes down its draws or repeats them, and returns all that it comes to.
func runDrawn(t *testing.T, p runtimes.Program, d *recording.Draws, r *recording.Replay) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	of := runtimes.Process{Args: []string{"fn", "one"}, Env: scriptEnvironment(), Stdin: strings.NewReader("body"),
		Stdout: &stdout, Stderr: &stderr, Files: files.Static(files.Map{"id": []byte("1")}), Draws: d, Replay: r}
	err := p.Run(ctx, &of)
	return fmt.Sprintf("%s%s%v fuel %d memory %d", &stdout, &stderr, err, of.Usage.Fuel, of.Usage.Memory)
}

// testReplay records calls of a script under each start kind, and repeats them: they do the same to the byte and to
// the unit of fuel.
func (i interpreter) testReplay(t *testing.T, r *script.Runtime) {
	c := scriptCase{about: "replay", text: cmp.Or(i.draws, i.slow)}
	for _, kind := range []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork,
		runtimes.StartCheckpoint} {
		p, err := r.Compile(t.Context(), i.pack(t, c), i.options(c, kind))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		defer p.Close(context.WithoutCancel(t.Context()))
		for range 3 {
			d := new(recording.Draws)
			want := runDrawn(t, p, d, nil)
			if d.Lost() != "" {
				t.Fatalf("%s: the call is not recorded: %s", kind, d.Lost())
			}
			o := i.options(c, runtimes.StartFresh)
			o.Setup = d.Setup()
			again, err := r.Compile(t.Context(), i.pack(t, c), o)
			if err != nil {
				t.Fatal(err)
			}
			replay := recording.NewReplay(d)
			if got := runDrawn(t, again, nil, replay); got != want || replay.Difference() != "" {
				t.Errorf("%s: got %s\nwant %s\ndifference: %s", kind, brief(got), brief(want), replay.Difference())
			}
			if err := again.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
