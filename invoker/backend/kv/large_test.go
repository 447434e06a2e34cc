package kv

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// fill writes many keys, each with a value of 10 bytes.
func (e *env) fill(b jetstream.KeyValue, n int, format string) {
	e.Helper()
	js, err := jetstream.New(e.nc)
	e.must(err)
	for i := range n {
		if i%1000 == 0 {
			<-js.PublishAsyncComplete()
		}
		_, err := js.PublishAsync("$KV."+b.Bucket()+"."+fmt.Sprintf(format, i), []byte("0123456789"))
		e.must(err)
	}
	<-js.PublishAsyncComplete()
}

// TestLarge lists 100,000 keys: from the names in memory, and from the server with nothing in memory but the names
// that are asked for.
func TestLarge(t *testing.T) {
	const keys = 100_000
	e := newEnv(t)
	b, err := e.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "large", Storage: jetstream.MemoryStorage})
	e.must(err)
	e.fill(b, keys, "flat/key-%d")
	e.fill(b, 3, "other/%d")
	for name, c := range map[string]struct {
		most  limits
		level level
	}{"names": {limits{}, names}, "none": {limits{names: -1}, none}} {
		e.kind = &Kind{JetStream: e.js, most: c.most, Log: slog.New(slog.DiscardHandler), every: waits}
		m := e.grant(b, func(g *protocol.Grant) { g.MaxOps = 10 })
		if got := m.bucket.cache.level; got != c.level {
			t.Errorf("%s: the cache has the level %d", name, got)
		}
		before, began := heap(), now()
		r := begin(t, m, 0)
		if got := fmt.Sprint(r.list(".")); got != "[flat/ other/]" {
			t.Errorf("%s: it lists %s", name, got)
		}
		if got := heap() - before; got > 4<<20 {
			t.Errorf("%s: a folder of few names has taken %d bytes", name, got)
		}
		t.Logf("%s: a listing took %v", name, now().Sub(began))
		if got := len(r.list("flat")); got != keys {
			t.Errorf("%s: the folder has %d names", name, got)
		}
		if got := r.read("flat/key-99999"); got != "0123456789" {
			t.Errorf("%s: a key is %q", name, got)
		}
		if c.level == none {
			continue // each listing takes its time
		}
		if err := r.Tree.Rename(t.Context(), "flat", "new"); err == nil || len(r.log.all) != 1 ||
			!strings.Contains(r.log.all[0], "1000 keys") {
			t.Errorf("%s: renaming it: %v, %q", name, err, r.log.all)
		}
	}
}

// TestShrinks has a bucket become too large for the memory, and small again.
func TestShrinks(t *testing.T) {
	e := newEnv(t)
	said := new(strings.Builder)
	e.kind.Log = slog.New(slog.NewTextHandler(said, nil))
	e.kind.most, e.kind.every = limits{keys: 100, bytes: 1 << 20, names: 1000}, checkEvery/100
	b := e.bucket(map[string]string{"a": "1"})
	m := e.grant(b)
	level := func() level {
		m.bucket.cache.mu.RLock()
		defer m.bucket.cache.mu.RUnlock()
		return m.bucket.cache.level
	}
	e.until("all is in memory", func() bool { return level() == values })
	e.fill(b, 200, "k%d")
	e.until("the names are in memory", func() bool { return level() == names })
	if got := begin(t, m, 0).read("k7"); got != "0123456789" {
		t.Errorf("a key is %q", got)
	}
	e.fill(b, 2000, "m%d")
	e.until("nothing is in memory", func() bool { return level() == none })
	if got := begin(t, m, 0).read("m7"); got != "0123456789" {
		t.Errorf("a key is %q", got)
	}
	s, err := e.js.Stream(t.Context(), "KV_"+b.Bucket())
	e.must(err)
	e.must(s.Purge(t.Context()))
	e.until("all is in memory again", func() bool { return level() == values })
	e.kind.leave(m.bucket) // so that nothing is written any more
	if got := strings.Count(said.String(), "too large"); got < 2 {
		t.Errorf("the log has %s", said)
	}
	_, err = e.kind.use(t.Context(), &protocol.Function{Name: "f"}, b.Bucket(), needs{}) // for the end of the test
	e.must(err)
}

// TestForgets has keys that expire, of which no watcher hears: they are not kept in memory.
func TestForgets(t *testing.T) {
	e := newEnv(t)
	e.kind.Log = slog.New(slog.DiscardHandler)
	b, err := e.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "ttl", TTL: 1e9})
	e.must(err)
	_, err = b.PutString(t.Context(), "a", "1")
	e.must(err)
	m := e.grant(b)
	e.until("the key has expired", func() bool {
		_, err := begin(t, m, 0).Tree.Open(t.Context(), "a", files.Read)
		return err != nil
	})
}

// heap returns how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
