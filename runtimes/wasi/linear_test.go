package wasi

import (
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
)

// TestRefusal checks that a memory remembers that it was refused.
func TestRefusal(t *testing.T) {
	r, err := memory.Reserve(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Free()
	m := linear{region: r, most: 1 << 18, limit: 1 << 18}
	if b := m.Reallocate(1 << 17); len(b) != 1<<17 || m.refused {
		t.Errorf("got %d bytes, refused: %t", len(b), m.refused)
	}
	own := linear{region: r, most: 1 << 16, limit: 1 << 18}
	if b := own.Reallocate(1 << 17); b != nil || own.refused {
		t.Errorf("beyond what the module allows itself: got %d bytes, refused: %t", len(b), own.refused)
	}
	if b := m.Reallocate(1<<18 + 1); b != nil || !m.refused || m.size != 1<<17 {
		t.Errorf("got %d bytes, refused: %t, size: %d", len(b), m.refused, m.size)
	}
}
