package registry_test

import (
	"fmt"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

func BenchmarkFind(b *testing.B) {
	x := start(b)
	put(b, x.r, "greet", "module")
	b.ReportAllocs()
	for b.Loop() {
		_, err := x.r.Find(b.Context(), "greet")
		must(b, err)
	}
}

func BenchmarkPut(b *testing.B) {
	x := start(b)
	module := make([]byte, 1<<20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _, err := x.r.Put(b.Context(), protocol.Function{Name: "greet", Args: []string{fmt.Sprint(i)}}, module)
		must(b, err)
	}
}

func BenchmarkModule(b *testing.B) {
	x := start(b)
	e := put(b, x.r, "greet", string(make([]byte, 1<<20)))
	b.SetBytes(1 << 20)
	for b.Loop() {
		_, err := x.r.Module(b.Context(), e.Latest().Digest)
		must(b, err)
	}
}

// BenchmarkDelete removes one of 100 functions: the others are searched for its module.
func BenchmarkDelete(b *testing.B) {
	x := start(b)
	for i := range 99 {
		put(b, x.r, fmt.Sprint("f", i), "module")
	}
	for b.Loop() {
		put(b, x.r, "greet", "other")
		_, err := x.r.Delete(b.Context(), "greet")
		must(b, err)
	}
}
