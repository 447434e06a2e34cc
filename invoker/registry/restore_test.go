package registry_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// returned waits until a function is in the store as it was.
func returned(t testing.TB, r registry.Registry, e registry.Entry) {
	t.Helper()
	var last error
	await.Until(t, e.Name+" in the store again", func() bool {
		var is registry.Entry
		is, last = r.Find(t.Context(), e.Name)
		return last == nil && reflect.DeepEqual(is, e)
	})
}

// existing opens the registry of a server whose buckets somebody else creates.
func existing(t *testing.T, s *server.Server) *fixture {
	t.Helper()
	nc := registrytest.Connect(t, s)
	js := registrytest.JetStream(t, nc)
	await.Until(t, "the buckets' creation", func() bool {
		_, err := js.Stream(t.Context(), "OBJ_"+registry.BucketModules)
		return err == nil
	})
	return connect(t, nc)
}

// told is what a watch has told of: the latest entry of each function that is there.
type told struct {
	mu      sync.Mutex
	entries map[string]registry.Entry
}

// add takes note of a change.
func (k *told) add(ch registry.Change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ch.Err == nil && len(ch.Entry.Versions) == 0 {
		delete(k.entries, ch.Name)
	} else if ch.Err == nil {
		k.entries[ch.Name] = ch.Entry
	}
}

// knows waits until the watch has told of exactly these entries: of what nobody has been told, nobody can put back.
func (k *told) knows(t testing.TB, all ...registry.Entry) {
	t.Helper()
	want := map[string]registry.Entry{}
	for _, e := range all {
		want[e.Name] = e
	}
	await.Until(t, "the watch tells of all functions", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return reflect.DeepEqual(k.entries, want)
	})
}

