package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestJetStream(t *testing.T) {
	registrytest.Test(t, func(t *testing.T) registry.Registry { return start(t).r })
}

// fixture is a registry with a hand on what is below it.
type fixture struct {
	r       *registry.JetStream
	nc      *nats.Conn
	js      jetstream.JetStream
	kv      jetstream.KeyValue
	modules jetstream.ObjectStore
	log     *journal
}

func start(t testing.TB) *fixture {
	t.Helper()
	return connect(t, registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0)))
}

func connect(t testing.TB, nc *nats.Conn) *fixture {
	t.Helper()
	x := &fixture{nc: nc, log: &journal{}}
	var errs [4]error
	x.r, errs[0] = registry.Open(t.Context(), registrytest.JetStream(t, nc),
		registry.Config{Log: slog.New(slog.NewTextHandler(x.log, nil))})
	x.js, errs[1] = jetstream.New(nc)
	x.kv, errs[2] = x.js.KeyValue(t.Context(), registry.BucketFunctions)
	x.modules, errs[3] = x.js.ObjectStore(t.Context(), registry.BucketModules)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return x
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func wantError(t testing.TB, what string, err error, code int, words string) {
	t.Helper()
	var e *protocol.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Error(), words) {
		t.Fatalf("%s: got %v (code %d), want code %d and %q", what, err, protocol.CodeOf(err), code, words)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func put(t testing.TB, r registry.Registry, name, module string) registry.Entry {
	t.Helper()
	return registrytest.Put(t, r, protocol.Function{Name: name}, module)
}

// must fails the test if a step of it fails.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutJetStream(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, "", 0))
	_, err := registry.Open(t.Context(), registrytest.JetStream(t, nc), registry.Config{})
	wantError(t, "Open", err, protocol.CodeUnavailable, "nats-server -js")
}

func TestClosedConnection(t *testing.T) {
	x := start(t)
	put(t, x.r, "greet", "module")
	x.nc.Close()
	_, err := x.r.Find(t.Context(), "greet")
	wantError(t, "Find", err, protocol.CodeUnavailable, "closed")
	_, err = x.r.List(t.Context())
	wantError(t, "List", err, protocol.CodeUnavailable, "closed")
	_, _, err = x.r.Put(t.Context(), protocol.Function{Name: "greet"}, []byte("other"))
	wantError(t, "Put", err, protocol.CodeUnavailable, "closed")
	_, err = x.r.Delete(t.Context(), "greet")
	wantError(t, "Delete", err, protocol.CodeUnavailable, "closed")
	_, err = x.r.Module(t.Context(), protocol.Digest([]byte("module")))
	wantError(t, "Module", err, protocol.CodeUnavailable, "closed")
}

func TestDeadline(t *testing.T) {
	x := start(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, _, err := x.r.Put(ctx, protocol.Function{Name: "greet"}, []byte("module"))
	wantError(t, "Put", err, protocol.CodeUnavailable, "in time")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not context.DeadlineExceeded", err)
	}
}

// A server that is away is an error in time, also for a caller who is ready to wait for ever.
func TestServerAway(t *testing.T) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	x := connect(t, registrytest.Connect(t, s))
	put(t, x.r, "greet", "module")
	s.Shutdown()
	calls := map[string]func(context.Context) error{
		"Find":   func(ctx context.Context) error { _, err := x.r.Find(ctx, "greet"); return err },
		"List":   func(ctx context.Context) error { _, err := x.r.List(ctx); return err },
		"Delete": func(ctx context.Context) error { _, err := x.r.Delete(ctx, "greet"); return err },
		"Watch":  func(ctx context.Context) error { _, err := x.r.Watch(ctx); return err },
		"Module": func(ctx context.Context) error {
			_, err := x.r.Module(ctx, protocol.Digest([]byte("module")))
			return err
		},
		"Put": func(ctx context.Context) error {
			_, _, err := x.r.Put(ctx, protocol.Function{Name: "greet"}, []byte("other"))
			return err
		},
	}
	type result struct {
		what string
		err  error
	}
	results := make(chan result, len(calls))
	for what, call := range calls {
		go func() { results <- result{what, call(context.Background())} }()
	}
	limit := time.After(registrytest.Patience)
	for range calls {
		select {
		case r := <-results:
			wantError(t, r.what, r.err, protocol.CodeUnavailable, "")
		case <-limit:
			t.Fatal("a call hangs")
		}
	}
}

