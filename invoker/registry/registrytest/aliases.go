package registrytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// aliasesOf returns the aliases of a registry, which the suite is for as well.
func aliasesOf(t testing.TB, r registry.Registry) registry.Aliases {
	t.Helper()
	a, ok := r.(registry.Aliases)
	if !ok {
		t.Fatal("the registry keeps no aliases")
	}
	return a
}

// To is an alias of one version, or of two with the weight of the newer one.
func To(version int, newer ...int) protocol.Alias {
	if len(newer) == 0 {
		return protocol.Alias{To: []protocol.Weight{{Version: version, Weight: 100}}}
	}
	return protocol.Alias{To: []protocol.Weight{{Version: version, Weight: 100 - newer[1]},
		{Version: newer[0], Weight: newer[1]}}}
}

func set(t testing.TB, r registry.Registry, name, alias string, a protocol.Alias) protocol.AliasState {
	t.Helper()
	s, err := aliasesOf(t, r).SetAlias(t.Context(), name, alias, a, nil)
	if err != nil {
		t.Fatalf("SetAlias %s@%s: %v", name, alias, err)
	}
	return s
}

// putMany deploys versions of a function.
func putMany(t testing.TB, r registry.Registry, name string, n int) (e registry.Entry) {
	t.Helper()
	for i := range n {
		e = Put(t, r, fn(name), fmt.Sprint(name, i, rand.Uint64()))
	}
	return e
}

// described says what aliases are, without revisions and times.
func described(all []protocol.AliasState) []string {
	out := []string{}
	for _, s := range all {
		text := fmt.Sprintf("%s@%s: %v", s.Function, s.Alias, s.Value)
		if s.Removed {
			text = fmt.Sprintf("%s@%s: removed", s.Function, s.Alias)
		}
		out = append(out, text)
	}
	return out
}

func testAlias(t *testing.T, r registry.Registry) {
	a := aliasesOf(t, r)
	list, err := a.ListAliases(t.Context(), "")
	equal(t, "no aliases", described(list), []string{})
	history, again := a.History(t.Context(), "b", "live")
	if err != nil || again != nil || len(history) != 0 {
		t.Fatalf("%v, %v, history %v", err, again, history)
	}
	putMany(t, r, "a", 1)
	putMany(t, r, "b", 3)
	set(t, r, "b", "live", To(1))
	set(t, r, "b", "old", To(1))
	set(t, r, "a", "live", To(1))
	half := To(1, 3, 50)
	half.Key, half.By, half.Why = "{1}", "me", "to see"
	was := set(t, r, "b", "live", half)
	equal(t, "set again", set(t, r, "b", "live", half), was)
	equal(t, "value", was.Value, half)
	list, err = a.ListAliases(t.Context(), "")
	equal(t, "all", described(list), []string{"a@live: version 1", "b@live: version 1 (50 %), version 3 (50 %)",
		"b@old: version 1"})
	if err != nil || list[1].Revision != was.Revision || !list[1].Created.Equal(was.Created) {
		t.Errorf("%v, listed as %+v, set as %+v", err, list[1], was)
	}
	list, err = a.ListAliases(t.Context(), "b")
	equal(t, "of b", described(list), []string{"b@live: version 1 (50 %), version 3 (50 %)", "b@old: version 1"})
	removed, again := a.RemoveAlias(t.Context(), "b", "live", nil)
	equal(t, "removed", removed, was)
	set(t, r, "b", "live", To(2))
	history, third := a.History(t.Context(), "b", "live")
	equal(t, "history", described(history), []string{"b@live: version 2", "b@live: removed",
		"b@live: version 1 (50 %), version 3 (50 %)", "b@live: version 1"})
	if err != nil || again != nil || third != nil {
		t.Error(err, again, third)
	}
	for i := 1; i < len(history); i++ {
		if history[i].Revision >= history[i-1].Revision {
			t.Errorf("revision %d follows %d", history[i-1].Revision, history[i].Revision)
		}
	}
}

func testAliasRevision(t *testing.T, r registry.Registry) {
	a := aliasesOf(t, r)
	putMany(t, r, "f", 3)
	zero, none := uint64(0), uint64(7777)
	_, err := a.SetAlias(t.Context(), "f", "live", To(1), &none)
	wantCode(t, "set at a revision of nothing", err, protocol.CodeConflict)
	first, err := a.SetAlias(t.Context(), "f", "live", To(1), &zero)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.SetAlias(t.Context(), "f", "live", To(2), &zero)
	wantCode(t, "made again", err, protocol.CodeConflict)
	second, err := a.SetAlias(t.Context(), "f", "live", To(2), &first.Revision)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.SetAlias(t.Context(), "f", "live", To(3), &first.Revision)
	wantCode(t, "set at an old revision", err, protocol.CodeConflict)
	_, err = a.RemoveAlias(t.Context(), "f", "live", &first.Revision)
	wantCode(t, "removed at an old revision", err, protocol.CodeConflict)
	if _, err := a.RemoveAlias(t.Context(), "f", "live", &second.Revision); err != nil {
		t.Fatal(err)
	}
	_, err = a.SetAlias(t.Context(), "f", "live", To(3), &second.Revision)
	wantCode(t, "set after its removal", err, protocol.CodeConflict)
	if _, err = a.SetAlias(t.Context(), "f", "live", To(3), &zero); err != nil {
		t.Error(err)
	}
}

