package objects_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// open returns a bucket and what nats.go makes of it.
func open(t testing.TB) (*objects.Bucket, jetstream.ObjectStore, jetstream.Stream) {
	t.Helper()
	b, theirs, s, _ := openAll(t)
	return b, theirs, s
}

func openAll(t testing.TB) (*objects.Bucket, jetstream.ObjectStore, jetstream.Stream, jetstream.JetStream) {
	t.Helper()
	js, err := jetstream.New(registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0)))
	must(t, err)
	b, err := objects.Create(t.Context(), js, jetstream.ObjectStoreConfig{Bucket: "things"})
	must(t, err)
	theirs, err := js.ObjectStore(t.Context(), "things")
	must(t, err)
	s, err := js.Stream(t.Context(), "OBJ_things")
	must(t, err)
	return b, theirs, s, js
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, b *objects.Bucket, o objects.Object, body string) objects.Object {
	t.Helper()
	o, err := b.Put(t.Context(), o, strings.NewReader(body))
	must(t, err)
	return o
}

func stat(t testing.TB, b *objects.Bucket, name string) objects.Object {
	t.Helper()
	o, err := b.Stat(t.Context(), name)
	must(t, err)
	return o
}

// nats.go reads what Put writes, and Get reads what nats.go writes.
func TestForeignClients(t *testing.T) {
	b, theirs, s := open(t)
	for i, body := range []string{"", "hello", strings.Repeat("hello", 100<<10)} {
		ours := put(t, b, stat(t, b, fmt.Sprint("ours ", i)), body)
		got, err := theirs.GetString(t.Context(), fmt.Sprint("ours ", i))
		if err != nil || got != body {
			t.Errorf("%d: nats.go reads %d bytes of %d, %v", i, len(got), len(body), err)
		}
		if ours.Digest() != protocol.Digest([]byte(body)) {
			t.Errorf("%d: digest %s", i, ours.Digest())
		}
		_, err = theirs.PutString(t.Context(), fmt.Sprint("theirs ", i), body)
		must(t, err)
		mine, err := b.Get(t.Context(), fmt.Sprint("theirs ", i), 1<<20)
		if err != nil || string(mine) != body {
			t.Errorf("%d: Get reads %d bytes of %d, %v", i, len(mine), len(body), err)
		}
	}
	all, err := b.List(t.Context())
	if err != nil || len(all) != 6 {
		t.Errorf("%d objects, %v", len(all), err)
	}
	for _, o := range all {
		must(t, b.Delete(t.Context(), o))
	}
	if left, err := theirs.List(t.Context()); !errors.Is(err, jetstream.ErrNoObjectsFound) {
		t.Errorf("nats.go still lists %d objects, %v", len(left), err)
	}
	chunks, err := objects.Subjects(t.Context(), s, "$O.things.C.>")
	if err != nil || len(chunks) != 0 {
		t.Errorf("chunks stay: %v, %v", chunks, err)
	}
}

func TestCompareAndSet(t *testing.T) {
	b, _, s := open(t)
	none := stat(t, b, "thing")
	if none.Live() || none.Seq != 0 {
		t.Errorf("before: %+v", none)
	}
	first := put(t, b, none, "first")
	if _, err := b.Put(t.Context(), none, strings.NewReader("second")); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("put as if there was nothing: %v", err)
	}
	marked := first
	marked.Info.Metadata = map[string]string{"a": "b"}
	marked, err := b.Set(t.Context(), marked)
	must(t, err)
	if err := b.Delete(t.Context(), first); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("delete what has changed: %v", err)
	}
	if got, err := b.Load(t.Context(), first, 10); err != nil || string(got) != "first" {
		t.Errorf("load: %q, %v", got, err)
	}
	second := put(t, b, marked, "second")
	if second.Info.Metadata["a"] != "b" || !second.Live() {
		t.Errorf("second: %+v", second)
	}
	if _, err := b.Load(t.Context(), first, 10); !errors.Is(err, objects.ErrDamaged) {
		t.Errorf("load what was replaced: %v", err)
	}
	must(t, b.Delete(t.Context(), second))
	gone := stat(t, b, "thing")
	if gone.Live() || gone.Seq == 0 {
		t.Errorf("after: %+v", gone)
	}
	put(t, b, gone, "third")
	info, err := s.Info(t.Context())
	if err != nil || info.State.Msgs != 2 {
		t.Errorf("%d messages, want a chunk and a description; %v", info.State.Msgs, err)
	}
}

