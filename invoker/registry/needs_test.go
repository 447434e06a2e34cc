package registry_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// newer returns the record of a function as a newer polyvoke writes it: it has keys that are unknown here.
func newer(name, digest string, needs ...string) string {
	words := `["` + strings.Join(needs, `","`) + `"]`
	return fmt.Sprintf(`{"name":%[1]q,"needs":%[2]s,"weights":{"live":2},"versions":[`+
		`{"name":%[1]q,"version":2,"digest":%[3]q,"size":3,"needs":%[2]s,"teleport":{"to":"Mars"}}]}`, name, words, digest)
}

// knowing opens the registry of a server as an invoker does that knows more words.
func knowing(t testing.TB, nc *nats.Conn, words ...string) (*registry.JetStream, *journal) {
	t.Helper()
	log := &journal{}
	r, err := registry.Open(t.Context(), registrytest.JetStream(t, nc), registry.Config{Knows: words,
		Log: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	return r, log
}

// wantNeeds fails unless an error says that words are not known here.
func wantNeeds(t testing.TB, what string, err error, words ...string) registry.Entry {
	t.Helper()
	wantError(t, what, err, protocol.CodeUnknownNeed, strings.Join(words, ", "))
	got, e := registry.UnknownNeeds(err)
	if !slices.Equal(got, words) {
		t.Fatalf("%s: %q are unknown, want %q", what, got, words)
	}
	return e
}

// The record of a newer polyvoke is neither served nor changed, and is told of as what it is.
func TestNewerRecord(t *testing.T) {
	x := start(t)
	was := put(t, x.r, "greet", "one")
	changes, err := x.r.Watch(t.Context())
	must(t, err)
	equal(t, "first", registrytest.Next(t, changes), registry.Change{Name: "greet", Entry: was})
	equal(t, "synced", registrytest.Next(t, changes), registry.Change{Synced: true})

	_, err = x.kv.PutString(t.Context(), "greet", newer("greet", was.Latest().Digest, "teleport", "anvil"))
	must(t, err)
	c := registrytest.Next(t, changes)
	e := wantNeeds(t, "change", c.Err, "anvil", "teleport")
	if c.Name != "greet" || len(c.Entry.Versions) != 0 || len(e.Versions) != 1 || e.Latest().Version != 2 {
		t.Errorf("the change is %+v, what was read %+v", c, e)
	}
	_, err = x.r.Find(t.Context(), "greet")
	wantNeeds(t, "Find", err, "anvil", "teleport")
	_, _, err = x.r.Put(t.Context(), protocol.Function{Name: "greet"}, []byte("two"))
	wantNeeds(t, "Put", err, "anvil", "teleport")
	list, err := x.r.List(t.Context())
	must(t, err)
	if len(list) != 0 || strings.Contains(x.log.String(), "skipped") {
		t.Errorf("the list is %+v, the log:\n%s", list, x.log)
	}
	if _, err := x.r.Module(t.Context(), was.Latest().Digest); err != nil {
		t.Errorf("its module: %v", err)
	}

	gone, err := x.r.Delete(t.Context(), "greet")
	must(t, err)
	if gone.Name != "greet" || len(gone.Versions) != 1 {
		t.Errorf("removed: %+v", gone)
	}
	equal(t, "removal", registrytest.Next(t, changes), registry.Change{Name: "greet"})
	e = put(t, x.r, "greet", "two")
	equal(t, "back", registrytest.Next(t, changes), registry.Change{Name: "greet", Entry: e})
}

// Forms of records that this version cannot guess at, and needs that are none.
func TestNewerForms(t *testing.T) {
	x := start(t)
	digest := protocol.Digest([]byte("x"))
	for key, test := range map[string]struct {
		record string
		code   int
	}{
		"another": {`{"name":"another","needs":["shards"],"versions":{"1":"elsewhere"}}`, protocol.CodeUnknownNeed},
		"bare":    {`{"needs":["shards"]}`, protocol.CodeUnknownNeed},
		"inside": {fmt.Sprintf(
			`{"name":"inside","versions":[{"name":"inside","version":1,"digest":%q,"needs":["shards"]}]}`, digest),
			protocol.CodeUnknownNeed},
		"strange": {fmt.Sprintf(`{"name":"strange","needs":["shards"],"versions":[`+
			`{"name":"strange","version":1,"digest":%q,"trigger":[{"orbit":"Mars"}]}]}`, digest),
			protocol.CodeUnknownNeed},
		"noword": {newer("noword", digest, "Not a word"), protocol.CodeConflict},
		"nolist": {`{"name":"nolist","needs":"shards","versions":[]}`, protocol.CodeConflict},
		"many":   {newer("many", digest, slices.Collect(numbered(protocol.MaxNeeds+1))...), protocol.CodeConflict},
		"nothing": {fmt.Sprintf(
			`{"name":"nothing","needs":[],"versions":[{"name":"nothing","version":1,"digest":%q,"weight":1}]}`, digest),
			protocol.CodeConflict},
		"torn": {`{"name":"torn","needs":["shards"]`, protocol.CodeConflict},
	} {
		_, err := x.kv.PutString(t.Context(), key, test.record)
		must(t, err)
		if _, err := x.r.Find(t.Context(), key); protocol.CodeOf(err) != test.code || len(err.Error()) > 500 {
			t.Errorf("%s: error %v, want code %d", key, err, test.code)
		}
	}
}

// numbered yields words.
func numbered(n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("w%d", i)) {
				return
			}
		}
	}
}

