package subjects

import (
	"slices"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestOf(t *testing.T) {
	e := registry.Entry{Name: "f", Versions: []protocol.Function{{Name: "f", Version: 3},
		{Name: "f", Version: 4, Triggers: []protocol.Trigger{{Subject: "orders.*"}, {Subject: "mail.>", Queue: "mine"}}}}}
	want := []Subject{{"fn.f", "q"}, {"fn.f.>", "q"}, {"fn.f@3", "q"}, {"fn.f@3.>", "q"},
		{"fn.f@4", "q"}, {"fn.f@4.>", "q"}, {"orders.*", "fn-f"}, {"mail.>", "mine"}}
	if got := Of(e); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOverlaps(t *testing.T) {
	f := func(name string, t ...protocol.Trigger) *protocol.Function {
		return &protocol.Function{Name: name, Triggers: t}
	}
	for _, c := range []struct {
		a, b *protocol.Function
		want []string
	}{
		{f("a"), f("b"), nil},
		{f("a", protocol.Trigger{Subject: "x.1"}), f("b", protocol.Trigger{Subject: "x.2"}), nil},
		{f("a", protocol.Trigger{Subject: "x.*"}), f("b", protocol.Trigger{Subject: "x.2"}),
			[]string{"x.* of a overlaps x.2 of b: a message of both runs each once"}},
		{f("a", protocol.Trigger{Subject: "x.*", Queue: "w"}), f("b", protocol.Trigger{Subject: "x.2", Queue: "w"}),
			[]string{"x.* of a overlaps x.2 of b in queue group w: a message of both runs one of them"}},
	} {
		if got := Overlaps(c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
