package preview1

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/files"
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

// TestFolders checks which numbers folders have: those of an interpreter do not change with what a function has besides.
func TestFolders(t *testing.T) {
	tree := files.Static(nil)
	for _, c := range []struct {
		mounts []Mount
		want   string
	}{
		{nil, "/request /"},
		{[]Mount{{Path: "/kv/a"}, {Path: "/tmp"}}, "/request /kv/a /tmp /"},
		{[]Mount{{Path: "/script", Tree: tree}, {Path: "/runtime", Tree: tree}}, "/request /script /runtime /"},
		{[]Mount{{Path: "/script", Tree: tree}, {Path: "/kv/a"}, {Path: "/runtime", Tree: tree}, {Path: "/", Tree: tree}},
			"/request /script /runtime / /kv/a"},
	} {
		if got := strings.Join(foldersOf(c.mounts), " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.mounts, got, c.want)
		}
	}
}