// A description is written by anybody. A wildcard in it must not purge what others stored.
func TestHostileDescription(t *testing.T) {
	b, theirs, _ := open(t)
	put(t, b, stat(t, b, "victim"), "victim")
	_, err := theirs.PutString(t.Context(), "bad", "bad")
	must(t, err)
	o := stat(t, b, "bad")
	for _, nuid := range []string{">", "*", "a.b", "", "a b", strings.Repeat("a", 70)} {
		o.Info.NUID = nuid
		o, err = b.Set(t.Context(), o)
		must(t, err)
		read := stat(t, b, "bad")
		if _, err := b.Get(t.Context(), "bad", 10); !errors.Is(err, objects.ErrDamaged) {
			t.Errorf("NUID %q: Get: %v", nuid, err)
		}
		o = put(t, b, read, "bad")
	}
	o.Info.Size = 1 << 63
	_, err = b.Set(t.Context(), o)
	must(t, err)
	if _, err := b.Get(t.Context(), "bad", 10); !errors.Is(err, objects.ErrTooLarge) {
		t.Errorf("Get of a lie: %v", err)
	}
	if got, err := b.Get(t.Context(), "victim", 10); err != nil || string(got) != "victim" {
		t.Errorf("victim: %q, %v", got, err)
	}
}

func TestSweep(t *testing.T) {
	b, _, _, js := openAll(t)
	put(t, b, stat(t, b, "kept"), "kept")
	put(t, b, stat(t, b, "empty"), "")
	for range 2 {
		_, err := js.Publish(t.Context(), "$O.things.C.dead", []byte("half an object"))
		must(t, err)
	}
	if n, err := b.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("swept %d that are too young, %v", n, err)
	}
	if n, err := b.Sweep(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if got, err := b.Get(t.Context(), "kept", 10); err != nil || string(got) != "kept" {
		t.Errorf("kept: %q, %v", got, err)
	}
}

// An object with a time to live goes, chunks and description, and others stay. Without Expire it stays, too.
func TestTTL(t *testing.T) {
	b, _, stream := open(t)
	put(t, b, objects.Object{Info: named("before"), TTL: time.Second}, "before")
	must(t, b.Expire(t.Context()))
	put(t, b, objects.Object{Info: named("brief"), TTL: time.Second}, strings.Repeat("x", 300<<10))
	put(t, b, objects.Object{Info: named("kept")}, "kept")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(registrytest.Patience); ; <-tick.C {
		info, err := stream.Info(t.Context())
		must(t, err)
		if info.State.Msgs == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the bucket keeps %d messages, want those of two objects", info.State.Msgs)
		}
	}
	if stat(t, b, "brief").Live() || !stat(t, b, "before").Live() || !stat(t, b, "kept").Live() {
		t.Error("another object has gone")
	}
}

func named(name string) jetstream.ObjectInfo {
	return jetstream.ObjectInfo{ObjectMeta: jetstream.ObjectMeta{Name: name}}
}

// Readers see one of the objects that were put, whole, whoever replaces it.
func TestHammerReplace(t *testing.T) {
	b, _, s := open(t)
	body := func(g int) []byte { return bytes.Repeat([]byte{byte('a' + g)}, 300<<10) }
	put(t, b, stat(t, b, "thing"), string(body(0)))
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for g := range 4 {
		writers.Go(func() {
			for range 8 {
				o, err := b.Stat(t.Context(), "thing")
				if err == nil {
					_, err = b.Put(t.Context(), o, bytes.NewReader(body(g)))
				}
				if err != nil && !errors.Is(err, objects.ErrChanged) {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := b.Get(t.Context(), "thing", 1<<20)
				if err == nil && !bytes.Equal(got, body(int(got[0]-'a'))) {
					t.Error("Get mixes objects")
				}
				if err != nil && !errors.Is(err, objects.ErrDamaged) {
					t.Errorf("Get: %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if info, err := s.Info(t.Context()); err != nil || info.State.Msgs != 4 {
		t.Errorf("%d messages, want 3 chunks and a description; %v", info.State.Msgs, err)
	}
}

func BenchmarkPut(b *testing.B) { bench(b, false) }
func BenchmarkGet(b *testing.B) { bench(b, true) }

// bench puts or gets objects of various sizes.
func bench(b *testing.B, get bool) {
	bucket, _, _ := open(b)
	for _, size := range []int{1 << 10, 2 << 20, 8 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			body := strings.Repeat("x", size)
			o := put(b, bucket, stat(b, bucket, fmt.Sprint(size)), body)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if get {
					_, err = bucket.Get(b.Context(), o.Info.Name, int64(size))
				} else {
					o, err = bucket.Put(b.Context(), o, strings.NewReader(body))
				}
				must(b, err)
			}
		})
	}
}