// A module that is damaged in any way is a coded error, and the next Put of it repairs it, also
// when it makes no new version.
func TestDamagedModule(t *testing.T) {
	module := strings.Repeat("0123456789abcdef", 20<<10)
	digest := protocol.Digest([]byte(module))
	chunks := jetstream.WithPurgeSubject("$O." + registry.BucketModules + ".C.>")
	for _, test := range []struct {
		what   string
		damage func(x *fixture, s jetstream.Stream) error
		code   int
		words  string
	}{
		{"no object", func(x *fixture, s jetstream.Stream) error {
			return x.modules.Delete(t.Context(), digest)
		}, protocol.CodeNotFound, "deploy"},
		{"never an object", func(x *fixture, s jetstream.Stream) error {
			return s.Purge(t.Context())
		}, protocol.CodeNotFound, "deploy"},
		{"no chunks", func(x *fixture, s jetstream.Stream) error {
			return s.Purge(t.Context(), chunks)
		}, protocol.CodeUnavailable, "deploy its function again"},
		{"a chunk less", func(x *fixture, s jetstream.Stream) error {
			return s.Purge(t.Context(), chunks, jetstream.WithPurgeKeep(2))
		}, protocol.CodeUnavailable, "bytes are missing"},
		{"another object", func(x *fixture, s jetstream.Stream) error {
			_, err := x.modules.PutString(t.Context(), digest, "something else")
			return err
		}, protocol.CodeUnavailable, "another one"},
		{"no description", func(x *fixture, s jetstream.Stream) error {
			info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("$O."+registry.BucketModules+".M.*"))
			for subject := range info.State.Subjects {
				_, err = x.js.Publish(t.Context(), subject, []byte(`{"nuid":">"`))
			}
			return err
		}, protocol.CodeUnavailable, "description"},
	} {
		t.Run(test.what, func(t *testing.T) {
			x := start(t)
			first := put(t, x.r, "greet", module)
			s, err := x.js.Stream(t.Context(), "OBJ_"+registry.BucketModules)
			must(t, err)
			must(t, test.damage(x, s))
			_, err = x.r.Module(t.Context(), digest)
			wantError(t, "Module", err, test.code, test.words)
			equal(t, "put again", put(t, x.r, "greet", module), first)
			got, err := x.r.Module(t.Context(), digest)
			if err != nil || string(got) != module {
				t.Errorf("repaired: %d bytes, %v", len(got), err)
			}
		})
	}
}

