package contestant_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// The worker in JavaScript speaks as those in Go do. Needs node, which make check installs.
func TestNode(t *testing.T) {
	dir := t.TempDir()
	name, args, err := contestant.NodeCommand(dir)
	if err != nil {
		t.Fatal(err)
	}
	wasm := filepath.Join(dir, "probe.wasm")
	if err := os.WriteFile(wasm, runtimestest.Wasm(), 0o644); err != nil {
		t.Fatal(err)
	}
	w, err := worker.Start(name, args)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest.Guest{Wasm: wasm, Args: []string{"echo"}, Env: []string{"A=b"}, Body: []byte("hello"),
		Want: []byte("hello")}
	if _, err := w.Ask(worker.Request{Op: worker.OpOpen, Guest: g}); err != nil {
		t.Fatal(err)
	}
	r, err := w.Ask(worker.Request{Op: worker.OpSlice, Slice: measure.Slice{Calls: 20, Callers: 1}})
	if err != nil || r.Sample.Calls != 20 || len(r.Sample.Latencies) != 20 || r.Sample.CPU <= 0 || r.Sample.Wall <= 0 {
		t.Errorf("got %+v and the error %v", r.Sample, err)
	}
	if _, err := w.Ask(worker.Request{Op: worker.OpServe}); err == nil {
		t.Error("it does what it cannot do")
	}
	g.Want = []byte("other")
	if _, err := w.Ask(worker.Request{Op: worker.OpOpen, Guest: g}); err == nil {
		t.Error("a wrong reply passed")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