func testAliasRefused(t *testing.T, r registry.Registry) {
	a := aliasesOf(t, r)
	putMany(t, r, "f", 2)
	for _, bad := range []struct {
		name, alias string
		to          protocol.Alias
		code        int
	}{
		{"g", "live", To(1), 404}, {"f", "live", To(3), 404}, {"f", "live", To(1, 3, 10), 404}, {"f", "1", To(1), 400},
		{"f", "", To(1), 400}, {"f", "a.b", To(1), 400}, {"", "live", To(1), 400}, {"f.g", "live", To(1), 400},
		{"f", "live", protocol.Alias{}, 400}, {"f", "live", To(1, 2, 100), 400}, {"f", ">", To(1), 400},
	} {
		_, err := a.SetAlias(t.Context(), bad.name, bad.alias, bad.to, nil)
		wantCode(t, fmt.Sprintf("%s@%s %v", bad.name, bad.alias, bad.to), err, bad.code)
	}
	_, err := a.RemoveAlias(t.Context(), "f", "live", nil)
	wantCode(t, "remove what is not there", err, protocol.CodeNotFound)
	list, err := a.ListAliases(t.Context(), "")
	if len(list) > 0 || err != nil {
		t.Errorf("%v, %v", described(list), err)
	}
	for i := range protocol.MaxAliases {
		set(t, r, "f", fmt.Sprint("a", i), To(1))
	}
	_, err = a.SetAlias(t.Context(), "f", "more", To(1), nil)
	wantCode(t, "one alias more", err, protocol.CodeRefused)
	set(t, r, "f", "a0", To(2))
}

// until takes changes until one is as it should be.
func until(t testing.TB, changes <-chan registry.Change, what string, is func(registry.Change) bool) registry.Entry {
	t.Helper()
	for {
		if c := Next(t, changes); is(c) {
			return c.Entry
		}
	}
}

func testAliasWatch(t *testing.T, r registry.Registry) {
	a := aliasesOf(t, r)
	putMany(t, r, "f", 3)
	early := watch(t, t.Context(), r) // perhaps before there is a place for aliases
	until(t, early, "synced", func(c registry.Change) bool { return c.Synced })
	s := set(t, r, "f", "live", To(1, 2, 60))
	late := watch(t, t.Context(), r)
	var first registry.Entry
	for c := Next(t, late); !c.Synced; c = Next(t, late) {
		first = c.Entry
	}
	equal(t, "what a watch begins with", first.Aliases, map[string]protocol.AliasState{"live": s})
	for _, changes := range []<-chan registry.Change{early, late} {
		e := first
		if changes == early {
			e = until(t, changes, "alias", func(c registry.Change) bool { return len(c.Entry.Aliases) > 0 })
		}
		equal(t, "live", e.Aliases["live"], s)
		if e.Main().Version != 2 || e.Latest().Version != 3 {
			t.Errorf("main is version %d, latest %d", e.Main().Version, e.Latest().Version)
		}
	}
	s = set(t, r, "f", "live", To(1, 2, 40))
	for _, changes := range []<-chan registry.Change{early, late} {
		e := until(t, changes, "weight", func(c registry.Change) bool { return c.Entry.Aliases["live"].Revision == s.Revision })
		if e.Main().Version != 1 {
			t.Errorf("main is version %d", e.Main().Version)
		}
	}
	putMany(t, r, "f", 1)
	for _, changes := range []<-chan registry.Change{early, late} {
		e := until(t, changes, "version", func(c registry.Change) bool { return c.Entry.Latest().Version == 4 })
		equal(t, "live after a deployment", e.Aliases["live"], s)
	}
	if _, err := a.RemoveAlias(t.Context(), "f", "live", nil); err != nil {
		t.Fatal(err)
	}
	for _, changes := range []<-chan registry.Change{early, late} {
		e := until(t, changes, "removal", func(c registry.Change) bool { return len(c.Entry.Aliases) == 0 })
		if e.Aliases != nil || e.Main().Version != 4 {
			t.Errorf("after the removal: %+v", e.Aliases)
		}
	}
}

// numbers returns which versions a function has.
func numbers(e registry.Entry) (all []int) {
	for _, f := range e.Versions {
		all = append(all, f.Version)
	}
	return all
}

func testAliasKeeps(t *testing.T, r registry.Registry) {
	putMany(t, r, "f", 4)
	set(t, r, "f", "live", To(2, 4, 10))
	set(t, r, "f", "old", To(1))
	e := putMany(t, r, "f", registry.KeepVersions+2)
	want := []int{1, 2, 4}
	for v := 7; v <= 26; v++ {
		want = append(want, v)
	}
	equal(t, "versions", numbers(e), want)
	for _, v := range e.Versions {
		if _, err := r.Module(t.Context(), v.Digest); err != nil {
			t.Errorf("version %d: %v", v.Version, err)
		}
	}
	if _, err := aliasesOf(t, r).RemoveAlias(t.Context(), "f", "old", nil); err != nil {
		t.Fatal(err)
	}
	e = putMany(t, r, "f", 1)
	equal(t, "dropped", e.Dropped, []int{1, 7})
	equal(t, "kept", numbers(e)[:3], []int{2, 4, 8})
}

