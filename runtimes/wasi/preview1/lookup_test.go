package preview1

import (
	"context"
	"sync"
	"testing"
)

// BenchmarkLookup is the search for the State of a call: by the type of the context, by its values, and, as
// it is not done, by the module in a map.
func BenchmarkLookup(b *testing.B) {
	s := &State{}
	ctx := s.Begin(b.Context())
	derived := context.WithValue(ctx, s, s)
	var m sync.Map
	m.Store(s, s)
	for name, find := range map[string]func() *State{
		"context": func() *State { return stateOf(ctx) },
		"derived": func() *State { return stateOf(derived) },
		"map":     func() *State { v, _ := m.Load(s); return v.(*State) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if find() != s {
					b.Fatal("another State")
				}
			}
		})
	}
}
