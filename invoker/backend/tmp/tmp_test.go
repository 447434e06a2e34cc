package tmp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/tmp"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// open opens what a function is granted.
func open(t testing.TB, grants ...protocol.Grant) *backend.Grants {
	t.Helper()
	b := &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantTmp: tmp.Kind{}}}
	g, err := b.Open(t.Context(), &protocol.Function{Name: "f", Grants: grants})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// tree returns the folder of a new run.
func tree(t testing.TB, g *backend.Grants) (*backend.Transaction, files.Tree) {
	t.Helper()
	run := g.Begin(t.Context(), backend.Call{})
	mounts := run.Mounts()
	if len(mounts) != 1 || mounts[0].Path != "/tmp" {
		t.Fatalf("the mounts are %+v", mounts)
	}
	return run, mounts[0].Tree
}

// put writes a file.
func put(t testing.TB, in files.Tree, name, text string) error {
	t.Helper()
	f, err := in.Open(t.Context(), name, files.Write|files.Create)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(t.Context(), []byte(text), 0)
	return errors.Join(err, f.Close(t.Context()))
}

func TestConformance(t *testing.T) {
	const room = 1 << 20
	g := open(t, protocol.Grant{Tmp: room})
	filestest.Test(t, filestest.Harness{Room: room, New: func(t testing.TB, content map[string]string) files.Tree {
		_, in := tree(t, g)
		for name, text := range content {
			for i, c := range name {
				if c == '/' {
					_ = in.Mkdir(t.Context(), name[:i]) // it may be there
				}
			}
			if err := put(t, in, name, text); err != nil {
				t.Fatal(err)
			}
		}
		return in
	}})
}

// Each run has its own folder, which is gone with it, and room for the largest size that is granted.
func TestRuns(t *testing.T) {
	g := open(t, protocol.Grant{Tmp: 1 << 10}, protocol.Grant{Tmp: 8 << 10})
	one, a := tree(t, g)
	_, b := tree(t, g)
	if !files.IsInline(a) || files.IsReadOnly(a) {
		t.Error("it is not Inline, or read-only")
	}
	if err := put(t, a, "mine", strings.Repeat("x", 7<<10)); err != nil {
		t.Error(err)
	}
	if err := put(t, a, "more", strings.Repeat("x", 1<<10)); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("more than there is room for: %v", err)
	}
	for what, other := range map[string]files.Tree{"another run": b, "a later run": func() files.Tree {
		one.End()
		_, c := tree(t, g)
		return c
	}()} {
		if all, err := other.ReadDir(t.Context(), "."); err != nil || len(all) != 0 {
			t.Errorf("%s sees %+v, %v", what, all, err)
		}
	}
	if err := put(t, a, "late", "x"); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("after the end of the run: %v", err)
	}
	if err := one.Commit(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// BenchmarkUnused is what a run pays that does not look at /tmp.
func BenchmarkUnused(b *testing.B) {
	g := open(b, protocol.Grant{Tmp: 64 << 20})
	b.ReportAllocs()
	for b.Loop() {
		run := g.Begin(b.Context(), backend.Call{})
		run.Mounts()
		run.End()
	}
}

// BenchmarkFile is what it pays for a file that is written, read and removed.
func BenchmarkFile(b *testing.B) {
	g := open(b, protocol.Grant{Tmp: 64 << 20})
	text := strings.Repeat("x", 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		run := g.Begin(b.Context(), backend.Call{})
		if err := put(b, run.Mounts()[0].Tree, "a", text); err != nil {
			b.Fatal(err)
		}
		run.End()
	}
}
