// Package registrytest is the conformance suite of registries.
//
// In goes a function that makes an empty registry, out comes a verdict: what
// registry.Registry promises, one test a sentence. A bug that is found in one
// registry becomes a test for all of them here.
package registrytest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// Test runs the suite. Each call of open returns an empty registry, which the test that is passed cleans up.
func Test(t *testing.T, open func(t *testing.T) registry.Registry) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, r registry.Registry)
	}{
		{"Put is found", testPut},
		{"Versions are numbered", testVersions},
		{"Same bytes and manifest are the same version", testSame},
		{"What is refused changes nothing", testRefused},
		{"What needs more than is known is 501", testNeeds},
		{"What does not exist is 404", testNotFound},
		{"Deleted is gone", testDelete},
		{"Modules live as long as a version", testModules},
		{"A module of 5 MiB", testLargeModule},
		{"The oldest versions go", testPruning},
		{"List is sorted", testList},
		{"What was returned stays as it is", testImmutable},
		{"What was given may change", testCopied},
		{"Watch", testWatch},
		{"Watch of nothing", testWatchEmpty},
		{"A slow watcher gets the newest state", testWatchSlow},
		{"Watch ends", testWatchEnds},
		{"An alias is found", testAlias},
		{"An alias changes only from what it is", testAliasRevision},
		{"What an alias cannot be changes nothing", testAliasRefused},
		{"A watch has aliases", testAliasWatch},
		{"What aliases name is kept", testAliasKeeps},
		{"What history names is kept", testAliasHistoryKeeps},
		{"A removed function leaves no alias", testAliasesGo},
		{"HammerAliases", hammerAliases},
		{"HammerNamedVersions", hammerNamed},
		{"HammerVersions", hammerVersions},
		{"HammerSameBytes", hammerSameBytes},
		{"HammerAll", hammerAll},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Put puts a function with a module and fails the test if that fails.
func Put(t testing.TB, r registry.Registry, f protocol.Function, module string) registry.Entry {
	t.Helper()
	e, _, err := r.Put(t.Context(), f, []byte(module))
	if err != nil {
		t.Fatalf("Put %s: %v", f.Name, err)
	}
	return e
}

// Next returns the next change of a watch, and fails the test if there is none within Patience.
func Next(t testing.TB, changes <-chan registry.Change) registry.Change {
	t.Helper()
	select {
	case c, ok := <-changes:
		if !ok {
			t.Fatal("the watch has ended")
		}
		return c
	case <-time.After(Patience):
		t.Fatal("the watch is silent")
	}
	return registry.Change{}
}

func fn(name string) protocol.Function { return protocol.Function{Name: name} }

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func wantCode(t testing.TB, what string, err error, code int) {
	t.Helper()
	var e *protocol.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%s: got error %v (code %d), want code %d", what, err, protocol.CodeOf(err), code)
	}
}

func testPut(t *testing.T, r registry.Registry) {
	full := protocol.Function{
		Name: "full", Version: 77, Digest: "none", Size: 1, Created: time.Unix(1, 0), Language: "C",
		Start: protocol.StartFresh, Meta: protocol.MetaEnv,
		Args: []string{"-x", ""}, Env: map[string]string{"A": "1", "ÄÖ": "\n\"<>&"},
		Limits: protocol.Limits{Timeout: protocol.Duration(1500 * time.Millisecond), Memory: 64 << 20,
			Input: 10, Output: 11, Concurrency: 12, Queue: 13},
		Triggers: []protocol.Trigger{{Subject: "orders.*.created"}, {Subject: "x.>", Queue: "mine"}},
	}
	before := time.Now().Add(-time.Second)
	e, created, err := r.Put(t.Context(), full, []byte("module"))
	if err != nil || !created {
		t.Fatalf("Put: created %v, %v", created, err)
	}
	f := *e.Latest()
	if f.Created.Before(before) || f.Created.After(time.Now()) {
		t.Errorf("created at %v", f.Created)
	}
	want := full
	want.Version, want.Digest, want.Size, want.Created = 1, protocol.Digest([]byte("module")), 6, f.Created
	equal(t, "put", e, registry.Entry{Name: "full", Versions: []protocol.Function{want}})
	found, err := r.Find(t.Context(), "full")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "found", found, e)
}