func testAliasHistoryKeeps(t *testing.T, r registry.Registry) {
	putMany(t, r, "f", 14)
	for v := 1; v <= 12; v++ {
		set(t, r, "f", "live", To(v))
	}
	e := putMany(t, r, "f", registry.KeepVersions)
	want := []int{} // 3 to 12 are the last ten; 15 to 34 the newest twenty
	for v := 3; v <= 34; v++ {
		if v <= 12 || v >= 15 {
			want = append(want, v)
		}
	}
	equal(t, "versions", numbers(e), want)
}

func testAliasesGo(t *testing.T, r registry.Registry) {
	putMany(t, r, "f", 2)
	putMany(t, r, "g", 1)
	set(t, r, "f", "live", To(1))
	set(t, r, "g", "live", To(1))
	set(t, r, "f", "old", To(2)) // removed before its function, it has a history all the same
	if _, err := aliasesOf(t, r).RemoveAlias(t.Context(), "f", "old", nil); err != nil {
		t.Fatal(err)
	}
	remove(t, r, "f")
	e := putMany(t, r, "f", 2)
	set(t, r, "f", "old", To(1))
	past, err := aliasesOf(t, r).History(t.Context(), "f", "old")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range past[1:] {
		if !s.Removed {
			t.Errorf("the history of an alias has what it was for another function: %v", s)
		}
	}
	if _, err := aliasesOf(t, r).RemoveAlias(t.Context(), "f", "old", nil); err != nil {
		t.Fatal(err)
	}
	list, err := aliasesOf(t, r).ListAliases(t.Context(), "")
	equal(t, "aliases", described(list), []string{"g@live: version 1"})
	history, again := aliasesOf(t, r).History(t.Context(), "f", "live")
	for _, s := range history {
		if !s.Removed {
			t.Errorf("history has %v", s)
		}
	}
	if err != nil || again != nil || e.Latest().Version != 2 {
		t.Error(err, again, e.Latest().Version)
	}
}

// hammerAliases has several clients change one alias by compare-and-set: no change is lost.
func hammerAliases(t *testing.T, r registry.Registry) {
	a := aliasesOf(t, r)
	const clients, each = 4, 8
	putMany(t, r, "f", 2)
	set(t, r, "f", "live", To(1, 2, 1))
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for done := 0; done < each; {
				list, err := a.ListAliases(t.Context(), "f")
				if err != nil || len(list) != 1 {
					t.Errorf("%v, %v", list, err)
					return
				}
				_, err = a.SetAlias(t.Context(), "f", "live", To(1, 2, list[0].Value.To[1].Weight+1), &list[0].Revision)
				switch {
				case err == nil:
					done++
				case protocol.CodeOf(err) != protocol.CodeConflict:
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	list, err := a.ListAliases(t.Context(), "f")
	history, again := a.History(t.Context(), "f", "live")
	history = slices.DeleteFunc(history, func(s protocol.AliasState) bool { return s.Removed }) // of an earlier f
	if err != nil || again != nil || list[0].Value.To[1].Weight != 1+clients*each || len(history) != 1+clients*each {
		t.Errorf("%v %v: %v, history %q", err, again, list[0].Value, described(history))
	}
}

// hammerNamed has versions dropped while aliases are made to name the oldest: what an alias names is there.
func hammerNamed(t *testing.T, r registry.Registry) {
	a := aliasesOf(t, r)
	putMany(t, r, "f", registry.KeepVersions)
	var group sync.WaitGroup
	stop := make(chan struct{})
	group.Go(func() {
		defer close(stop)
		for i := range 30 {
			if _, _, err := r.Put(t.Context(), fn("f"), fmt.Append(nil, "new", i)); err != nil {
				t.Error(err)
			}
		}
	})
	for c := range 2 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				e, err := r.Find(t.Context(), "f")
				if err == nil {
					_, err = a.SetAlias(t.Context(), "f", fmt.Sprint("c", c), To(e.Versions[rand.IntN(2)].Version), nil)
				}
				if code := protocol.CodeOf(err); err != nil && code != protocol.CodeNotFound && code != protocol.CodeConflict {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	e, err := r.Find(t.Context(), "f")
	list, again := a.ListAliases(t.Context(), "f")
	if err != nil || again != nil {
		t.Fatal(err, again)
	}
	for _, s := range list {
		f := e.Numbered(s.Value.To[0].Version)
		if f == nil {
			t.Errorf("alias %s names version %v, and there are %v", s.Alias, s.Value, numbers(e))
			continue
		}
		if _, err := r.Module(t.Context(), f.Digest); err != nil {
			t.Error(err)
		}
	}
	if !slices.IsSorted(numbers(e)) {
		t.Errorf("versions %v", numbers(e))
	}
}