// watched is a registry that an invoker watches, with copies of its modules.
func watched(t *testing.T, nc *nats.Conn) (*registry.JetStream, *journal, *told) {
	t.Helper()
	log := &journal{}
	r, err := registry.Open(t.Context(), registrytest.JetStream(t, nc),
		registry.Config{Copies: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	changes, err := r.Watch(t.Context())
	must(t, err)
	k := &told{entries: map[string]registry.Entry{}}
	go func() {
		for ch := range changes { // until the test ends
			k.add(ch)
		}
	}()
	return r, log, k
}

// A registry that is read only follows what others do, and makes and mends nothing.
func TestReadOnly(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	streams := func() int {
		n := 0
		for range js.StreamNames(t.Context()).Name() {
			n++
		}
		return n
	}
	if _, err := registry.Open(t.Context(), js, registry.Config{ReadOnly: true}); protocol.CodeOf(err) != 503 || streams() != 0 {
		t.Fatalf("without buckets: %v, and there are %d streams", err, streams())
	}
	writer, err := registry.Open(t.Context(), js, registry.Config{})
	must(t, err)
	first, _, err := writer.Put(t.Context(), protocol.Function{Name: "first"}, []byte("module"))
	must(t, err)
	reader, err := registry.Open(t.Context(), js, registry.Config{ReadOnly: true})
	must(t, err)
	changes, err := reader.Watch(t.Context())
	must(t, err)
	next := func() registry.Change {
		select {
		case ch := <-changes:
			return ch
		case <-time.After(registrytest.Patience):
			t.Fatal("nothing is told")
		}
		return registry.Change{}
	}
	if ch := next(); ch.Name != "first" || !reflect.DeepEqual(ch.Entry, first) || !next().Synced {
		t.Fatalf("the reader is told of %+v", ch)
	}
	must(t, js.DeleteKeyValue(t.Context(), registry.BucketFunctions))
	must(t, js.DeleteObjectStore(t.Context(), registry.BucketModules))
	registry.LookBetween(t.Context(), reader, first, 2) // as its own watch must not
	if n := streams(); n != 0 {
		t.Errorf("the reader has made %d streams", n)
	}
	writer, err = registry.Open(t.Context(), js, registry.Config{})
	must(t, err)
	_, _, err = writer.Put(t.Context(), protocol.Function{Name: "second"}, []byte("module"))
	must(t, err)
	if ch := next(); ch.Name != "second" {
		t.Errorf("the reader is told of %+v", ch)
	}
	if _, err := reader.Find(t.Context(), "first"); protocol.CodeOf(err) != 404 {
		t.Errorf("the reader has put back what was lost: %v", err)
	}
}

// A bucket that is gone is made and filled at the next look, however long ago each module could be asked for: on a slow
// store that is not done for minutes.
func TestBucketOfModulesIsGone(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	r, err := registry.Open(t.Context(), js, registry.Config{Copies: t.TempDir()})
	must(t, err)
	_, _, err = r.Put(t.Context(), protocol.Function{Name: "greet"}, []byte("module"))
	must(t, err)
	e, err := r.Find(t.Context(), "greet")
	must(t, err)
	must(t, js.DeleteObjectStore(t.Context(), registry.BucketModules))
	registry.LookBetween(t.Context(), r, e, 2)
	if b, err := r.Module(t.Context(), protocol.Digest([]byte("module"))); string(b) != "module" {
		t.Fatalf("got %q, %v", b, err)
	}
	objects, err := js.ObjectStore(t.Context(), registry.BucketModules)
	must(t, err)
	if _, err := objects.GetInfo(t.Context(), protocol.Digest([]byte("module"))); err != nil {
		t.Fatal("the module is not put back: ", err)
	}
}

// What the store loses while it is watched is put back, records and modules, and the log names it.
func TestStoreLosesWhatIsWatched(t *testing.T) {
	const functions, modules = "KV_" + registry.BucketFunctions, "OBJ_" + registry.BucketModules
	purge := func(stream, subject string) func(context.Context, jetstream.JetStream) error {
		return func(ctx context.Context, js jetstream.JetStream) error {
			s, err := js.Stream(ctx, stream)
			if err != nil {
				return err
			}
			return s.Purge(ctx, jetstream.WithPurgeSubject(subject))
		}
	}
	remove := func(streams ...string) func(context.Context, jetstream.JetStream) error {
		return func(ctx context.Context, js jetstream.JetStream) error {
			for _, s := range streams {
				if err := js.DeleteStream(ctx, s); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, test := range []struct {
		what string
		lose func(context.Context, jetstream.JetStream) error
		log  string
	}{
		{"a record", purge(functions, "$KV.fn_functions.greet"), " lost a function"},
		{"all records", purge(functions, ">"), " lost a function"},
		{"the bucket of records", remove(functions), " lost a function"},
		{"the bucket of modules", remove(modules), " lost a module"},
		{"both buckets", remove(functions, modules), " lost a function"},
		{"both buckets, modules first", remove(modules, functions), " lost a function"},
		{"descriptions", purge(modules, "$O.fn_modules.M.>"), " lost a module"},
		{"chunks", purge(modules, "$O.fn_modules.C.>"), " lost a module"},
		{"an object", func(ctx context.Context, js jetstream.JetStream) error {
			o, err := js.ObjectStore(ctx, registry.BucketModules)
			if err != nil {
				return err
			}
			return o.Delete(ctx, protocol.Digest([]byte("two")))
		}, " lost a module"},
	} {
		t.Run(test.what, func(t *testing.T) {
			s := registrytest.StartNATS(t, t.TempDir(), 0)
			r, log, k := watched(t, registrytest.Connect(t, s))
			put(t, r, "removed", "three")
			put(t, r, "greet", "one")
			e := put(t, r, "greet", "two")
			other := put(t, r, "other", "two")
			_, err := r.Delete(t.Context(), "removed")
			must(t, err)
			k.knows(t, e, other)
			nc := registrytest.Connect(t, s)
			must(t, test.lose(t.Context(), registrytest.JetStream(t, nc)))
			await.Until(t, "the report of the loss", func() bool { return strings.Contains(log.String(), test.log) })
			x := existing(t, s)
			for _, e := range []registry.Entry{e, other} {
				returned(t, x.r, e)
				for _, v := range e.Versions {
					await.Until(t, "the module of "+v.Ref().String(), func() bool {
						_, err := x.r.Module(t.Context(), v.Digest)
						return err == nil
					})
				}
			}
			_, err = x.r.Find(t.Context(), "removed")
			wantError(t, "what was removed", err, protocol.CodeNotFound, "removed")
			e = put(t, x.r, "greet", "four")
			returned(t, r, e)
		})
	}
}

// A store that has gone back to an older state of a function gets the newest one back.
func TestStoreGoesBack(t *testing.T) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	r, log, _ := watched(t, registrytest.Connect(t, s))
	x := connect(t, registrytest.Connect(t, s))
	first := put(t, r, "greet", "one")
	old, _, err := registry.EncodeEntry(first, 1<<20)
	must(t, err)
	put(t, r, "greet", "two")
	last := put(t, r, "greet", "three")
	_, err = x.kv.Put(t.Context(), "greet", old)
	must(t, err)
	await.Until(t, "the report of the loss", func() bool { return strings.Contains(log.String(), " lost a function") })
	returned(t, x.r, last)
	_, err = r.Delete(t.Context(), "greet") // and what was removed and deployed anew counts
	must(t, err)
	returned(t, x.r, put(t, r, "greet", "one"))
}

// Of two who watch, one puts back, and neither disturbs the other.
func TestTwoPutBack(t *testing.T) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	a, _, first := watched(t, registrytest.Connect(t, s))
	_, _, second := watched(t, registrytest.Connect(t, s))
	var all []registry.Entry
	for i := range 50 {
		all = append(all, put(t, a, fmt.Sprint("f", i), fmt.Sprint("module ", i%7)))
	}
	first.knows(t, all...)
	second.knows(t, all...)
	nc := registrytest.Connect(t, s)
	must(t, registrytest.JetStream(t, nc).DeleteStream(t.Context(), "KV_"+registry.BucketFunctions))
	x := existing(t, s)
	for _, e := range all {
		returned(t, x.r, e)
	}
}