func testVersions(t *testing.T, r registry.Registry) {
	for i, module := range []string{"a", "b", "a", "c"} { // old bytes again are a new version
		e, created, err := r.Put(t.Context(), fn("greet"), []byte(module))
		if err != nil || !created {
			t.Fatalf("Put %d: created %v, %v", i, created, err)
		}
		f, err := e.Version(fmt.Sprint(i + 1))
		if err != nil || f != e.Latest() || f.Digest != protocol.Digest([]byte(module)) || len(e.Versions) != i+1 {
			t.Fatalf("after Put %d: %v, %+v", i, err, e)
		}
	}
	if other := Put(t, r, fn("other"), "a"); other.Latest().Version != 1 {
		t.Errorf("another function begins at %d", other.Latest().Version)
	}
}

func testSame(t *testing.T, r registry.Registry) {
	f := fn("greet")
	f.Env = map[string]string{"A": "1"}
	first := Put(t, r, f, "module")
	f.Version, f.Limits.Timeout, f.Args = 9, protocol.DefaultTimeout, []string{} // says the same
	again, created, err := r.Put(t.Context(), f, []byte("module"))
	if err != nil || created {
		t.Fatalf("the same again: created %v, %v", created, err)
	}
	equal(t, "the same again", again, first)
	f.Env = map[string]string{"A": "2"}
	if e := Put(t, r, f, "module"); e.Latest().Version != 2 {
		t.Errorf("another manifest is version %d", e.Latest().Version)
	}
}

func testRefused(t *testing.T, r registry.Registry) {
	for what, f := range map[string]protocol.Function{
		"no name": {}, "bad name": fn("a.b"), "bad limit": {Name: "a", Limits: protocol.Limits{Timeout: -1}},
	} {
		_, _, err := r.Put(t.Context(), f, []byte("module"))
		wantCode(t, what, err, protocol.CodeRefused)
	}
	_, _, err := r.Put(t.Context(), fn("a"), nil)
	wantCode(t, "empty module", err, protocol.CodeRefused)
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
}

// testNeeds puts a manifest that needs what no registry knows, in the place of one that needs nothing.
func testNeeds(t *testing.T, r registry.Registry) {
	was := Put(t, r, fn("greet"), "module")
	if was.Needs != nil || was.Latest().Needs != nil {
		t.Errorf("a plain function needs %q", was.Needs)
	}
	f := fn("greet")
	f.Needs = []string{"teleport", "anvil"}
	_, _, err := r.Put(t.Context(), f, []byte("other"))
	wantCode(t, "Put", err, protocol.CodeUnknownNeed)
	if !strings.Contains(err.Error(), "needs anvil, teleport") || !strings.Contains(err.Error(), "update the invoker") {
		t.Errorf("Put: %v", err)
	}
	f.Needs = []string{"Not a word"}
	_, _, err = r.Put(t.Context(), f, []byte("other"))
	wantCode(t, "Put of no word", err, protocol.CodeRefused)
	found, err := r.Find(t.Context(), "greet")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "found", found, was)
	noModule(t, r, "other")
}

func testNotFound(t *testing.T, r registry.Registry) {
	Put(t, r, fn("here"), "module")
	_, err := r.Find(t.Context(), "nowhere")
	wantCode(t, "Find", err, protocol.CodeNotFound)
	_, err = r.Delete(t.Context(), "nowhere")
	wantCode(t, "Delete", err, protocol.CodeNotFound)
	_, err = r.Module(t.Context(), protocol.Digest([]byte("nothing")))
	wantCode(t, "Module", err, protocol.CodeNotFound)
	for _, name := range []string{"", "*", ">", "a.b", "a b"} {
		_, err = r.Find(t.Context(), name)
		wantCode(t, "Find "+name, err, protocol.CodeBadRequest)
		_, err = r.Delete(t.Context(), name)
		wantCode(t, "Delete "+name, err, protocol.CodeBadRequest)
		_, err = r.Module(t.Context(), name)
		wantCode(t, "Module "+name, err, protocol.CodeBadRequest)
	}
}

func testDelete(t *testing.T, r registry.Registry) {
	Put(t, r, fn("greet"), "a")
	was := Put(t, r, fn("greet"), "b")
	e, err := r.Delete(t.Context(), "greet")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "deleted", e, was)
	_, err = r.Find(t.Context(), "greet")
	wantCode(t, "Find", err, protocol.CodeNotFound)
	_, err = r.Delete(t.Context(), "greet")
	wantCode(t, "Delete again", err, protocol.CodeNotFound)
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if e := Put(t, r, fn("greet"), "b"); e.Latest().Version != 1 || len(e.Versions) != 1 {
		t.Errorf("put again: %+v", e)
	}
	haveModule(t, r, "b")
}

