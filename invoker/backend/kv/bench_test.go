package kv

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// now is the time.
var now = time.Now

// measure runs a benchmark and reports the processor time of its operations.
func measure(b *testing.B, f func(i int)) {
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	for i := range b.N {
		f(i)
	}
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N)/1000, "cpu-us/op")
}

// BenchmarkRead opens, reads and closes a key of 200 bytes, in a run of its own.
func BenchmarkRead(b *testing.B) {
	for name, change := range map[string]func(g *protocol.Grant){
		"cached": func(*protocol.Grant) {}, "direct": func(g *protocol.Grant) { g.Consistent = true },
	} {
		b.Run(name, func(b *testing.B) {
			e := newEnv(b)
			m := e.grant(e.bucket(map[string]string{"k": fmt.Sprintf("%200d", 1)}), change)
			buffer := make([]byte, 256)
			measure(b, func(int) {
				r := begin(b, m, 0)
				f, err := r.Tree.Open(b.Context(), "k", files.Read)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Stat(b.Context()); err != nil {
					b.Fatal(err)
				}
				if n, _ := f.ReadAt(b.Context(), buffer, 0); n != 200 {
					b.Fatal(n)
				}
				if err := f.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				r.session.End()
			})
		})
	}
}

// BenchmarkCommit writes keys of 200 bytes.
func BenchmarkCommit(b *testing.B) {
	for _, storage := range []jetstream.StorageType{jetstream.FileStorage, jetstream.MemoryStorage} {
		for _, c := range []struct {
			keys   int
			atomic bool
		}{{1, false}, {2, false}, {2, true}, {10, false}, {10, true}} {
			b.Run(fmt.Sprintf("%v/%d/atomic=%t", storage, c.keys, c.atomic), func(b *testing.B) {
				e := newEnv(b)
				kv, err := e.js.CreateKeyValue(b.Context(), jetstream.KeyValueConfig{Bucket: "b", Storage: storage})
				e.must(err)
				m := e.grant(kv, func(g *protocol.Grant) { g.Atomic = c.atomic })
				value := fmt.Sprintf("%200d", 1)
				measure(b, func(int) {
					r := begin(b, m, 0)
					for k := range c.keys {
						r.put(fmt.Sprint("k", k), value)
					}
					e.must(r.commit())
				})
			})
		}
	}
}

// BenchmarkIncrement reads a key and writes it by its revision. "native" is a Go program with kv.Get and kv.Update.
func BenchmarkIncrement(b *testing.B) {
	e := newEnv(b)
	kv := e.bucket(map[string]string{"n": "0", "m": "0"})
	m := e.grant(kv)
	b.Run("files", func(b *testing.B) {
		measure(b, func(int) {
			r := begin(b, m, 0)
			increment(b, r, "n")
			e.must(r.commit())
		})
	})
	b.Run("native", func(b *testing.B) {
		measure(b, func(i int) {
			v, err := kv.Get(b.Context(), "m")
			e.must(err)
			_, err = kv.Update(b.Context(), "m", v.Value(), v.Revision())
			e.must(err)
		})
	})
}

// BenchmarkList lists 1,000 keys.
func BenchmarkList(b *testing.B) {
	e := newEnv(b)
	kv := e.bucket(nil)
	e.fill(kv, 1000, "k%d")
	for name, again := range map[string]int{"cached": 0, "server": 1} {
		m := e.grant(kv)
		b.Run(name, func(b *testing.B) {
			measure(b, func(int) {
				if got := len(begin(b, m, again).list(".")); got != 1000 {
					b.Fatal(got)
				}
			})
		})
	}
}
