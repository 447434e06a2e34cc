package inspect_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/inspect"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// TestOpened runs a module that opens a key of its own accord, whatever its request is.
func TestOpened(t *testing.T) {
	rt, err := wasi.New(t.Context(), wasi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close(t.Context())
	file := filepath.Join("..", "..", "..", "samples", "guestbook", "c", "guestbook.wasm")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := inspect.Inspect(file, b, protocol.OptimizeAll)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Try(t.Context(), rt, b, "guestbook"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/kv/guests"}; !slices.Equal(r.Opened, want) || !slices.Equal(r.Opens, want) {
		t.Errorf("it has opened %q, and opens %q; want %q", r.Opened, r.Opens, want)
	}
}