func haveModule(t testing.TB, r registry.Registry, module string) {
	t.Helper()
	got, err := r.Module(t.Context(), protocol.Digest([]byte(module)))
	if err != nil || string(got) != module {
		t.Fatalf("module %.20q: got %.20q, %v", module, got, err)
	}
}

func noModule(t testing.TB, r registry.Registry, module string) {
	t.Helper()
	_, err := r.Module(t.Context(), protocol.Digest([]byte(module)))
	wantCode(t, fmt.Sprintf("module %.20q", module), err, protocol.CodeNotFound)
}

func remove(t testing.TB, r registry.Registry, name string) {
	t.Helper()
	if _, err := r.Delete(t.Context(), name); err != nil {
		t.Fatalf("Delete %s: %v", name, err)
	}
}

func testModules(t *testing.T, r registry.Registry) {
	Put(t, r, fn("one"), "shared")
	Put(t, r, fn("one"), "own")
	Put(t, r, fn("two"), "shared")
	haveModule(t, r, "own")
	remove(t, r, "one")
	noModule(t, r, "own")
	haveModule(t, r, "shared")
	remove(t, r, "two")
	noModule(t, r, "shared")
	Put(t, r, fn("two"), "shared")
	haveModule(t, r, "shared")
}

func testLargeModule(t *testing.T, r registry.Registry) {
	module := make([]byte, 5<<20+1)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(module)
	e, _, err := r.Put(t.Context(), fn("large"), module)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Module(t.Context(), e.Latest().Digest)
	if err != nil || !bytes.Equal(got, module) || e.Latest().Size != int64(len(module)) {
		t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(module))
	}
}

func testPruning(t *testing.T, r registry.Registry) {
	const total = registry.KeepVersions + 3
	var e registry.Entry
	for i := range total {
		e = Put(t, r, fn("greet"), fmt.Sprint("module ", i+1))
	}
	first, last := e.Versions[0].Version, e.Latest().Version
	if first != 4 || last != total || len(e.Versions) != registry.KeepVersions {
		t.Fatalf("kept %d to %d, %d versions", first, last, len(e.Versions))
	}
	_, err := e.Version("3")
	wantCode(t, "version 3", err, protocol.CodeNotFound)
	noModule(t, r, "module 3")
	haveModule(t, r, "module 4")
	haveModule(t, r, fmt.Sprint("module ", total))
}

func testList(t *testing.T, r registry.Registry) {
	names := []string{"b", "a-b", "a", "C", "a_b", "10", "9"}
	for _, n := range names {
		Put(t, r, fn(n), n)
	}
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name)
		if e.Latest().Digest != protocol.Digest([]byte(e.Name)) {
			t.Errorf("%s has the module of another", e.Name)
		}
	}
	slices.Sort(names)
	equal(t, "names", got, names)
}

func testImmutable(t *testing.T, r registry.Registry) {
	first := Put(t, r, fn("greet"), "a")
	f := *first.Latest()
	for i := range registry.KeepVersions + 1 {
		Put(t, r, fn("greet"), fmt.Sprint(i))
	}
	remove(t, r, "greet")
	if len(first.Versions) != 1 {
		t.Fatalf("it has %d versions now", len(first.Versions))
	}
	equal(t, "version 1", *first.Latest(), f)
}

func testCopied(t *testing.T, r registry.Registry) {
	f := protocol.Function{Name: "greet", Args: []string{"a"}, Env: map[string]string{"A": "1"},
		Triggers: []protocol.Trigger{{Subject: "a"}}}
	module := []byte("module")
	if _, _, err := r.Put(t.Context(), f, module); err != nil {
		t.Fatal(err)
	}
	f.Args[0], f.Env["A"], f.Triggers[0].Subject, module[0] = "x", "x", "x", 'x'
	e, err := r.Find(t.Context(), "greet")
	if err != nil {
		t.Fatal(err)
	}
	l := e.Latest()
	equal(t, "kept", []string{l.Args[0], l.Env["A"], l.Triggers[0].Subject}, []string{"a", "1", "a"})
	haveModule(t, r, "module")
	got, err := r.Module(t.Context(), l.Digest)
	if err != nil {
		t.Fatal(err)
	}
	got[0] = 'x'
	haveModule(t, r, "module")
}
