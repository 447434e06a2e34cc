package service

import "testing"

func TestDue(t *testing.T) {
	var r rester
	for i, c := range []struct {
		allocated uint64
		due       bool
	}{
		{1 << 20, false}, {2 << 20, false}, {3 << 20, false}, // little so far
		{100 << 20, false}, {101 << 20, false}, {102 << 20, true}, // after a time of work
		{103 << 20, false}, {103 << 20, false}, {103 << 20, false}, {103 << 20, false}, {103 << 20, false},
		{103 << 20, false},
		{103 << 20, true}, // after a longer time
		{103 << 20, false}, {106 << 20, false},
		{115 << 20, false}, {118 << 20, false}, {121 << 20, false}, // a little work
		{137 << 20, false}, {138 << 20, false}, {139 << 20, true},
	} {
		if due := r.due(c.allocated); due != c.due {
			t.Errorf("look %d, at %d bytes: %t", i, c.allocated, due)
		}
	}
	if a := allocated(); a == 0 || allocated() < a {
		t.Error("what is allocated is not counted")
	}
}
