package native

import "github.com/tetratelabs/wazero/api"

// Gauge returns where the engine keeps a global of an instance, of type i64, or nil if that cannot be seen. The guest
// must not be running native code. The global is what it was.
func Gauge(instance api.Module, g api.MutableGlobal) *uint64 {
	const mark = 0x9E3779B97F4A7C15 // which is nothing else's value, or else the second look tells
	words := contents(instance)
	old := g.Get()
	defer g.Set(old)
	g.Set(mark)
	for i := range words {
		if words[i] != mark {
			continue
		}
		if g.Set(^uint64(mark)); words[i] == ^uint64(mark) {
			return &words[i]
		}
		g.Set(mark)
	}
	return nil
}
