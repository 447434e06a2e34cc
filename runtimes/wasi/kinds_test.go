package wasi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// TestStart checks what programs say about how their processes come to be, and that a process which is alone
// comes to be so.
func TestStart(t *testing.T) {
	guest, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, kind, reason string
		module             []byte
		options            runtimes.Options
	}{
		{"quick", "reset", "its start takes only ", runtimestest.Wasm(), runtimes.Options{}},
		{"slow", "prefork", "its start takes ", guest, runtimes.Options{Args: []string{"fn", "upper"}}},
		{"ends", "reset", "it ends before it reads stdin: exit status 3", runtimestest.Wasm(),
			runtimes.Options{Args: []string{"fn", "exit", "3"}}},
		{"slow, varies", "reset", "its environment differs from call to call", guest,
			runtimes.Options{Args: []string{"fn", "upper"}, Varies: true}},
		{"quick, varies", "reset", "its environment differs from call to call", runtimestest.Wasm(),
			runtimes.Options{Varies: true}},
		{"forced", "prefork", "it was asked for", runtimestest.Wasm(), runtimes.Options{Start: runtimes.StartPrefork}},
		{"auto", "reset", "its start takes only ", runtimestest.Wasm(), runtimes.Options{Start: runtimes.StartAuto}},
		{"forced, varies", "fresh", "it was asked for", guest, runtimes.Options{Start: runtimes.StartFresh, Varies: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wasi.NeedKind(t, c.kind)
			g := compile(t, c.module, c.options)
			if s := g.Start(); s.Kind != c.kind || wasi.CanPark() && !strings.HasPrefix(s.Reason, c.reason) {
				t.Errorf("got %+v, want %s: %s", s, c.kind, c.reason)
			}
			p := &runtimes.Process{Args: c.options.Args, Stdin: strings.NewReader("x")}
			_, _ = run(t, g, p) // one of them is to fail
			if p.Usage.Start != c.kind {
				t.Errorf("the process says %s", p.Usage.Start)
			}
		})
	}
}

// TestVariesRefused checks that a kind which is not possible is refused with the reason.
func TestVariesRefused(t *testing.T) {
	for _, c := range []struct {
		options runtimes.Options
		reason  string
	}{
		{runtimes.Options{Start: runtimes.StartPrefork, Varies: true}, "its environment differs from call to call"},
		{runtimes.Options{Start: runtimes.StartCheckpoint, Varies: true}, "its environment differs from call to call"},
		{runtimes.Options{Start: runtimes.StartCheckpoint, Args: []string{"fn", "exit", "3"}},
			"it ends before it reads stdin"},
		{runtimes.Options{Start: runtimes.StartPrefork, Args: []string{"fn", "cat", "/request/id"}},
			"it looks into /request, or at what it is granted, before it reads stdin"},
	} {
		_, err := newRuntime(t).Compile(t.Context(), runtimestest.Wasm(), c.options)
		var refused *runtimes.ModuleError
		if !errors.As(err, &refused) || !strings.Contains(refused.Reason, c.reason) ||
			!strings.Contains(refused.Reason, c.options.Start) {
			t.Errorf("%+v: got %v", c.options, err)
		}
	}
}