// Records of others stop nobody.
func TestBrokenRecords(t *testing.T) {
	x := start(t)
	good := put(t, x.r, "good", "module")
	digest := protocol.Digest([]byte("theirs"))
	for key, record := range map[string]string{
		"nojson": `{`,
		"empty":  ``,
		"name":   `{"name":"other","versions":[{"name":"other","version":1}]}`,
		"none":   `{"name":"none","versions":[]}`,
		"key":    fmt.Sprintf(`{"name":"key","versions":[{"name":"key","version":1,"digest":%q,"colour":"red"}]}`, digest),
		"order": fmt.Sprintf(`{"name":"order","versions":[{"name":"order","version":2,"digest":%q},`+
			`{"name":"order","version":2,"digest":%[1]q}]}`, digest),
		"a.b": `{}`,
		"_x":  `{}`,
	} {
		_, err := x.kv.PutString(t.Context(), key, record)
		must(t, err)
	}
	list, err := x.r.List(t.Context())
	must(t, err)
	equal(t, "list", list, []registry.Entry{good})
	if log := x.log.String(); strings.Count(log, "skipped") != 8 || !strings.Contains(log, "colour") {
		t.Errorf("log:\n%s", log)
	}
	changes, err := x.r.Watch(t.Context())
	must(t, err)
	equal(t, "first", registrytest.Next(t, changes), registry.Change{Name: "good", Entry: good})
	for range 8 {
		c := registrytest.Next(t, changes)
		wantError(t, c.Name, c.Err, protocol.CodeConflict, "the record of function "+c.Name)
	}
	equal(t, "synced", registrytest.Next(t, changes), registry.Change{Synced: true})

	_, err = x.r.Find(t.Context(), "key")
	wantError(t, "Find", err, protocol.CodeConflict, "cannot be read")
	_, _, err = x.r.Put(t.Context(), protocol.Function{Name: "key"}, []byte("module"))
	wantError(t, "Put", err, protocol.CodeConflict, "remove the function")
	_, err = x.r.Delete(t.Context(), "key")
	must(t, err)
	equal(t, "removal", registrytest.Next(t, changes), registry.Change{Name: "key"})
	e := put(t, x.r, "key", "module")
	equal(t, "third", registrytest.Next(t, changes), registry.Change{Name: "key", Entry: e})
	_, err = x.kv.PutString(t.Context(), "key", "rubbish")
	must(t, err)
	c := registrytest.Next(t, changes)
	wantError(t, "rubbish", c.Err, protocol.CodeConflict, "the record of function key")
	e = put(t, x.r, "later", "module")
	equal(t, "fourth", registrytest.Next(t, changes), registry.Change{Name: "later", Entry: e})
}

// The record of an interpreter that cannot be read is replaced by the next that is added, under a new number.
func TestBrokenRuntime(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	r, err := registry.Open(t.Context(), js, registry.Config{Runtimes: true})
	must(t, err)
	put(t, r, "lua", "1")
	put(t, r, "lua", "2")
	kv, err := js.KeyValue(t.Context(), registry.BucketRuntimes)
	must(t, err)
	e, err := kv.Get(t.Context(), "lua")
	must(t, err)
	_, err = kv.Put(t.Context(), "lua", bytes.Replace(e.Value(), []byte("digest"), []byte("digesu"), 1))
	must(t, err)
	_, err = r.Find(t.Context(), "lua")
	wantError(t, "Find", err, protocol.CodeConflict, "cannot be read")
	if e := put(t, r, "lua", "3"); e.Latest().Version != 3 || len(e.Versions) != 1 {
		t.Errorf("replaced by %+v", e)
	}
}

// A record that would be too long for a message loses its oldest versions.
func TestLongRecord(t *testing.T) {
	x := start(t)
	f := protocol.Function{Name: "greet", Env: map[string]string{"A": strings.Repeat("x", protocol.MaxEnv-10)}}
	for i := range registry.KeepVersions {
		e := registrytest.Put(t, x.r, f, fmt.Sprint(i))
		if e.Latest().Version != i+1 {
			t.Fatalf("version %d after %d", e.Latest().Version, i)
		}
	}
	e, err := x.r.Find(t.Context(), "greet")
	if err != nil || len(e.Versions) < 5 || len(e.Versions) > 10 {
		t.Errorf("%d versions, %v", len(e.Versions), err)
	}
	for _, v := range e.Versions {
		if _, err := x.r.Module(t.Context(), v.Digest); err != nil {
			t.Errorf("version %d: %v", v.Version, err)
		}
	}
	if all, err := x.modules.List(t.Context()); err != nil || len(all) != len(e.Versions) {
		t.Errorf("%d modules, %v", len(all), err)
	}
	_, _, err = registry.EncodeEntry(registry.Entry{Name: "greet", Versions: e.Versions[:1]}, 1000)
	wantError(t, "too long", err, protocol.CodeRefused, "shorten env")
}