// Whoever knows the words reads and writes the record, beside one that does not; what needs nothing any more is
// everybody's again.
func TestNeedsAreWritten(t *testing.T) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	old := connect(t, registrytest.Connect(t, s))
	knows, _ := knowing(t, registrytest.Connect(t, s), "teleport")
	changes, err := old.r.Watch(t.Context())
	must(t, err)
	equal(t, "synced", registrytest.Next(t, changes), registry.Change{Synced: true})

	e, created, err := knows.Put(t.Context(), protocol.Function{Name: "greet", Needs: []string{"teleport", "teleport"}},
		[]byte("one"))
	must(t, err)
	if !created || !slices.Equal(e.Needs, []string{"teleport"}) || !slices.Equal(e.Latest().Needs, e.Needs) {
		t.Errorf("put: %+v", e)
	}
	found, err := knows.Find(t.Context(), "greet")
	must(t, err)
	equal(t, "found", found, e)
	kve, err := old.kv.Get(t.Context(), "greet")
	must(t, err)
	if !strings.HasPrefix(string(kve.Value()), `{"name":"greet","needs":["teleport"],`) {
		t.Errorf("the record is %s", kve.Value())
	}
	wantNeeds(t, "change", registrytest.Next(t, changes).Err, "teleport")

	e = put(t, knows, "greet", "two") // version 1, which needs it, is still called as greet@1
	if !slices.Equal(e.Needs, []string{"teleport"}) || e.Latest().Needs != nil {
		t.Errorf("with an older version that needs it: %+v", e)
	}
	wantNeeds(t, "second change", registrytest.Next(t, changes).Err, "teleport")
	for i := range registry.KeepVersions { // until that version is gone
		e = put(t, knows, "greet", fmt.Sprint("module ", i))
	}
	if e.Dropped = nil; e.Needs != nil {
		t.Errorf("in the end it needs %q", e.Needs)
	}
	for {
		c := registrytest.Next(t, changes)
		if c.Err == nil && c.Entry.Latest().Version == e.Latest().Version {
			equal(t, "last change", c.Entry, e)
			break
		}
	}
}

// What an older version of the function was is not put back in the place of a record that needs what is not known
// here and that the store has lost: it would be called.
func TestNewerRecordIsLost(t *testing.T) {
	x := start(t)
	was := put(t, x.r, "greet", "one")
	changes, err := x.r.Watch(t.Context())
	must(t, err)
	for !registrytest.Next(t, changes).Synced {
	}
	_, err = x.kv.PutString(t.Context(), "greet", newer("greet", was.Latest().Digest, "teleport"))
	must(t, err)
	wantNeeds(t, "change", registrytest.Next(t, changes).Err, "teleport")
	stream, err := x.js.Stream(t.Context(), "KV_"+registry.BucketFunctions)
	must(t, err)
	must(t, stream.Purge(t.Context()))
	equal(t, "loss", registrytest.Next(t, changes), registry.Change{Name: "greet"})
	_, err = x.r.Find(t.Context(), "greet")
	wantError(t, "Find", err, protocol.CodeNotFound, "greet")
}

// A watch that begins when the record is there, and one that lost the server meanwhile, are told once.
func TestNewerRecordAcrossRestart(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.StartNATS(t, dir, 0)
	near := connect(t, registrytest.Connect(t, s))
	put(t, near.r, "greet", "one")
	changes, g := away(t, s)
	_, err := near.kv.PutString(t.Context(), "greet", newer("greet", protocol.Digest([]byte("one")), "teleport"))
	must(t, err)
	restart(t, s, dir)
	g.shut.Store(false)
	wantNeeds(t, "change", registrytest.Next(t, changes).Err, "teleport")
	later, err := near.r.Watch(t.Context())
	must(t, err)
	wantNeeds(t, "first of a new watch", registrytest.Next(t, later).Err, "teleport")
	equal(t, "synced", registrytest.Next(t, later), registry.Change{Synced: true})
	e := put(t, near.r, "other", "one")
	equal(t, "and nothing more", registrytest.Next(t, changes), registry.Change{Name: "other", Entry: e})
}

// The record of a newer interpreter is not replaced, as an unreadable one is.
func TestNewerRuntime(t *testing.T) {
	js := registrytest.JetStream(t, registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0)))
	r, err := registry.Open(t.Context(), js, registry.Config{Runtimes: true})
	must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.BucketRuntimes)
	must(t, err)
	_, err = kv.PutString(t.Context(), "lua", newer("lua", protocol.Digest([]byte("one")), "teleport"))
	must(t, err)
	_, _, err = r.Put(t.Context(), protocol.Function{Name: "lua"}, []byte("two"))
	wantNeeds(t, "Put", err, "teleport")
}
