package registry

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Memory is a Registry in memory: for tests, and for an invoker that need not remember. The zero
// value is empty and ready. Nothing it does takes time, so it looks at a ctx only to end
// watches.
type Memory struct {
	mu      sync.Mutex
	entries map[string]Entry
	modules map[string][]byte // digest -> bytes
	feeds   map[*feed]bool

	aliases  map[string]map[string]memoryAlias // function -> alias
	revision uint64                            // of the last change of an alias
}

var _ Registry = (*Memory)(nil)

// Find implements Registry.
func (m *Memory) Find(_ context.Context, name string) (Entry, error) {
	if err := protocol.CheckName(name); err != nil {
		return Entry{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[name]
	if !ok {
		return Entry{}, notFound("", name)
	}
	return e, nil
}

// List implements Registry.
func (m *Memory) List(context.Context) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.entries), byName), nil
}

func byName(a, b Entry) int { return strings.Compare(a.Name, b.Name) }

// Put implements Registry.
func (m *Memory) Put(_ context.Context, f protocol.Function, module []byte) (Entry, bool, error) {
	f, err := admit(f, module, protocol.KnowsNeed)
	if err != nil {
		return Entry{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries, m.modules = map[string]Entry{}, map[string][]byte{}
	}
	e, created := m.entries[f.Name].with(f, time.Now())
	if !created {
		return e, false, nil
	}
	e = e.pruned(m.named(f.Name))
	if m.modules[f.Digest] == nil {
		m.modules[f.Digest] = bytes.Clone(module)
	}
	m.entries[f.Name] = e
	m.collect()
	m.tell(Change{Name: f.Name, Entry: m.watched(f.Name)})
	return e, true, nil
}

// Delete implements Registry.
func (m *Memory) Delete(_ context.Context, name string) (Entry, error) {
	if err := protocol.CheckName(name); err != nil {
		return Entry{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[name]
	if !ok {
		return Entry{}, notFound("remove "+name, name)
	}
	delete(m.entries, name)
	delete(m.aliases, name)
	m.collect()
	m.tell(Change{Name: name})
	return e, nil
}

// collect forgets modules that no version runs. The caller holds the lock.
func (m *Memory) collect() {
	used := map[string]bool{}
	for _, e := range m.entries {
		maps.Copy(used, e.digests())
	}
	maps.DeleteFunc(m.modules, func(digest string, _ []byte) bool { return !used[digest] })
}

// tell gives a change to all watchers. The caller holds the lock.
func (m *Memory) tell(c Change) {
	for f := range m.feeds {
		f.add(c)
	}
}

// Module implements Registry.
func (m *Memory) Module(_ context.Context, digest string) ([]byte, error) {
	if err := protocol.CheckDigest(digest); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	module, ok := m.modules[digest]
	if !ok {
		return nil, noModule(digest)
	}
	return bytes.Clone(module), nil
}

func noModule(digest string) error {
	return protocol.Errorf(protocol.CodeNotFound, "", "there is no module %.80s; deploy its function again", digest)
}

// Watch implements Registry.
func (m *Memory) Watch(ctx context.Context) (<-chan Change, error) {
	f, out := newFeed(), make(chan Change)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.SortedFunc(maps.Values(m.entries), byName) {
		f.add(Change{Name: e.Name, Entry: m.watched(e.Name)})
	}
	f.add(Change{Synced: true})
	if m.feeds == nil {
		m.feeds = map[*feed]bool{}
	}
	m.feeds[f] = true
	go func() {
		defer close(out)
		f.pump(ctx, out)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.feeds, f)
	}()
	return out, nil
}