// A Put that dies between its steps leaves the old version or the new one, and a module
// for it, whatever others delete meanwhile.
func TestPutDies(t *testing.T) {
	x := start(t)
	put(t, x.r, "other", "module")
	digest := protocol.Digest([]byte("module"))
	claim, err := registry.Claim(x.r, t.Context(), digest, []byte("module"))
	must(t, err)
	_, err = x.r.Delete(t.Context(), "other") // whose collector must see the claim
	must(t, err)
	f := protocol.Function{Name: "greet", Version: 1, Digest: digest}
	b, _, err := registry.EncodeEntry(registry.Entry{Name: "greet", Versions: []protocol.Function{f}}, 1<<20)
	must(t, err)
	_, err = x.kv.Create(t.Context(), "greet", b)
	must(t, err) // and here it dies
	if _, err := x.r.Module(t.Context(), digest); err != nil {
		t.Fatalf("the module of a version is gone: %v", err)
	}
	must(t, registry.Sweep(x.r, t.Context(), 0)) // an hour later
	info, err := x.modules.GetInfo(t.Context(), digest)
	if err != nil || len(info.Metadata) != 0 {
		t.Errorf("after the sweep: %+v, %v", info, err)
	}
	registry.Release(x.r, t.Context(), claim, digest, "greet") // it was only slow
	if _, err := x.r.Module(t.Context(), digest); err != nil {
		t.Errorf("the module of a version is gone: %v", err)
	}
}

// A Put that dies before its record is written leaves garbage, which a later start removes.
func TestSweep(t *testing.T) {
	x := start(t)
	put(t, x.r, "greet", "kept")
	_, err := registry.Claim(x.r, t.Context(), protocol.Digest([]byte("left")), []byte("left"))
	must(t, err)
	_, err = x.js.Publish(t.Context(), "$O."+registry.BucketModules+".C.half", []byte("an upload that died"))
	must(t, err)
	must(t, registry.Sweep(x.r, t.Context(), time.Hour)) // too young
	if all, err := x.modules.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d modules, %v", len(all), err)
	}
	must(t, registry.Sweep(x.r, t.Context(), 0))
	all, err := x.modules.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != protocol.Digest([]byte("kept")) {
		t.Errorf("%d modules, %v", len(all), err)
	}
	s, err := x.js.Stream(t.Context(), "OBJ_"+registry.BucketModules)
	must(t, err)
	if n := s.CachedInfo().State.Msgs; n != 3 { // chunk and description of one, deletion of the other
		t.Errorf("%d messages stay", n)
	}
	if _, err := x.r.Module(t.Context(), protocol.Digest([]byte("kept"))); err != nil {
		t.Error(err)
	}
}

// Two registries on one NATS see each other's changes at once.
func TestTwoRegistries(t *testing.T) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	a, b := connect(t, registrytest.Connect(t, s)), connect(t, registrytest.Connect(t, s))
	changes, err := b.r.Watch(t.Context())
	must(t, err)
	equal(t, "first", registrytest.Next(t, changes), registry.Change{Synced: true})
	for i := range 5 {
		begin := time.Now()
		e := put(t, a.r, "greet", fmt.Sprint(i))
		equal(t, "change", registrytest.Next(t, changes), registry.Change{Name: "greet", Entry: e})
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("put and seen in %v", took)
		}
		if found, err := b.r.Find(t.Context(), "greet"); err != nil || len(found.Versions) != i+1 {
			t.Errorf("found %+v, %v", found, err)
		}
	}
}

// Goroutines of a watch end with it.
func TestWatchLeavesNothing(t *testing.T) {
	x := start(t)
	put(t, x.r, "a", "1")
	put(t, x.r, "b", "1")
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	for range 10 {
		changes, err := x.r.Watch(ctx)
		must(t, err)
		registrytest.Next(t, changes)
		_, err = x.r.List(ctx)
		must(t, err)
	}
	cancel()
	goleak.VerifyNone(t, before)
}
